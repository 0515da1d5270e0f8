#include "webhook/expander.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/log.h"
#include "fetch/fetch.h"

namespace sheaf::webhook {
namespace {

constexpr std::uint32_t kFactsAtOnce = 64;
constexpr std::uint32_t kItemsAtOnce = 256;
// Of payloads in one transaction; the fact that passes it is the last of its round.
constexpr std::size_t kPayloadBytesAtOnce = std::size_t{8} << 20;

// The batch or what belongs to it cannot be read, now and later.
bool is_lost(const Error& error) {
    return error.code == ErrorCode::not_found || error.code == ErrorCode::corrupt;
}

bool is_unrun(core::ItemState state) {
    return state == core::ItemState::canceled || state == core::ItemState::expired;
}

// The same whenever the same is told: a power cut may undo an expansion whose deliveries were sent already
// (store/outbox.h).
core::EventStamp stamp_of(const BatchId& batch, std::string_view what, Timestamp at) {
    const Sha256 hash = sha256(fmt::format("{} {}", to_string(batch), what));
    RawId id{.seconds = static_cast<std::uint32_t>(
                 std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count())};
    std::memcpy(&id.random, hash.data(), sizeof id.random);
    id.random >>= 20;  // 44 bits
    return {id, at};
}

bool wants(const store::Webhook& webhook, const core::Batch& batch, const std::string& type) {
    return webhook.enabled && webhook.account == batch.account && webhook.dialect == batch.dialect &&
           (webhook.types.empty() || std::ranges::find(webhook.types, type) != webhook.types.end());
}

}  // namespace

class Expander::Round {
public:
    Round(Expander& expander, std::vector<store::Webhook> webhooks, Timestamp now)
        : expander_(&expander), webhooks_(std::move(webhooks)), now_(now) {}

    Result<store::Expansion> expand(const store::Fact& fact) {
        const auto batch = expander_->batches_->find(fact.account, fact.batch);
        if (!batch) return std::unexpected(batch.error());
        const auto renderer = expander_->renderers_.find(batch->dialect);
        if (renderer == expander_->renderers_.end()) return store::Expansion{.fact = fact.number};
        switch (fact.kind) {
            case store::FactKind::item_ended:
                return expand_item(fact, *batch, *renderer->second);
            case store::FactKind::batch_ended:
                return expand_batch(fact, *batch, *renderer->second);
            case store::FactKind::batch_published:
                return expand_publication(fact, *batch, *renderer->second);
        }
        return fail(ErrorCode::internal, "a fact of no known kind");
    }
    std::size_t payload_bytes() const { return payload_bytes_; }

private:
    Result<store::Expansion> expand_batch(const store::Fact& fact, const core::Batch& batch,
                                          const core::EventRenderer& renderer) {
        store::Expansion expansion{.fact = fact.number};
        const bool has_unrun = batch.counts.canceled + batch.counts.expired > 0;
        if (has_unrun && batch.item_events != core::ItemEvents::none && renderer.tells_of_unrun()) {
            const auto heads = expander_->batches_->read_heads(batch.id, fact.ordinal, kItemsAtOnce);
            if (!heads) return std::unexpected(heads.error());
            for (const core::ItemHead& head : *heads) {
                if (!is_unrun(head.state)) continue;
                const auto told =
                    tell_of_item(batch, renderer, {head, std::nullopt}, fact.at, expansion.deliveries);
                if (!told) return std::unexpected(told.error());
            }
            if (!heads->empty()) {
                expansion.continue_at = heads->back().id.ordinal + 1;
                return expansion;
            }
        }
        if (auto event = renderer.batch_ended(stamp_of(batch.id, "ended", fact.at), batch))
            address(std::move(*event), renderer, batch, std::nullopt, expansion.deliveries);
        return expansion;
    }

    Result<store::Expansion> expand_publication(const store::Fact& fact, const core::Batch& batch,
                                                const core::EventRenderer& renderer) {
        store::Expansion expansion{.fact = fact.number};
        if (auto event = renderer.batch_published(stamp_of(batch.id, "published", fact.at), batch))
            address(std::move(*event), renderer, batch, std::nullopt, expansion.deliveries);
        return expansion;
    }

