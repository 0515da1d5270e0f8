#include "protocol/reply_json.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "jsonl/splitter.h"
#include "protocol/members.h"

namespace sheaf::protocol {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kShownErrorMax = 1024;

// A member that a server may leave out.
struct Filling {
    std::string name;
    std::string_view json;
};

}  // namespace

Result<jsonl::Document> parse_answer(std::string_view reply) {
    auto document = jsonl::Document::parse(reply);
    if (!document) return fail(ErrorCode::invalid, "The model server's answer is not JSON.");
    dom::object body;
    if (document->root().get(body) != simdjson::SUCCESS)
        return fail(ErrorCode::invalid, "The model server's answer is not an object.");
    if (const auto error = find_object(body, "error"))
        return fail(ErrorCode::invalid,
                    fmt::format("The model server reported: {}",
                                find_text(*error, "message").value_or("an error").substr(0, kShownErrorMax)));
    return document;
}

void write_filled(jsonl::Writer& json, const dom::object& server, std::string_view ours,
                  const MemberWriter& write_own) {
    std::vector<Filling> lacking;
    const auto read =
        jsonl::for_each_member(ours, [&](std::string_view name, std::string_view value) -> Result<> {
            lacking.push_back({std::string(name), value});
            return {};
        });
    CHECK(read.has_value(), "what fills an answer is an object");
    json.open_object();
    for (const auto& [name, value] : server) {
        const auto filling = std::ranges::find(lacking, name, &Filling::name);
        const bool is_filled = value.is_null() && filling != lacking.end();
        if (!write_own || !write_own(json, name, value)) {
            json.key(name);
            if (is_filled)
                json.raw(filling->json);
            else
                write_json(json, value);
        }
        if (filling != lacking.end()) lacking.erase(filling);
    }
    for (const auto& [name, value] : lacking) json.member_raw(name, value);
    json.close_object();
}

}  // namespace sheaf::protocol
