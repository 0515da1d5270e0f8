#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch.h"
#include "outside.h"
#include "store/batches.h"
#include "timeline.h"

namespace sheaf::sim {

// Knows what clients asked and were told, and says what of it cannot be. The names of the invariants are
// those of docs/reliability.md.
//
// Calls overlap: `asked_at` tells when the call began whose answer is judged.
class Witness {
public:
    Witness(const Timeline& timeline, const ModelServer& models) : timeline_(&timeline), models_(&models) {}

    // What this life may do to the promises.
    struct Allowance {
        bool clocks_jump = false;
        std::chrono::milliseconds jumps_back{0};  // of one clock, together
        bool loses_index = false;                 // and has it built anew, without keys and webhooks
        bool loses_power = false;                 // then a claim may be forgotten (store/item_queue.h)
        std::chrono::milliseconds news{1'000};    // until every node knows that a batch is over
        std::uint32_t extra_runs = 1;             // of one item: each crash, cut and jump may explain one
    };
    Allowance allowance;

    // Told of what clients were told.
    std::function<void(std::string_view)> on_news;

    // Before it is asked: until it is known to be made or refused, it may be either.
    void asks_to_create(const core::Batch& batch, std::vector<std::string> names,
                        std::optional<std::string> key);
    void created(const BatchId& asked, const BatchId& given);
    void refused(const BatchId& asked) { batches_.at(asked).fate = Fate::refused; }

    void saw(const core::Batch& batch, Time asked_at, Timestamp wall);
    void saw_another_accounts(const AccountId& account, const core::Batch& batch);
    void found_none(const BatchId& id, Time asked_at, Timestamp wall);
    void saw_lines(const BatchId& id, std::span<const store::ItemLine> lines, Time asked_at, Timestamp wall);
    // Places `first` and on in the order in which items ended.
    void saw_ended(const BatchId& id, std::uint32_t first, std::span<const store::ItemLine> items,
                   Time asked_at, Timestamp wall);
    void saw_file(const BatchId& id, const std::string& bytes);
    void saw_list(const AccountId& account, const std::vector<core::Batch>& rows, Time asked_at,
                  Timestamp wall);
    void cancel_acknowledged(const core::Batch& batch);
    void asks_to_remove(const BatchId& id) { batches_.at(id).may_be_removed = true; }
    void removed(const BatchId& id);
    void saw_post(const Post& post, const Result<core::Batch>& stored);
    void left_on_disk(const std::string& name, const std::string& file);

    // Whether nothing is left to wait for.
    bool all_is_over(const std::vector<Post>& posts, const std::set<AccountId>& listening,
                     Timestamp wall) const;
    // When all had time to end: what must be true now.
    void judge_end(const std::vector<Post>& posts, const std::set<AccountId>& listening, Timestamp wall);
    void found(std::string_view invariant, std::string what);

    // Those that clients can know of: made, or perhaps.
    std::vector<BatchId> known() const;
    const AccountId& account_of(const BatchId& id) const { return batches_.at(id).account; }
    bool is_over(const BatchId& id) const;
    std::vector<std::string> names_of_removed() const;
    const std::vector<std::string>& findings() const { return findings_; }

private:
    enum class Fate : std::uint8_t { unknown, made, refused };
    struct Line {
        std::string text;
        Time seen_at;
    };
    struct Known {
        AccountId account;
        std::vector<std::string> names;
        core::Batch asked;
        Fate fate = Fate::unknown;
        Time made_at = Time::max();  // acknowledged
        std::optional<core::Batch> last;
        Time last_at{};
        Time over_at = Time::max();  // first known to have ended
        Time canceled_at = Time::max();
        bool may_be_removed = false;
        Time removed_at = Time::max();
        std::vector<std::optional<Line>> lines;
        std::vector<std::uint32_t> ended_order;
        std::optional<std::string> file;
    };
    struct Ledger {  // of one item
        std::vector<Time> began;
        std::uint32_t good = 0;
    };

    void saw_states(Known& known, const core::Batch& batch, Time asked_at);
    bool may_be_gone(const Known& known, Timestamp wall) const;
    bool may_have_no_lines(const Known& known, Timestamp wall) const;
    void check_line(const BatchId& id, Known& known, const store::ItemLine& line, Time asked_at);
    void judge_batch(const BatchId& id, const Known& known, const std::map<std::string, Ledger>& ledgers,
                     Timestamp wall);
    // Those whose end somebody listens to, and has not heard of.
    std::vector<std::string> untold(const std::vector<Post>& posts, const std::set<AccountId>& listening,
                                    Timestamp wall) const;
    void judge_posts(const std::vector<Post>& posts, const std::set<AccountId>& listening, Timestamp wall);
    // Of "NAME ok ATTEMPT".
    static std::optional<std::uint64_t> attempt_of(std::string_view line);

    const Timeline* timeline_;
    const ModelServer* models_;
    std::map<BatchId, Known> batches_;
    std::map<std::pair<AccountId, std::string>, std::set<BatchId>> made_by_key_;
    std::map<BatchId, std::pair<AccountId, std::string>> key_of_;
    std::vector<std::string> findings_;
};

}  // namespace sheaf::sim
