#include "witness.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace sheaf::sim {
namespace {

constexpr std::size_t kFindingsMax = 10;

std::string words_of(const core::Batch& batch) {
    const core::Counts& counts = batch.counts;
    return fmt::format("{} {} {}: {} queued, {} running, {} ok, {} failed, {} canceled, {} expired",
                       to_string(batch.id), to_string(batch.state), to_string(batch.end_reason),
                       counts.queued, counts.running, counts.succeeded, counts.failed, counts.canceled,
                       counts.expired);
}

bool has_ended(const core::Batch& batch) {
    return batch.state == core::BatchState::ended;
}

}  // namespace

void Witness::found(std::string_view invariant, std::string what) {
    if (findings_.size() < kFindingsMax) findings_.push_back(fmt::format("{}: {}", invariant, what));
}

void Witness::asks_to_create(const core::Batch& batch, std::vector<std::string> names,
                             std::optional<std::string> key) {
    Known& known = batches_[batch.id];
    known.account = batch.account;
    known.asked = batch;
    known.lines.resize(names.size());
    known.names = std::move(names);
    if (key) key_of_.emplace(batch.id, std::pair{batch.account, *key});
}

void Witness::created(const BatchId& asked, const BatchId& given) {
    if (asked != given) batches_.at(asked).fate = Fate::refused;
    const auto made = batches_.find(given);
    if (made == batches_.end())
        return found("a_key_makes_one_batch", "a create was answered with a batch that nobody asked for");
    made->second.fate = Fate::made;
    if (on_news)
        on_news(fmt::format("created {} with {} items", to_string(given), made->second.names.size()));
    made->second.made_at = std::min(made->second.made_at, timeline_->now());
    const auto key = key_of_.find(asked);
    if (key == key_of_.end()) return;
    auto& ids = made_by_key_[key->second];
    ids.insert(given);
    if (ids.size() > 1 && !allowance.clocks_jump && !allowance.loses_index)
        found("a_key_makes_one_batch", fmt::format("the key {} made several", key->second.second));
}

bool Witness::may_be_gone(const Known& known, Timestamp wall) const {
    const Timestamp first_end = known.asked.created_at - allowance.jumps_back;
    const bool may_be_purged = known.asked.keep_for > 0s && wall >= first_end + known.asked.keep_for;
    const bool may_be_archived = known.asked.archive_at && wall >= *known.asked.archive_at;
    return known.may_be_removed || may_be_purged || (allowance.loses_index && may_be_archived);
}

void Witness::saw_states(Known& known, const core::Batch& batch, Time asked_at) {
    if (known.last && asked_at >= known.last_at) {
        const core::Batch& before = *known.last;
        const bool forgot_a_claim = (allowance.loses_power || allowance.loses_index) &&
                                    before.state == core::BatchState::running &&
                                    batch.state == core::BatchState::accepted;
        const bool went_back = batch.state < before.state && !forgot_a_claim;
        // Which items were canceled before their batch expired no record says.
        const bool forgot_the_canceled = allowance.loses_index &&
                                         batch.end_reason == core::EndReason::expired &&
                                         batch.cancel_requested_at;
        const bool lost_some = batch.counts.succeeded < before.counts.succeeded ||
                               batch.counts.failed < before.counts.failed ||
                               (batch.counts.canceled < before.counts.canceled && !forgot_the_canceled) ||
                               batch.counts.expired < before.counts.expired;
        const bool changed_at_the_end =
            has_ended(before) && (batch.counts != before.counts || batch.end_reason != before.end_reason ||
                                  batch.usage != before.usage || batch.ended_at != before.ended_at);
        if ((went_back || lost_some || changed_at_the_end) && !batch.archived_at)
            found("states_go_forward", words_of(before) + " became " + words_of(batch));
    }
    if (!known.last || asked_at >= known.last_at) {
        known.last = batch;
        known.last_at = timeline_->now();
    }
    if (has_ended(batch)) known.over_at = std::min(known.over_at, timeline_->now());
}

