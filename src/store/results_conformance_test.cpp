#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include <unistd.h>

#include "store/store_conformance.h"

namespace sheaf::store {

using core::BatchEvent;
using core::ItemState;
using namespace std::chrono_literals;

TEST_P(ResultsConformance, ALineIsReadableAsSoonAsItIsRecorded) {
    const core::Batch batch = created(ABatch(3));
    const auto leases = claimed(batch.id, 2);
    ASSERT_TRUE(items().finish(std::vector{result_of(leases[1], ItemState::failed)}));
    for (int round = 0; round < 2; ++round) {
        const auto lines = all_lines(batch.id);
        ASSERT_EQ(lines.size(), 3U);
        EXPECT_EQ(lines[0].item.state, ItemState::running);
        EXPECT_FALSE(lines[0].line);
        EXPECT_EQ(lines[1].item.state, ItemState::failed);
        EXPECT_EQ(lines[1].line, line_of(leases[1].item.id));
        EXPECT_EQ(lines[2].item.state, ItemState::queued);
        EXPECT_FALSE(lines[2].line);
        if (!reopen()) break;
    }
}

TEST_P(ResultsConformance, LinesAreReadInPagesOfItemsAndBytes) {
    const core::Batch batch = created(ABatch(10));
    run_to_the_end(batch.id);
    const std::uint64_t line_bytes = line_of(batch.id.item(0)).size();
    const auto count = [&](std::uint32_t first, std::uint32_t count_max, std::uint64_t bytes_max) {
        const auto lines = batches().read_lines(batch.id, first, count_max, bytes_max).value();
        for (std::size_t at = 0; at < lines.size(); ++at) EXPECT_EQ(lines[at].item.id.ordinal, first + at);
        return lines.size();
    };
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(count(0, 4, 1 << 20), 4U);
        EXPECT_EQ(count(7, 100, 1 << 20), 3U);
        EXPECT_EQ(count(2, 100, 3 * line_bytes), 3U);
        EXPECT_EQ(count(2, 100, 3 * line_bytes - 1), 2U);
        EXPECT_EQ(count(2, 100, 0), 1U) << "always one";
        EXPECT_EQ(count(10, 100, 1 << 20), 0U);
        EXPECT_EQ(count(kItemsMax, 100, 1 << 20), 0U);
        ASSERT_TRUE(batches().publish(batch.id, {.render = rendered_line}))
            << "and the same from the finished file";
    }
    EXPECT_EQ(batches().read_lines(make_batch_id(kNow), 0, 1, 1).error().code, ErrorCode::not_found);
}

TEST_P(ResultsConformance, TheOrderInWhichItemsEndedIsKeptForGood) {
    const core::Batch batch = created(ABatch(6));
    const auto leases = claimed(batch.id, 4);
    const auto order = [&](std::uint32_t after) {
        std::vector<std::uint32_t> ordinals;
        for (const ItemLine& line : all_ended(batch.id, after)) {
            ordinals.push_back(line.item.id.ordinal);
            if (core::has_result(line.item.state)) EXPECT_EQ(line.line, line_of(line.item.id));
        }
        return ordinals;
    };
    EXPECT_TRUE(order(0).empty());
    ASSERT_TRUE(items().finish(std::vector{result_of(leases[2], ItemState::failed), result_of(leases[0])}));
    EXPECT_EQ(order(0), (std::vector{2U, 0U}));
    EXPECT_EQ(order(1), (std::vector{0U}));
    finished({leases[3]});
    // Canceled, but they have no place before the batch has ended: item 1 will still come before them.
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::cancel_requested, kNow));
    const auto waiting = batches().read_ended(batch.id, 3, 100, 1 << 20).value();
    EXPECT_EQ(waiting.count, 3U);
    EXPECT_FALSE(waiting.is_whole);
    EXPECT_TRUE(waiting.items.empty());
    finished({leases[1]});
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(order(0), (std::vector{2U, 0U, 3U, 1U, 4U, 5U})) << "last those that never ran";
        EXPECT_EQ(order(2), (std::vector{3U, 1U, 4U, 5U}));
        EXPECT_EQ(order(4), (std::vector{4U, 5U}));
        EXPECT_EQ(order(5), (std::vector{5U}));
        const auto end = batches().read_ended(batch.id, 6, 100, 1 << 20).value();
        EXPECT_EQ(end.count, 6U);
        EXPECT_TRUE(end.is_whole);
        EXPECT_TRUE(end.items.empty());
        if (round == 0) ASSERT_TRUE(batches().publish(batch.id, {.render = rendered_line}));
        if (round == 1) (void)reopen();
    }
    const auto unrun = batches().read_ended(batch.id, 4, 1, 1 << 20).value().items;
    ASSERT_EQ(unrun.size(), 1U);
    EXPECT_EQ(unrun[0].line, "{\"canceled\":4}\n");
    ASSERT_TRUE(batches().archive(batch.id, kNow));
    EXPECT_EQ(batches().read_ended(batch.id, 0, 9, 9).error().code, ErrorCode::not_found);
    ASSERT_TRUE(batches().remove(batch.id));
    EXPECT_EQ(batches().read_ended(batch.id, 0, 9, 9).error().code, ErrorCode::not_found);
}

