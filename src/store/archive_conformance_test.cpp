#include <cstdlib>
#include <string>

#include <unistd.h>

#include "store/store_conformance.h"

// Bodies that begin as files, results that files refer to, and what archiving leaves of a batch.
namespace sheaf::store {
namespace {

using core::BatchEvent;
using core::BatchState;
using core::ItemState;
using namespace std::chrono_literals;

// A file with `bytes` in it and no name.
Descriptor a_file_with(std::string_view bytes) {
    std::string path = testing::TempDir() + "sheaf-body-XXXXXX";
    const int fd = ::mkstemp(path.data());
    EXPECT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    EXPECT_EQ(::unlink(path.c_str()), 0);
    return Descriptor(fd);
}

std::vector<core::File> files_of(const core::Batch& batch, std::uint64_t succeeded, std::uint64_t total) {
    core::File output{.id = core::result_file_id(batch.id, core::kOutputFile),
                      .account = batch.account,
                      .purpose = "results",
                      .filename = "output",
                      .bytes = succeeded,
                      .expires_at = {},
                      .created_at = kNow,
                      .blob_key = {},
                      .batch = batch.id};
    core::File rest = output;
    rest.id = core::result_file_id(batch.id, core::kErrorFile);
    rest.filename = "rest";
    rest.offset = succeeded;
    rest.bytes = total - succeeded;
    return {output, rest};
}

}  // namespace

TEST_P(ResultsConformance, ABodyMayBeginAsAFile) {
    for (const std::size_t bytes : {0UZ, 50UZ, 300'000UZ}) {
        std::string text;
        while (text.size() < bytes) text += std::to_string(text.size()) + ",";
        text.resize(bytes);
        BatchDraft draft = ABatch(1).draft();
        draft.items[0].body_offset = bytes / 2;
        draft.items[0].body_bytes = bytes - bytes / 2;
        {
            const Descriptor file = a_file_with(text + "what is not asked for");
            auto body = batches().body_of(file, bytes);
            ASSERT_TRUE(body) << body.error().message;
            EXPECT_EQ((*body)->bytes().value(), text);
            ASSERT_TRUE(batches().create(draft, std::move(*body)));
        }
        for (int round = 0; round < 2; ++round) {
            EXPECT_EQ(batches().read_item_body(draft.batch.id.item(0)).value(), text.substr(bytes / 2));
            if (!reopen()) break;
        }
    }
}

TEST_P(ResultsConformance, AFileThatIsShorterThanItsBodyIsCorrupt) {
    for (const std::size_t bytes : {10UZ, 300'000UZ}) {
        const Descriptor file = a_file_with(std::string(bytes, 'x'));
        EXPECT_EQ(batches().body_of(file, bytes + 1).error().code, ErrorCode::corrupt);
    }
}

TEST_P(ResultsConformance, LinesOfItemsThatSucceededMayComeFirst) {
    const core::Batch batch = created(ABatch(5));
    const auto leases = claimed(batch.id, 4);
    ASSERT_TRUE(items().finish(
        std::vector{result_of(leases[0], ItemState::failed), result_of(leases[3]), result_of(leases[1])}));
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::cancel_requested, kNow));
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::expired, kNow));
    const std::string good = line_of(batch.id.item(1)) + line_of(batch.id.item(3));
    const std::string rest = line_of(batch.id.item(0)) + "{\"expired\":2}\n{\"canceled\":4}\n";
    std::uint64_t told_succeeded = 0;
    std::uint64_t told_total = 0;
    const auto published = batches().publish(
        batch.id, {.render = rendered_line,
                   .order = core::ItemCodec::Order::succeeded_first,
                   .files = [&](const core::Batch&, std::uint64_t succeeded, std::uint64_t total) {
                       told_succeeded = succeeded;
                       told_total = total;
                       return std::vector<core::File>{};
                   }});
    ASSERT_TRUE(published);
    EXPECT_EQ(told_succeeded, good.size());
    EXPECT_EQ(told_total, good.size() + rest.size());
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(results_of(batch.id), good + rest);
        EXPECT_EQ(found(batch.id).results_bytes, good.size() + rest.size());
        const auto lines = all_lines(batch.id);
        ASSERT_EQ(lines.size(), 5U);
        for (std::uint32_t at = 0; at < 5; ++at) {
            EXPECT_EQ(lines[at].item.id.ordinal, at);
            const bool ran = at == 0 || at == 1 || at == 3;
            EXPECT_EQ(lines[at].line,
                      ran ? line_of(batch.id.item(at)) : rendered_line(batch, lines[at].item));
        }
        const auto one = batches().read_lines(batch.id, 3, 1, 1).value();
        ASSERT_EQ(one.size(), 1U);
        EXPECT_EQ(one[0].line, line_of(batch.id.item(3)));
        if (!reopen()) break;
    }
}

