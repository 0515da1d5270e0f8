#include "dialect/dialect_conformance.h"

#include <set>

namespace sheaf::dialect {

DialectConformance::DialectConformance() {
    subject = GetParam()(*this);
    router.emplace();
    subject->add_routes(*router);
}

DialectConformance::~DialectConformance() {
    run(subject->dialect().stop());
}

std::string DialectConformance::ready_asset(std::string_view bytes) {
    const auto asset = AssetsWorld::create(bytes);
    EXPECT_TRUE(asset);
    turn_until([&] { return find(asset->id)->state != core::AssetState::processing; });
    return to_string(asset->id);
}

std::string DialectConformance::created(std::size_t items) {
    const std::string id = subject->create(items);
    EXPECT_TRUE(subject->parse_id(id)) << id;
    return id;
}

void DialectConformance::work_on(const std::string& id, std::uint32_t count, const core::Ending& ending) {
    work(*subject->parse_id(id), count, ending, subject->dialect().codec());
}

void DialectConformance::lay_out(const std::string& id) {
    publish(*subject->parse_id(id), subject->dialect().codec());
}

std::size_t DialectConformance::stored() {
    const auto rows = store->batches().list_beside({.account = kTeam, .count = 1000});
    const auto unfinished = store->batches().unfinished();
    const auto inputs = store->files().list({.account = kTeam, .now = clock.now()});
    EXPECT_TRUE(rows && unfinished && inputs);
    return rows->rows.size() + unfinished->size() + inputs->rows.size();
}

Answered DialectConformance::as_other(Asked asked) {
    asked.key = other_key;
    return call(std::move(asked));
}

std::string DialectConformance::told(const Answered& answered, const std::string& id) const {
    std::string text = answered.body;
    for (const std::string& one : subject->ids_in(answered, id)) {
        for (auto at = text.find(one); at != std::string::npos; at = text.find(one))
            text.replace(at, one.size(), "ID");
    }
    return text;
}

namespace {

std::set<std::string> items_of(const std::vector<ShownResult>& results) {
    std::set<std::string> items;
    for (const ShownResult& result : results) items.insert(result.item);
    return items;
}

long count_succeeded(const std::vector<ShownResult>& results) {
    return std::ranges::count(results, true, &ShownResult::succeeded);
}

TEST_P(DialectConformance, AskForAKeyBeforeAnythingElse) {
    const std::string id = created(2);
    for (const char* const bad :
         {"none", "nonsense", "sheaf_000000000000000000000000000000000000000000000000000000000000000"}) {
        for (Asked asked : {subject->bring_items(2), subject->create_malformed(), subject->retrieve(id),
                            subject->cancel(id), subject->remove(id), subject->unknown_path()}) {
            asked.key = bad;
            const Answered answered = call(asked);
            EXPECT_EQ(answered.status, 401) << asked.method << " " << asked.target;
            EXPECT_TRUE(subject->is_error(answered.body)) << answered.body;
            EXPECT_FALSE(answered.body_was_read) << asked.target;
        }
    }
}

TEST_P(DialectConformance, TellInTheirWordsThatAPathIsNotThere) {
    const Answered answered = call(subject->unknown_path());
    EXPECT_EQ(answered.status, 404);
    EXPECT_TRUE(subject->is_error(answered.body)) << answered.body;
    EXPECT_EQ(answered.headers.find("Content-Type").value_or("").substr(0, 16), "application/json");
}

TEST_P(DialectConformance, TellNobodyThatABatchIsAnothers) {
    const std::string id = created(2);
    work_on(id, 2, core::Succeeded{subject->good_answer()});
    lay_out(id);
    const std::string unknown = subject->print_id(make_batch_id(clock.now()));
    const auto same = [&](const Asked& of_another, const Asked& of_none) {
        const Answered anothers = as_other(of_another);
        const Answered nobodys = as_other(of_none);
        EXPECT_EQ(anothers.status, nobodys.status) << of_another.target;
        EXPECT_GE(anothers.status, 400) << of_another.target;
        EXPECT_EQ(told(anothers, id), told(nobodys, unknown)) << of_another.target;
    };
    same(subject->retrieve(id), subject->retrieve(unknown));
    same(subject->cancel(id), subject->cancel(unknown));
    same(subject->remove(id), subject->remove(unknown));
    const auto of_another = subject->read_results(id, 2);
    const auto of_none = subject->read_results(unknown, 2);
    ASSERT_EQ(of_another.size(), of_none.size());
    for (std::size_t i = 0; i < of_another.size(); ++i) same(of_another[i], of_none[i]);
    EXPECT_EQ(call(subject->retrieve(id)).status, 200) << "it is still there for its owner";
}

TEST_P(DialectConformance, RefuseABodyAtTheByteThatPassesTheLimit) {
    const std::size_t before = stored();
    const OversizeCall large = subject->create_oversize();
    const Answered answered = call(large.asked);
    EXPECT_EQ(answered.status, 413) << answered.body;
    EXPECT_TRUE(subject->is_error(answered.body)) << answered.body;
    EXPECT_GT(answered.body_bytes_read, large.bytes_max);
    EXPECT_LE(answered.body_bytes_read, large.bytes_max + large.asked.piece);
    EXPECT_EQ(stored(), before);
}

TEST_P(DialectConformance, KeepNothingOfAClientThatWentAway) {
    Asked asked = subject->bring_items(3);
    const std::size_t before = stored();
    const std::size_t whole = asked.body.size();
    for (const std::size_t fails_at : {std::size_t{0}, std::size_t{1}, whole / 2, whole - 1}) {
        asked.body_fails_at = fails_at;
        EXPECT_GE(call(asked).status, 400) << fails_at;
        EXPECT_EQ(stored(), before) << fails_at;
    }
}

TEST_P(DialectConformance, RefuseWhatIsNoJsonAndKeepNothing) {
    const std::size_t before = stored();
    const Answered answered = call(subject->create_malformed());
    EXPECT_EQ(answered.status, 400);
    EXPECT_TRUE(subject->is_error(answered.body)) << answered.body;
    EXPECT_EQ(stored(), before);
}

TEST_P(DialectConformance, GiveEveryItemOneResultAfterACancel) {
    const std::string id = created(5);
    work_on(id, 1, core::Succeeded{subject->good_answer()});
    work_on(id, 1, core::Failed{{"analysis_failed", "The server broke."}});
    const Answered canceled = call(subject->cancel(id));
    EXPECT_LT(canceled.status, 300) << canceled.body;
    lay_out(id);
    const auto results = subject->results(id, 5);
    EXPECT_EQ(results.size(), 5U);
    EXPECT_EQ(items_of(results).size(), 5U);
    EXPECT_EQ(count_succeeded(results), 1);
}

TEST_P(DialectConformance, GiveEveryItemOneResultAfterTheirTimeIsUp) {
    const std::string id = created(4);
    work_on(id, 1, core::Succeeded{subject->good_answer()});
    clock.advance(subject->lifetime().value_or(24h * 400));
    EXPECT_EQ(call(subject->retrieve(id)).status, 200);
    if (!subject->lifetime()) {
        EXPECT_EQ(store->batches().find(kTeam, *subject->parse_id(id))->counts.queued, 3U);
        work_on(id, 3, core::Succeeded{subject->good_answer()});
    }
    lay_out(id);
    const auto results = subject->results(id, 4);
    EXPECT_EQ(items_of(results).size(), 4U);
    EXPECT_EQ(results.size(), 4U);
    EXPECT_EQ(count_succeeded(results), subject->lifetime() ? 1 : 4);
}

TEST_P(DialectConformance, TellResultsInTheSameBytesEachTime) {
    const std::string id = created(3);
    work_on(id, 2, core::Succeeded{subject->good_answer()});
    work_on(id, 1, core::Failed{{"timed_out", "It took too long."}});
    const auto early = subject->results(id, 3);
    lay_out(id);
    const auto first = subject->results(id, 3);
    EXPECT_EQ(first.size(), 3U);
    EXPECT_EQ(subject->results(id, 3), first);
    if (!early.empty()) EXPECT_EQ(early, first);
}

TEST_P(DialectConformance, LetOneItemThatFailsSpoilNoOther) {
    const std::string id = created(3);
    work_on(id, 1, core::Succeeded{subject->good_answer()});
    work_on(id, 1,
            core::Failed{{.code = "invalid_request", .message = "It is \"too\"\nlong.", .status = 400}});
    work_on(id, 1, core::Succeeded{subject->good_answer()});
    lay_out(id);
    const auto results = subject->results(id, 3);
    EXPECT_EQ(items_of(results).size(), 3U);
    EXPECT_EQ(count_succeeded(results), 2);
}

TEST_P(DialectConformance, DeleteWhatHasEndedOrRefuseTo) {
    const std::string id = created(1);
    const Answered early = call(subject->remove(id));
    EXPECT_GE(early.status, 400);
    EXPECT_TRUE(subject->is_error(early.body)) << early.body;
    EXPECT_EQ(call(subject->retrieve(id)).status, 200);
    work_on(id, 1, core::Succeeded{subject->good_answer()});
    lay_out(id);
    const Answered removed = call(subject->remove(id));
    const std::string unknown = subject->print_id(make_batch_id(clock.now()));
    const Answered after = call(subject->retrieve(id));
    if (removed.status < 300) {
        EXPECT_EQ(after.status, 404);
        EXPECT_EQ(told(after, id), told(call(subject->retrieve(unknown)), unknown));
        EXPECT_EQ(stored(), 0U);
    } else {
        EXPECT_TRUE(subject->is_error(removed.body)) << removed.body;
        EXPECT_EQ(after.status, 200);
    }
}

}  // namespace
}  // namespace sheaf::dialect
