#include "protocol/logprobs.h"

#include "jsonl/document.h"
#include "protocol/members.h"

namespace sheaf::protocol {
namespace {

namespace dom = simdjson::dom;

void write_token(jsonl::Writer& json, const dom::object& token) {
    for (const auto& [name, value] : token) {
        if (name == "top_logprobs") continue;
        const bool no_bytes = name == "bytes" && value.is_null();
        json.member_raw(name, no_bytes ? "[]" : json_text(value));
    }
}

}  // namespace

void append_logprobs(std::string& entries, std::string_view more) {
    if (more.empty() || more == "[]") return;
    if (entries.empty() || entries == "[]") {
        entries = more;
        return;
    }
    entries.back() = ',';
    entries += more.substr(1);
}

void write_responses_logprobs(jsonl::Writer& json, std::string_view entries) {
    json.open_array();
    const auto document = jsonl::Document::parse(entries.empty() ? "[]" : entries);
    if (document && document->root().is_array()) {
        for (const dom::element element : dom::array(document->root())) {
            dom::object entry;
            if (element.get(entry) != simdjson::SUCCESS) continue;
            json.open_object();
            write_token(json, entry);
            json.key("top_logprobs").open_array();
            for_each_object(entry, "top_logprobs", [&](const dom::object& likely) {
                json.open_object();
                write_token(json, likely);
                json.close_object();
            });
            json.close_array().close_object();
        }
    }
    json.close_array();
}

}  // namespace sheaf::protocol
