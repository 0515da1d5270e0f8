#include "backend/scene/fields.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "jsonl/writer.h"

namespace sheaf::backend::scene {
namespace {

using core::FieldType;

enum class Subject : std::uint8_t {
    motion,
    brightness,
    colour,
    colour_hex,
    loudness,
    silence,
    has_sound,
    text,
    has_text,
    shot_number,
    shot_count,
    duration,
    start,
    end,
};

struct Known {
    std::string_view word;
    Subject subject;
};

// Names without underscores, blanks and case.
constexpr std::array kNames{
    Known{"motion", Subject::motion},
    Known{"motionlevel", Subject::motion},
    Known{"movement", Subject::motion},
    Known{"movementlevel", Subject::motion},
    Known{"activity", Subject::motion},
    Known{"activitylevel", Subject::motion},
    Known{"brightness", Subject::brightness},
    Known{"brightnesslevel", Subject::brightness},
    Known{"lighting", Subject::brightness},
    Known{"lightlevel", Subject::brightness},
    Known{"luminance", Subject::brightness},
    Known{"color", Subject::colour},
    Known{"colour", Subject::colour},
    Known{"colors", Subject::colour},
    Known{"colours", Subject::colour},
    Known{"dominantcolor", Subject::colour},
    Known{"dominantcolour", Subject::colour},
    Known{"dominantcolors", Subject::colour},
    Known{"dominantcolours", Subject::colour},
    Known{"maincolor", Subject::colour},
    Known{"maincolour", Subject::colour},
    Known{"colorhex", Subject::colour_hex},
    Known{"colourhex", Subject::colour_hex},
    Known{"dominantcolorhex", Subject::colour_hex},
    Known{"dominantcolourhex", Subject::colour_hex},
    Known{"loudness", Subject::loudness},
    Known{"volume", Subject::loudness},
    Known{"soundlevel", Subject::loudness},
    Known{"audiolevel", Subject::loudness},
    Known{"silence", Subject::silence},
    Known{"silent", Subject::silence},
    Known{"issilent", Subject::silence},
    Known{"hassound", Subject::has_sound},
    Known{"hasaudio", Subject::has_sound},
    Known{"sound", Subject::has_sound},
    Known{"audio", Subject::has_sound},
    Known{"text", Subject::text},
    Known{"texts", Subject::text},
    Known{"onscreentext", Subject::text},
    Known{"screentext", Subject::text},
    Known{"visibletext", Subject::text},
    Known{"ocr", Subject::text},
    Known{"ocrtext", Subject::text},
    Known{"caption", Subject::text},
    Known{"captions", Subject::text},
    Known{"subtitles", Subject::text},
    Known{"hastext", Subject::has_text},
    Known{"hasonscreentext", Subject::has_text},
    Known{"shot", Subject::shot_number},
    Known{"shotnumber", Subject::shot_number},
    Known{"shotindex", Subject::shot_number},
    Known{"scenenumber", Subject::shot_number},
    Known{"index", Subject::shot_number},
    Known{"shotcount", Subject::shot_count},
    Known{"shots", Subject::shot_count},
    Known{"duration", Subject::duration},
    Known{"durationseconds", Subject::duration},
    Known{"length", Subject::duration},
    Known{"start", Subject::start},
    Known{"begin", Subject::start},
    Known{"shotstart", Subject::start},
    Known{"end", Subject::end},
    Known{"shotend", Subject::end},
};

// Phrases of a description that say plainly what is wanted.
constexpr std::array kPhrases{
    Known{"on-screen text", Subject::text},    Known{"on screen text", Subject::text},
    Known{"text on screen", Subject::text},    Known{"dominant color", Subject::colour},
    Known{"dominant colour", Subject::colour}, Known{"amount of motion", Subject::motion},
    Known{"level of motion", Subject::motion}, Known{"how bright", Subject::brightness},
    Known{"how loud", Subject::loudness},
};

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

std::string plain(std::string_view name) {
    std::string out = lower(name);
    std::erase_if(out, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
    return out;
}

std::optional<Subject> subject_of(const core::SegmentField& field) {
    const std::string name = plain(field.name);
    for (const Known& known : kNames) {
        if (known.word == name) return known.subject;
    }
    const std::string description = lower(field.description);
    for (const Known& known : kPhrases) {
        if (description.find(known.word) == std::string::npos) continue;
        // A boolean about text asks whether, not which.
        if (field.type == FieldType::boolean && known.subject == Subject::text) return Subject::has_text;
        return known.subject;
    }
    return std::nullopt;
}

using Words = std::vector<std::string_view>;

// What people call a level, the best word first.
Words motion_words(Level level) {
    switch (level) {
        case Level::none:
            return {"none", "static", "still", "no motion", "low", "slow"};
        case Level::low:
            return {"low", "slow", "little", "slight", "calm"};
        case Level::medium:
            return {"medium", "moderate", "normal"};
        case Level::high:
            return {"high", "fast", "strong", "intense", "very high"};
    }
    return {};
}

Words brightness_words(const Portrait& portrait) {
    switch (portrait.brightness) {
        case Level::none:
        case Level::low:
            return {"dark", "low", "dim", "low-key"};
        case Level::medium:
            if (portrait.luma < 118) return {"medium", "normal", "moderate", "dark", "dim"};
            return {"medium", "normal", "moderate", "bright", "light"};
        case Level::high:
            return {"bright", "light", "high", "high-key"};
    }
    return {};
}

Words loudness_words(float dbfs) {
    const std::string_view word = loudness_word(dbfs);
    if (word == "silent") return {"silent", "none", "silence", "quiet", "low"};
    if (word == "quiet") return {"quiet", "low", "soft"};
    if (word == "medium") return {"medium", "moderate", "normal"};
    return {"loud", "high"};
}

Words colour_words(std::size_t colour) {
    const std::string_view name = colour_name(colour);
    Words words{name};
    if (name == "dark gray") words.insert(words.end(), {"dark grey", "gray", "grey", "black"});
    if (name == "light gray") words.insert(words.end(), {"light grey", "gray", "grey", "white"});
    if (name == "gray") words.emplace_back("grey");
    if (name == "maroon") words.insert(words.end(), {"dark red", "red"});
    if (name == "olive") words.insert(words.end(), {"green"});
    if (name == "cyan") words.insert(words.end(), {"turquoise", "teal"});
    if (name == "purple") words.insert(words.end(), {"violet", "magenta"});
    return words;
}

std::string json_string(std::string_view text) {
    std::string out;
    jsonl::append_string(out, text, jsonl::Charset::utf8);
    return out;
}

std::string json_strings(const std::vector<std::string>& texts) {
    jsonl::Writer json;
    json.open_array();
    for (const std::string& text : texts) json.value(text);
    json.close_array();
    return json.take();
}

std::optional<std::string> word_value(const core::SegmentField& field, const Words& words) {
    std::optional<std::string> word;
    if (field.allowed.empty()) {
        if (!words.empty()) word = std::string(words.front());
    } else {
        for (const std::string_view candidate : words) {
            const auto fits =
                std::find_if(field.allowed.begin(), field.allowed.end(),
                             [&](const std::string& allowed) { return lower(allowed) == candidate; });
            if (fits == field.allowed.end()) continue;
            word = *fits;
            break;
        }
    }
    if (!word) return std::nullopt;
    return field.type == FieldType::array ? json_strings({*word}) : json_string(*word);
}

std::optional<std::string> number_value(const core::SegmentField& field, double number) {
    jsonl::Writer json;
    if (field.type == FieldType::integer) {
        json.value(static_cast<std::int64_t>(std::llround(number)));
    } else {
        json.value(std::round(number * 1000) / 1000);
    }
    return json.take();
}

bool is_number(const core::SegmentField& field) {
    return field.type == FieldType::number || field.type == FieldType::integer;
}

bool is_words(const core::SegmentField& field) {
    return field.type == FieldType::string ||
           (field.type == FieldType::array && field.element == FieldType::string);
}

std::optional<std::string> flag_value(const core::SegmentField& field, bool flag) {
    if (field.type == FieldType::boolean) return std::string(flag ? "true" : "false");
    if (field.type == FieldType::string && !field.allowed.empty()) {
        return word_value(field, flag ? Words{"yes", "true"} : Words{"no", "false"});
    }
    return std::nullopt;
}

std::optional<std::string> text_value(const Findings& findings, const core::SegmentField& field,
                                      const std::vector<std::string>& texts) {
    // Not having looked is not the same as having seen nothing.
    if (!findings.text_problem.empty() || !field.allowed.empty() || !is_words(field)) return std::nullopt;
    if (field.type == FieldType::array) return json_strings(texts);
    std::string all;
    for (const std::string& text : texts) all += (all.empty() ? "" : "\n") + text;
    return json_string(all);
}

std::optional<std::string> colour_value(const core::SegmentField& field, const ColourShares& colours) {
    if (!is_words(field)) return std::nullopt;
    if (field.type != FieldType::array) return word_value(field, colour_words(colours.dominant()));
    std::uint64_t total = 0;
    for (const std::uint32_t pixels : colours.pixels) total += pixels;
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < kColourCount; ++i) {
        if (total > 0 && std::uint64_t{colours.pixels[i]} * 100 >= total * 15) order.push_back(i);
    }
    std::sort(order.begin(), order.end(),
              [&](std::size_t l, std::size_t r) { return colours.pixels[l] > colours.pixels[r]; });
    if (!field.allowed.empty()) return word_value(field, colour_words(colours.dominant()));
    std::vector<std::string> names;
    for (const std::size_t i : order) names.emplace_back(colour_name(i));
    return json_strings(names);
}

std::size_t first_shot(const Findings& findings, Span span) {
    for (std::size_t i = 0; i < findings.shots.size(); ++i) {
        if (findings.shots[i].end > span.start + 1e-6) return i;
    }
    return 0;
}

std::optional<std::string> measured(const Findings& findings, const core::SegmentField& field,
                                    Subject subject, Span span) {
    const Portrait portrait = describe(findings, span);
    switch (subject) {
        case Subject::motion:
            if (is_number(field)) return number_value(field, static_cast<double>(portrait.motion) / 2.55);
            if (is_words(field)) return word_value(field, motion_words(portrait.motion_level));
            return flag_value(field, portrait.motion_level != Level::none);
        case Subject::brightness:
            if (is_number(field)) return number_value(field, static_cast<double>(portrait.luma) / 2.55);
            return is_words(field) ? word_value(field, brightness_words(portrait)) : std::nullopt;
        case Subject::colour:
            return colour_value(field, portrait.colours);
        case Subject::colour_hex:
            if (field.type != FieldType::string || !field.allowed.empty()) return std::nullopt;
            return json_string(hex(portrait.colours.mean(portrait.colours.dominant())));
        case Subject::loudness:
            if (!portrait.dbfs) return std::nullopt;
            if (is_number(field))
                return number_value(field, std::round(static_cast<double>(*portrait.dbfs) * 10) / 10);
            return is_words(field) ? word_value(field, loudness_words(*portrait.dbfs)) : std::nullopt;
        case Subject::silence:
            if (findings.has_sound && !findings.loudness) return std::nullopt;
            return flag_value(field, !findings.has_sound || portrait.is_silent);
        case Subject::has_sound:
            if (findings.has_sound && !findings.loudness) return std::nullopt;
            return flag_value(field, findings.has_sound && !portrait.is_silent);
        case Subject::text:
            return text_value(findings, field, portrait.texts);
        case Subject::has_text:
            if (!findings.text_problem.empty()) return std::nullopt;
            return flag_value(field, !portrait.texts.empty());
        case Subject::shot_number: {
            const std::size_t number = first_shot(findings, span) + 1;
            if (is_number(field)) return number_value(field, static_cast<double>(number));
            return std::nullopt;
        }
        case Subject::shot_count: {
            if (!is_number(field)) return std::nullopt;
            const auto count =
                std::count_if(findings.shots.begin(), findings.shots.end(), [&](const Span& shot) {
                    return shot.start < span.end - 1e-6 && shot.end > span.start + 1e-6;
                });
            return number_value(field, static_cast<double>(count));
        }
        case Subject::duration:
            return is_number(field) ? number_value(field, span.length()) : std::nullopt;
        case Subject::start:
        case Subject::end: {
            const double time = subject == Subject::start ? span.start : span.end;
            if (field.type == FieldType::timestamp) return render_time(time, field.time_format);
            return is_number(field) ? number_value(field, time) : std::nullopt;
        }
    }
    return std::nullopt;
}

// Neighbouring shots joined until each stretch lasts `at_least`.
std::vector<Span> joined(const std::vector<Span>& pieces, double at_least) {
    std::vector<Span> out;
    for (const Span& piece : pieces) {
        if (!out.empty() && out.back().length() < at_least - 1e-6) {
            out.back().end = piece.end;
        } else {
            out.push_back(piece);
        }
    }
    if (out.size() > 1 && out.back().length() < at_least - 1e-6) {
        out[out.size() - 2].end = out.back().end;
        out.pop_back();
    }
    std::erase_if(out, [&](const Span& span) { return span.length() < at_least - 1e-6; });
    return out;
}

void split(Span span, double at_least, double at_most, std::vector<Span>& out) {
    auto parts = std::max(1.0, std::ceil(span.length() / at_most - 1e-6));
    // Where no number of equal parts fits both rules, the rest at the end is left out.
    if (span.length() / parts < at_least - 1e-6) parts = std::max(1.0, std::floor(span.length() / at_least));
    const double length = std::min(at_most, span.length() / parts);
    for (int i = 0; i < static_cast<int>(parts); ++i) {
        const double start = span.start + i * length;
        out.push_back({start, std::min(start + length, span.end)});
    }
}

std::vector<Span> stretches(const Findings& findings, const core::SegmentsOutput& output, Span range) {
    std::vector<Span> pieces;
    for (const Span& shot : findings.shots) {
        const Span piece{std::max(shot.start, range.start), std::min(shot.end, range.end)};
        if (piece.length() > 1e-3) pieces.push_back(piece);
    }
    const double at_least = output.min_duration.value_or(0);
    if (at_least > 0) pieces = joined(pieces, at_least);
    if (!output.max_duration) return pieces;
    std::vector<Span> out;
    for (const Span& piece : pieces) split(piece, at_least, *output.max_duration, out);
    return out;
}

}  // namespace

std::vector<DefinitionSegments> make_segments(const Findings& findings, const core::SegmentsOutput& output,
                                              Bounds bounds) {
    std::vector<DefinitionSegments> all;
    for (const core::SegmentDefinition& definition : output.definitions) {
        DefinitionSegments found{.definition = definition.id};
        std::vector<Span> ranges;
        for (const core::TimeRange& range : definition.ranges) {
            ranges.push_back({std::max(range.start, bounds.start), std::min(range.end, bounds.end)});
        }
        if (definition.ranges.empty()) ranges.push_back({bounds.start, bounds.end});
        for (const Span& range : ranges) {
            for (const Span& stretch : stretches(findings, output, range)) {
                Segment segment{.start = stretch.start, .end = stretch.end};
                for (const core::SegmentField& field : definition.fields) {
                    if (auto value = field_value(findings, field, stretch)) {
                        segment.fields.emplace_back(field.name, std::move(*value));
                    }
                }
                found.segments.push_back(std::move(segment));
            }
        }
        all.push_back(std::move(found));
    }
    return all;
}

std::optional<std::string> field_value(const Findings& findings, const core::SegmentField& field, Span span) {
    const std::optional<Subject> subject = subject_of(field);
    if (!subject) return std::nullopt;
    std::optional<std::string> value = measured(findings, field, *subject, span);
    if (!value) return std::nullopt;
    // Whatever the table above thinks, only what fits the declaration goes out.
    Result<std::string> checked = check_field(field, *value);
    if (!checked) return std::nullopt;
    return std::move(*checked);
}

}  // namespace sheaf::backend::scene
