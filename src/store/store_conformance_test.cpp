#include "store/store_conformance.h"

#include <fmt/format.h>
#include <unistd.h>

namespace sheaf::store {

std::string line_of(const ItemId& id) {
    return fmt::format("{{\"item\":\"{}\"}}\n", to_string(id));
}

std::string rendered_line(const core::Batch&, const core::ItemHead& item) {
    return fmt::format("{{\"{}\":{}}}\n", core::to_string(item.state), item.id.ordinal);
}

std::string ABatch::body_of(std::uint32_t ordinal) const {
    std::string body = fmt::format("{}:", ordinal);
    if (body.size() < body_bytes_) body.append(body_bytes_ - body.size(), 'x');
    return body;
}

BatchDraft ABatch::draft() const {
    BatchDraft draft;
    draft.batch.id = id_;
    draft.batch.account = account_;
    draft.batch.dialect = dialect_;
    draft.batch.kind = kind_;
    draft.batch.item_events = item_events_;
    draft.batch.model = "a-model";
    draft.batch.tag = tag_;
    draft.batch.shared = "{\"shared\":true}";
    draft.batch.created_at = created_at_;
    draft.batch.expires_at = created_at_ + std::chrono::hours{24};
    draft.batch.purge_at = purge_at_;
    draft.batch.keep_for = keep_for_;
    draft.batch.archive_at = archive_at_;
    draft.items_named = items_named_;
    draft.plan = plan_;
    draft.active_max = active_max_;
    draft.idempotency = idempotency_;
    std::uint64_t offset = 1;
    for (std::uint32_t at = 0; at < items_; ++at) {
        const std::uint64_t bytes = body_of(at).size();
        draft.items.push_back({fmt::format("c-{}", at), subject_, offset, bytes});
        offset += bytes + 1;
    }
    return draft;
}

Result<core::Batch> ABatch::create(Store& store) const {
    auto body = store.batches().new_body();
    if (!body) return std::unexpected(body.error());
    std::string bytes = "[";
    for (std::uint32_t at = 0; at < items_; ++at) bytes += body_of(at) + ",";
    for (std::size_t from = 0; from < bytes.size(); from += 10'000) {
        const auto appended = (*body)->append(std::string_view(bytes).substr(from, 10'000));
        if (!appended) return std::unexpected(appended.error());
    }
    const auto spooled = (*body)->bytes();
    if (!spooled) return std::unexpected(spooled.error());
    EXPECT_TRUE(*spooled == bytes) << "the spool gives back what was appended";
    return store.batches().create(draft(), std::move(*body));
}

core::Batch StoreConformance::created(const ABatch& batch) {
    auto stored = batch.create(store());
    if (!stored) {
        ADD_FAILURE() << stored.error().message;
        return {};
    }
    return *stored;
}

core::Batch StoreConformance::found(const BatchId& id, const AccountId& account) {
    auto batch = batches().find(account, id);
    if (!batch) {
        ADD_FAILURE() << batch.error().message;
        return {};
    }
    if (const auto cached = batches().cached(account, id)) {
        EXPECT_EQ(cached->state, batch->state);
        EXPECT_EQ(cached->counts, batch->counts);
        EXPECT_EQ(cached->results_bytes, batch->results_bytes);
    }
    return *batch;
}

std::vector<core::Lease> StoreConformance::claimed(const BatchId& id, std::uint32_t count, Timestamp now) {
    auto claimed = items().claim({.batch = id, .count_max = count, .now = now});
    if (!claimed) {
        ADD_FAILURE() << claimed.error().message;
        return {};
    }
    EXPECT_TRUE(claimed->damaged.empty());
    return std::move(claimed->leases);
}

ItemResult StoreConformance::result_of(const core::Lease& lease, core::ItemState state) {
    return {lease.item.id,          lease.epoch, state,
            line_of(lease.item.id), {3, 5},      kNow + std::chrono::seconds{1}};
}

FinishReport StoreConformance::finished(const std::vector<core::Lease>& leases) {
    std::vector<ItemResult> results;
    for (const core::Lease& lease : leases) results.push_back(result_of(lease));
    auto report = items().finish(results);
    if (!report) {
        ADD_FAILURE() << report.error().message;
        return {};
    }
    return *report;
}

void StoreConformance::run_to_the_end(const BatchId& id) {
    for (;;) {
        const auto leases = claimed(id, 100);
        if (leases.empty()) return;
        finished(leases);
    }
}

std::vector<ItemLine> StoreConformance::all_lines(const BatchId& id) {
    auto lines = batches().read_lines(id, 0, kItemsMax, ~std::uint64_t{0});
    if (!lines) {
        ADD_FAILURE() << lines.error().message;
        return {};
    }
    return *lines;
}

std::vector<ItemLine> StoreConformance::all_ended(const BatchId& id, std::uint32_t after) {
    std::vector<ItemLine> all;
    for (;;) {
        const auto place = after + static_cast<std::uint32_t>(all.size());
        auto part = batches().read_ended(id, place, 100, ~std::uint64_t{0});
        if (!part) {
            ADD_FAILURE() << part.error().message;
            return all;
        }
        EXPECT_EQ(part->items.empty(), place >= part->count);
        if (part->items.empty()) return all;
        for (ItemLine& line : part->items) all.push_back(std::move(line));
    }
}

std::string StoreConformance::results_of(const BatchId& id) {
    const auto file = batches().open_results(id);
    if (!file) {
        ADD_FAILURE() << file.error().message;
        return {};
    }
    std::string bytes(file->bytes, '\0');
    EXPECT_EQ(::pread(file->file->fd(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    return bytes;
}

}  // namespace sheaf::store
