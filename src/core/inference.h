#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/id.h"
#include "core/item.h"

// What a backend is asked and what it answers, in nobody's wire format.
namespace sheaf::core {

// Bytes to be found, in one of three ways.
struct FromAsset {
    AssetId id;
};
struct FromUrl {
    std::string url;
};
struct FromBase64 {
    std::string text;  // still encoded
};
using MediaSource = std::variant<FromAsset, FromUrl, FromBase64>;

// An image that a prompt or definition refers to as <@name>.
struct NamedImage {
    std::string name;
    MediaSource source;
};

struct Prompt {
    std::string text;
    std::vector<NamedImage> images;
};

enum class TimeFormat : std::uint8_t { seconds, hms, hms_millis };

enum class FieldType : std::uint8_t { string, boolean, number, integer, array, timestamp };

struct SegmentField {
    std::string name;
    FieldType type = FieldType::string;
    std::string description;
    TimeFormat time_format = TimeFormat::seconds;  // of a timestamp
    std::vector<std::string> allowed;              // the enum, or empty
    FieldType element = FieldType::string;         // of an array
};

// Seconds in the source video, half open.
struct TimeRange {
    double start = 0;
    double end = 0;
};

struct SegmentDefinition {
    std::string id;
    std::string description;
    std::vector<SegmentField> fields;
    std::vector<NamedImage> images;
    std::vector<TimeRange> ranges;
};

// Free text.
struct TextOutput {};
// One JSON document of this schema. The text keeps the member order the client gave.
struct JsonOutput {
    std::string schema;
};
struct SegmentsOutput {
    std::vector<SegmentDefinition> definitions;
    TimeFormat time_format = TimeFormat::seconds;
    std::optional<double> min_duration;  // seconds
    std::optional<double> max_duration;
};
using OutputFormat = std::variant<TextOutput, JsonOutput, SegmentsOutput>;

// One question about one video.
struct VideoAnalysis {
    std::string model;  // the name clients use
    MediaSource video;
    Prompt prompt;  // empty text for segments
    OutputFormat output;
    double temperature = 0.2;
    std::uint32_t max_tokens = 4096;
    std::optional<double> start_time;  // seconds in the source video
    std::optional<double> end_time;
};

// The wire protocols that model servers speak: POST /chat/completions, /messages, /responses, /embeddings.
enum class Protocol : std::uint8_t { chat_completions, messages, responses, embeddings };
std::string_view to_string(Protocol protocol);

// A request in one of those protocols, as its client wrote it.
struct ModelRequest {
    Protocol protocol = Protocol::chat_completions;
    std::string model;  // the name clients use
    std::string body;   // a JSON object; checked to be one, and no further
    // Of Messages: only how many tokens the input has is asked; the reply is {"input_tokens":n}.
    bool counts_tokens = false;
};

// What an item asks.
using Inference = std::variant<VideoAnalysis, ModelRequest>;
// The model that it asks, by the name clients use.
const std::string& model_of(const Inference& inference);

enum class FinishReason : std::uint8_t { stop, length };

// A good answer.
struct Answer {
    // Of a video analysis: UTF-8; a JSON document as text where the output is JSON or segments.
    std::string text;
    FinishReason finish = FinishReason::stop;
    std::string truncation;  // why `finish` is length, for people; else empty
    // Of a model request: the whole answer object in the request's own protocol, as JSON on one line.
    std::string reply;
    Usage usage;
};

// Why an item failed: a stable word of ours, which dialects turn into their own, and a sentence.
struct Failure {
    // Such as "invalid_request", "model_not_found", "asset_unavailable", "output_invalid", "overloaded",
    // "timed_out", "analysis_failed".
    std::string code;
    std::string message;
    std::string field = {};  // the path of what is wrong in the request, as its protocol writes it; or empty
    int status = 0;          // what the model server answered with; 0: it did not
    std::string error = {};  // its error object, the value of "error" in its answer, as JSON; or empty
};

}  // namespace sheaf::core
