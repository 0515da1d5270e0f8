#include "dialect/twelvelabs/words.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"

namespace sheaf::dialect::twelvelabs {

using core::AssetMethod;
using core::AssetState;
using core::BatchState;
using core::EndReason;
using core::FieldType;
using core::ItemState;
using core::TimeFormat;
using core::UploadState;

std::string_view to_word(Mode mode) {
    return mode == Mode::general ? "general" : "time_based_metadata";
}

std::optional<Mode> parse_mode(std::string_view word) {
    if (word == "general") return Mode::general;
    if (word == "time_based_metadata") return Mode::segments;
    return std::nullopt;
}

std::string_view batch_status(BatchState state, EndReason reason) {
    switch (state) {
        case BatchState::accepted:
            return "pending";
        case BatchState::running:
            return "processing";
        case BatchState::canceling:
            return "canceling";
        case BatchState::ended:
            break;
    }
    switch (reason) {
        case EndReason::completed:
            return "completed";
        case EndReason::canceled:
            return "canceled";
        case EndReason::expired:
            return "expired";
        case EndReason::rejected:
        case EndReason::none:
            break;
    }
    CHECK(false, "an ended batch has a reason");
}

std::optional<store::StateFilter> parse_batch_status(std::string_view word) {
    using Filter = store::StateFilter;
    if (word == "pending") return Filter{BatchState::accepted};
    if (word == "processing") return Filter{BatchState::running};
    if (word == "canceling") return Filter{BatchState::canceling};
    if (word == "completed") return Filter{BatchState::ended, EndReason::completed};
    if (word == "canceled") return Filter{BatchState::ended, EndReason::canceled};
    if (word == "expired") return Filter{BatchState::ended, EndReason::expired};
    return std::nullopt;
}

std::string_view item_status(ItemState state) {
    switch (state) {
        case ItemState::queued:
            return "queued";
        case ItemState::running:
            return "processing";
        case ItemState::succeeded:
            return "ready";
        case ItemState::failed:
            return "failed";
        case ItemState::canceled:
        case ItemState::expired:
            return "canceled";
    }
    CHECK(false, "an item state of no known value");
}

std::optional<std::vector<ItemState>> parse_task_status(std::string_view word) {
    using States = std::vector<ItemState>;
    if (word == "queued") return States{ItemState::queued};
    if (word == "pending") return States{};
    if (word == "processing") return States{ItemState::running};
    if (word == "ready") return States{ItemState::succeeded};
    if (word == "failed") return States{ItemState::failed};
    if (word == "canceled") return States{ItemState::canceled, ItemState::expired};
    return std::nullopt;
}

std::string_view to_word(TimeFormat format) {
    switch (format) {
        case TimeFormat::seconds:
            return "seconds";
        case TimeFormat::hms:
            return "hh:mm:ss";
        case TimeFormat::hms_millis:
            return "hh:mm:ss.fff";
    }
    CHECK(false, "a time format of no known value");
}

std::optional<TimeFormat> parse_time_format(std::string_view word) {
    for (const auto format : {TimeFormat::seconds, TimeFormat::hms, TimeFormat::hms_millis}) {
        if (word == to_word(format)) return format;
    }
    return std::nullopt;
}

std::string_view to_word(FieldType type) {
    switch (type) {
        case FieldType::string:
            return "string";
        case FieldType::boolean:
            return "boolean";
        case FieldType::number:
            return "number";
        case FieldType::integer:
            return "integer";
        case FieldType::array:
            return "array";
        case FieldType::timestamp:
            return "timestamp";
    }
    CHECK(false, "a field type of no known value");
}

std::optional<FieldType> parse_field_type(std::string_view word) {
    for (const auto type : {FieldType::string, FieldType::boolean, FieldType::number, FieldType::integer,
                            FieldType::array, FieldType::timestamp}) {
        if (word == to_word(type)) return type;
    }
    return std::nullopt;
}

std::string_view to_word(core::FinishReason reason) {
    return reason == core::FinishReason::stop ? "stop" : "length";
}

namespace {

struct FailureWord {
    std::string_view code;
    bool callers_fault;
};

constexpr std::array kFailureWords{
    FailureWord{"asset_unavailable", true},
    FailureWord{"video_duration_too_short", true},
    FailureWord{"video_duration_too_long", true},
    FailureWord{"video_resolution_too_low", true},
    FailureWord{"video_resolution_too_high", true},
    FailureWord{"video_resolution_invalid_aspect_ratio", true},
    FailureWord{"video_file_broken", true},
    FailureWord{"video_filesize_too_large", true},
    FailureWord{"token_limit_exceeded", true},
    FailureWord{"media_source_unavailable", true},
    FailureWord{"output_invalid", false},
    FailureWord{"analysis_failed", false},
    FailureWord{"internal_server_error", false},
};

const FailureWord* find_failure(std::string_view code) {
    const auto found = std::ranges::find(kFailureWords, code, &FailureWord::code);
    return found == kFailureWords.end() ? nullptr : &*found;
}

}  // namespace

std::string_view failure_code(std::string_view ours) {
    const FailureWord* const known = find_failure(ours);
    return known != nullptr ? known->code : "analysis_failed";
}

bool is_callers_fault(std::string_view failure_code) {
    const FailureWord* const known = find_failure(failure_code);
    return known != nullptr && known->callers_fault;
}

std::string_view to_word(AssetState state) {
    switch (state) {
        case AssetState::processing:
            return "processing";
        case AssetState::ready:
            return "ready";
        case AssetState::failed:
            return "failed";
    }
    CHECK(false, "an asset state of no known value");
}

std::string_view to_word(AssetMethod method) {
    switch (method) {
        case AssetMethod::direct:
            return "direct";
        case AssetMethod::url:
            return "url";
        case AssetMethod::multipart:
            return "multipart";
    }
    CHECK(false, "an asset method of no known value");
}

std::string_view to_word(UploadState state) {
    switch (state) {
        case UploadState::active:
            return "active";
        case UploadState::completed:
            return "completed";
        case UploadState::failed:
            return "failed";
        case UploadState::expired:
            return "expired";
    }
    CHECK(false, "an upload state of no known value");
}

}  // namespace sheaf::dialect::twelvelabs