void Witness::saw(const core::Batch& batch, Time asked_at, Timestamp wall) {
    const auto entry = batches_.find(batch.id);
    if (entry == batches_.end()) return found("all_or_nothing", "nobody asked for " + words_of(batch));
    Known& known = entry->second;
    if (known.fate == Fate::refused) found("all_or_nothing", "was refused and is there: " + words_of(batch));
    if (batch.account != known.account) found("nobody_sees_anothers", words_of(batch) + " has changed hands");
    if (asked_at > known.removed_at)
        found("deleted_means_gone", words_of(batch) + " was removed and is there");
    if (batch.archived_at) return saw_states(known, batch, asked_at);
    if (batch.counts.total() != known.names.size())
        found("all_or_nothing", fmt::format("{} of {} items", words_of(batch), known.names.size()));
    if (has_ended(batch) && batch.counts.unfinished() > 0) found("counts_add_up", words_of(batch));
    if (has_ended(batch) != batch.ended_at.has_value())
        found("counts_add_up", words_of(batch) + " and its time");
    if (wall >= batch.expires_at && !has_ended(batch)) found("what_expires_ends_in_time", words_of(batch));
    if (batch.end_reason == core::EndReason::expired && *batch.ended_at < batch.expires_at)
        found("what_expires_ends_in_time", words_of(batch) + " before its time");
    if (asked_at > known.canceled_at && batch.state < core::BatchState::canceling)
        found("a_cancel_ends_the_batch", words_of(batch));
    if (!allowance.clocks_jump && batch.ended_at && *batch.ended_at < batch.created_at)
        found("times_are_in_order", words_of(batch) + " ended before it was created");
    saw_states(known, batch, asked_at);
}

void Witness::saw_another_accounts(const AccountId& account, const core::Batch& batch) {
    found("nobody_sees_anothers", account.name + " sees " + words_of(batch));
}

void Witness::found_none(const BatchId& id, Time asked_at, Timestamp wall) {
    const Known& known = batches_.at(id);
    if (known.made_at < asked_at && !may_be_gone(known, wall))
        found("accepted_means_durable", to_string(id) + " was accepted and is not found");
    if (known.last && known.last_at < asked_at && !may_be_gone(known, wall))
        found("accepted_means_durable", to_string(id) + " was seen and is not found");
}

std::optional<std::uint64_t> Witness::attempt_of(std::string_view line) {
    const std::size_t at = line.find(" ok ");
    if (at == std::string_view::npos) return std::nullopt;
    std::uint64_t attempt = ~std::uint64_t{0};
    std::from_chars(line.data() + at + 4, line.data() + line.size(), attempt);
    return attempt;
}

void Witness::check_line(const BatchId& id, Known& known, const store::ItemLine& line, Time asked_at) {
    const std::uint32_t ordinal = line.item.id.ordinal;
    if (ordinal >= known.names.size() || line.item.custom_id != known.names[ordinal])
        return found("one_result_for_each_item",
                     fmt::format("{} has an item {} that nobody sent", to_string(id), ordinal));
    auto& before = known.lines[ordinal];
    const bool is_gone = before && !line.line && asked_at >= before->seen_at;
    const bool has_changed = before && line.line && *line.line != before->text;
    if (is_gone || has_changed)
        return found("results_are_stable",
                     fmt::format("{}: {} was {} and is {}", to_string(id), known.names[ordinal], before->text,
                                 line.line.value_or("none")));
    if (!line.line || before) return;
    before = Line{*line.line, timeline_->now()};
    if (!line.line->starts_with(known.names[ordinal] + ' ') || !line.line->ends_with('\n'))
        found("answers_have_a_source", known.names[ordinal] + " has the line " + *line.line);
    const auto attempt = attempt_of(*line.line);
    if (!attempt) return;
    const auto& ledger = models_->ledger();
    if (*attempt >= ledger.size() || ledger[*attempt].item != known.names[ordinal] ||
        !ledger[*attempt].was_good)
        found("answers_have_a_source", "no model server said " + *line.line);
}

bool Witness::may_have_no_lines(const Known& known, Timestamp wall) const {
    return (known.asked.archive_at && wall >= *known.asked.archive_at) || may_be_gone(known, wall);
}

void Witness::saw_lines(const BatchId& id, std::span<const store::ItemLine> lines, Time asked_at,
                        Timestamp wall) {
    Known& known = batches_.at(id);
    if (may_have_no_lines(known, wall)) return;
    for (const store::ItemLine& line : lines) check_line(id, known, line, asked_at);
}