TEST_P(ResultsConformance, LaidOutInOrderNoBytesAreThoseThatSucceeded) {
    const core::Batch batch = created(ABatch(1));
    run_to_the_end(batch.id);
    std::uint64_t told = 9;
    ASSERT_TRUE(batches().publish(
        batch.id, {.render = rendered_line,
                   .files = [&](const core::Batch& of, std::uint64_t succeeded, std::uint64_t total) {
                       told = succeeded;
                       EXPECT_EQ(of.id, batch.id);
                       EXPECT_EQ(total, line_of(batch.id.item(0)).size());
                       return std::vector<core::File>{};
                   }}));
    EXPECT_EQ(told, 0U);
}

TEST_P(ResultsConformance, FilesComeWithTheResultsAndGoWithTheBatch) {
    for (const bool archived : {false, true}) {
        const core::Batch batch = created(ABatch(2));
        const auto leases = claimed(batch.id, 2);
        ASSERT_TRUE(
            items().finish(std::vector{result_of(leases[0], ItemState::failed), result_of(leases[1])}));
        const FileId output = core::result_file_id(batch.id, core::kOutputFile);
        const FileId rest = core::result_file_id(batch.id, core::kErrorFile);
        EXPECT_EQ(files().find(kAlice, output, kNow).error().code, ErrorCode::not_found);
        const Batches::Layout layout{
            .render = rendered_line, .order = core::ItemCodec::Order::succeeded_first, .files = files_of};
        ASSERT_TRUE(batches().publish(batch.id, layout));
        ASSERT_TRUE(batches().publish(batch.id, layout)) << "again changes nothing";
        const std::uint64_t line_bytes = line_of(batch.id.item(1)).size();
        for (int round = 0; round < 2; ++round) {
            const auto file = files().find(kAlice, rest, kNow);
            ASSERT_TRUE(file);
            EXPECT_EQ(file->batch, batch.id);
            EXPECT_EQ(file->offset, line_bytes);
            EXPECT_EQ(file->bytes, line_bytes);
            EXPECT_EQ(results_of(batch.id).substr(file->offset, file->bytes), line_of(batch.id.item(0)));
            if (!reopen()) break;
        }
        EXPECT_EQ(files().list({.account = kAlice, .purpose = {}, .after = {}, .now = kNow})->rows.size(),
                  2U);
        EXPECT_EQ(files().find(kBob, output, kNow).error().code, ErrorCode::not_found);

        if (archived) {
            ASSERT_TRUE(batches().archive(batch.id, kNow));
        } else {
            ASSERT_TRUE(batches().remove(batch.id));
        }
        EXPECT_EQ(files().find(kAlice, output, kNow).error().code, ErrorCode::not_found);
        EXPECT_EQ(files().find(kAlice, rest, kNow).error().code, ErrorCode::not_found);
        EXPECT_TRUE(files().list({.account = kAlice, .purpose = {}, .after = {}, .now = kNow})->rows.empty());
        EXPECT_EQ(files().remove(kAlice, rest, kNow).error().code, ErrorCode::not_found);
    }
}

TEST_P(ResultsConformance, AFileOfTheSameIdStopsThePublication) {
    const core::Batch batch = created(ABatch(1));
    run_to_the_end(batch.id);
    core::File taken = files_of(batch, 1, 1)[1];
    taken.batch.reset();
    ASSERT_TRUE(files().insert(taken));
    const auto published = batches().publish(
        batch.id, {.render = rendered_line, .order = core::ItemCodec::Order::submission, .files = files_of});
    EXPECT_EQ(published.error().code, ErrorCode::conflict);
    EXPECT_FALSE(found(batch.id).results_bytes) << "nothing of it was done";
    EXPECT_EQ(files().find(kAlice, core::result_file_id(batch.id, core::kOutputFile), kNow).error().code,
              ErrorCode::not_found);
    EXPECT_EQ(all_lines(batch.id).size(), 1U);
}

TEST_P(ResultsConformance, AFileThatWentWithItsBatchKeepsItsPlace) {
    const core::Batch batch = created(ABatch(1).purged_at(kNow + 1h));
    run_to_the_end(batch.id);
    core::File before = files_of(batch, 0, 0)[0];
    before.id = FileId::make(kNow);
    before.batch.reset();
    ASSERT_TRUE(files().insert(before));
    ASSERT_TRUE(batches().publish(batch.id, {.render = rendered_line, .files = files_of}));
    ASSERT_TRUE(batches().remove(batch.id));
    FileQuery query{.account = kAlice, .purpose = {}, .after = {}, .now = kNow};
    query.after = core::result_file_id(batch.id, core::kErrorFile);
    ASSERT_EQ(files().list(query)->rows.size(), 1U);
    EXPECT_EQ(files().list(query)->rows[0].id, before.id);
    ASSERT_TRUE(files().forget_removed(kNow + 1h + 24h * 30));
    EXPECT_TRUE(files().list(query)->rows.empty());
}

