#include "dialect/openai/batch_object.h"

#include <optional>

#include "core/file.h"
#include "dialect/openai/batch_request.h"
#include "dialect/openai/batch_terms.h"
#include "dialect/openai/ids.h"
#include "dialect/openai/paging.h"

namespace sheaf::dialect::openai {
namespace {

using Time = std::optional<Timestamp>;

bool is_terminal(BatchStatus status) {
    return status == BatchStatus::failed || status == BatchStatus::completed ||
           status == BatchStatus::expired || status == BatchStatus::cancelled;
}

void write_time(jsonl::Writer& json, std::string_view name, Time time) {
    if (time)
        json.member(name, unix_seconds(*time));
    else
        json.member_null(name);
}

void write_file(jsonl::Writer& json, std::string_view name, const core::Batch& batch, std::uint32_t which,
                bool is_there) {
    if (is_there)
        json.member(name, render_id(core::result_file_id(batch.id, which)));
    else
        json.member_null(name);
}

// Each is set once and stays as it is.
void write_times(jsonl::Writer& json, const core::Batch& batch, BatchStatus status) {
    const auto when = [](bool is_so, Time time) { return is_so ? time : std::nullopt; };
    const bool began = status != BatchStatus::validating && status != BatchStatus::failed;
    const bool ran_out = began && !batch.cancel_requested_at;
    write_time(json, "created_at", batch.created_at);
    write_time(json, "in_progress_at", when(began, batch.created_at));
    write_time(json, "expires_at", batch.expires_at);
    write_time(json, "finalizing_at", when(ran_out, batch.ended_at));
    write_time(json, "completed_at", when(status == BatchStatus::completed, batch.ended_at));
    write_time(json, "failed_at", when(status == BatchStatus::failed, batch.ended_at));
    write_time(json, "expired_at", when(status == BatchStatus::expired, batch.ended_at));
    write_time(json, "cancelling_at", batch.cancel_requested_at);
    write_time(json, "cancelled_at", when(status == BatchStatus::cancelled, batch.ended_at));
}

// Items that were cancelled are in the total alone.
void write_counts(jsonl::Writer& json, const core::Counts& counts) {
    json.key("request_counts").open_object().member("total", counts.total());
    json.member("completed", counts.succeeded).member("failed", counts.failed + counts.expired);
    json.close_object();
}

void write_usage(jsonl::Writer& json, const core::Usage& usage) {
    json.key("usage").open_object().member("input_tokens", usage.input_tokens);
    json.key("input_tokens_details")
        .open_object()
        .member("cached_tokens", usage.cached_tokens)
        .close_object();
    json.member("output_tokens", usage.output_tokens);
    json.key("output_tokens_details").open_object();
    json.member("reasoning_tokens", usage.reasoning_tokens).close_object();
    json.member("total_tokens", usage.input_tokens + usage.output_tokens).close_object();
}

void write_batch_as(jsonl::Writer& json, const core::Batch& batch, BatchStatus status) {
    const BatchTerms terms = read_terms(batch.shared);
    const bool has_files = is_terminal(status);
    const core::Counts counts = status == BatchStatus::validating ? core::Counts{} : batch.counts;
    json.open_object().member("id", render_id(batch.id)).member("object", "batch");
    json.member("endpoint", batch.tag);
    if (status == BatchStatus::validating || status == BatchStatus::failed)
        json.member_null("model");
    else
        json.member("model", batch.model);
    if (status == BatchStatus::failed)
        json.member_raw("errors", terms.errors);
    else
        json.member_null("errors");
    json.member_raw("input_file_id", terms.input_file_id).member("completion_window", kCompletionWindow);
    json.member("status", to_word(status));
    write_file(json, "output_file_id", batch, core::kOutputFile, has_files && counts.succeeded > 0);
    write_file(json, "error_file_id", batch, core::kErrorFile,
               has_files && counts.failed + counts.expired + counts.canceled > 0);
    write_times(json, batch, status);
    write_counts(json, counts);
    if (is_terminal(status) && status != BatchStatus::failed)
        write_usage(json, batch.usage);
    else
        json.member_null("usage");
    json.member_raw("metadata", terms.metadata).close_object();
}

}  // namespace

std::string_view to_word(BatchStatus status) {
    switch (status) {
        case BatchStatus::validating:
            return "validating";
        case BatchStatus::failed:
            return "failed";
        case BatchStatus::in_progress:
            return "in_progress";
        case BatchStatus::finalizing:
            return "finalizing";
        case BatchStatus::completed:
            return "completed";
        case BatchStatus::expired:
            return "expired";
        case BatchStatus::cancelling:
            return "cancelling";
        case BatchStatus::cancelled:
            return "cancelled";
    }
    return "failed";
}

BatchStatus status_of(const core::Batch& batch) {
    switch (batch.state) {
        case core::BatchState::accepted:
        case core::BatchState::running:
            return BatchStatus::in_progress;
        case core::BatchState::canceling:
            return BatchStatus::cancelling;
        case core::BatchState::ended:
            break;
    }
    if (batch.end_reason == core::EndReason::rejected) return BatchStatus::failed;
    const bool is_laid_out = batch.results_bytes || batch.archived_at;
    // Also one whose time ran out after that: it stays on its way.
    if (batch.cancel_requested_at) return is_laid_out ? BatchStatus::cancelled : BatchStatus::cancelling;
    if (!is_laid_out) return BatchStatus::finalizing;
    return batch.end_reason == core::EndReason::expired ? BatchStatus::expired : BatchStatus::completed;
}

void write_batch(jsonl::Writer& json, const core::Batch& batch) {
    write_batch_as(json, batch, status_of(batch));
}

std::string render_batch(const core::Batch& batch) {
    jsonl::Writer json;
    write_batch(json, batch);
    return json.take();
}

std::string render_created(const core::Batch& batch) {
    jsonl::Writer json;
    write_batch_as(json, batch, BatchStatus::validating);
    return json.take();
}

}  // namespace sheaf::dialect::openai
