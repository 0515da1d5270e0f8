#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret.h"
#include "core/webhook.h"

namespace sheaf::store {

// Who wants to be told, of what.
struct Webhook {
    WebhookId id;
    AccountId account;
    std::string dialect;  // whose batches it hears of, in whose form
    std::string url;
    Secret secret;                   // signs its deliveries
    std::vector<std::string> types;  // of events; empty for all
    bool enabled = true;             // not: nothing is sent, and nothing new gathers
    Timestamp created_at;
};

enum class FactKind : std::uint8_t {
    item_ended,
    batch_ended,
    batch_published,  // its results are laid out
};

// Something that came true and is still to be told. It was written in the transaction that made it true,
// where somebody wants it told: the account has an enabled webhook for the batch's dialect, or the batch's
// items have targets of their own (core::ItemEvents).
struct Fact {
    std::int64_t number = 0;
    FactKind kind = FactKind::batch_ended;
    AccountId account;
    BatchId batch;
    // Of item_ended: which. Of batch_ended: its items below it need no look any more.
    std::uint32_t ordinal = 0;
    Timestamp at;
};

// One telling of one event to one target, over all its attempts.
struct Delivery {
    std::int64_t number = 0;  // given by the store
    std::string event;        // its id
    std::string type;
    AccountId account;
    core::WebhookForm form = core::WebhookForm::tl_signature;
    std::optional<WebhookId> webhook;  // nullopt: the item named its own target
    std::string target;                // those that share it are sent only a few at a time
    std::string url;
    Secret secret;        // the webhook's as it is now, or the item's token; empty in lists
    std::string payload;  // empty in lists, and once it has ended
    std::optional<BatchId> batch;
    std::optional<std::uint32_t> ordinal;  // of the item that it is about
    Timestamp created_at;
    std::uint32_t attempts = 0;
    std::uint32_t attempts_max = 1;
    Timestamp next_at;                  // of the next attempt
    std::optional<Timestamp> ended_at;  // delivered, or given up
    bool delivered = false;
    std::string last_error;  // for people; empty when delivered
};

// What a fact became: its deliveries, none if nobody wants to hear of it.
struct Expansion {
    std::int64_t fact = 0;
    std::vector<Delivery> deliveries;
    // More is to come, from this ordinal on; nullopt: the fact is told.
    std::optional<std::uint32_t> continue_at = std::nullopt;
};

// How an attempt went: `error` is empty when it was delivered; else it is tried again at `again_at`, or given
// up.
struct Attempted {
    std::int64_t delivery = 0;
    Timestamp at;
    std::string error;
    std::optional<Timestamp> again_at;
};

struct DueDelivery {
    std::int64_t number = 0;
    std::string target;
    AccountId account;
};

struct DeliveryQuery {
    std::optional<WebhookId> webhook;
    std::optional<AccountId> account;
    bool undelivered_only = false;
    std::uint32_t count = 50;
};

// What deliveries are about: a batch as a whole, or one of its items.
struct Topic {
    BatchId batch;
    std::optional<std::uint32_t> ordinal;
};

// What is to be told to webhooks: who they are, what came true, what of it was delivered.
//
// Methods are transactions, block, may be called from any thread, and fail as Batches' do. Those about
// webhooks and add() may be called from another process than the server's, too, and are durable when they
// return; what expand(), record() and forget() did may be undone by a power cut, as a whole: then it is done
// again, and a delivery may be sent twice, under the same id.
//
// Removing a batch removes its facts that were not expanded yet; deliveries stay.
class Outbox {
public:
    virtual ~Outbox() = default;

    virtual Result<> insert(const Webhook& webhook) = 0;  // conflict: the id is taken
    virtual Result<std::vector<Webhook>> webhooks() = 0;  // oldest first
    // not_found: there is no such webhook. Deliveries that wait are signed with the new secret.
    virtual Result<> set_secret(const WebhookId& id, const Secret& secret) = 0;
    virtual Result<> set_enabled(const WebhookId& id, bool enabled) = 0;
    // Its deliveries that wait are given up.
    virtual Result<> remove(const WebhookId& id, Timestamp now) = 0;

    // The oldest.
    virtual Result<std::vector<Fact>> facts(std::uint32_t count_max) = 0;
    // A fact that is gone, because its batch was removed, does not matter.
    virtual Result<> expand(std::span<const Expansion> expansions) = 0;

    // Its number.
    virtual Result<std::int64_t> add(const Delivery& delivery) = 0;
    // What waits and is due, of each target at most `per_target_max`. The targets that have waited longest
    // come first.
    virtual Result<std::vector<DueDelivery>> due(Timestamp now, std::uint32_t per_target_max) = 0;
    virtual Result<Delivery> find(std::int64_t number) = 0;
    // One that has ended, or is gone, is left as it is.
    virtual Result<> record(const Attempted& attempted) = 0;

    // Newest first.
    virtual Result<std::vector<Delivery>> list(const DeliveryQuery& query) = 0;
    // Of each topic, oldest first, in the order asked.
    virtual Result<std::vector<std::vector<Delivery>>> about(std::span<const Topic> topics) = 0;
    // Removes deliveries that ended at `before` or earlier, at most `count_max`; how many it were.
    virtual Result<std::uint32_t> forget(Timestamp before, std::uint32_t count_max) = 0;
};

}  // namespace sheaf::store
