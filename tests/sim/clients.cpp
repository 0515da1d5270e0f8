#include "clients.h"

#include <fmt/format.h>
#include <unistd.h>

namespace sheaf::sim {
namespace {

constexpr std::string_view kScope = "create";

// A create that was answered so has left nothing behind.
bool is_refusal(const Error& error) {
    return error.code == ErrorCode::conflict || error.code == ErrorCode::exhausted ||
           error.code == ErrorCode::no_space || error.code == ErrorCode::invalid;
}

}  // namespace

std::vector<AccountId> Clients::accounts() const {
    std::vector<AccountId> accounts;
    for (std::uint32_t i = 0; i < habits_.accounts; ++i) accounts.push_back({fmt::format("account-{}", i)});
    return accounts;
}

AccountId Clients::some_account() {
    return dice_->one_of(accounts());
}

void Clients::act(Node& node) {
    const auto known = witness_->known();
    if (known.empty() || (!has_created_all() && dice_->happens(0.3))) {
        if (!has_created_all()) node.call(create(node));
        return;
    }
    const BatchId id = dice_->one_of(known);
    if (dice_->happens(habits_.cancels / 8)) return node.call(stop(node, id, false));
    if (dice_->happens(habits_.aborts / 8)) return node.call(stop(node, id, true));
    if (dice_->happens(habits_.removes)) node.call(remove(node, id));
    switch (dice_->between(0, 5)) {
        case 0:
            return node.call(list(node, some_account()));
        case 1:
            return node.call(read(node, id));
        case 2:
            return node.call(read_as_ended(node, id));
        case 3:
            return node.call(look_as(node, id, some_account()));
        default:
            return node.call(look(node, id));
    }
}

void Clients::look_at_all(Node& node) {
    for (const BatchId& id : witness_->known()) {
        node.call(look(node, id));
        node.call(read(node, id));
        node.call(read_as_ended(node, id));
    }
    for (const AccountId& account : accounts()) node.call(list(node, account));
}

core::Batch Clients::new_batch(Node& node, std::uint32_t count) {
    core::Batch batch;
    batch.account = some_account();
    batch.dialect = kDialect;
    batch.model = kModel;
    batch.item_events = habits_.tells_items ? core::ItemEvents::to_webhooks : core::ItemEvents::none;
    batch.created_at = node.clock().now();
    batch.id = make_batch_id(batch.created_at);
    batch.counts.queued = count;
    batch.expires_at = batch.created_at + 24h;
    if (dice_->happens(habits_.is_short)) batch.expires_at = batch.created_at + 1s * dice_->between(1, 6);
    batch.purge_at = batch.created_at + 720h;
    if (dice_->happens(habits_.is_purged_soon)) batch.keep_for = 1s * dice_->between(1, 5);
    if (dice_->happens(habits_.is_archived_soon))
        batch.archive_at = batch.created_at + 1s * dice_->between(2, 8);
    return batch;
}

async::Task<void> Clients::create(Node& node) {
    ++created_;
    const auto count =
        static_cast<std::uint32_t>(dice_->happens(0.7) ? dice_->between(1, std::min(habits_.items_max, 8U))
                                                       : dice_->between(1, habits_.items_max));
    store::BatchDraft draft;
    draft.batch = new_batch(node, count);
    const BatchId asked = draft.batch.id;
    std::vector<std::string> names;
    std::string bytes;
    for (std::uint32_t i = 0; i < count; ++i) {
        // The full stop tells the name from what SQLite leaves of a longer one.
        names.push_back(fmt::format("item-{}-{}.", dice_->between(0, 3), ++last_item_));
        draft.items.push_back(
            {.custom_id = names.back(), .body_offset = bytes.size(), .body_bytes = names.back().size()});
        bytes += names.back();
    }
    std::optional<std::string> key;
    if (dice_->happens(habits_.names_keys)) key = fmt::format("key-{}", dice_->between(0, 2));
    witness_->asks_to_create(draft.batch, names, key);
    if (key) {
        // As the dialects do: what a key has made is answered again; what it is making is a conflict.
        const auto made =
            co_await node.batches().find_idempotent(draft.batch.account, std::string(kScope), *key);
        if (made && *made) {
            if (const auto given = parse_batch_id((*made)->response)) witness_->created(asked, *given);
            co_return;
        }
        if (!made) {
            witness_->refused(asked);
            co_return;
        }
        draft.idempotency = store::IdempotencyRecord{.account = draft.batch.account,
                                                     .scope = std::string(kScope),
                                                     .key = *key,
                                                     .request_hash = "h",
                                                     .status = 200,
                                                     .response = to_string(asked),
                                                     .expires_at = {}};
    }
    auto body = co_await node.batches().new_body();
    if (!body) {
        witness_->refused(asked);
        co_return;
    }
    if (const auto appended = co_await body->append(bytes); !appended) {
        witness_->refused(asked);
        co_return;
    }
    const auto created = co_await node.batches().submit(std::move(draft), std::move(*body));
    if (created)
        witness_->created(asked, created->id);
    else if (is_refusal(created.error()))
        witness_->refused(asked);
}

async::Task<void> Clients::look(Node& node, BatchId id) {
    const Time asked_at = timeline_->now();
    const Timestamp wall = node.clock().now();
    const auto batch = co_await node.batches().find(witness_->account_of(id), id);
    if (batch)
        witness_->saw(*batch, asked_at, wall);
    else if (batch.error().code == ErrorCode::not_found)
        witness_->found_none(id, asked_at, node.clock().now());
    if (batch && batch->results_bytes && !batch->archived_at) co_await read_file(node, *batch);
}

async::Task<void> Clients::look_as(Node& node, BatchId id, AccountId stranger) {
    if (stranger == witness_->account_of(id)) co_return co_await look(node, id);
    const auto batch = co_await node.batches().find(stranger, id);
    if (batch) witness_->saw_another_accounts(stranger, *batch);
}

async::Task<void> Clients::read(Node& node, BatchId id) {
    for (std::uint32_t first = 0;;) {
        const Time asked_at = timeline_->now();
        const auto lines = co_await node.batches().read_lines(id, first);
        if (!lines || lines->empty()) co_return;
        witness_->saw_lines(id, *lines, asked_at, node.clock().now());
        first = lines->back().item.id.ordinal + 1;
    }
}

async::Task<void> Clients::read_as_ended(Node& node, BatchId id) {
    for (std::uint32_t place = 0;;) {
        const Time asked_at = timeline_->now();
        const auto ended = co_await node.batches().read_ended(id, place);
        if (!ended || ended->items.empty()) co_return;
        witness_->saw_ended(id, place, ended->items, asked_at, node.clock().now());
        place += static_cast<std::uint32_t>(ended->items.size());
    }
}

async::Task<void> Clients::read_file(Node& node, core::Batch batch) {
    const auto file = co_await node.batches().open_results(batch);
    if (!file || !*file) co_return;
    std::string bytes((*file)->bytes, '\0');
    const ssize_t got = ::pread((*file)->file->fd(), bytes.data(), bytes.size(), 0);
    bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    witness_->saw_file(batch.id, bytes);
}

async::Task<void> Clients::list(Node& node, AccountId account) {
    const Time asked_at = timeline_->now();
    std::vector<core::Batch> rows;
    std::optional<BatchId> last;
    while (true) {
        const auto page = co_await node.batches().list_beside(
            {.account = account, .dialect = {}, .older_than = last, .newer_than = std::nullopt, .count = 2});
        if (!page || page->cursor_unknown) co_return;
        rows.insert(rows.end(), page->rows.begin(), page->rows.end());
        if (!page->has_more || page->rows.empty()) break;
        last = page->rows.back().id;
    }
    witness_->saw_list(account, rows, asked_at, node.clock().now());
}

async::Task<void> Clients::stop(Node& node, BatchId id, bool aborts) {
    const AccountId account = witness_->account_of(id);
    const auto stopped =
        aborts ? co_await node.batches().abort(account, id) : co_await node.batches().cancel(account, id);
    if (stopped) witness_->cancel_acknowledged(*stopped);
}

async::Task<void> Clients::remove(Node& node, BatchId id) {
    if (!witness_->is_over(id)) co_return;
    witness_->asks_to_remove(id);
    if (co_await node.batches().remove(witness_->account_of(id), id)) witness_->removed(id);
}

}  // namespace sheaf::sim
