#include <algorithm>

#include "store/memory/memory_state.h"

namespace sheaf::store {
namespace {

constexpr std::string_view kRemoved = "The webhook was removed.";

void end(Delivery& delivery, Timestamp at, std::string error) {
    delivery.ended_at = at;
    delivery.delivered = error.empty();
    delivery.last_error = std::move(error);
    delivery.payload.clear();
    delivery.secret = {};
}

Delivery for_lists(Delivery delivery) {
    delivery.payload.clear();
    delivery.secret = {};
    return delivery;
}

class MemoryOutbox final : public Outbox {
public:
    explicit MemoryOutbox(MemoryState& state) : state_(&state) {}

    Result<> insert(const Webhook& webhook) override {
        const std::scoped_lock lock(state_->mutex);
        if (find_webhook(webhook.id) != nullptr)
            return fail(ErrorCode::conflict, "a webhook of this id is there already");
        state_->webhooks.push_back(webhook);
        return {};
    }

    Result<std::vector<Webhook>> webhooks() override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<Webhook> webhooks = state_->webhooks;
        std::ranges::sort(webhooks, {},
                          [](const Webhook& webhook) { return std::tie(webhook.created_at, webhook.id); });
        return webhooks;
    }

    Result<> set_secret(const WebhookId& id, const Secret& secret) override {
        return change(id, [&](Webhook& webhook) { webhook.secret = secret; });
    }
    Result<> set_enabled(const WebhookId& id, bool enabled) override {
        return change(id, [&](Webhook& webhook) { webhook.enabled = enabled; });
    }

    Result<> remove(const WebhookId& id, Timestamp now) override {
        const std::scoped_lock lock(state_->mutex);
        if (find_webhook(id) == nullptr) return fail(ErrorCode::not_found, "there is no such webhook");
        std::erase_if(state_->webhooks, [&](const Webhook& webhook) { return webhook.id == id; });
        for (auto& [number, delivery] : state_->deliveries) {
            if (delivery.webhook == id && !delivery.ended_at) end(delivery, now, std::string(kRemoved));
        }
        return {};
    }

    Result<std::vector<Fact>> facts(std::uint32_t count_max) override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<Fact> facts;
        for (const auto& [number, fact] : state_->facts) {
            if (facts.size() == count_max) break;
            facts.push_back(fact);
        }
        return facts;
    }

    Result<> expand(std::span<const Expansion> expansions) override {
        const std::scoped_lock lock(state_->mutex);
        for (const Expansion& expansion : expansions) {
            for (const Delivery& delivery : expansion.deliveries) add_locked(delivery);
            const auto fact = state_->facts.find(expansion.fact);
            if (fact == state_->facts.end()) continue;
            if (expansion.continue_at)
                fact->second.ordinal = *expansion.continue_at;
            else
                state_->facts.erase(fact);
        }
        return {};
    }

    Result<std::int64_t> add(const Delivery& delivery) override {
        const std::scoped_lock lock(state_->mutex);
        return add_locked(delivery);
    }

    Result<std::vector<DueDelivery>> due(Timestamp now, std::uint32_t per_target_max) override {
        const std::scoped_lock lock(state_->mutex);
        std::map<std::string, std::vector<const Delivery*>> by_target;
        for (const auto& [number, delivery] : state_->deliveries) {
            const Webhook* const webhook = delivery.webhook ? find_webhook(*delivery.webhook) : nullptr;
            const bool may_go = webhook == nullptr || webhook->enabled;
            if (!delivery.ended_at && delivery.next_at <= now && may_go)
                by_target[delivery.target].push_back(&delivery);
        }
        const auto order = [](const Delivery* delivery) {
            return std::tie(delivery->next_at, delivery->number);
        };
        std::vector<std::vector<const Delivery*>> targets;
        for (auto& [target, waiting] : by_target) {
            std::ranges::sort(waiting, {}, order);
            targets.push_back(std::move(waiting));
        }
        std::ranges::sort(targets, {}, [&](const auto& waiting) { return order(waiting.front()); });
        std::vector<DueDelivery> due;
        for (const auto& waiting : targets) {
            for (std::size_t at = 0; at < waiting.size() && at < per_target_max; ++at)
                due.push_back({waiting[at]->number, waiting[at]->target, waiting[at]->account});
        }
        return due;
    }

