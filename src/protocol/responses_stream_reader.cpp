#include <map>
#include <set>

#include <fmt/format.h>

#include "protocol/members.h"
#include "protocol/responses_reply.h"
#include "protocol/responses_stream.h"

namespace sheaf::protocol {
namespace {

namespace dom = simdjson::dom;

// Many events repeat at their end what came in pieces before. Servers differ in which of them they send, so
// we take what comes first and of the rest only what is new.
class ResponsesReader final : public StreamReader {
public:
    Result<std::vector<Delta>> read(const dom::object& event) override;
    std::string_view whole_reply() const override { return whole_; }

private:
    struct Place {
        std::uint64_t output = 0;
        std::uint64_t content = 0;
        auto operator<=>(const Place&) const = default;
    };
    struct Item {
        bool is_call = false;
        bool has_thought = false;
        bool has_ended = false;
        std::string_view thought_kind = {};  // of its deltas: the text, or its summary where there is none
    };

    void read_item(std::uint64_t index, const dom::object& item, bool is_whole, std::vector<Delta>& out);
    void read_call(std::uint64_t index, const dom::object& item, bool custom, bool is_whole,
                   std::vector<Delta>& out);
    void read_thought(const dom::object& event, std::string_view kind, std::string_view place,
                      std::vector<Delta>& out);
    Result<> read_end(const dom::object& response, std::vector<Delta>& out);
    // The part of `whole` that was not told yet at `place`.
    std::string untold(Place place, std::string_view whole);
    std::string told(Place place, std::string_view delta);

