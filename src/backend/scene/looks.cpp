#include "backend/scene/looks.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <utility>

namespace sheaf::backend::scene {
namespace {

constexpr int kSameThumb = 6;  // levels that no cell of a thumb changed by
constexpr double kGroupGapMax = 2.6;
constexpr double kGroupGapMin = 0.25;
constexpr double kGroupFramesMax = 24;

// The frame nearest to `time` among those of `shot`.
double nearest_frame(const std::vector<Step>& steps, Span shot, double time) {
    const auto from = std::lower_bound(steps.begin(), steps.end(), shot.start - 1e-6,
                                       [](const Step& step, double t) { return step.time < t; });
    double nearest = time;
    double least = 1e9;
    for (auto step = from; step != steps.end() && step->time < shot.end; ++step) {
        const double distance = std::abs(step->time - time);
        if (distance > least) break;
        least = distance;
        nearest = step->time;
    }
    return nearest;
}

const Moment* nearest_moment(const std::vector<Moment>& moments, double time) {
    auto next = std::lower_bound(moments.begin(), moments.end(), time,
                                 [](const Moment& moment, double t) { return moment.time < t; });
    if (next == moments.end()) return moments.empty() ? nullptr : &moments.back();
    if (next != moments.begin() && time - std::prev(next)->time < next->time - time) --next;
    return &*next;
}

void leave_out_beyond(std::vector<Look>& looks, std::uint32_t count_max) {
    const auto thin = [&](auto may_go) {
        std::vector<std::size_t> all;
        std::size_t read = 0;
        for (std::size_t i = 0; i < looks.size(); ++i) {
            if (looks[i].same_as || looks[i].is_left_out) continue;
            ++read;
            if (may_go(i)) all.push_back(i);
        }
        if (read <= count_max) return;
        const std::size_t drop = std::min(all.size(), read - count_max);
        for (std::size_t k = 0; k < drop; ++k) looks[all[k * all.size() / drop]].is_left_out = true;
    };
    const auto is_first_of_shot = [&](std::size_t i) { return i == 0 || looks[i - 1].shot != looks[i].shot; };
    thin([&](std::size_t i) { return !is_first_of_shot(i); });
    thin([](std::size_t) { return true; });
    for (Look& look : looks) {
        if (look.same_as && looks[*look.same_as].is_left_out) look.is_left_out = true;
    }
}

std::string key_of(std::string_view text) {
    std::string key;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x80 || std::isalnum(byte) != 0) key += static_cast<char>(std::tolower(byte));
    }
    return key;
}

std::size_t edit_distance(std::string_view left, std::string_view right) {
    std::vector<std::size_t> row(right.size() + 1);
    for (std::size_t j = 0; j <= right.size(); ++j) row[j] = j;
    for (std::size_t i = 0; i < left.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < right.size(); ++j) {
            const std::size_t change = diagonal + (left[i] == right[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

bool is_same_text(std::string_view left, std::string_view right) {
    if (left == right) return true;
    const std::size_t longer = std::max(left.size(), right.size());
    if (longer < 5 || longer > 400) return false;
    return edit_distance(left, right) * 5 <= longer;
}

}  // namespace

std::vector<Look> plan_looks(const Findings& findings, LookRules rules) {
    std::vector<Look> looks;
    for (std::size_t shot = 0; shot < findings.shots.size(); ++shot) {
        const Span span = findings.shots[shot];
        const auto count = static_cast<std::size_t>(
            std::max(1.0, std::ceil(span.length() / std::max(rules.every_s, 0.1) - 0.01)));
        const double slot = span.length() / static_cast<double>(count);
        std::size_t last_read = looks.size();
        for (std::size_t k = 0; k < count; ++k) {
            const double start = span.start + static_cast<double>(k) * slot;
            Look look{.time = nearest_frame(findings.steps, span, start + slot / 2),
                      .slot = {start, start + slot},
                      .shot = shot};
            const Moment* now = nearest_moment(findings.moments, look.time);
            const Moment* before =
                last_read < looks.size() ? nearest_moment(findings.moments, looks[last_read].time) : nullptr;
            if (now != nullptr && before != nullptr &&
                largest_change(now->thumb, before->thumb) <= kSameThumb) {
                look.same_as = last_read;
            } else {
                last_read = looks.size();
            }
            looks.push_back(std::move(look));
        }
    }
    leave_out_beyond(looks, rules.count_max);
    return looks;
}

std::vector<SeenText> merge_texts(std::span<const Look> looks) {
    struct Open {
        SeenText seen;
        std::string key;
        float confidence = 0;
        std::size_t last = 0;
    };
    std::vector<Open> all;
    for (std::size_t i = 0; i < looks.size(); ++i) {
        const Look& look = looks[i];
        if (look.is_left_out) continue;
        const std::vector<ReadLine>& lines = look.same_as ? looks[*look.same_as].lines : look.lines;
        for (const ReadLine& line : lines) {
            const std::string key = key_of(line.text);
            // One look may have missed it.
            const auto same = std::find_if(all.rbegin(), all.rend(), [&](const Open& open) {
                return open.last + 2 >= i && is_same_text(open.key, key);
            });
            if (same == all.rend()) {
                all.push_back({{look.slot, line.text}, key, line.confidence, i});
                continue;
            }
            same->seen.span.end = look.slot.end;
            same->last = i;
            if (line.confidence > same->confidence) {
                same->seen.text = line.text;
                same->key = key;
                same->confidence = line.confidence;
            }
        }
    }
    std::vector<SeenText> texts;
    for (Open& open : all) texts.push_back(std::move(open.seen));
    return texts;
}

std::vector<LookGroup> group_looks(std::span<const Look> looks) {
    std::vector<LookGroup> groups;
    double first = 0;
    double last = 0;
    double least_gap = 0;
    for (std::size_t i = 0; i < looks.size(); ++i) {
        if (looks[i].same_as || looks[i].is_left_out) continue;
        const double time = looks[i].time;
        if (!groups.empty()) {
            const double gap = time - last;
            const double least = groups.back().looks.size() == 1 ? gap : std::min(least_gap, gap);
            const double spacing = std::max(least, kGroupGapMin);
            if (gap <= kGroupGapMax && (time - first) / spacing <= kGroupFramesMax) {
                groups.back().looks.push_back(i);
                groups.back().frames_per_second = 1 / spacing;
                least_gap = least;
                last = time;
                continue;
            }
        }
        groups.push_back({{i}, 0});
        first = last = time;
    }
    return groups;
}

}  // namespace sheaf::backend::scene
