#include "backend/scene/report.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

namespace sheaf::backend::scene {
namespace {

std::string clock(double seconds) {
    const auto millis = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds) * 1000));
    return fmt::format("{:02}:{:02}:{:02}.{:03}", millis / 3'600'000, millis / 60'000 % 60,
                       millis / 1000 % 60, millis % 1000);
}

std::string from_to(Span span) {
    return fmt::format("{} - {}", clock(span.start), clock(span.end));
}

// Control characters would let a picture write into a terminal.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    return out + "\"";
}

std::string opening(const ReportRequest& request) {
    std::string text =
        "Signal analysis without a language model: what follows was measured in the picture and the sound.\n";
    if (request.has_prompt) {
        text +=
            "The question itself was not interpreted. For an answer to it, configure a model for this name "
            "([[model]]).\n";
    }
    if (request.images > 0) {
        text += fmt::format("{} given with the prompt {} ignored.\n",
                            request.images == 1 ? "The image" : fmt::format("The {} images", request.images),
                            request.images == 1 ? "was" : "were");
    }
    return text + "\n";
}

std::string about_file(const Findings& findings, const media::MediaInfo& info) {
    std::string text = "Video\n";
    if (info.duration_s)
        text += fmt::format("- Length: {} ({:.3f} s)\n", clock(*info.duration_s), *info.duration_s);
    const double end = info.start_s + info.duration_s.value_or(0);
    if (!info.duration_s || findings.window.start > info.start_s + 0.001 ||
        findings.window.end < end - 0.001) {
        text += fmt::format("- Analysed: {}\n", from_to(findings.window));
    }
    if (!info.video.empty()) {
        const media::VideoStream& video = info.video.front();
        text += fmt::format("- Picture: {} x {} pixels", video.width, video.height);
        if (video.avg_fps > 0) text += fmt::format(", {:.5g} frames a second", video.avg_fps);
        if (!video.codec.empty()) text += fmt::format(", {}", video.codec);
        text += "\n";
    }
    if (!findings.has_sound) {
        text += "- Sound: none\n";
    } else if (!findings.loudness) {
        text += fmt::format("- Sound: present, but it could not be measured ({})\n", findings.sound_problem);
    } else {
        text += "- Sound: present";
        if (!info.audio.empty() && !info.audio.front().codec.empty()) text += ", " + info.audio.front().codec;
        if (const auto dbfs = describe(findings, findings.window).dbfs) {
            text += fmt::format(", {:.1f} dBFS on average ({})", *dbfs, loudness_word(*dbfs));
        }
        text += "\n";
    }
    text += fmt::format("- Shots: {}\n\n", findings.shots.size());
    return text;
}

std::string about_shot(const Findings& findings, std::size_t index) {
    const Span shot = findings.shots[index];
    const Portrait portrait = describe(findings, shot);
    const std::size_t colour = portrait.colours.dominant();
    std::string text = fmt::format("{}. {} ({:.2f} s): motion {}, ", index + 1, from_to(shot), shot.length(),
                                   to_string(portrait.motion_level));
    constexpr std::string_view kLight[] = {"dark", "dark", "medium", "bright"};
    text += fmt::format("brightness {:.0f} % ({}), mostly {} ({})", static_cast<double>(portrait.luma) / 2.55,
                        kLight[static_cast<std::size_t>(portrait.brightness)], colour_name(colour),
                        hex(portrait.colours.mean(colour)));
    if (portrait.dbfs) {
        text += portrait.is_silent
                    ? std::string(", silent")
                    : fmt::format(", sound {:.1f} dBFS ({})", *portrait.dbfs, loudness_word(*portrait.dbfs));
    }
    if (!portrait.texts.empty()) {
        text += "; text: ";
        for (std::size_t i = 0; i < portrait.texts.size(); ++i)
            text += (i == 0 ? "" : ", ") + quoted(portrait.texts[i]);
    }
    const auto change =
        std::find_if(findings.boundaries.begin(), findings.boundaries.end(), [&](const Boundary& b) {
            return b.kind == BoundaryKind::gradual && std::abs(b.time - shot.start) < 1e-6;
        });
    if (change != findings.boundaries.end()) {
        text += fmt::format("; begins with a fade or dissolve of {:.1f} s", change->end - change->start);
    }
    return text + "\n";
}

std::string about_silences(const Findings& findings) {
    if (!findings.loudness) return {};
    std::string text = "\nSilences (below -50 dBFS for at least 0.5 s)\n";
    if (findings.silences.empty()) text += "- none\n";
    for (const Span& silence : findings.silences) {
        text += fmt::format("- {} ({:.1f} s)\n", from_to(silence), silence.length());
    }
    return text;
}

std::string about_texts(const Findings& findings) {
    std::string text = "\nOn-screen text\n";
    if (!findings.text_problem.empty())
        return text + fmt::format("- not looked for: {}\n", findings.text_problem);
    if (findings.texts.empty()) text += "- none was read\n";
    for (const SeenText& seen : findings.texts) {
        text += fmt::format("- {}: {}\n", from_to(seen.span), quoted(seen.text));
    }
    if (findings.looks_left_out > 0) {
        text += fmt::format("- {} of {} planned looks for text were left out, for the limit on them.\n",
                            findings.looks_left_out, findings.looks_left_out + findings.looks);
    }
    return text;
}

}  // namespace

std::vector<std::string> write_report(const Findings& findings, const media::MediaInfo& info,
                                      ReportRequest request) {
    std::vector<std::string> sections{opening(request), about_file(findings, info)};
    for (std::size_t i = 0; i < findings.shots.size(); ++i) {
        sections.push_back((i == 0 ? "Shots\n" : "") + about_shot(findings, i));
    }
    sections.push_back(about_silences(findings));
    sections.push_back(about_texts(findings));
    std::erase(sections, std::string());
    return sections;
}

std::uint64_t estimate_tokens(std::string_view text) {
    return (text.size() + 3) / 4;
}

Cut cut_to_length(std::vector<std::string> sections, std::uint32_t tokens_max) {
    Cut cut;
    std::uint64_t room = std::uint64_t{tokens_max} * 4;
    for (std::string& section : sections) {
        if (section.size() > room) {
            std::size_t end = static_cast<std::size_t>(room);
            while (end > 0 && (static_cast<unsigned char>(section[end]) & 0xC0U) == 0x80U) --end;
            section.resize(end);
            if (!section.empty()) cut.sections.push_back(std::move(section));
            cut.finish = core::FinishReason::length;
            cut.truncation = fmt::format("The report was cut at max_tokens ({}).", tokens_max);
            return cut;
        }
        room -= section.size();
        cut.sections.push_back(std::move(section));
    }
    return cut;
}

}  // namespace sheaf::backend::scene