TEST_P(ResultsConformance, WhatEndedIsReadInPagesOfItemsAndBytes) {
    const core::Batch batch = created(ABatch(10));
    const auto leases = claimed(batch.id, 10);
    // Groups of one, of three, and of the rest.
    finished({leases[9]});
    finished({leases[0], leases[8], leases[1]});
    finished({leases[7], leases[2], leases[6], leases[3], leases[5], leases[4]});
    const std::uint64_t line_bytes = line_of(batch.id.item(0)).size();
    const std::vector<std::uint32_t> order{9, 0, 8, 1, 7, 2, 6, 3, 5, 4};
    const auto count = [&](std::uint32_t after, std::uint32_t count_max, std::uint64_t bytes_max) {
        const auto part = batches().read_ended(batch.id, after, count_max, bytes_max).value();
        EXPECT_EQ(part.count, 10U);
        for (std::size_t at = 0; at < part.items.size(); ++at) {
            EXPECT_EQ(part.items[at].item.id.ordinal, order[after + at]);
            EXPECT_EQ(part.items[at].line, line_of(part.items[at].item.id));
        }
        return part.items.size();
    };
    for (int round = 0; round < 2; ++round) {
        for (std::uint32_t after = 0; after <= 10; ++after) EXPECT_EQ(count(after, 100, 1 << 20), 10 - after);
        EXPECT_EQ(count(0, 2, 1 << 20), 2U);
        EXPECT_EQ(count(3, 4, 1 << 20), 4U);
        EXPECT_EQ(count(2, 100, 3 * line_bytes), 3U);
        EXPECT_EQ(count(2, 100, 3 * line_bytes - 1), 2U);
        EXPECT_EQ(count(2, 0, 0), 1U) << "always one";
        EXPECT_EQ(count(kItemsMax, 100, 1 << 20), 0U);
        ASSERT_TRUE(batches().publish(batch.id, {.render = rendered_line}));
    }
}

TEST_P(ResultsConformance, ALateResultHasNoPlaceInTheOrder) {
    const core::Batch batch = created(ABatch(3));
    const auto leases = claimed(batch.id, 2);
    finished({leases[1], leases[1]});
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::expired, kNow));
    EXPECT_EQ(finished({leases[0]}).recorded, std::vector{Recorded::lease_lost});
    const auto ended = all_ended(batch.id);
    ASSERT_EQ(ended.size(), 3U);
    EXPECT_EQ(ended[0].item.id.ordinal, 1U);
    EXPECT_EQ(ended[0].item.state, ItemState::succeeded);
    EXPECT_EQ(ended[1].item.id.ordinal, 0U);
    EXPECT_EQ(ended[1].item.state, ItemState::expired);
    EXPECT_FALSE(ended[1].line) << "nobody has rendered it yet";
}