void Witness::saw_ended(const BatchId& id, std::uint32_t first, std::span<const store::ItemLine> items,
                        Time asked_at, Timestamp wall) {
    Known& known = batches_.at(id);
    if (may_have_no_lines(known, wall)) return;
    for (std::uint32_t i = 0; i < items.size(); ++i) {
        check_line(id, known, items[i], asked_at);
        const std::uint32_t ordinal = items[i].item.id.ordinal;
        if (first + i < known.ended_order.size()) {
            if (known.ended_order[first + i] != ordinal)
                found("results_are_stable", fmt::format("{}: place {} was {}'s and is {}'s", to_string(id),
                                                        first + i, known.ended_order[first + i], ordinal));
        } else if (first + i == known.ended_order.size()) {
            if (std::ranges::find(known.ended_order, ordinal) != known.ended_order.end())
                found("one_result_for_each_item", fmt::format("{}: {} ended twice", to_string(id), ordinal));
            known.ended_order.push_back(ordinal);
        }
    }
}

void Witness::saw_file(const BatchId& id, const std::string& bytes) {
    Known& known = batches_.at(id);
    if (known.file && *known.file != bytes) found("results_are_stable", to_string(id) + ": its file changed");
    known.file = bytes;
}

void Witness::saw_list(const AccountId& account, const std::vector<core::Batch>& rows, Time asked_at,
                       Timestamp wall) {
    std::set<BatchId> seen;
    for (const core::Batch& row : rows) {
        if (row.account != account) saw_another_accounts(account, row);
        if (!seen.insert(row.id).second)
            found("pages_are_the_whole_list", to_string(row.id) + " is there twice");
    }
    for (const auto& [id, known] : batches_) {
        if (known.account == account && known.made_at < asked_at && !seen.contains(id) &&
            !may_be_gone(known, wall))
            found("pages_are_the_whole_list", to_string(id) + " is not in the list");
    }
}

void Witness::cancel_acknowledged(const core::Batch& batch) {
    if (on_news) on_news("canceled " + words_of(batch));
    Known& known = batches_.at(batch.id);
    known.canceled_at = std::min(known.canceled_at, timeline_->now());
    if (batch.state < core::BatchState::canceling) found("a_cancel_ends_the_batch", words_of(batch));
}

void Witness::removed(const BatchId& id) {
    if (on_news) on_news("removed " + to_string(id));
    Known& known = batches_.at(id);
    known.removed_at = std::min(known.removed_at, timeline_->now());
    known.over_at = std::min(known.over_at, timeline_->now());
}

void Witness::saw_post(const Post& post, const Result<core::Batch>& stored) {
    if (!stored || !post.payload.starts_with("ended ")) return;
    if (!has_ended(*stored))
        found("webhooks_tell_each_end_once", post.payload + " was told of " + words_of(*stored));
    Known& known = batches_.at(stored->id);
    if (known.fate == Fate::refused)
        found("all_or_nothing", "was refused and is told of: " + words_of(*stored));
    // Told of: from now on it is known to have ended, as if it had been looked at.
    known.over_at = std::min(known.over_at, timeline_->now());
    known.last = *stored;
    known.last_at = timeline_->now();
}

void Witness::left_on_disk(const std::string& name, const std::string& file) {
    found("deleted_means_gone", name + " of a removed batch is still in " + file);
}

std::vector<BatchId> Witness::known() const {
    std::vector<BatchId> ids;
    for (const auto& [id, known] : batches_) {
        if (known.fate != Fate::refused) ids.push_back(id);
    }
    return ids;
}

bool Witness::is_over(const BatchId& id) const {
    const Known& known = batches_.at(id);
    return known.removed_at != Time::max() || (known.last && has_ended(*known.last));
}

bool Witness::all_is_over(const std::vector<Post>& posts, const std::set<AccountId>& listening,
                          Timestamp wall) const {
    const bool all_have_ended = std::ranges::all_of(batches_, [&](const auto& entry) {
        const auto& [id, known] = entry;
        const bool may_be_none = known.fate != Fate::made && !known.last;
        const bool is_laid_out = known.last && known.last->results_bytes;
        return may_be_none || (is_over(id) && is_laid_out) || may_have_no_lines(known, wall);
    });
    return all_have_ended && untold(posts, listening, wall).empty();
}

std::vector<std::string> Witness::names_of_removed() const {
    std::vector<std::string> names;
    for (const auto& [id, known] : batches_) {
        if (known.removed_at != Time::max()) names.push_back(known.names.front());
    }
    return names;
}

