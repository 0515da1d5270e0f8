#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/batch.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::openai {

// The vendor's states. `validating` is shown by the answer to the call that made the batch alone: it was
// validated by then.
enum class BatchStatus : std::uint8_t {
    validating,
    failed,
    in_progress,
    finalizing,
    completed,
    expired,
    cancelling,
    cancelled
};
std::string_view to_word(BatchStatus status);

// A batch whose results are not laid out yet has not ended for its client: the files come with the status.
BatchStatus status_of(const core::Batch& batch);

// The batch object: every key, null where there is nothing to say.
void write_batch(jsonl::Writer& json, const core::Batch& batch);
std::string render_batch(const core::Batch& batch);
// As it is shown to the call that made it, whatever became of it: not looked into yet.
std::string render_created(const core::Batch& batch);

}  // namespace sheaf::dialect::openai
