#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "base/secret.h"
#include "core/batch.h"
#include "core/item.h"

// What webhooks are told, and by whose rules.
namespace sheaf::core {

// How a delivery shows that it is ours. Stored as a number: never renumber.
enum class WebhookForm : std::uint8_t {
    tl_signature = 0,  // TwelveLabs: "TL-Signature: t=<seconds>,v1=<hex of HMAC-SHA256>"
    standard = 1,      // Standard Webhooks, as OpenAI: webhook-id, webhook-timestamp, webhook-signature
    bearer = 2,        // Sail: "Authorization: Bearer <token>"
};

// Whom an item wants told of its end, by its own request.
struct WebhookTarget {
    std::string url;
    Secret token;  // may be empty
};

// Something to tell. All attempts, and all webhooks that are told of it, see the same id.
struct Event {
    std::string id;
    std::string type;
    std::string payload;                                 // JSON: the body of the delivery
    std::optional<WebhookTarget> target = std::nullopt;  // nullopt: the account's webhooks
};

// What an event's id is made of, and when what it tells came true.
struct EventStamp {
    RawId id;
    Timestamp at;
};

// An item that has ended.
struct EndedItem {
    const Batch& batch;
    const ItemHead& item;
    std::string_view body;                 // as the client sent it; empty unless reads_bodies()
    std::optional<std::string_view> line;  // in the results; nullopt: it was canceled or expired
};

// What one dialect tells webhooks. Threads: any; stateless.
class EventRenderer {
public:
    virtual ~EventRenderer() = default;
    virtual WebhookForm form() const = 0;
    // Every type of event there is, for those who choose.
    virtual std::span<const std::string_view> types() const = 0;
    // Nullopt: this is not told.
    virtual std::optional<Event> batch_ended(const EventStamp& stamp, const Batch& batch) const = 0;
    // Its results are laid out; not of one that was rejected, which has none.
    virtual std::optional<Event> batch_published(const EventStamp& stamp, const Batch& batch) const {
        (void)stamp, (void)batch;
        return std::nullopt;
    }
    virtual std::optional<Event> item_ended(const EventStamp& stamp, const EndedItem& ended) const = 0;
    // To try a webhook.
    virtual Event test(const EventStamp& stamp) const = 0;

    virtual bool reads_bodies() const { return false; }
    // Whether item_ended() tells of items that never ran to an end: canceled and expired ones.
    virtual bool tells_of_unrun() const { return false; }
};

}  // namespace sheaf::core
