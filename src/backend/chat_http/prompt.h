#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "backend/backend.h"
#include "backend/json_answer.h"
#include "backend/segments.h"
#include "core/inference.h"
#include "media/video.h"

namespace sheaf::backend::chat_http {

// One question about one video, with all that the model is shown.
struct Question {
    const core::VideoAnalysis& analysis;
    const media::MediaInfo& info;
    const media::FrameSet& frames;
    std::span<const ImageInput> images;
    Bounds window;
    const JsonAnswer* json = nullptr;  // of JSON output
};

// The conversation as the elements of a JSON array, without its brackets: a system message that is always the
// same, then one user message. Its parts go from what is shared to what is not: the video's frames, each
// after its time code, the images, the words. So questions on one video and window begin with the same bytes,
// and a model server with a prefix cache computes them once.
std::string messages(const Question& question);

// Two more turns: what the model answered, and why that will not do. With the comma before them.
std::string repair_turns(std::string_view answer, std::string_view reason);

// "response_format" as JSON, or empty for text.
std::string response_format(const core::OutputFormat& output, const JsonAnswer* json);

// A guess from sizes: four bytes a token, and for a picture one token for 28 x 28 pixels.
std::uint64_t estimated_input_tokens(const Question& question);
std::uint64_t estimated_tokens(std::string_view text);

// `text` with each <@name> of `names` in words. `of` tells apart images of one name under several
// definitions.
std::string with_references(std::string_view text, std::span<const core::NamedImage> images,
                            std::string_view of);

}  // namespace sheaf::backend::chat_http