TEST_P(ResultsConformance, WhoReadsTheOrderWhileManyWriteMissesNothing) {
    constexpr std::uint32_t kItems = 400;
    const core::Batch batch = created(ABatch(kItems));
    std::vector<std::jthread> writers;
    for (std::uint32_t writer = 0; writer < 4; ++writer) {
        writers.emplace_back([this, id = batch.id, writer] {
            for (;;) {
                const auto leases = claimed(id, 1 + (writer * 3));
                if (leases.empty()) return;
                finished(leases);
            }
        });
    }
    std::vector<std::uint32_t> followed;
    for (bool is_whole = false; !is_whole;) {
        const auto part =
            batches().read_ended(batch.id, static_cast<std::uint32_t>(followed.size()), 30, 1 << 20);
        ASSERT_TRUE(part) << part.error().message;
        for (const ItemLine& line : part->items) {
            followed.push_back(line.item.id.ordinal);
            EXPECT_EQ(line.line, line_of(line.item.id));
        }
        is_whole = part->is_whole && followed.size() >= part->count;
    }
    writers.clear();
    std::vector<std::uint32_t> order;
    for (const ItemLine& line : all_ended(batch.id)) order.push_back(line.item.id.ordinal);
    EXPECT_EQ(followed, order);
    std::ranges::sort(order);
    EXPECT_EQ(order.size(), kItems);
    EXPECT_TRUE(std::ranges::adjacent_find(order) == order.end());
}

TEST_P(ResultsConformance, PublishingLaysTheLinesOutInOrderAndRendersTheMissingOnes) {
    const core::Batch batch = created(ABatch(4));
    const auto leases = claimed(batch.id, 3);
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::cancel_requested, kNow));
    // Recorded in another order than submitted.
    finished({leases[2]});
    finished({leases[0]});
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::expired, kNow));
    const std::string expected =
        line_of(batch.id.item(0)) + "{\"expired\":1}\n" + line_of(batch.id.item(2)) + "{\"canceled\":3}\n";
    const auto published = batches().publish(batch.id, {.render = rendered_line});
    ASSERT_TRUE(published);
    EXPECT_EQ(published->results_bytes, expected.size());
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(results_of(batch.id), expected);
        EXPECT_EQ(found(batch.id).results_bytes, expected.size());
        const auto lines = all_lines(batch.id);
        ASSERT_EQ(lines.size(), 4U);
        EXPECT_EQ(lines[0].line, line_of(batch.id.item(0)));
        EXPECT_EQ(lines[1].line, "{\"expired\":1}\n") << "once it is laid out, every item has one";
        EXPECT_EQ(lines[2].line, line_of(batch.id.item(2)));
        EXPECT_EQ(lines[3].line, "{\"canceled\":3}\n");
        EXPECT_EQ(lines[3].item.state, ItemState::canceled);
        if (!reopen()) break;
    }
}

TEST_P(ResultsConformance, PublishingTwiceChangesNothing) {
    const core::Batch batch = created(ABatch(2));
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::cancel_requested, kNow));
    ASSERT_TRUE(batches().publish(batch.id, {.render = rendered_line}));
    const std::string before = results_of(batch.id);
    const auto again = batches().publish(batch.id, {.render = [](const core::Batch&, const core::ItemHead&) {
                                             ADD_FAILURE() << "nothing is rendered again";
                                             return std::string("other\n");
                                         }});
    EXPECT_EQ(again->results_bytes, before.size());
    EXPECT_EQ(results_of(batch.id), before);
}

TEST_P(ResultsConformance, OnlyAnEndedBatchIsPublishedOrRemoved) {
    const core::Batch batch = created(ABatch(1));
    EXPECT_EQ(batches().publish(batch.id, {.render = rendered_line}).error().code, ErrorCode::conflict);
    EXPECT_EQ(batches().open_results(batch.id).error().code, ErrorCode::conflict);
    EXPECT_EQ(batches().remove(batch.id).error().code, ErrorCode::conflict);
    EXPECT_EQ(found(batch.id).counts.queued, 1U);
    const BatchId absent = make_batch_id(kNow);
    EXPECT_EQ(batches().publish(absent, {.render = rendered_line}).error().code, ErrorCode::not_found);
    EXPECT_EQ(batches().open_results(absent).error().code, ErrorCode::not_found);
    EXPECT_EQ(batches().remove(absent).error().code, ErrorCode::not_found);
}