void Witness::judge_batch(const BatchId& id, const Known& known, const std::map<std::string, Ledger>& ledgers,
                          Timestamp wall) {
    const bool is_there = known.last && !may_have_no_lines(known, wall);
    if (is_there && !has_ended(*known.last)) found("all_ends_in_time", words_of(*known.last));
    core::Counts counted;
    core::Usage usage;
    for (std::size_t i = 0; i < known.names.size(); ++i) {
        const auto& line = known.lines[i];
        const auto ledger = ledgers.find(known.names[i]);
        const bool was_canceled = line && line->text.ends_with(" canceled\n");
        for (const Time began : ledger == ledgers.end() ? std::vector<Time>{} : ledger->second.began) {
            // A cancel lets go on what is under way, and nothing is asked for once more. An index that is
            // built anew may not know of it.
            const Time end =
                allowance.loses_index ? known.over_at : std::min(known.over_at, known.canceled_at);
            if (end != Time::max() && began > end + allowance.news)
                found("no_work_after_the_end",
                      fmt::format("{} was asked {} ms after the end of {}", known.names[i],
                                  std::chrono::floor<std::chrono::milliseconds>(began - end).count(),
                                  known.last ? words_of(*known.last) : to_string(id)));
        }
        if (ledger != ledgers.end() && ledger->second.good > 1 + allowance.extra_runs)
            found("retries_are_bounded",
                  fmt::format("{} was answered well {} times", known.names[i], ledger->second.good));
        if (!is_there || !has_ended(*known.last)) continue;
        if (!line) {
            found("one_result_for_each_item",
                  fmt::format("{} has no line for {}", to_string(id), known.names[i]));
            continue;
        }
        if (const auto attempt = attempt_of(line->text)) {
            ++counted.succeeded;
            usage += ModelServer::usage_of(*attempt);
        }
        counted.failed += line->text.ends_with(" failed\n");
        counted.canceled += was_canceled;
        counted.expired += line->text.ends_with(" expired\n");
    }
    if (!is_there || !has_ended(*known.last)) return;
    if (counted != known.last->counts)
        found("counts_add_up", words_of(*known.last) + ", and its lines say otherwise");
    if (usage != known.last->usage)
        found("usage_is_of_results", fmt::format("{} has used {} and its lines {}", to_string(id),
                                                 known.last->usage.input_tokens, usage.input_tokens));
    if (!known.file) return;
    std::string all;
    for (const auto& line : known.lines) all += line ? line->text : "";
    if (all != *known.file) found("results_are_stable", to_string(id) + ": its file has other lines");
}

void Witness::judge_posts(const std::vector<Post>& posts, const std::set<AccountId>& listening,
                          Timestamp wall) {
    std::map<std::string, std::string> event_of;
    std::set<std::string> events;
    for (const Post& post : posts) {
        const std::string what = post.url + ' ' + post.payload;
        if (event_of.try_emplace(what, post.event).first->second != post.event)
            found("webhooks_tell_each_end_once", what + " was told under two ids");
    }
    for (const auto& [what, event] : event_of) {
        if (!events.insert(event).second)
            found("webhooks_tell_each_end_once", event + " tells of several ends");
    }
    for (const std::string& batch : untold(posts, listening, wall))
        found("webhooks_tell_each_end_once", "nobody was told of " + batch);
}

std::vector<std::string> Witness::untold(const std::vector<Post>& posts, const std::set<AccountId>& listening,
                                         Timestamp wall) const {
    std::set<std::string_view> taken;
    for (const Post& post : posts) {
        if (post.was_taken) taken.insert(post.payload);
    }
    std::vector<std::string> untold;
    if (allowance.loses_index) return untold;
    for (const auto& [id, known] : batches_) {
        const bool must_be_told = listening.contains(known.account) && known.last && has_ended(*known.last) &&
                                  !may_have_no_lines(known, wall);
        if (must_be_told && !taken.contains("ended " + to_string(id)))
            untold.push_back(words_of(*known.last));
    }
    return untold;
}

void Witness::judge_end(const std::vector<Post>& posts, const std::set<AccountId>& listening,
                        Timestamp wall) {
    std::map<std::string, Ledger> ledgers;
    for (const ModelServer::Attempt& attempt : models_->ledger()) {
        Ledger& ledger = ledgers[attempt.item];
        ledger.began.push_back(attempt.began);
        ledger.good += attempt.was_good;
    }
    for (const auto& [id, known] : batches_) {
        if (known.fate == Fate::made && !known.last && !may_be_gone(known, wall))
            found("accepted_means_durable", to_string(id) + " was accepted and never seen");
        judge_batch(id, known, ledgers, wall);
    }
    judge_posts(posts, listening, wall);
}

}  // namespace sheaf::sim
