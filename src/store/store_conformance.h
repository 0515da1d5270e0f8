#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "store/store.h"

// What every store must keep. The suites stand in *_conformance_test.cpp beside this file; an implementation
// runs them all with SHEAF_STORE_CONFORMANCE(Name, make_it).
namespace sheaf::store {

// An empty store to test.
class StoreUnderTest {
public:
    virtual ~StoreUnderTest() = default;
    virtual Store& store() = 0;
    // As if the server had been restarted; false where nothing outlives the store.
    virtual bool reopen() = 0;
};
using MakeStore = std::unique_ptr<StoreUnderTest> (*)();

inline constexpr Timestamp kNow{std::chrono::milliseconds{1'800'000'000'000}};
inline const AccountId kAlice{"alice"};
inline const AccountId kBob{"bob"};

// A batch to be created, with defaults that are valid.
class ABatch {
public:
    explicit ABatch(std::uint32_t items = 3) : items_(items) { id_ = make_batch_id(kNow); }
    ABatch& of(AccountId account) { return account_ = std::move(account), *this; }
    ABatch& with_id(BatchId id) { return id_ = id, *this; }
    ABatch& of_kind(core::BatchKind kind) { return kind_ = kind, *this; }
    ABatch& in(std::string dialect) { return dialect_ = std::move(dialect), *this; }
    ABatch& telling(core::ItemEvents events) { return item_events_ = events, *this; }
    ABatch& tagged(std::string tag) { return tag_ = std::move(tag), *this; }
    ABatch& created_at(Timestamp time) { return created_at_ = time, *this; }
    ABatch& purged_at(Timestamp time) { return purge_at_ = time, *this; }
    ABatch& about(core::Subject subject) { return subject_ = std::move(subject), *this; }
    ABatch& with_bodies_of(std::size_t bytes) { return body_bytes_ = bytes, *this; }
    ABatch& named() { return items_named_ = true, *this; }
    ABatch& planned(std::vector<core::Planned> plan) { return plan_ = std::move(plan), *this; }
    ABatch& kept_for(std::chrono::seconds time) { return keep_for_ = time, *this; }
    ABatch& archived_at(Timestamp time) { return archive_at_ = time, *this; }
    ABatch& with_active_max(std::uint32_t count) { return active_max_ = count, *this; }
    ABatch& with_idempotency(IdempotencyRecord record) { return idempotency_ = std::move(record), *this; }

    // What the item's body is: "<ordinal>:xxx…".
    std::string body_of(std::uint32_t ordinal) const;
    BatchDraft draft() const;
    Result<core::Batch> create(Store& store) const;
    const BatchId& id() const { return id_; }

private:
    std::uint32_t items_;
    BatchId id_;
    AccountId account_ = kAlice;
    core::BatchKind kind_ = core::BatchKind::batch;
    core::ItemEvents item_events_ = core::ItemEvents::none;
    std::string dialect_ = "test";
    std::string tag_;
    Timestamp created_at_ = kNow;
    Timestamp purge_at_ = kNow + std::chrono::hours{24 * 29};
    core::Subject subject_;
    std::size_t body_bytes_ = 20;
    bool items_named_ = false;
    std::vector<core::Planned> plan_;
    std::chrono::seconds keep_for_{0};
    std::optional<Timestamp> archive_at_;
    std::uint32_t active_max_ = 0;
    std::optional<IdempotencyRecord> idempotency_;
};

class StoreConformance : public testing::TestWithParam<MakeStore> {
protected:
    Store& store() { return under_test_->store(); }
    Batches& batches() { return store().batches(); }
    ItemQueue& items() { return store().items(); }
    Assets& assets() { return store().assets(); }
    Outbox& outbox() { return store().outbox(); }
    Files& files() { return store().files(); }
    Keys& keys() { return store().keys(); }
    bool reopen() { return under_test_->reopen(); }

    core::Batch created(const ABatch& batch);
    core::Batch found(const BatchId& id, const AccountId& account = kAlice);
    std::vector<core::Lease> claimed(const BatchId& id, std::uint32_t count, Timestamp now = kNow);
    static ItemResult result_of(const core::Lease& lease, core::ItemState state = core::ItemState::succeeded);
    FinishReport finished(const std::vector<core::Lease>& leases);
    // Claims and finishes all that is left.
    void run_to_the_end(const BatchId& id);
    std::vector<ItemLine> all_lines(const BatchId& id);
    // From place `after` of the order in which they ended on, page by page.
    std::vector<ItemLine> all_ended(const BatchId& id, std::uint32_t after = 0);
    std::string results_of(const BatchId& id);

private:
    std::unique_ptr<StoreUnderTest> under_test_ = GetParam()();
};

class BatchesConformance : public StoreConformance {};
class ResultsConformance : public StoreConformance {};
class ItemQueueConformance : public StoreConformance {};
class AssetsConformance : public StoreConformance {};
class OutboxConformance : public StoreConformance {};
class FilesConformance : public StoreConformance {};
class KeysConformance : public StoreConformance {};

std::string line_of(const ItemId& id);
std::string rendered_line(const core::Batch& batch, const core::ItemHead& item);

}  // namespace sheaf::store

#define SHEAF_STORE_CONFORMANCE(Name, make)                                      \
    INSTANTIATE_TEST_SUITE_P(Name, BatchesConformance, testing::Values(make));   \
    INSTANTIATE_TEST_SUITE_P(Name, ResultsConformance, testing::Values(make));   \
    INSTANTIATE_TEST_SUITE_P(Name, ItemQueueConformance, testing::Values(make)); \
    INSTANTIATE_TEST_SUITE_P(Name, AssetsConformance, testing::Values(make));    \
    INSTANTIATE_TEST_SUITE_P(Name, OutboxConformance, testing::Values(make));    \
    INSTANTIATE_TEST_SUITE_P(Name, FilesConformance, testing::Values(make));     \
    INSTANTIATE_TEST_SUITE_P(Name, KeysConformance, testing::Values(make))
