#pragma once

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <queue>
#include <random>
#include <vector>

#include "backend/admission.h"

namespace sheaf::backend {

// For tests: a model server with endless batch work before it, in virtual time, and the window between them.
//
// Calls that run do so at full speed up to the knee; beyond it the rate of the whole falls as
// 1 / (1 + ((n - knee) / knee)^2). Calls beyond the slots wait in the order they came, or are refused.
class SimulatedServer {
public:
    struct Setup {
        double slots = std::numeric_limits<double>::infinity();
        double knee = std::numeric_limits<double>::infinity();
        bool refuses = false;
        bool shows_gauges = false;
        double refused_share = 0;  // of calls, whatever the load
        double latency_s = 0.2;
        double refill_s = 0.002;  // from an answer to the next call in its place
        double spread = 0.3;      // standard deviation of the logarithm of a call's work
        std::uint64_t seed = 1;
    };
    struct Sums {
        double answers_per_s = 0;
        double refused_share = 0;
        double window = 0;  // at the end
    };

    SimulatedServer(const Setup& setup, const AdmissionRules& rules)
        : setup_(setup), window_(rules), random_(setup.seed) {}

    Setup& setup() { return setup_; }
    AdmissionWindow& window() { return window_; }
    // Items that there are to do, at once.
    double demand = std::numeric_limits<double>::infinity();

    Sums run_for(double time_s) {
        const double end = now_ + time_s;
        std::uint64_t before = answered_;
        std::uint64_t refused_before = refused_;
        while (step(end)) {
        }
        const auto answers = static_cast<double>(answered_ - before);
        const auto refusals = static_cast<double>(refused_ - refused_before);
        return {answers / time_s, refusals / std::max(1.0, answers + refusals),
                static_cast<double>(window_.size())};
    }

private:
    struct Call {
        double began;
        double work;
    };
    SteadyTime at(double time_s) const {
        return SteadyTime(std::chrono::hours{1}) +
               std::chrono::duration_cast<SteadyTime::duration>(std::chrono::duration<double>(time_s));
    }
    double speed() const {
        const auto running = static_cast<double>(running_.size());
        if (running <= setup_.knee) return 1;
        const double beyond = (running - setup_.knee) / setup_.knee;
        return setup_.knee / running / (1 + beyond * beyond);
    }
    void admit() {
        while (!waiting_.empty() && static_cast<double>(running_.size()) < setup_.slots) {
            running_.emplace(progress_ + waiting_.front().work, waiting_.front().began);
            waiting_.pop_front();
        }
    }
    void start_calls() {
        while (held_ < window_.size() && held_ < demand) {
            ++held_;
            begin();
        }
    }
    void begin() {
        window_.began(at(now_));
        const double sigma = setup_.spread;
        const double work =
            setup_.latency_s *
            (sigma == 0 ? 1 : std::lognormal_distribution<double>(-sigma * sigma / 2, sigma)(random_));
        const bool is_full = setup_.refuses && static_cast<double>(running_.size()) >= setup_.slots;
        if (is_full || std::bernoulli_distribution(setup_.refused_share)(random_)) {
            refusals_.emplace(now_ + 0.001, now_);
            return;
        }
        waiting_.push_back({now_, work});
        admit();
    }
    // Up to the next event, or to `end`.
    bool step(double end) {
        start_calls();
        const double finish = running_.empty() ? std::numeric_limits<double>::infinity()
                                               : now_ + (running_.begin()->first - progress_) / speed();
        const double refusal = refusals_.empty() ? finish : refusals_.begin()->first;
        const double retry = retries_.empty() ? finish : retries_.top();
        const double refill = refills_.empty() ? finish : refills_.front();
        const double scrape = setup_.shows_gauges ? scraped_ + 0.5 : finish;
        const double next = std::min({finish, refusal, retry, refill, scrape, end});
        progress_ += (next - now_) * speed();
        now_ = next;
        if (next == end) return false;
        if (next == refusal && !refusals_.empty()) {
            const double began = refusals_.begin()->second;
            refusals_.erase(refusals_.begin());
            ++refused_;
            window_.ended(AdmissionWindow::End::refused, at(began), at(now_));
            retries_.push(now_ + std::uniform_real_distribution<double>(0, 0.5)(random_));
        } else if (next == retry && !retries_.empty()) {
            retries_.pop();
            begin();
        } else if (next == refill && !refills_.empty()) {
            refills_.pop_front();
            --held_;
        } else if (next == scrape && setup_.shows_gauges) {
            scraped_ = now_;
            window_.saw({static_cast<double>(running_.size()), static_cast<double>(waiting_.size()), {}},
                        at(now_));
        } else {
            const double began = running_.begin()->second;
            running_.erase(running_.begin());
            ++answered_;
            refills_.push_back(now_ + setup_.refill_s);
            admit();
            window_.ended(AdmissionWindow::End::good, at(began), at(now_));
        }
        return true;
    }

    Setup setup_;
    AdmissionWindow window_;
    std::mt19937_64 random_;
    double now_ = 0;
    double scraped_ = 0;
    double progress_ = 0;                    // of each running call since the beginning
    std::multimap<double, double> running_;  // by the progress at which it is done; when it began
    std::deque<Call> waiting_;
    std::deque<double> refills_;              // when they come
    std::multimap<double, double> refusals_;  // by when they arrive
    std::priority_queue<double, std::vector<double>, std::greater<>> retries_;
    double held_ = 0;
    std::uint64_t answered_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace sheaf::backend
