#include "backend/refusal_ceiling.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sheaf::backend {
namespace {

using namespace std::chrono_literals;

constexpr double kRefusedFactor = 0.97;
constexpr double kTimedOutFactor = 0.7;
constexpr double kLookFactor = 0.75;
constexpr SteadyTime::duration kSpacingMax = 1s;
// Without trouble, before more is tried; twice as many the first time.
constexpr std::uint32_t kCleanCalls = 128;
constexpr int kCleanRounds = 4;
// Trouble that is not about load: so many calls at least, and this share of all.
constexpr double kTroubledMin = 8;
constexpr double kShareMin = 0.02;
constexpr double kShareMax = 0.25;  // a server that refuses more means it
constexpr double kFewCalls = 64;    // with at most one in trouble: it was about load
constexpr double kManyCalls = 512;
constexpr SteadyTime::duration kUnheededFor = 60s;

SteadyTime::duration duration_of(double seconds) {
    return std::chrono::duration_cast<SteadyTime::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

void RefusalCeiling::Tally::count(const Call& call, bool is_troubled) {
    if (call.began < from) return;
    calls += 1;
    troubled += is_troubled ? 1 : 0;
}

void RefusalCeiling::restart_clean(SteadyTime now) {
    clean_since_ = now;
    clean_calls_ = 0;
}

double RefusalCeiling::fallen(Trouble trouble, const Call& call) const {
    const double wanted = trouble == Trouble::timed_out
                              ? call.under_way * kTimedOutFactor
                              : std::min(call.under_way - 1, std::ceil(call.under_way * kRefusedFactor));
    return std::max(std::floor(wanted), 1.0);
}

std::optional<double> RefusalCeiling::troubled(Trouble trouble, const Call& call) {
    restart_clean(call.now);
    if (call.now < heeded_from_) {
        unheeded_.count(call, true);
        if (unheeded_.calls < kFewCalls || unheeded_.troubled < unheeded_.calls * kShareMax)
            return std::nullopt;
        heeded_from_ = call.now;
    }
    if (look_) {
        look_->tally.count(call, true);
        return conclude(call);
    }
    // What began before the last time says nothing new.
    const auto spacing = std::min(duration_of(call.latency_s), kSpacingMax);
    if (fell_at_ && (call.began < *fell_at_ || call.now - *fell_at_ < spacing)) return std::nullopt;
    fell_at_ = call.now;
    if (before_ == 0) before_ = call.window;
    value_ = fallen(trouble, call);
    step_ = 1;
    if (value_ * 2 <= before_ && value_ > 1) {
        // What was refused before comes again first.
        look_ = Look{.back_to = value_, .tally = {.from = call.now + 1s + 2 * duration_of(call.latency_s)}};
        value_ = std::floor(value_ * kLookFactor);
    }
    return std::min(call.window, value_);
}

// Nothing until it is known.
std::optional<double> RefusalCeiling::conclude(const Call& call) {
    const auto [from, calls, troubled] = look_->tally;
    const bool is_about_load =
        (calls >= kFewCalls && (troubled <= 1 || troubled > calls * kShareMax)) || calls >= kManyCalls;
    const bool is_not =
        troubled >= kTroubledMin && troubled >= calls * kShareMin && troubled <= calls * kShareMax;
    if (is_not) {
        heeded_from_ = call.now + kUnheededFor;
        unheeded_ = {.from = call.now};
        look_.reset();
        value_ = most_;
        return std::exchange(before_, 0);
    }
    if (!is_about_load) return std::nullopt;
    if (troubled <= calls * kShareMax) value_ = look_->back_to;
    look_.reset();
    before_ = 0;
    return call.window < value_ ? std::optional(value_) : std::nullopt;
}

std::optional<double> RefusalCeiling::went_well(const Call& call) {
    ++clean_calls_;
    if (call.now < heeded_from_) unheeded_.count(call, false);
    if (look_) {
        look_->tally.count(call, false);
        return conclude(call);
    }
    if (value_ >= most_ || value_ > call.window * 2) return std::nullopt;
    if (!call.is_in_use) {
        restart_clean(call.now);
        return std::nullopt;
    }
    const auto rounds = duration_of(kCleanRounds * call.latency_s);
    if (clean_calls_ < (step_ == 1 ? 2 : 1) * kCleanCalls || call.now - clean_since_ < rounds)
        return std::nullopt;
    const bool is_held_down = call.window >= value_;
    value_ = std::min(value_ + step_, most_);
    step_ = std::min(step_ * 2, value_);
    before_ = 0;
    restart_clean(call.now);
    return is_held_down ? std::optional(value_) : std::nullopt;
}

}  // namespace sheaf::backend