    bool has_started_ = false;
    std::map<std::uint64_t, Item> items_;
    std::map<Place, std::size_t> told_bytes_;
    std::string whole_;
};

std::string ResponsesReader::told(Place place, std::string_view delta) {
    told_bytes_[place] += delta.size();
    return std::string(delta);
}

std::string ResponsesReader::untold(Place place, std::string_view whole) {
    auto& bytes = told_bytes_[place];
    if (bytes >= whole.size()) return {};
    std::string rest(whole.substr(bytes));
    bytes = whole.size();
    return rest;
}

Result<std::vector<Delta>> ResponsesReader::read(const dom::object& event) {
    std::vector<Delta> out;
    const auto type = find_text(event, "type").value_or("");
    const Place place{.output = find_count(event, "output_index").value_or(0),
                      .content = find_count(event, "content_index").value_or(0)};
    const auto delta = find_text(event, "delta").value_or("");
    const auto response = find_object(event, "response");
    if (response && !std::exchange(has_started_, true))
        out.emplace_back(Started{.id = std::string(find_text(*response, "id").value_or("")),
                                 .model = std::string(find_text(*response, "model").value_or(""))});

    if (type == "response.output_text.delta") {
        const auto entries = find_array(event, "logprobs");
        out.emplace_back(TextDelta{.text = told(place, delta),
                                   .logprobs = entries && entries->size() > 0 ? json_text(*entries) : ""});
    } else if (type == "response.output_text.done") {
        out.emplace_back(TextDelta{untold(place, find_text(event, "text").value_or(""))});
    } else if (type == "response.refusal.delta") {
        out.emplace_back(RefusalDelta{told(place, delta)});
    } else if (type == "response.refusal.done") {
        out.emplace_back(RefusalDelta{untold(place, find_text(event, "refusal").value_or(""))});
    } else if (type == "response.reasoning_text.delta") {
        read_thought(event, "text", "content_index", out);
    } else if (type == "response.reasoning_summary_text.delta") {
        read_thought(event, "summary", "summary_index", out);
    } else if (type == "response.function_call_arguments.delta" ||
               type == "response.custom_tool_call_input.delta") {
        out.emplace_back(CallDelta{.number = place.output, .arguments = told({place.output}, delta)});
    } else if (type == "response.output_item.added" || type == "response.output_item.done") {
        if (const auto item = find_object(event, "item"))
            read_item(place.output, *item, type == "response.output_item.done", out);
    } else if (response &&
               (type == "response.completed" || type == "response.incomplete" || type == "response.failed")) {
        if (auto ended = read_end(*response, out); !ended) return std::unexpected(ended.error());
    } else if (type == "error") {
        return fail(ErrorCode::invalid, std::string(find_text(event, "message").value_or("an error")));
    }
    return out;
}

void ResponsesReader::read_thought(const dom::object& event, std::string_view kind, std::string_view place,
                                   std::vector<Delta>& out) {
    const auto output = find_count(event, "output_index").value_or(0);
    auto& item = items_[output];
    if (item.thought_kind.empty()) item.thought_kind = kind;
    if (item.thought_kind != kind) return;
    const auto part = find_count(event, place).value_or(0);
    auto& part_bytes = told_bytes_[{output, part}];
    const auto delta = find_text(event, "delta").value_or("");
    std::string text = part_bytes == 0 && item.has_thought ? "\n\n" : "";
    text += delta;
    part_bytes += delta.size();
    item.has_thought = true;
    out.emplace_back(ThinkingDelta{std::move(text)});
}

void ResponsesReader::read_item(std::uint64_t index, const dom::object& item, bool is_whole,
                                std::vector<Delta>& out) {
    const auto type = find_text(item, "type").value_or("");
    auto& known = items_[index];
    if (known.has_ended) return;
    known.has_ended = is_whole;
    if (type == "function_call" || type == "custom_tool_call")
        return read_call(index, item, type == "custom_tool_call", is_whole, out);
    if (!is_whole) return;
    Completion completion;
    read_responses_item(item, completion);
    std::uint64_t content = 0;
    for (auto& part : completion.parts) {
        const Place place{.output = index, .content = content++};
        if (const auto* text = std::get_if<Text>(&part))
            out.emplace_back(TextDelta{untold(place, text->text)});
        else if (const auto* refusal = std::get_if<Refusal>(&part))
            out.emplace_back(RefusalDelta{untold(place, refusal->text)});
        else if (auto* redacted = std::get_if<RedactedThinking>(&part))
            out.emplace_back(std::move(*redacted));
        else if (auto* thinking = std::get_if<Thinking>(&part)) {
            if (!known.has_thought) out.emplace_back(ThinkingDelta{std::move(thinking->text)});
            if (!thinking->signature.empty())
                out.emplace_back(ThinkingSigned{std::move(thinking->signature)});
        }
    }
}

void ResponsesReader::read_call(std::uint64_t index, const dom::object& item, bool custom, bool is_whole,
                                std::vector<Delta>& out) {
    const auto text = [&](std::string_view name) { return std::string(find_text(item, name).value_or("")); };
    if (!std::exchange(items_[index].is_call, true))
        out.emplace_back(
            CallStarted{.number = index, .id = text("call_id"), .name = text("name"), .custom = custom});
    if (!is_whole) return;
    out.emplace_back(
        CallDelta{.number = index, .arguments = untold({index}, text(custom ? "input" : "arguments"))});
    out.emplace_back(CallEnded{index});
}

Result<> ResponsesReader::read_end(const dom::object& response, std::vector<Delta>& out) {
    if (const auto error = find_object(response, "error"))
        return fail(ErrorCode::invalid, std::string(find_text(*error, "message").value_or("an error")));
    const auto completion = read_responses_reply(response);
    if (!completion) return std::unexpected(completion.error());
    whole_ = json_text(response);
    // Items of which no event told.
    std::uint64_t index = 0;
    for_each_object(response, "output",
                    [&](const dom::object& item) { read_item(index++, item, true, out); });
    if (completion->usage) out.emplace_back(*completion->usage);
    out.emplace_back(Stopped{.reason = completion->stop});
    out.emplace_back(Ended{});
    return {};
}

}  // namespace

std::unique_ptr<StreamReader> make_responses_stream_reader() {
    return std::make_unique<ResponsesReader>();
}

}  // namespace sheaf::protocol