TEST_P(ResultsConformance, ARemovedBatchIsGoneForEveryReader) {
    const core::Subject subject{"asset:77"};
    for (const bool published : {false, true}) {
        const ABatch batch = ABatch(3).about(subject).with_bodies_of(published ? 200'000 : 50);
        created(batch);
        finished(claimed(batch.id(), 2));
        ASSERT_TRUE(batches().apply(batch.id(), BatchEvent::expired, kNow));
        if (published) ASSERT_TRUE(batches().publish(batch.id(), {.render = rendered_line}));
        ASSERT_TRUE(batches().remove(batch.id()));
        for (int round = 0; round < 2; ++round) {
            EXPECT_EQ(batches().find(kAlice, batch.id()).error().code, ErrorCode::not_found);
            EXPECT_FALSE(batches().cached(kAlice, batch.id()));
            EXPECT_EQ(batches().find_item(kAlice, batch.id().item(0)).error().code, ErrorCode::not_found);
            EXPECT_EQ(batches().read_item_body(batch.id().item(0)).error().code, ErrorCode::not_found);
            EXPECT_EQ(batches().read_lines(batch.id(), 0, 9, 9).error().code, ErrorCode::not_found);
            EXPECT_EQ(batches().open_results(batch.id()).error().code, ErrorCode::not_found);
            EXPECT_EQ(batches().apply(batch.id(), BatchEvent::expired, kNow).error().code,
                      ErrorCode::not_found);
            EXPECT_EQ(batches().remove(batch.id()).error().code, ErrorCode::not_found);
            EXPECT_EQ(batches().list({kAlice, "test", {}, {}, {}})->total, 0U);
            EXPECT_EQ(batches().list_items({kAlice, "test", {}, {}, {}, {}})->total, 0U);
            EXPECT_EQ(batches().list_items({kAlice, "test", {}, subject, {}, {}})->total, 0U);
            EXPECT_EQ(batches().count_unfinished(kAlice, subject).value(), 0U);
            EXPECT_TRUE(batches().unpublished()->empty());
            if (!reopen()) break;
        }
    }
}

TEST_P(ResultsConformance, AFileThatWasOpenedOutlivesTheRemoval) {
    const core::Batch batch = created(ABatch(1));
    run_to_the_end(batch.id);
    ASSERT_TRUE(batches().publish(batch.id, {.render = rendered_line}));
    const auto file = batches().open_results(batch.id).value();
    ASSERT_TRUE(batches().remove(batch.id));
    std::string bytes(file.bytes, '\0');
    EXPECT_EQ(::pread(file.file->fd(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    EXPECT_EQ(bytes, line_of(batch.id.item(0)));
}

TEST_P(ResultsConformance, ReadersNeverSeeHalfAChangeWhileBatchesArePublishedAndRemoved) {
    std::atomic<bool> done = false;
    std::mutex mutex;
    BatchId current = created(ABatch(20)).id;
    std::jthread reader([&] {
        while (!done) {
            BatchId id;
            {
                const std::scoped_lock lock(mutex);
                id = current;
            }
            const auto lines = batches().read_lines(id, 0, 100, 1 << 20);
            if (!lines) {
                EXPECT_EQ(lines.error().code, ErrorCode::not_found) << lines.error().message;
                continue;
            }
            EXPECT_EQ(lines->size(), 20U);
            for (const ItemLine& line : *lines) {
                const bool ended = line.item.state == ItemState::succeeded;
                EXPECT_EQ(line.line.has_value(), ended);
                if (line.line) EXPECT_EQ(*line.line, line_of(line.item.id));
            }
        }
    });
    for (int round = 0; round < 8; ++round) {
        const BatchId id = current;
        run_to_the_end(id);
        ASSERT_TRUE(batches().publish(id, {.render = rendered_line}));
        ASSERT_TRUE(batches().remove(id));
        const BatchId next = created(ABatch(20)).id;
        const std::scoped_lock lock(mutex);
        current = next;
    }
    done = true;
}

}  // namespace sheaf::store