TEST_P(ResultsConformance, AnArchivedBatchIsANameWithoutItems) {
    const core::Subject subject{"asset:88"};
    for (const bool published : {false, true}) {
        const ABatch batch = ABatch(3).named().about(subject).with_bodies_of(published ? 200'000 : 50);
        created(batch);
        finished(claimed(batch.id(), 2));
        EXPECT_EQ(batches().archive(batch.id(), kNow).error().code, ErrorCode::conflict)
            << "it has not ended";
        ASSERT_TRUE(batches().apply(batch.id(), BatchEvent::expired, kNow));
        if (published) ASSERT_TRUE(batches().publish(batch.id(), {.render = rendered_line}));
        const core::Batch before = found(batch.id());
        const auto archived = batches().archive(batch.id(), kNow + 1h);
        ASSERT_TRUE(archived);
        EXPECT_EQ(archived->archived_at, kNow + 1h);
        EXPECT_EQ(batches().archive(batch.id(), kNow + 2h)->archived_at, kNow + 1h) << "once";
        for (int round = 0; round < 2; ++round) {
            const core::Batch now = found(batch.id());
            EXPECT_EQ(now.state, BatchState::ended);
            EXPECT_EQ(now.counts, before.counts);
            EXPECT_EQ(now.usage, before.usage);
            EXPECT_EQ(now.ended_at, before.ended_at);
            EXPECT_EQ(now.archived_at, kNow + 1h);
            EXPECT_EQ(batches().find_item(kAlice, batch.id().item(0)).error().code, ErrorCode::not_found);
            EXPECT_EQ(batches().find_named(kAlice, batch.id(), "c-0").error().code, ErrorCode::not_found);
            EXPECT_EQ(batches().read_item_body(batch.id().item(0)).error().code, ErrorCode::not_found);
            EXPECT_EQ(batches().open_results(batch.id()).error().code, ErrorCode::not_found);
            EXPECT_TRUE(all_lines(batch.id()).empty());
            EXPECT_TRUE(batches().read_heads(batch.id(), 0, 9)->empty());
            EXPECT_EQ(batches().list_items({kAlice, "test", {}, {}, {}, {}})->total, 0U);
            EXPECT_EQ(batches().list_items({kAlice, "test", {}, subject, {}, {}})->total, 0U);
            EXPECT_EQ(batches().list({kAlice, "test", {}, {}, {}})->total, 1U);
            EXPECT_EQ(batches().list_beside({kAlice, "test", {}, {}, 20})->rows.size(), 1U);
            EXPECT_TRUE(batches().unpublished()->empty());
            if (!reopen()) break;
        }
        ASSERT_TRUE(batches().remove(batch.id()));
    }
}

TEST_P(ResultsConformance, BatchesAreDueForTheArchiveOnceTheyHaveEnded) {
    const core::Batch late = created(ABatch(1).archived_at(kNow + 2h));
    const core::Batch early = created(ABatch(1).archived_at(kNow + 1h));
    const core::Batch running = created(ABatch(1).archived_at(kNow + 1h));
    const core::Batch never = created(ABatch(1));
    for (const BatchId& id : {late.id, early.id, never.id}) run_to_the_end(id);
    const auto due = [&](Timestamp now, std::uint32_t count_max) {
        std::vector<BatchId> ids;
        for (const core::Batch& batch : *batches().due_for_archive(now, count_max)) ids.push_back(batch.id);
        return ids;
    };
    EXPECT_TRUE(due(kNow + 1h - 1ms, 9).empty());
    EXPECT_EQ(due(kNow + 1h, 9), std::vector{early.id});
    EXPECT_EQ(due(kNow + 2h, 9), (std::vector{early.id, late.id})) << "longest due first";
    EXPECT_EQ(due(kNow + 2h, 1), std::vector{early.id});
    ASSERT_TRUE(batches().archive(early.id, kNow + 2h));
    EXPECT_EQ(due(kNow + 2h, 9), std::vector{late.id});
    run_to_the_end(running.id);
    EXPECT_EQ(due(kNow + 2h, 9), (std::vector{running.id, late.id}));
}

}  // namespace sheaf::store
