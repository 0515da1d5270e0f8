#include "backend/json_text.h"

#include <boost/json.hpp>

#include "jsonl/writer.h"

namespace sheaf::backend {
namespace {

void write(jsonl::Writer& out, const boost::json::value& value) {
    switch (value.kind()) {
        case boost::json::kind::null:
            out.null();
            return;
        case boost::json::kind::bool_:
            out.value(value.get_bool());
            return;
        case boost::json::kind::int64:
            out.value(value.get_int64());
            return;
        case boost::json::kind::uint64:
            out.value(value.get_uint64());
            return;
        case boost::json::kind::double_:
            out.value(value.get_double());
            return;
        case boost::json::kind::string: {
            const auto& text = value.get_string();
            out.value(std::string_view(text.data(), text.size()));
            return;
        }
        case boost::json::kind::array:
            out.open_array();
            for (const auto& element : value.get_array()) write(out, element);
            out.close_array();
            return;
        case boost::json::kind::object:
            out.open_object();
            for (const auto& member : value.get_object()) {
                out.key(std::string_view(member.key().data(), member.key().size()));
                write(out, member.value());
            }
            out.close_object();
            return;
    }
}

}  // namespace

Result<boost::json::value> parse_json(std::string_view json) {
    boost::json::parse_options options;
    options.max_depth = 64;
    boost::system::error_code error;
    auto value = boost::json::parse(json, error, {}, options);
    if (error) return fail(ErrorCode::invalid, "not one JSON document: " + error.message());
    return value;
}

std::string json_text(const boost::json::value& value) {
    jsonl::Writer out;
    write(out, value);
    return out.take();
}

}  // namespace sheaf::backend
