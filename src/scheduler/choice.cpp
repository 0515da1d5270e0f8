#include "scheduler/choice.h"

#include <map>
#include <queue>
#include <tuple>

namespace sheaf::scheduler {
namespace {

// A batch is short of time while its slack is less than this part of the time it was given.
constexpr int kShortPart = 4;

struct Turn {
    std::uint32_t account_holds;
    std::chrono::milliseconds slack;
    std::uint32_t batch_holds;
    std::size_t candidate;
};

}  // namespace

std::optional<std::chrono::milliseconds> slack_when_short(const core::Batch& batch, std::size_t unfinished,
                                                          double per_second, Timestamp now) {
    using std::chrono::milliseconds;
    const double work_s = per_second > 0 ? static_cast<double>(unfinished) / per_second : 0;
    const auto slack = std::chrono::floor<milliseconds>(batch.expires_at - now) -
                       milliseconds(static_cast<std::int64_t>(work_s * 1000));
    if (slack > (batch.expires_at - batch.created_at) / kShortPart) return std::nullopt;
    return slack;
}

std::vector<Share> share_slots(std::span<const Candidate> candidates, std::uint32_t slots) {
    std::map<AccountId, std::uint32_t> held_by_account;
    for (const Candidate& candidate : candidates) held_by_account[candidate.account] += candidate.running;

    const auto later = [&](const Turn& left, const Turn& right) {
        return std::tie(left.account_holds, left.slack, left.batch_holds, candidates[left.candidate].batch) >
               std::tie(right.account_holds, right.slack, right.batch_holds,
                        candidates[right.candidate].batch);
    };
    std::priority_queue<Turn, std::vector<Turn>, decltype(later)> turns(later);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if (candidates[i].waiting > 0)
            turns.push({held_by_account[candidates[i].account],
                        candidates[i].slack.value_or(std::chrono::milliseconds::max()), candidates[i].running,
                        i});
    }

    std::vector<std::uint32_t> given(candidates.size(), 0);
    while (slots > 0 && !turns.empty()) {
        Turn turn = turns.top();
        turns.pop();
        const Candidate& candidate = candidates[turn.candidate];
        std::uint32_t& account_holds = held_by_account[candidate.account];
        if (turn.account_holds != account_holds) {  // Its account was served since this turn was queued.
            turn.account_holds = account_holds;
            turns.push(turn);
            continue;
        }
        ++given[turn.candidate];
        ++account_holds;
        --slots;
        if (given[turn.candidate] < candidate.waiting) {
            turns.push(
                {account_holds, turn.slack, candidate.running + given[turn.candidate], turn.candidate});
        }
    }

    std::vector<Share> shares;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if (given[i] > 0) shares.push_back({candidates[i].batch, given[i]});
    }
    return shares;
}

}  // namespace sheaf::scheduler
