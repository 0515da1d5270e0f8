#include "backend/segments.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "backend/json_text.h"
#include "jsonl/writer.h"

namespace sheaf::backend {
namespace {

using core::FieldType;
using core::TimeFormat;

// How far a duration rule may be missed: models count in frames.
constexpr double kDurationTolerance = 0.25;
// What is shorter than a millisecond is nothing: times are shown no finer.
constexpr double kEmpty = 0.001;
constexpr double kTimeMax = 1e9;

std::string_view trim(std::string_view text) {
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    return text;
}

bool all_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Digits, and if allowed a '.' or ',' with digits after it.
std::optional<double> parse_decimal(std::string_view text) {
    std::string plain(text);
    std::ranges::replace(plain, ',', '.');
    const auto point = plain.find('.');
    if (!all_digits(std::string_view(plain).substr(0, point))) return std::nullopt;
    if (point != std::string::npos && !all_digits(std::string_view(plain).substr(point + 1)))
        return std::nullopt;
    double value = 0;
    const auto [end, error] =
        std::from_chars(plain.data(), plain.data() + plain.size(), value, std::chars_format::fixed);
    if (error != std::errc() || end != plain.data() + plain.size() || value > kTimeMax) return std::nullopt;
    return value;
}

std::vector<Bounds> allowed_stretches(const core::SegmentDefinition& definition, Bounds bounds) {
    if (definition.ranges.empty()) return {bounds};
    std::vector<Bounds> stretches;
    for (const auto& range : definition.ranges) {
        const Bounds cut{std::max(range.start, bounds.start), std::min(range.end, bounds.end)};
        if (cut.end - cut.start >= kEmpty) stretches.push_back(cut);
    }
    return stretches;
}

std::vector<Segment> clip(std::vector<Segment> segments, const std::vector<Bounds>& stretches) {
    std::vector<Segment> pieces;
    for (const auto& segment : segments) {
        for (const auto& stretch : stretches) {
            Segment piece = segment;
            piece.start = std::max(segment.start, stretch.start);
            piece.end = std::min(segment.end, stretch.end);
            if (piece.end - piece.start >= kEmpty) pieces.push_back(std::move(piece));
        }
    }
    return pieces;
}

std::vector<Segment> cut_overlaps(std::vector<Segment> segments) {
    std::ranges::sort(segments, {},
                      [](const Segment& segment) { return std::pair(segment.start, segment.end); });
    std::vector<Segment> apart;
    for (auto& segment : segments) {
        if (!apart.empty()) segment.start = std::max(segment.start, apart.back().end);
        if (segment.end - segment.start >= kEmpty) apart.push_back(std::move(segment));
    }
    return apart;
}

Result<> check_durations(const core::SegmentsOutput& output, std::string_view id,
                         const std::vector<Segment>& segments) {
    for (const auto& segment : segments) {
        const double duration = segment.end - segment.start;
        if (output.min_duration && duration < *output.min_duration - kDurationTolerance)
            return fail(
                ErrorCode::invalid,
                fmt::format("{}: the segment at {:.3f} s lasts {:.3f} s, shorter than the minimum of {} s",
                            id, segment.start, duration, *output.min_duration));
        if (output.max_duration && duration > *output.max_duration + kDurationTolerance)
            return fail(
                ErrorCode::invalid,
                fmt::format("{}: the segment at {:.3f} s lasts {:.3f} s, longer than the maximum of {} s", id,
                            segment.start, duration, *output.max_duration));
    }
    return {};
}

std::string_view name_of(FieldType type) {
    switch (type) {
        case FieldType::string:
            return "a string";
        case FieldType::boolean:
            return "a boolean";
        case FieldType::number:
            return "a number";
        case FieldType::integer:
            return "an integer";
        case FieldType::array:
            return "an array";
        case FieldType::timestamp:
            return "a time";
    }
    return "a value";
}

// The value as text when it is of `type`; arrays and timestamps have rules of their own.
std::optional<std::string> scalar_text(FieldType type, const boost::json::value& value) {
    switch (type) {
        case FieldType::string:
            if (value.is_string()) return json_text(value);
            return std::nullopt;
        case FieldType::boolean:
            if (value.is_bool()) return json_text(value);
            return std::nullopt;
        case FieldType::number:
            if (value.is_number()) return json_text(value);
            return std::nullopt;
        case FieldType::integer:
            if (value.is_int64() || value.is_uint64()) return json_text(value);
            // 3.0 is an integer to JSON Schema; beyond 2^53 a double no longer says which.
            if (const auto* number = value.if_double(); number != nullptr && std::trunc(*number) == *number &&
                                                        std::abs(*number) <= 9007199254740992.0)
                return fmt::format("{}", static_cast<std::int64_t>(*number));
            return std::nullopt;
        case FieldType::array:
        case FieldType::timestamp:
            return std::nullopt;
    }
    return std::nullopt;
}

bool is_allowed(const std::vector<std::string>& allowed, const boost::json::value& value,
                std::string_view text) {
    if (allowed.empty()) return true;
    const auto* string = value.if_string();
    const std::string_view plain =
        string != nullptr ? std::string_view(string->data(), string->size()) : text;
    return std::ranges::find(allowed, plain) != allowed.end();
}

std::unexpected<Error> wrong(const core::SegmentField& field, std::string_view why) {
    return fail(ErrorCode::invalid, fmt::format("{}: {}", field.name, why), field.name);
}

Result<std::string> check_scalar(const core::SegmentField& field, FieldType type,
                                 const boost::json::value& value) {
    auto text = scalar_text(type, value);
    if (!text) return wrong(field, fmt::format("expected {}", name_of(type)));
    if (!is_allowed(field.allowed, value, *text)) return wrong(field, "not one of the allowed values");
    return *std::move(text);
}

Result<std::string> check_array(const core::SegmentField& field, const boost::json::value& value) {
    if (!value.is_array()) return wrong(field, "expected an array");
    std::string out = "[";
    for (const auto& element : value.get_array()) {
        auto text = check_scalar(field, field.element, element);
        if (!text)
            return wrong(field, fmt::format("every element must be {}{}", name_of(field.element),
                                            field.allowed.empty() ? "" : " and one of the allowed values"));
        if (out.size() > 1) out += ',';
        out += *text;
    }
    return out + "]";
}

Result<std::string> check_timestamp(const core::SegmentField& field, const boost::json::value& value) {
    if (value.is_number()) {
        const auto seconds = value.to_number<double>();
        if (std::abs(seconds) <= kTimeMax) return render_time(seconds, field.time_format);
    }
    if (const auto* text = value.if_string())
        if (const auto seconds = parse_time({text->data(), text->size()}))
            return render_time(*seconds, field.time_format);
    return wrong(field, "expected a time in seconds or as hh:mm:ss.fff");
}

}  // namespace

Result<std::vector<DefinitionSegments>> settle_segments(const core::SegmentsOutput& output, Bounds bounds,
                                                        std::vector<DefinitionSegments> found) {
    std::vector<DefinitionSegments> settled;
    for (const auto& definition : output.definitions) {
        std::vector<Segment> segments;
        for (auto& group : found) {
            if (group.definition != definition.id) continue;
            std::ranges::move(group.segments, std::back_inserter(segments));
            group.segments.clear();
        }
        for (const auto& segment : segments) {
            if (!std::isfinite(segment.start) || !std::isfinite(segment.end) || segment.start >= segment.end)
                return fail(ErrorCode::invalid,
                            fmt::format("{}: the segment from {} to {} does not start before it ends",
                                        definition.id, segment.start, segment.end));
        }
        segments = cut_overlaps(clip(std::move(segments), allowed_stretches(definition, bounds)));
        if (auto fits = check_durations(output, definition.id, segments); !fits)
            return std::unexpected(fits.error());
        settled.push_back({definition.id, std::move(segments)});
    }
    return settled;
}

std::string render_segments(const core::SegmentsOutput& output, std::span<const DefinitionSegments> settled) {
    jsonl::Writer json;
    json.open_object();
    for (const auto& definition : output.definitions) {
        json.key(definition.id).open_array();
        for (const auto& group : settled) {
            if (group.definition != definition.id) continue;
            for (const auto& segment : group.segments) {
                json.open_object();
                json.member_raw("start_time", render_time(segment.start, output.time_format));
                json.member_raw("end_time", render_time(segment.end, output.time_format));
                json.key("metadata").open_object();
                for (const auto& field : definition.fields) {
                    const auto value = std::ranges::find(segment.fields, field.name,
                                                         &std::pair<std::string, std::string>::first);
                    json.member_raw(field.name,
                                    value == segment.fields.end() ? "null" : std::string_view(value->second));
                }
                json.close_object().close_object();
            }
        }
        json.close_array();
    }
    return json.close_object().take();
}

std::string render_time(double seconds, TimeFormat format) {
    if (!std::isfinite(seconds)) return "null";
    if (format == TimeFormat::seconds) {
        auto text = fmt::format("{:.3f}", std::abs(seconds) < 0.0005 ? 0.0 : seconds);
        while (text.ends_with('0') && !text.ends_with(".0")) text.pop_back();
        return text;
    }
    const double unit = format == TimeFormat::hms ? 1.0 : 1000.0;
    auto left = static_cast<std::uint64_t>(std::llround(std::clamp(seconds, 0.0, kTimeMax) * unit));
    std::string fraction;
    if (format == TimeFormat::hms_millis) {
        fraction = fmt::format(".{:03}", left % 1000);
        left /= 1000;
    }
    return fmt::format("\"{:02}:{:02}:{:02}{}\"", left / 3600, left / 60 % 60, left % 60, fraction);
}

std::optional<double> parse_time(std::string_view text) {
    text = trim(text);
    if (text.size() > 64) return std::nullopt;
    // Frames are shown to the model as [hh:mm:ss.fff], and it may copy that.
    if (text.starts_with('[') && text.ends_with(']')) text = trim(text.substr(1, text.size() - 2));
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) {
        const bool negative = text.starts_with('-');
        if (negative) text.remove_prefix(1);
        if (text.ends_with('s')) text = trim(text.substr(0, text.size() - 1));
        const auto seconds = parse_decimal(text);
        if (!seconds) return std::nullopt;
        return negative ? -*seconds : *seconds;
    }
    double total = 0;
    std::size_t parts = 0;
    while (true) {
        const auto end = text.find(':');
        const bool last = end == std::string_view::npos;
        const auto part = text.substr(0, end);
        if (++parts > 3 || (!last && !all_digits(part))) return std::nullopt;
        const auto value = parse_decimal(part);
        if (!value || (parts > 1 && *value >= 60)) return std::nullopt;
        total = total * 60 + *value;
        if (last) break;
        text.remove_prefix(end + 1);
    }
    if (total > kTimeMax) return std::nullopt;
    return total;
}

Result<std::string> check_field(const core::SegmentField& field, std::string_view json) {
    const auto value = parse_json(json);
    if (!value) return wrong(field, "not a JSON value");
    if (value->is_null()) return "null";
    switch (field.type) {
        case FieldType::array:
            return check_array(field, *value);
        case FieldType::timestamp:
            return check_timestamp(field, *value);
        case FieldType::string:
        case FieldType::boolean:
        case FieldType::number:
        case FieldType::integer:
            return check_scalar(field, field.type, *value);
    }
    return wrong(field, "of no known type");
}

}  // namespace sheaf::backend
