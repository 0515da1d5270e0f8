#include <algorithm>
#include <string>
#include <vector>

#include "jsonl/splitter.h"
#include "jsonl/writer.h"
#include "protocol/translation.h"

namespace sheaf::protocol {
namespace {

struct RawMember {
    std::string key;
    std::string_view value;  // its bytes in the body
};

std::string quoted(std::string_view text) {
    std::string json;
    jsonl::append_string(json, text, jsonl::Charset::utf8);
    return json;
}

// Joins what stands between the braces of the new object.
class Members {
public:
    explicit Members(std::string_view opening) : text_(opening) {}
    void add(std::string_view before, std::string_view value, std::string_view after = {}) {
        if (!is_empty_) text_ += ',';
        is_empty_ = false;
        text_.append(before).append(value).append(after);
    }
    std::string close(std::string_view closing) { return std::move(text_.append(closing)); }

private:
    std::string text_;
    bool is_empty_ = true;
};

}  // namespace

Result<std::string> with_model(Protocol protocol, std::string_view body, std::string_view model,
                               bool stream) {
    std::vector<RawMember> members;
    const auto split =
        jsonl::for_each_member(body, [&](std::string_view key, std::string_view value) -> Result<> {
            members.push_back({std::string(key), value});
            return {};
        });
    if (!split) return fail(ErrorCode::invalid, split.error().message);

    // Blanks belong to the member they stand beside, so that what is kept is kept to the byte.
    std::size_t at = body.find('{') + 1;
    const std::size_t closing = body.rfind('}');
    Members made(body.substr(0, at));
    const std::string name = quoted(model);
    bool has_model = false;
    for (const auto& member : members) {
        const auto value_at = static_cast<std::size_t>(member.value.data() - body.data());
        const std::size_t value_end = value_at + member.value.size();
        const std::size_t end = std::min(body.find(',', value_end), closing);
        const auto before = body.substr(at, value_at - at);
        const auto after = body.substr(value_end, end - value_end);
        at = end + 1;
        if (member.key == "stream" || member.key == "stream_options") continue;
        const bool is_model = member.key == "model";
        has_model = has_model || is_model;
        made.add(before, is_model ? std::string_view(name) : member.value, after);
    }
    if (!has_model) made.add("\"model\":", name);
    if (stream) made.add("\"stream\":", "true");
    if (stream && protocol == Protocol::chat_completions)
        made.add("\"stream_options\":", R"({"include_usage":true})");
    return made.close(body.substr(closing));
}

}  // namespace sheaf::protocol
