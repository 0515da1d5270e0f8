#include "dialect/twelvelabs/analyze_json.h"

#include "dialect/twelvelabs/words.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::twelvelabs {
namespace {

using jsonl::Charset;
using jsonl::Writer;

void write_usage(Writer& json, const core::Usage& usage) {
    json.key("usage").open_object().member("output_tokens", usage.output_tokens);
    json.member("input_tokens", usage.input_tokens).close_object();
}

void write_truncation(Writer& json, const core::Answer& answer) {
    if (answer.finish != core::FinishReason::length) return;
    const std::string_view why =
        answer.truncation.empty() ? "The output was cut." : std::string_view(answer.truncation);
    json.key("error").open_object().member("message", why).close_object();
}

std::string finish_line(Writer& json) {
    json.close_object();
    return json.take() + '\n';
}

}  // namespace

std::string render_direct_answer(const core::Answer& answer, std::string_view generation) {
    Writer json;
    json.open_object().member("id", generation).member("data", answer.text);
    json.member("finish_reason", to_word(answer.finish));
    write_usage(json, answer.usage);
    write_truncation(json, answer);
    json.close_object();
    return json.take();
}

std::string render_stream_start(std::string_view generation) {
    Writer json(Charset::ascii);
    json.open_object().member("event_type", "stream_start");
    json.key("metadata").open_object().member("generation_id", generation).close_object();
    return finish_line(json);
}

std::string render_stream_text(std::string_view text) {
    Writer json(Charset::ascii);
    json.open_object().member("event_type", "text_generation").member("text", text);
    return finish_line(json);
}

std::string render_stream_end(const core::Answer& answer, std::string_view generation) {
    Writer json(Charset::ascii);
    json.open_object().member("event_type", "stream_end").member("finish_reason", to_word(answer.finish));
    json.key("metadata").open_object().member("generation_id", generation);
    write_usage(json, answer.usage);
    json.close_object();
    write_truncation(json, answer);
    return finish_line(json);
}

Problem to_problem(const core::Ending& ending) {
    const auto* const failed = std::get_if<core::Failed>(&ending);
    if (failed == nullptr) {
        return {503, std::string(code::kServiceUnavailable), "The analysis was stopped; try again.", {}, 5};
    }
    const std::string_view word = failure_code(failed->failure.code);
    const std::string& message = failed->failure.message;
    return {is_callers_fault(word) ? 400 : 500, std::string(word),
            message.empty() ? "The analysis failed." : message};
}

}  // namespace sheaf::dialect::twelvelabs
