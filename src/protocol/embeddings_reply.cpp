#include "protocol/embeddings_reply.h"

#include "protocol/members.h"
#include "protocol/reply_json.h"

namespace sheaf::protocol {
namespace {

namespace dom = simdjson::dom;
using jsonl::Writer;

constexpr std::string_view kUsage = R"({"prompt_tokens":0,"total_tokens":0})";

}  // namespace

Result<Reply> complete_embeddings_reply(std::string_view reply, std::string_view model) {
    const auto document = parse_answer(reply);
    if (!document) return std::unexpected(document.error());
    const dom::object server(document->root());
    if (!find_array(server, "data"))
        return fail(ErrorCode::invalid, "The model server's answer has no data.");

    core::Usage usage;
    if (const auto counts = find_object(server, "usage"))
        usage.input_tokens = find_count(*counts, "prompt_tokens").value_or(0);
    Writer ours;
    ours.open_object().member("object", "list").member("model", model).member_raw("usage", kUsage);
    ours.close_object();
    Writer json;
    write_filled(json, server, ours.text(), [&](Writer& out, std::string_view name, dom::element value) {
        dom::object counts;
        if (name == "model")
            out.member(name, model);
        else if (name == "usage" && value.get(counts) == simdjson::SUCCESS)
            write_filled(out.key(name), counts, kUsage);
        else
            return false;
        return true;
    });
    return Reply{.body = json.take(), .usage = usage};
}

}  // namespace sheaf::protocol
