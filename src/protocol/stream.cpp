#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "jsonl/document.h"
#include "jsonl/writer.h"
#include "protocol/chat_stream.h"
#include "protocol/event_stream.h"
#include "protocol/members.h"
#include "protocol/messages_stream.h"
#include "protocol/read_reply.h"
#include "protocol/responses_reply.h"
#include "protocol/responses_stream.h"
#include "protocol/stream_assembly.h"
#include "protocol/translation.h"

namespace sheaf::protocol {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kAnswerBytesMax = 64U << 20;
constexpr std::string_view kDone = "[DONE]";
constexpr const char* kCutShort = "The model server's answer ended before it was complete.";

std::unique_ptr<StreamReader> make_reader(Protocol protocol) {
    switch (protocol) {
        case Protocol::chat_completions:
            return make_chat_stream_reader();
        case Protocol::messages:
            return make_messages_stream_reader();
        case Protocol::responses:
            return make_responses_stream_reader();
        case Protocol::embeddings:
            break;
    }
    CHECK(false, "embeddings do not stream");
    return nullptr;
}

std::unique_ptr<StreamWriter> make_writer(Protocol protocol, std::string_view request,
                                          std::string_view model) {
    switch (protocol) {
        case Protocol::chat_completions:
            return make_chat_stream_writer(request, std::string(model));
        case Protocol::messages:
            return make_messages_stream_writer(std::string(request), std::string(model));
        case Protocol::responses:
            return make_responses_stream_writer(std::string(request), std::string(model));
        case Protocol::embeddings:
            break;
    }
    CHECK(false, "embeddings do not stream");
    return nullptr;
}

// What an event says of an error, in any of the forms that servers have for it.
std::optional<std::string> find_error(const dom::object& event) {
    if (const auto error = find_object(event, "error"))
        return std::string(find_text(*error, "message").value_or("The model server reported an error."));
    if (const auto text = find_text(event, "error")) return std::string(*text);
    if (find_text(event, "object") == "error")
        return std::string(find_text(event, "message").value_or("The model server reported an error."));
    return std::nullopt;
}

// The member that holds the model's name in events of the protocol: "model" itself, or what it stands in.
std::string_view holder_of_model(Protocol protocol) {
    switch (protocol) {
        case Protocol::messages:
            return "message";
        case Protocol::responses:
            return "response";
        case Protocol::chat_completions:
        case Protocol::embeddings:
            break;
    }
    return "";
}

std::string with_model_name(const dom::object& object, std::string_view holder, std::string_view model) {
    jsonl::Writer json;
    json.open_object();
    for (const auto& [name, value] : object) {
        dom::object inner;
        if (holder.empty() && name == "model")
            json.member(name, model);
        else if (!holder.empty() && name == holder && value.get(inner) == simdjson::SUCCESS)
            json.member_raw(name, with_model_name(inner, "", model));
        else
            json.member_raw(name, json_text(value));
    }
    json.close_object();
    return json.take();
}

// A chunk that tells nothing but usage, which a client that did not ask for it does not expect.
bool is_usage_chunk(const dom::object& event) {
    const auto choices = find_array(event, "choices");
    return choices && choices->size() == 0 && find_object(event, "usage");
}

// An answer that came in one piece, as if it had come in pieces.
std::vector<Delta> deltas_of(Completion completion) {
    std::vector<Delta> out;
    if (completion.usage) out.emplace_back(*completion.usage);
    out.emplace_back(Started{.id = completion.id, .model = completion.model});
    std::size_t number = 0;
    for (auto& part : completion.parts) {
        if (auto* text = std::get_if<Text>(&part)) {
            out.emplace_back(
                TextDelta{.text = std::move(text->text), .logprobs = std::exchange(completion.logprobs, {})});
        } else if (auto* thinking = std::get_if<Thinking>(&part)) {
            out.emplace_back(ThinkingDelta{std::move(thinking->text)});
            if (!thinking->signature.empty())
                out.emplace_back(ThinkingSigned{std::move(thinking->signature)});
        } else if (auto* redacted = std::get_if<RedactedThinking>(&part)) {
            out.emplace_back(std::move(*redacted));
        } else if (auto* refusal = std::get_if<Refusal>(&part)) {
            out.emplace_back(RefusalDelta{std::move(refusal->text)});
        } else if (auto* call = std::get_if<ToolCall>(&part)) {
            out.emplace_back(CallStarted{.number = number,
                                         .id = std::move(call->id),
                                         .name = std::move(call->name),
                                         .custom = call->custom});
            out.emplace_back(CallDelta{.number = number, .arguments = std::move(call->arguments)});
            out.emplace_back(CallEnded{number++});
        }
    }
    out.emplace_back(Stopped{.reason = completion.stop, .sequence = std::move(completion.stop_sequence)});
    return out;
}

class Translator final : public StreamTranslator {
public:
    Translator(Protocol from, Protocol to, std::string_view request, std::string_view model)
        : from_(from),
          to_(to),
          request_(request),
          model_(model),
          hides_usage_(to == Protocol::chat_completions && !wants_usage_chunk(request)),
          reader_(make_reader(from)),
          writer_(make_writer(to, request, model)) {}

    Result<std::string> feed(std::string_view bytes) override;
    Result<End> finish() override;

private:
    enum class Kind : std::uint8_t { unknown, stream, whole };

