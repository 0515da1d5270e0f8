#include "backend/admission.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sheaf::backend {
namespace {

using namespace std::chrono_literals;

// A round trip in which the rate rose by less than this brought nothing, though the window doubled.
constexpr double kGrowthMin = 1.25;
constexpr int kStrikesMax = 2;
// Of a window that a server without a queue may have before the first answers of the round.
constexpr double kRoundGrowthMax = 4;

// Of d(log rate) / d(log window): 1 while calls do not hinder each other, 0 where they only queue.
constexpr double kUpIfAbove = 0.3;
constexpr double kDownIfBelow = 0.15;
constexpr double kNoiseMax = 0.35;  // of that figure: what a measurement is long enough for
constexpr double kSureUp = 2;       // standard deviations that end a measurement early
constexpr double kSureDown = 3;
const double kStepMin = std::log(1.125);
const double kStepFirst = std::log(1.25);
const double kStepMax = std::log(1.6);
const double kStepSeenMax = std::log(2.0);
constexpr std::uint64_t kSettleTurns = 2;
constexpr std::uint64_t kTurnsMin = 3;
constexpr std::chrono::milliseconds kMeasureMax{6'000};
constexpr double kChanged = 0.2;  // of log rate, with the window as it was: the server is another
constexpr double kCollapsed = 0.5;
// Of latency, its variance by the square of its mean: answers also come in bunches.
constexpr double kSpreadMin = 0.06;
// What a window that stood a trial is left in peace for, doubled each time.
constexpr double kRestFirst_s = 0.5;
constexpr double kRestMax_s = 4;

// Of the window. What never was so full, and on the whole not filled so far either, cannot show what more
// calls bring. Answers come in bunches and it takes a moment to replace them, so it is not full all the time.
constexpr double kInUse = 0.9;
constexpr double kFilled = 0.5;

constexpr std::chrono::milliseconds kGaugesFreshFor{3'000};

double seconds(SteadyTime::duration time) {
    return std::chrono::duration<double>(time).count();
}

}  // namespace

AdmissionWindow::AdmissionWindow(const AdmissionRules& rules)
    : rules_(rules),
      window_(std::min(rules.first, rules.most)),
      round_window_(window_),
      step_(kStepFirst),
      ceiling_(rules.most) {}

void AdmissionWindow::Measure::add(double time) {
    ++good;
    const auto n = static_cast<double>(good);
    times += time;
    times_by_count += time * n;
}

double AdmissionWindow::Measure::rate() const {
    const auto n = static_cast<double>(good);
    const double slope = (12 * times_by_count - 6 * (n + 1) * times) / (n * (n * n - 1));
    return 1 / std::max(slope, 1e-9);
}

double AdmissionWindow::limit() const {
    return std::clamp(phase_ == Phase::trial ? trial_ : window_, 1.0, ceiling_.value());
}

std::uint32_t AdmissionWindow::size() const {
    return static_cast<std::uint32_t>(std::lround(limit()));
}

bool AdmissionWindow::shows_gauges(SteadyTime now) const {
    return gauged_at_ && now - *gauged_at_ < kGaugesFreshFor;
}

void AdmissionWindow::advance(SteadyTime now) {
    if (advanced_at_ != SteadyTime{}) measure_.area += under_way_ * seconds(now - advanced_at_);
    advanced_at_ = now;
    if (measure_.since == SteadyTime{}) measure_.since = now;
}

void AdmissionWindow::start_measure(SteadyTime now) {
    measure_ = {.since = now};
    last_peak_ = std::exchange(peak_, under_way_);
}

bool AdmissionWindow::is_in_use() const {
    return std::max(peak_, last_peak_) >= limit() * kInUse;
}

void AdmissionWindow::note_latency(double seconds) {
    const double weight = latency_ == 0 ? 1.0 : 1.0 / std::max(32.0, limit());
    latency_ += weight * (seconds - latency_);
    latency_square_ += weight * (seconds * seconds - latency_square_);
}

double AdmissionWindow::noise_of(std::uint64_t calls) const {
    const double variance = std::max(latency_square_ - latency_ * latency_, 0.0);
    const double spread = std::clamp(variance / std::max(latency_ * latency_, 1e-12), kSpreadMin, 4.0);
    return std::sqrt(spread / static_cast<double>(std::max<std::uint64_t>(calls, 1)));
}

void AdmissionWindow::began(SteadyTime now) {
    // Nobody asked for a while: what was measured ends there.
    const bool was_idle = under_way_ == 0 && seconds(now - advanced_at_) > latency_;
    advance(now);
    if (was_idle) start_measure(now);
    ++under_way_;
    peak_ = std::max(peak_, under_way_);
}

void AdmissionWindow::ended(End end, SteadyTime began, SteadyTime now) {
    advance(now);
    --under_way_;
    std::optional<double> window;
    switch (end) {
        case End::refused:
            window = ceiling_.troubled(RefusalCeiling::Trouble::refused, call(began, now));
            break;
        case End::timed_out:
            window = ceiling_.troubled(RefusalCeiling::Trouble::timed_out, call(began, now));
            break;
        case End::other:
            return;
        case End::good:
            note_good(began, now);
            window = ceiling_.went_well(call(began, now));
            break;
    }
    if (!window) return;
    // Up to what it was before trouble that load was not the cause of.
    if (*window > limit() && end != End::good)
        start_growing(*window, now);
    else
        move_to(*window, now);
}

void AdmissionWindow::note_good(SteadyTime began, SteadyTime now) {
    note_latency(seconds(now - began));
    measure_.add(seconds(now - measure_.since));
    if (phase_ == Phase::growing)
        grow_round(now);
    else
        climb(now);
}

RefusalCeiling::Call AdmissionWindow::call(SteadyTime began, SteadyTime now) const {
    return {.began = began,
            .now = now,
            .window = limit(),
            .under_way = std::min<double>(limit(), under_way_ + 1),
            .is_in_use = is_in_use(),
            .latency_s = latency_};
}

void AdmissionWindow::start_growing(double window, SteadyTime now) {
    phase_ = Phase::growing;
    window_ = round_window_ = window;
    last_rate_ = best_rate_ = least_latency_ = 0;
    strikes_ = 0;
    start_measure(now);
}

void AdmissionWindow::grow_round(SteadyTime now) {
    // As TCP has it: what was never full yet does not grow to more than twice that.
    const bool is_in_use = window_ < 2 * std::max(peak_, last_peak_);
    if (has_collapsed(now)) return stop_growing(now);
    if (is_in_use && !shows_gauges(now)) window_ = std::min<double>(window_ + 1, ceiling_.value());
    const double time = seconds(now - measure_.since);
    if (time < latency_ || static_cast<double>(measure_.good) < measure_.area / time * 0.5 ||
        measure_.good < 8)
        return;
    const double rate = static_cast<double>(measure_.good) / time;
    if (least_latency_ == 0 || latency_ < least_latency_) least_latency_ = latency_;
    const bool is_falling = rate < last_rate_ * 0.8;
    if (is_in_use && last_rate_ > 0) strikes_ = rate < last_rate_ * kGrowthMin ? strikes_ + 1 : 0;
    if (rate > best_rate_) best_window_ = measure_.area / time;
    best_rate_ = std::max(best_rate_, rate);
    round_window_ = window_;
    last_rate_ = std::max(last_rate_, rate);
    start_measure(now);
    if (is_in_use && (is_falling || strikes_ >= kStrikesMax || window_ >= ceiling_.value()))
        stop_growing(now);
}

// What answers the best rate seen at the least latency seen keeps just as many calls under way.
void AdmissionWindow::stop_growing(SteadyTime now) {
    is_flat_ = true;
    move_to(std::clamp(best_rate_ * least_latency_, best_window_ / 2, std::max(best_window_, 1.0)), now);
}

void AdmissionWindow::start_base(SteadyTime now) {
    phase_ = Phase::base;
    start_measure(now);
}

// Wide enough that its effect can be told from chance within the time that a measurement may take.
double AdmissionWindow::step_for(double rate) const {
    const double calls = std::max(rate * seconds(kMeasureMax), 2 * window_);
    const double seen = 1.41 * noise_of(static_cast<std::uint64_t>(calls)) / kNoiseMax;
    return std::min(std::max(step_, seen), kStepSeenMax);
}

void AdmissionWindow::start_trial(SteadyTime now) {
    const double step = step_for(base_rate_);
    const double up = std::max(std::round(window_ * std::exp(step)), window_ + 1);
    const double down = std::min(std::round(window_ * std::exp(-step)), window_ - 1);
    if (window_ >= ceiling_.value()) is_upward_ = false;
    if (down < 1) is_upward_ = true;
    if (is_upward_ && window_ >= ceiling_.value()) return start_base(now);
    const double wanted = is_upward_ ? std::min(up, ceiling_.value()) : down;
    phase_ = Phase::trial;
    trial_ = wanted;
    start_measure(now);
}

void AdmissionWindow::move_to(double window, SteadyTime now) {
    window_ = std::clamp<double>(std::round(window), 1, ceiling_.value());
    base_rate_ = 0;
    start_base(now);
}

// Far fewer answers than the window brought before: it must not take a round trip of the slowed server to
// see.
bool AdmissionWindow::has_collapsed(SteadyTime now) const {
    const double time = seconds(now - measure_.since);
    const double before = phase_ == Phase::growing ? best_rate_ : base_rate_;
    // Fewer calls, fewer answers: of a trial as of a base.
    const double expected = before * time * std::min(limit() / window_, 1.0);
    return before > 0 && expected >= 32 && expected >= 3 * limit() &&
           measure_.area >= time * limit() * kFilled &&
           static_cast<double>(measure_.good) <
               expected * (kCollapsed - 2 * noise_of(static_cast<std::uint64_t>(expected)));
}

void AdmissionWindow::climb(SteadyTime now) {
    if (shows_gauges(now) && has_queue_) return start_base(now);
    if (has_collapsed(now)) {
        if (phase_ == Phase::trial && is_upward_) return reject_trial(now);
        step_ = kStepMax;
        rest_s_ = 0;
        is_upward_ = false;
        // At half the window half the rate would be no wonder; less is, once more.
        const double expected = has_halved_ ? 0 : base_rate_ / 2;
        has_halved_ = true;
        move_to(limit() / 2, now);
        base_rate_ = expected;
        return;
    }
    const double time = seconds(now - measure_.since);
    const auto turn = static_cast<std::uint64_t>(std::max(std::ceil(limit()), 8.0));
    if (!measure_.is_settled) {
        if (measure_.good < kSettleTurns * turn || time < latency_) return;
        start_measure(now);
        measure_.is_settled = true;
        return;
    }
    // Whole turns of the window: answers that come in bunches come once in each.
    if (measure_.good == 0 || measure_.good % turn != 0) return;
    if (!is_in_use() || measure_.area < time * limit() * kFilled) return start_base(now);
    if (measure_.good < kTurnsMin * turn) return;
    const double rate = measure_.rate();
    if (phase_ == Phase::base)
        judge_base(rate, now);
    else
        judge_trial(rate, now);
}

void AdmissionWindow::judge_base(double rate, SteadyTime now) {
    const double noise = noise_of(measure_.good);
    const bool is_enough =
        noise < kNoiseMax * step_for(rate) / 1.41 || seconds(now - measure_.since) >= seconds(kMeasureMax);
    const double change = base_rate_ == 0 ? 0 : std::log(rate / base_rate_);
    if (std::abs(change) > std::max(kChanged, 4 * noise)) {
        step_ = kStepMax;
        rest_s_ = 0;
        is_upward_ = change > 0;
    } else if (!is_enough || seconds(now - measure_.since) < rest_s_) {
        return;
    }
    base_rate_ = rate;
    base_calls_ = measure_.good;
    has_halved_ = false;
    start_trial(now);
}

void AdmissionWindow::judge_trial(double rate, SteadyTime now) {
    const double width = std::log(trial_ / window_);
    const double slope = std::log(rate / base_rate_) / width;
    const double noise = std::hypot(noise_of(measure_.good), noise_of(base_calls_)) / std::abs(width);
    const double mark = is_upward_ ? kUpIfAbove : kDownIfBelow;
    const bool is_enough = noise < kNoiseMax || slope - mark > kSureUp * noise ||
                           mark - slope > kSureDown * noise ||
                           seconds(now - measure_.since) >= seconds(kMeasureMax);
    if (!is_enough) return;
    // What is not known well enough is no reason for less.
    const double doubt = std::max(noise - kNoiseMax, 0.0);
    const bool is_better = is_upward_ ? slope > mark : slope < mark - doubt;
    if (is_better) {
        window_ = trial_;
        base_rate_ = rate;
        base_calls_ = measure_.good;
        step_ = std::min(step_ * 2, kStepMax);
        rest_s_ = 0;
        return start_trial(now);
    }
    reject_trial(now);
}

void AdmissionWindow::reject_trial(SteadyTime now) {
    is_upward_ = !is_upward_;
    step_ = std::max(step_ / 2, kStepMin);
    rest_s_ = std::clamp(rest_s_ * 2, kRestFirst_s, kRestMax_s);
    start_base(now);
}

void AdmissionWindow::saw(const Gauges& gauges, SteadyTime now) {
    advance(now);
    gauged_at_ = now;
    const double low = std::clamp(gauges.running / 4, 1.0, rules_.waiting_low);
    const double high = std::clamp(gauges.running, 4.0, rules_.waiting_high);
    const bool is_full = gauges.cache_use && *gauges.cache_use > rules_.cache_high;
    has_queue_ = gauges.waiting >= low || is_full;
    if (has_queue_) is_flat_ = false;
    if (is_full || gauges.waiting > high) {
        const double surplus = std::max(gauges.waiting - (low + high) / 2, is_full ? under_way_ * 0.05 : 0.0);
        const double target = std::max(under_way_ - surplus, limit() / 2);
        if (target < limit()) move_to(target, now);
        return;
    }
    if (has_queue_) {
        if (phase_ != Phase::base) move_to(limit(), now);
        return;
    }
    if (is_flat_ || !is_in_use()) return;
    if (phase_ != Phase::growing) start_growing(limit(), now);
    window_ =
        std::min({window_ + std::max(window_ / 4, 1.0), ceiling_.value(), round_window_ * kRoundGrowthMax});
}

}  // namespace sheaf::backend