    Result<store::Expansion> expand_item(const store::Fact& fact, const core::Batch& batch,
                                         const core::EventRenderer& renderer) {
        store::Expansion expansion{.fact = fact.number};
        const auto items = expander_->batches_->read_lines(batch.id, fact.ordinal, 1, 0);
        if (!items) return std::unexpected(items.error());
        if (items->empty()) return expansion;
        const auto told = tell_of_item(batch, renderer, items->front(), fact.at, expansion.deliveries);
        if (!told) return std::unexpected(told.error());
        return expansion;
    }

    Result<> tell_of_item(const core::Batch& batch, const core::EventRenderer& renderer,
                          const store::ItemLine& item, Timestamp at, std::vector<store::Delivery>& into) {
        std::string body;
        if (renderer.reads_bodies()) {
            auto read = expander_->batches_->read_item_body(item.item.id);
            if (!read && !is_lost(read.error())) return std::unexpected(read.error());
            if (!read) return {};
            body = std::move(*read);
        }
        const std::string what = fmt::format("item {}", item.item.id.ordinal);
        auto event = renderer.item_ended(stamp_of(batch.id, what, at), {batch, item.item, body, item.line});
        if (event) address(std::move(*event), renderer, batch, item.item.id.ordinal, into);
        return {};
    }

    void address(core::Event event, const core::EventRenderer& renderer, const core::Batch& batch,
                 std::optional<std::uint32_t> ordinal, std::vector<store::Delivery>& into) {
        store::Delivery delivery{.event = std::move(event.id),
                                 .type = std::move(event.type),
                                 .account = batch.account,
                                 .form = renderer.form(),
                                 .payload = std::move(event.payload),
                                 .batch = batch.id,
                                 .ordinal = ordinal,
                                 .created_at = now_,
                                 .next_at = now_};
        const auto send_to = [&](std::string target, std::string url, std::uint32_t attempts_max) {
            store::Delivery& copy = into.emplace_back(delivery);
            copy.target = std::move(target);
            copy.url = std::move(url);
            copy.attempts_max = attempts_max;
            payload_bytes_ += copy.payload.size();
        };
        if (event.target) {
            const auto origin = fetch::origin_of(event.target->url);
            if (!origin) return;
            delivery.secret = std::move(event.target->token);
            send_to(batch.account.name + ' ' + *origin, std::move(event.target->url),
                    expander_->attempts_.own_target);
            return;
        }
        for (const store::Webhook& webhook : webhooks_) {
            if (!wants(webhook, batch, delivery.type)) continue;
            delivery.webhook = webhook.id;
            send_to(to_string(webhook.id), webhook.url, expander_->attempts_.webhook);
        }
    }

    Expander* expander_;
    std::vector<store::Webhook> webhooks_;
    Timestamp now_;
    std::size_t payload_bytes_ = 0;
};

Result<bool> Expander::expand_some(Timestamp now) {
    const auto facts = outbox_->facts(kFactsAtOnce);
    if (!facts) return std::unexpected(facts.error());
    if (facts->empty()) return false;
    auto webhooks = outbox_->webhooks();
    if (!webhooks) return std::unexpected(webhooks.error());
    Round round(*this, std::move(*webhooks), now);
    std::vector<store::Expansion> expansions;
    for (const store::Fact& fact : *facts) {
        if (round.payload_bytes() >= kPayloadBytesAtOnce) break;
        auto expansion = round.expand(fact);
        if (!expansion) {
            if (!is_lost(expansion.error())) return std::unexpected(expansion.error());
            log::warning("an end is not told: it cannot be read any more",
                         {{"batch", to_string(fact.batch)}, {"why", expansion.error().message}});
            expansion = store::Expansion{.fact = fact.number};
        }
        expansions.push_back(std::move(*expansion));
    }
    if (const auto done = outbox_->expand(expansions); !done) return std::unexpected(done.error());
    return true;
}

}  // namespace sheaf::webhook
