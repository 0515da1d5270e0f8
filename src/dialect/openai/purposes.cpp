#include "dialect/openai/purposes.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace sheaf::dialect::openai {
namespace {

constexpr std::array<std::string_view, 6> kPurposes{"assistants", kBatchPurpose, "fine-tune",
                                                    "vision",     "user_data",   "evals"};

}  // namespace

Checked<> check_purpose(std::string_view purpose) {
    if (std::ranges::find(kPurposes, purpose) != kPurposes.end()) return {};
    return refuse(
        fmt::format("Invalid value for 'purpose': supported values are: {}.", fmt::join(kPurposes, ", ")),
        "purpose", code::kInvalidValue);
}

std::optional<std::chrono::seconds> lifetime_of(std::string_view purpose,
                                                std::optional<std::chrono::seconds> asked,
                                                std::chrono::seconds batch_file_time) {
    if (!asked && purpose == kBatchPurpose) return batch_file_time;
    return asked;
}

}  // namespace sheaf::dialect::openai