    Result<std::string> feed_events(std::string_view bytes);
    // Whether the server's own events go to the client.
    bool passes() const { return from_ == to_ && kind_ == Kind::stream; }
    Result<> take(const Event& event);
    Result<> end();
    // The event as the client gets it from a server of its own protocol.
    void pass(const Event& event, const dom::object& json);
    Result<> take_whole();

    Protocol from_;
    Protocol to_;
    std::string request_;
    std::string model_;
    bool hides_usage_;
    std::unique_ptr<StreamReader> reader_;
    std::unique_ptr<StreamWriter> writer_;
    EventStream events_;
    Kind kind_ = Kind::unknown;
    std::optional<StreamAssembly> assembly_;  // set once the kind is known
    std::string begun_;  // what came before the kind was known; all, of an answer in one piece
    std::size_t bytes_ = 0;
    bool has_ended_ = false;  // the stream, whether the answer was whole or not
    std::string out_;
    std::optional<Reply> reply_;  // set when the answer has ended
};

Result<std::string> Translator::feed(std::string_view bytes) {
    bytes_ += bytes.size();
    if (bytes_ > kAnswerBytesMax)
        return fail(ErrorCode::too_large, "The model server's answer is too large.");
    if (kind_ == Kind::stream) return feed_events(bytes);
    begun_.append(bytes);
    const auto first = begun_.find_first_not_of(" \t\r\n");
    if (first == std::string::npos || kind_ == Kind::whole) return std::string();
    kind_ = begun_[first] == '{' ? Kind::whole : Kind::stream;
    assembly_.emplace(passes() ? nullptr : writer_.get());
    if (kind_ == Kind::whole) return std::string();
    return feed_events(std::exchange(begun_, {}));
}

Result<std::string> Translator::feed_events(std::string_view bytes) {
    if (auto fed = events_.feed(bytes); !fed) return std::unexpected(fed.error());
    while (const auto event = events_.next())
        if (auto taken = take(*event); !taken) return std::unexpected(taken.error());
    return std::exchange(out_, {});
}

Result<> Translator::take(const Event& event) {
    if (reply_) return {};
    if (event.data == kDone) {
        // Only Chat Completions ends with it, and there some servers say no other end.
        if (from_ == Protocol::chat_completions || assembly_->has_stopped()) return end();
        return fail(ErrorCode::invalid, kCutShort);
    }
    const auto document = jsonl::Document::parse(event.data);
    dom::object json;
    if (!document || document->root().get(json) != simdjson::SUCCESS)
        return fail(ErrorCode::invalid,
                    has_ended_ ? kCutShort : "An event of the model server's answer is not a JSON object.");
    if (auto error = find_error(json)) return fail(ErrorCode::invalid, *std::move(error));
    auto deltas = reader_->read(json);
    if (!deltas) return std::unexpected(deltas.error());
    bool is_over = false;
    for (auto& delta : *deltas) {
        is_over |= std::holds_alternative<Ended>(delta);
        assembly_->take(std::move(delta));
    }
    if (passes())
        pass(event, json);
    else
        out_ += writer_->take();
    return is_over ? end() : Result<>();
}

void Translator::pass(const Event& event, const dom::object& json) {
    if (hides_usage_ && is_usage_chunk(json)) return;
    const auto holder = holder_of_model(to_);
    const bool tells_model = find_member(json, holder.empty() ? "model" : holder).has_value();
    const bool is_line = !event.data.contains('\n');
    append_event(out_, event.name,
                 tells_model || !is_line ? with_model_name(json, holder, model_) : event.data);
}

Result<> Translator::end() {
    assembly_->finish();
    const auto& completion = assembly_->completion();
    if (passes() && !reader_->whole_reply().empty()) {
        auto reply = complete_responses_reply(reader_->whole_reply(), request_, model_);
        if (!reply) return std::unexpected(reply.error());
        reply_ = *std::move(reply);
    } else {
        auto body = writer_->reply(completion);
        if (!body) return std::unexpected(body.error());
        reply_ = Reply{.body = *std::move(body), .usage = completion.usage.value_or(core::Usage())};
    }
    if (!passes()) {
        writer_->end(completion, reply_->body);
        out_ += writer_->take();
    } else if (to_ == Protocol::chat_completions) {
        append_event(out_, "", kDone);
    }
    return {};
}

Result<> Translator::take_whole() {
    auto completion = read_reply(from_, begun_);
    if (!completion) return std::unexpected(completion.error());
    for (auto& delta : deltas_of(*std::move(completion))) assembly_->take(std::move(delta));
    return end();
}

Result<StreamTranslator::End> Translator::finish() {
    if (kind_ == Kind::whole) {
        if (auto taken = take_whole(); !taken) return std::unexpected(taken.error());
    } else {
        has_ended_ = true;
        // The last event may lack the line that ends it.
        auto rest = feed("\n\n");
        if (!rest) return std::unexpected(rest.error());
        out_ = *std::move(rest);
        if (!reply_ && (!assembly_ || !assembly_->has_stopped())) return fail(ErrorCode::invalid, kCutShort);
        if (!reply_)
            if (auto ended = end(); !ended) return std::unexpected(ended.error());
    }
    return End{.events = std::exchange(out_, {}), .reply = *std::move(reply_)};
}

}  // namespace

std::unique_ptr<StreamTranslator> make_stream_translator(Protocol from, Protocol to, std::string_view request,
                                                         std::string_view model) {
    return std::make_unique<Translator>(from, to, request, model);
}

}  // namespace sheaf::protocol
