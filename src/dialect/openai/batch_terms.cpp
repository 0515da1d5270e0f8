#include "dialect/openai/batch_terms.h"

#include <charconv>

#include "base/check.h"
#include "jsonl/splitter.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::openai {
namespace {

constexpr std::string_view kInputFile = "input_file_id";
constexpr std::string_view kMetadata = "metadata";
constexpr std::string_view kErrors = "errors";
constexpr std::string_view kOutputExpiresAfter = "output_expires_after";

}  // namespace

std::string render_terms(const BatchTerms& terms) {
    jsonl::Writer json;
    json.open_object().member_raw(kInputFile, terms.input_file_id);
    json.member_raw(kMetadata, terms.metadata).member_raw(kErrors, terms.errors);
    if (terms.output_expires_after) json.member(kOutputExpiresAfter, terms.output_expires_after->count());
    json.close_object();
    return json.take();
}

BatchTerms read_terms(std::string_view shared) {
    BatchTerms terms;
    const auto read = jsonl::for_each_member(shared, [&](std::string_view key, std::string_view value) {
        if (key == kInputFile) terms.input_file_id = value;
        if (key == kMetadata) terms.metadata = value;
        if (key == kErrors) terms.errors = value;
        if (key == kOutputExpiresAfter) {
            std::int64_t seconds = 0;
            std::from_chars(value.data(), value.data() + value.size(), seconds);
            terms.output_expires_after = std::chrono::seconds{seconds};
        }
        return Result<>{};
    });
    CHECK(read, "what a batch of this dialect shares was written by render_terms");
    return terms;
}

std::string render_errors(const std::vector<InputError>& errors) {
    jsonl::Writer json;
    json.open_object().member("object", "list").key("data").open_array();
    for (const InputError& error : errors) {
        json.open_object().member("code", error.code).member("message", error.message);
        if (error.param.empty())
            json.member_null("param");
        else
            json.member("param", error.param);
        if (error.line)
            json.member("line", *error.line);
        else
            json.member_null("line");
        json.close_object();
    }
    json.close_array().close_object();
    return json.take();
}

}  // namespace sheaf::dialect::openai
