#include "app/fsck_words.h"

#include <fmt/format.h>

#include "cli/console.h"
#include "dialect/dialects.h"

namespace sheaf::app {
namespace {

using store::Fault;
using store::Finding;
using store::Mending;

std::string who(const Finding& finding) {
    if (finding.batch == nullptr) return {};
    const bool is_task = finding.batch->kind == core::BatchKind::task;
    std::string text = fmt::format("{} {}", is_task ? "task" : "batch", print_batch(*finding.batch));
    if (finding.item == nullptr || is_task) return text + ": ";
    if (finding.item->custom_id)
        return text +
               fmt::format(", item \"{}\": ", cli::to_printable(*finding.item->custom_id, cli::Lines::join));
    return text + fmt::format(", item {}: ", finding.item->id.ordinal + 1);
}

// In the sentence that begins with `detail`, or without it.
std::string aside(const Finding& finding) {
    return finding.detail.empty() ? std::string() : fmt::format(" ({})", finding.detail);
}

std::string about_result(const Finding& finding) {
    const std::string damaged = "its result is damaged" + aside(finding) + ". ";
    const bool is_canceling = finding.batch != nullptr && finding.batch->state == core::BatchState::canceling;
    switch (finding.mending) {
        case Mending::mended:
            return damaged + "It was there a second time, and is whole again.";
        case Mending::requeued:
            return damaged + (is_canceling
                                  ? "It was lost; the item ends as canceled, or runs where its protocol "
                                    "finishes what ran."
                                  : "It was lost; the item is queued again and runs at the next start.");
        case Mending::given_up:
            return damaged + "It is lost; the item is answered as failed, and its line says why.";
        case Mending::none:
            break;
    }
    const bool ran = finding.item == nullptr || core::has_result(finding.item->state);
    if (!ran) return damaged + "The item had no result of its own; --repair writes that line anew.";
    if (finding.batch != nullptr && finding.batch->state != core::BatchState::ended)
        return damaged + "It is lost: results cannot be read past it. --repair has the item run again.";
    return damaged +
           "It is lost unless the log still has it: results cannot be read past it. --repair has it "
           "answered as failed.";
}

std::string about_results(const Finding& finding) {
    const std::string missing = "its results file is missing or cut short" + aside(finding) + ". ";
    switch (finding.mending) {
        case Mending::mended:
        case Mending::requeued:
            return missing + "It was written anew from the log.";
        case Mending::given_up:
            return missing + "It was written anew; results that the log had no more are lost and say so.";
        case Mending::none:
            break;
    }
    return missing + "Results cannot be read. --repair writes anew what the log still has.";
}

constexpr std::string_view kBuildsAnew =
    " --repair builds it anew, of what can be read of it and of the records beside requests and results.";
constexpr std::string_view kBuiltAnew =
    " It was built anew. Keys, webhooks and the names of uploads stand in the index alone: those that could "
    "not be read are gone ('sheaf keys create' makes new keys).";

bool is_mended(const Finding& finding) {
    return finding.mending != Mending::none;
}

std::string about_index(const Finding& finding) {
    return fmt::format("the index is damaged: {}.{}", finding.detail,
                       is_mended(finding) ? kBuiltAnew : kBuildsAnew);
}

std::string of_batch(const Finding& finding) {
    const std::string detail = aside(finding);
    switch (finding.fault) {
        case Fault::counts_wrong:
            return fmt::format(
                "its counts are wrong: {}.{}", finding.detail,
                is_mended(finding) ? " They were counted anew." : " --repair counts them anew.");
        case Fault::items_missing:
            return "items of it are missing from the index" + detail +
                   ". They are lost, and it cannot end by itself.";
        case Fault::batch_stuck:
            return std::string("all of its items have ended and it has not. ") +
                   (is_mended(finding) ? "It has ended now." : "--repair ends it.");
        case Fault::plan_damaged:
            return "the order of its items is damaged" + detail +
                   (is_mended(finding)
                        ? ". They run in the order of their submission."
                        : ". Some may never run until it expires; --repair has them run as they were "
                          "submitted.");
        case Fault::order_damaged:
            return std::string("the order in which its results became durable is damaged. ") +
                   (is_mended(finding) ? "It was put right."
                                       : "Who follows it may miss some; --repair puts it right.");
        case Fault::lease_missing:
            return std::string("it is shown as running and nobody would run it. ") +
                   (is_mended(finding) ? "It runs at the next start." : "--repair has it run again.");
        case Fault::lease_stray:
            return std::string("it is held by a lease that cannot be. ") +
                   (is_mended(finding) ? "The lease was removed." : "--repair removes it.");
        case Fault::body_missing:
            return "its requests are missing" + detail +
                   ". What is still to run fails and says so; results are not touched by this.";
        case Fault::body_damaged:
            return "its requests are stored with damage outside of all items. Nothing is lost.";
        case Fault::request_damaged:
            return "its request is damaged" + detail +
                   ". It will be answered as failed, and says so; submit it again.";
        case Fault::request_unreadable:
            return "its request is damaged" + detail +
                   ". It has ended; only what it was asked cannot be shown any more.";
        case Fault::result_damaged:
            return about_result(finding);
        case Fault::results_missing:
            return about_results(finding);
        case Fault::results_resized:
            return "its results file has not the size that it should have" + detail +
                   (is_mended(finding) ? ". It was written anew."
                                       : ". Results cannot be read. --repair writes it anew.");
        case Fault::results_unclosed:
            return "its results file is damaged behind its results. Nothing is lost, but a lost index could "
                   "not be built "
                   "from it" +
                   std::string(is_mended(finding) ? ". It was written anew." : ". --repair writes it anew.");
        case Fault::record_damaged:
            return "a record from which a lost index would be built is damaged" + detail +
                   (is_mended(finding) ? ". Nothing is lost; it was written anew."
                                       : ". Nothing is lost; --repair writes it anew.");
        case Fault::file_outside:
            return "a file of its results reaches beyond them" + detail +
                   (is_mended(finding) ? ". It was cut to what there is."
                                       : ". It cannot be read. --repair cuts it to what there is.");
        case Fault::index_missing:
        case Fault::index_damaged:
        case Fault::index_log_damaged:
        case Fault::rows_stray:
        case Fault::segment_missing:
        case Fault::segment_short:
        case Fault::segment_uncounted:
        case Fault::stray_file:
        case Fault::leftover:
        case Fault::log_tail:
        case Fault::segment_spare:
        case Fault::kept_copy:
        case Fault::unknown_file:
            break;
        case Fault::batch_rebuilt:
            return fmt::format("it was built anew from its records: {}.", finding.detail);
    }
    return {};
}

}  // namespace

std::string print_batch(const core::Batch& batch) {
    if (batch.dialect == "anthropic") return dialect::anthropic::print_batch_id(batch.id);
    if (batch.dialect == "openai") return dialect::openai::print_batch_id(batch.id);
    if (batch.dialect == "sail") return dialect::sail::print_batch_id(batch.id);
    return to_string(batch.id);
}

Weight weight_of(const Finding& finding) {
    if (!store::is_damage(finding.fault)) return Weight::note;
    switch (finding.mending) {
        case Mending::none:
            return Weight::damaged;
        case Mending::given_up:
            return Weight::lost;
        case Mending::mended:
        case Mending::requeued:
            return Weight::mended;
    }
    return Weight::damaged;
}

std::string_view to_string(Weight weight) {
    switch (weight) {
        case Weight::damaged:
            return "damaged";
        case Weight::lost:
            return "lost";
        case Weight::mended:
            return "mended";
        case Weight::note:
            return "note";
    }
    return "?";
}

std::string describe(const Finding& finding) {
    switch (finding.fault) {
        case Fault::index_missing:
            return fmt::format("the index is missing ({}): nobody knows whose the stored batches are.{}",
                               finding.detail, is_mended(finding) ? kBuiltAnew : kBuildsAnew);
        case Fault::index_damaged:
            return about_index(finding);
        case Fault::index_log_damaged:
            return fmt::format(
                "the index's write-ahead log is damaged: {}. What was written to the index after that is "
                "not read any more.{}",
                finding.detail, is_mended(finding) ? kBuiltAnew : kBuildsAnew);
        case Fault::rows_stray:
            return fmt::format("the index has {}.{}", finding.detail,
                               is_mended(finding) ? " They were removed." : " --repair removes them.");
        case Fault::segment_missing:
            return finding.detail + " is missing. What was in it is lost; the items are named above.";
        case Fault::segment_short:
            return finding.detail + " are there. What was behind them is lost; the items are named above.";
        case Fault::segment_uncounted:
            return fmt::format("{}. It would be removed while it is in use.{}", finding.detail,
                               is_mended(finding) ? " It was counted anew." : " --repair counts it anew.");
        case Fault::stray_file:
            return finding.detail + " belongs to no batch that the index knows. It is left as it is.";
        case Fault::leftover:
            return finding.detail + (is_mended(finding)
                                         ? " was left by a process that was killed, and is removed."
                                         : " was left by a process that was killed. The next start "
                                           "removes it, or --repair.");
        case Fault::log_tail:
            return finding.detail + " were written and never acknowledged. The next start cuts them off.";
        case Fault::segment_spare:
            return fmt::format("{}. Its room would never be given back.{}", finding.detail,
                               is_mended(finding) ? " It was counted anew." : " --repair counts it anew.");
        case Fault::kept_copy:
            return finding.detail + " was put aside by a repair. Remove it when you do not need it.";
        case Fault::unknown_file:
            return finding.detail + " is not a file of Sheaf's.";
        case Fault::counts_wrong:
        case Fault::items_missing:
        case Fault::batch_stuck:
        case Fault::plan_damaged:
        case Fault::lease_missing:
        case Fault::lease_stray:
        case Fault::body_missing:
        case Fault::body_damaged:
        case Fault::request_damaged:
        case Fault::request_unreadable:
        case Fault::result_damaged:
        case Fault::results_missing:
        case Fault::results_resized:
        case Fault::results_unclosed:
        case Fault::record_damaged:
        case Fault::order_damaged:
        case Fault::file_outside:
        case Fault::batch_rebuilt:
            return who(finding) + of_batch(finding);
    }
    return {};
}

}  // namespace sheaf::app