    Result<Delivery> find(std::int64_t number) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->deliveries.find(number);
        if (found == state_->deliveries.end()) return fail(ErrorCode::not_found, "there is no such delivery");
        Delivery delivery = found->second;
        const Webhook* const webhook = delivery.webhook ? find_webhook(*delivery.webhook) : nullptr;
        if (webhook != nullptr) delivery.secret = webhook->secret;
        return delivery;
    }

    Result<> record(const Attempted& attempted) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->deliveries.find(attempted.delivery);
        if (found == state_->deliveries.end() || found->second.ended_at) return {};
        Delivery& delivery = found->second;
        ++delivery.attempts;
        if (attempted.again_at && !attempted.error.empty()) {
            delivery.next_at = *attempted.again_at;
            delivery.last_error = attempted.error;
        } else {
            end(delivery, attempted.at, attempted.error);
        }
        return {};
    }

    Result<std::vector<Delivery>> list(const DeliveryQuery& query) override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<Delivery> rows;
        for (auto at = state_->deliveries.rbegin(); at != state_->deliveries.rend(); ++at) {
            const Delivery& delivery = at->second;
            const bool wanted = (!query.webhook || delivery.webhook == query.webhook) &&
                                (!query.account || delivery.account == *query.account) &&
                                (!query.undelivered_only || !delivery.delivered);
            if (wanted && rows.size() < query.count) rows.push_back(for_lists(delivery));
        }
        return rows;
    }

    Result<std::vector<std::vector<Delivery>>> about(std::span<const Topic> topics) override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<std::vector<Delivery>> all;
        for (const Topic& topic : topics) {
            std::vector<Delivery>& some = all.emplace_back();
            for (const auto& [number, delivery] : state_->deliveries) {
                if (delivery.batch == topic.batch && delivery.ordinal == topic.ordinal)
                    some.push_back(for_lists(delivery));
            }
        }
        return all;
    }

    Result<std::uint32_t> forget(Timestamp before, std::uint32_t count_max) override {
        const std::scoped_lock lock(state_->mutex);
        std::uint32_t count = 0;
        std::erase_if(state_->deliveries, [&](const auto& entry) {
            const auto& ended_at = entry.second.ended_at;
            return ended_at && *ended_at <= before && count < count_max && ++count > 0;
        });
        return count;
    }

private:
    Webhook* find_webhook(const WebhookId& id) {
        const auto found = std::ranges::find(state_->webhooks, id, &Webhook::id);
        return found == state_->webhooks.end() ? nullptr : &*found;
    }

    template <class Change>
    Result<> change(const WebhookId& id, const Change& apply) {
        const std::scoped_lock lock(state_->mutex);
        Webhook* const webhook = find_webhook(id);
        if (webhook == nullptr) return fail(ErrorCode::not_found, "there is no such webhook");
        apply(*webhook);
        return {};
    }

    std::int64_t add_locked(Delivery delivery) {
        delivery.number = ++state_->last_delivery;
        delivery.attempts = 0;
        const std::int64_t number = delivery.number;
        state_->deliveries.emplace(number, std::move(delivery));
        return number;
    }

    MemoryState* state_;
};

}  // namespace

bool MemoryState::is_told(const core::Batch& batch) const {
    if (batch.item_events == core::ItemEvents::to_own_targets) return true;
    return std::ranges::any_of(webhooks, [&](const Webhook& webhook) {
        return webhook.enabled && webhook.account == batch.account && webhook.dialect == batch.dialect;
    });
}

void MemoryState::note_batch_ended(const core::Batch& batch) {
    if (is_told(batch)) note({0, FactKind::batch_ended, batch.account, batch.id, 0, *batch.ended_at});
}

void MemoryState::note_batch_published(const core::Batch& batch) {
    if (is_told(batch)) note({0, FactKind::batch_published, batch.account, batch.id, 0, *batch.ended_at});
}

void MemoryState::note_item_ended(const core::Batch& batch, std::uint32_t ordinal, Timestamp at) {
    if (batch.item_events != core::ItemEvents::none && is_told(batch))
        note({0, FactKind::item_ended, batch.account, batch.id, ordinal, at});
}

void MemoryState::note(Fact fact) {
    fact.number = ++last_fact;
    facts.emplace(fact.number, std::move(fact));
}

std::unique_ptr<Outbox> make_memory_outbox(MemoryState& state) {
    return std::make_unique<MemoryOutbox>(state);
}

}  // namespace sheaf::store
