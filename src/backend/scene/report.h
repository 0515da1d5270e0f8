#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/scene/findings.h"
#include "core/outcome.h"
#include "media/video.h"

namespace sheaf::backend::scene {

struct ReportRequest {
    bool has_prompt = false;
    std::size_t images = 0;
};

// The report in English, as sections that are to be joined as they are. The first line says that this is a
// signal analysis without a language model.
std::vector<std::string> write_report(const Findings& findings, const media::MediaInfo& info,
                                      ReportRequest request);

// About four characters a token: what `output_tokens` counts.
std::uint64_t estimate_tokens(std::string_view text);

// The sections up to about `tokens_max` tokens, cut between characters.
struct Cut {
    std::vector<std::string> sections;
    core::FinishReason finish = core::FinishReason::stop;
    std::string truncation;
};
Cut cut_to_length(std::vector<std::string> sections, std::uint32_t tokens_max);

}  // namespace sheaf::backend::scene
