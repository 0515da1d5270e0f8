#include "protocol/reply_json.h"

#include <fmt/format.h>

#include "base/check.h"
#include "protocol/members.h"

namespace sheaf::protocol {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kShownErrorMax = 1024;

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
    const auto document = jsonl::Document::parse(ours);
    CHECK(document && document->root().is_object(), "what fills an answer is an object");
    const dom::object filling(document->root());
    json.open_object();
    for (const auto& [name, value] : server) {
        if (write_own && write_own(json, name, value)) continue;
        const auto filled = find_member(filling, name);
        json.member_raw(name, json_text(value.is_null() && filled ? *filled : value));
    }
    for (const auto& [name, value] : filling) {
        dom::element sent;
        if (server.at_key(name).get(sent) != simdjson::SUCCESS) json.member_raw(name, json_text(value));
    }
    json.close_object();
}

}  // namespace sheaf::protocol
