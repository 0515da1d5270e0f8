#include "dialect/anthropic/words.h"

#include "dialect/anthropic/anthropic.h"

namespace sheaf::dialect::anthropic {
namespace {

constexpr std::string_view kBatchPrefix = "msgbatch_";
constexpr std::string_view kRequestPrefix = "req_";

}  // namespace

std::string_view to_word(Version version) {
    return version == Version::v2023_06_01 ? "2023-06-01" : "2026-10-21";
}

std::optional<Version> parse_version(std::string_view word) {
    for (const Version version : {Version::v2023_06_01, Version::v2026_10_21})
        if (word == to_word(version)) return version;
    return std::nullopt;
}

std::string batch_name(const BatchId& id) {
    return std::string(kBatchPrefix) + to_string(id);
}

std::string print_batch_id(const BatchId& id) {
    return batch_name(id);
}

std::optional<BatchId> parse_batch_id(std::string_view name) {
    if (!name.starts_with(kBatchPrefix)) return std::nullopt;
    return sheaf::parse_batch_id(name.substr(kBatchPrefix.size()));
}

std::string make_request_id(Timestamp now) {
    return std::string(kRequestPrefix) + to_string(make_raw_id(now));
}

std::string to_time(Timestamp time) {
    std::string text = to_rfc3339(time);
    text.insert(text.size() - 1, "000");
    return text;
}

std::string_view processing_status(core::BatchState state) {
    switch (state) {
        case core::BatchState::accepted:
        case core::BatchState::running:
            return "in_progress";
        case core::BatchState::canceling:
            return "canceling";
        case core::BatchState::ended:
            break;
    }
    return "ended";
}

}  // namespace sheaf::dialect::anthropic
