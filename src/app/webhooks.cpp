#include "app/webhooks.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/event_renderers.h"
#include "base/clock.h"
#include "fetch/fetch.h"
#include "jsonl/writer.h"
#include "service/accounts.h"
#include "webhook/signature.h"

namespace sheaf::app {
namespace {

constexpr std::chrono::milliseconds kTestPoll{100};
// The server looks once a second, and waits ten for an answer.
constexpr std::chrono::seconds kTestWait{15};

int complain(const Error& error) {
    fmt::print(stderr, "sheaf webhooks: {}\n", error.message);
    return error.code == ErrorCode::invalid ? 2 : error.code == ErrorCode::not_found ? 4 : 3;
}

Error invalid(std::string message) {
    return {ErrorCode::invalid, std::move(message), {}};
}

Error no_webhook(const std::string& id) {
    return {ErrorCode::not_found,
            "There is no webhook with the id \"" + id + "\"; `sheaf webhooks list` shows them.",
            {}};
}

Result<store::Webhook> find_webhook(store::Outbox& outbox, const std::string& id) {
    const auto parsed = WebhookId::parse(id);
    auto webhooks = outbox.webhooks();
    if (!webhooks) return std::unexpected(webhooks.error());
    for (store::Webhook& webhook : *webhooks) {
        if (parsed == webhook.id) return std::move(webhook);
    }
    return std::unexpected(no_webhook(id));
}

// What an account may have webhooks for.
Result<const core::EventRenderer*> find_renderer(const EventRenderers& renderers,
                                                 const std::string& dialect) {
    std::vector<std::string> known;
    for (const auto& [name, renderer] : renderers) {
        if (renderer->types().empty()) continue;
        if (name == dialect) return renderer.get();
        known.push_back(name);
    }
    return std::unexpected(
        invalid(fmt::format("The dialect must be {}, not \"{}\".", fmt::join(known, " or "), dialect)));
}

Result<core::WebhookForm> check(const NewWebhook& wanted) {
    if (!service::is_account_name(wanted.account))
        return std::unexpected(invalid("An account's name has 1 to 64 of the characters A-Z a-z 0-9 _ . -"));
    const EventRenderers renderers = make_event_renderers();
    const auto renderer = find_renderer(renderers, wanted.dialect);
    if (!renderer) return std::unexpected(renderer.error());
    if (const auto url = fetch::check_url(wanted.url); !url) return std::unexpected(url.error());
    const auto types = (*renderer)->types();
    for (const std::string& type : wanted.types) {
        if (std::ranges::find(types, type) == types.end())
            return std::unexpected(invalid(fmt::format("There is no event \"{}\" of {}; there are {}.", type,
                                                       wanted.dialect, fmt::join(types, ", "))));
    }
    return (*renderer)->form();
}

void show_secret(const store::Webhook& webhook, bool json) {
    if (!json) {
        fmt::print("{}\n", webhook.secret.reveal());
        fmt::print(stderr,
                   "This secret signs what the webhook {} is sent. It is shown only now; the receiver checks "
                   "each delivery with it.\n",
                   to_string(webhook.id));
        return;
    }
    jsonl::Writer line;
    line.open_object().member("id", to_string(webhook.id)).member("account", webhook.account.name);
    line.member("dialect", webhook.dialect).member("url", webhook.url);
    line.member("secret", webhook.secret.reveal()).close_object();
    fmt::print("{}\n", line.text());
}

std::string render_webhook(const store::Webhook& webhook) {
    jsonl::Writer line;
    line.open_object().member("id", to_string(webhook.id)).member("account", webhook.account.name);
    line.member("dialect", webhook.dialect).member("url", webhook.url).key("events").open_array();
    for (const std::string& type : webhook.types) line.value(type);
    line.close_array().member("enabled", webhook.enabled);
    return line.member("created_at", to_rfc3339(webhook.created_at)).close_object().take();
}

std::string_view state_of(const store::Delivery& delivery) {
    if (delivery.delivered) return "delivered";
    return delivery.ended_at ? "given up" : "waiting";
}

std::string render_delivery(const store::Delivery& delivery) {
    jsonl::Writer line;
    line.open_object().member("event", delivery.event).member("type", delivery.type);
    line.member("account", delivery.account.name).key("webhook");
    if (delivery.webhook)
        line.value(to_string(*delivery.webhook));
    else
        line.null();
    line.member("url", delivery.url).member("state", state_of(delivery));
    line.member("attempts", delivery.attempts).member("created_at", to_rfc3339(delivery.created_at));
    if (!delivery.ended_at) line.member("next_attempt_at", to_rfc3339(delivery.next_at));
    if (delivery.ended_at) line.member("ended_at", to_rfc3339(*delivery.ended_at));
    if (!delivery.last_error.empty()) line.member("last_error", delivery.last_error);
    return line.close_object().take();
}

// The delivery, once an attempt was made; nullopt when nobody made one in time.
Result<std::optional<store::Delivery>> wait_for_attempt(store::Outbox& outbox, std::int64_t number) {
    const auto until = std::chrono::steady_clock::now() + kTestWait;
    while (std::chrono::steady_clock::now() < until) {
        auto delivery = outbox.find(number);
        if (!delivery) return std::unexpected(delivery.error());
        if (delivery->ended_at) return std::move(*delivery);
        std::this_thread::sleep_for(kTestPoll);
    }
    return std::nullopt;
}

Result<std::optional<store::Delivery>> send_test(store::Outbox& outbox, const std::string& id) {
    const auto webhook = find_webhook(outbox, id);
    if (!webhook) return std::unexpected(webhook.error());
    if (!webhook->enabled)
        return std::unexpected(invalid("The webhook is disabled; `sheaf webhooks enable` enables it."));
    const EventRenderers renderers = make_event_renderers();
    const auto renderer = find_renderer(renderers, webhook->dialect);
    if (!renderer) return std::unexpected(renderer.error());
    const Timestamp now = SystemClock{}.now();
    core::Event event = (*renderer)->test({make_raw_id(now), now});
    const auto number = outbox.add({.event = std::move(event.id),
                                    .type = std::move(event.type),
                                    .account = webhook->account,
                                    .form = (*renderer)->form(),
                                    .webhook = webhook->id,
                                    // Not behind what waits for it.
                                    .target = "test " + to_string(webhook->id),
                                    .url = webhook->url,
                                    .payload = std::move(event.payload),
                                    .created_at = now,
                                    .attempts_max = 1,
                                    .next_at = now});
    if (!number) return std::unexpected(number.error());
    auto delivery = wait_for_attempt(outbox, *number);
    if (!delivery || *delivery) return delivery;
    // Whoever starts a server later does not mean to send it.
    const auto withdrawn = outbox.record(
        {.delivery = *number, .at = SystemClock{}.now(), .error = "No server sent it in time."});
    if (!withdrawn) return std::unexpected(withdrawn.error());
    return std::nullopt;
}

}  // namespace

int add_webhook(const StorePlace& place, const NewWebhook& wanted, bool json) {
    const auto form = check(wanted);
    if (!form) return complain(form.error());
    auto store = open_store_beside_servers(place);
    if (!store) return complain(store.error());
    const Timestamp now = SystemClock{}.now();
    const store::Webhook webhook{.id = WebhookId::make(now),
                                 .account = {wanted.account},
                                 .dialect = wanted.dialect,
                                 .url = wanted.url,
                                 .secret = webhook::make_secret(*form),
                                 .types = wanted.types,
                                 .created_at = now};
    if (const auto added = (*store)->outbox().insert(webhook); !added) return complain(added.error());
    show_secret(webhook, json);
    return 0;
}

int list_webhooks(const StorePlace& place, bool json) {
    auto store = open_store_beside_servers(place);
    if (!store) return complain(store.error());
    const auto webhooks = (*store)->outbox().webhooks();
    if (!webhooks) return complain(webhooks.error());
    if (!json)
        fmt::print("{:<25} {:<16} {:<11} {:<9} {}\n", "ID", "ACCOUNT", "DIALECT", "STATE", "URL, EVENTS");
    for (const store::Webhook& webhook : *webhooks) {
        if (json)
            fmt::print("{}\n", render_webhook(webhook));
        else
            fmt::print("{:<25} {:<16} {:<11} {:<9} {} {}\n", to_string(webhook.id), webhook.account.name,
                       webhook.dialect, webhook.enabled ? "enabled" : "disabled", webhook.url,
                       fmt::join(webhook.types, " "));
    }
    return 0;
}

int rotate_webhook(const StorePlace& place, const std::string& id, bool json) {
    auto store = open_store_beside_servers(place);
    if (!store) return complain(store.error());
    auto webhook = find_webhook((*store)->outbox(), id);
    if (!webhook) return complain(webhook.error());
    const EventRenderers renderers = make_event_renderers();
    const auto renderer = find_renderer(renderers, webhook->dialect);
    if (!renderer) return complain(renderer.error());
    webhook->secret = webhook::make_secret((*renderer)->form());
    const auto set = (*store)->outbox().set_secret(webhook->id, webhook->secret);
    if (!set) return complain(set.error());
    show_secret(*webhook, json);
    return 0;
}

int enable_webhook(const StorePlace& place, const std::string& id, bool enabled) {
    auto store = open_store_beside_servers(place);
    if (!store) return complain(store.error());
    const auto webhook = find_webhook((*store)->outbox(), id);
    if (!webhook) return complain(webhook.error());
    if (const auto set = (*store)->outbox().set_enabled(webhook->id, enabled); !set)
        return complain(set.error());
    fmt::print(stderr, "The webhook {} is {}.\n", id, enabled ? "enabled" : "disabled");
    return 0;
}

int remove_webhook(const StorePlace& place, const std::string& id) {
    auto store = open_store_beside_servers(place);
    if (!store) return complain(store.error());
    const auto webhook = find_webhook((*store)->outbox(), id);
    if (!webhook) return complain(webhook.error());
    const auto removed = (*store)->outbox().remove(webhook->id, SystemClock{}.now());
    if (!removed) return complain(removed.error());
    fmt::print(stderr, "The webhook {} is removed; what waited for it is given up.\n", id);
    return 0;
}

int test_webhook(const StorePlace& place, const std::string& id) {
    auto store = open_store_beside_servers(place);
    if (!store) return complain(store.error());
    const auto delivery = send_test((*store)->outbox(), id);
    if (!delivery) return complain(delivery.error());
    if (!*delivery)
        return complain(
            {ErrorCode::unavailable, "No server sent it in time; does one run on this store?", {}});
    if (!(*delivery)->delivered) {
        fmt::print(stderr, "sheaf webhooks: {}\n", (*delivery)->last_error);
        return 1;
    }
    fmt::print(stderr, "The webhook {} has taken the event {}.\n", id, (*delivery)->event);
    return 0;
}

int list_deliveries(const StorePlace& place, const DeliveryFilter& filter, bool json) {
    auto store = open_store_beside_servers(place);
    if (!store) return complain(store.error());
    store::DeliveryQuery query{.undelivered_only = filter.undelivered_only, .count = filter.count};
    if (!filter.webhook.empty()) {
        const auto webhook = find_webhook((*store)->outbox(), filter.webhook);
        if (!webhook) return complain(webhook.error());
        query.webhook = webhook->id;
    }
    const auto deliveries = (*store)->outbox().list(query);
    if (!deliveries) return complain(deliveries.error());
    if (!json)
        fmt::print("{:<25} {:<24} {:<10} {:>8}  {:<29} {}\n", "CREATED", "TYPE", "STATE", "ATTEMPTS", "EVENT",
                   "URL, LAST ERROR");
    for (const store::Delivery& delivery : *deliveries) {
        if (json)
            fmt::print("{}\n", render_delivery(delivery));
        else
            fmt::print("{:<25} {:<24} {:<10} {:>8}  {:<29} {} {}\n", to_rfc3339(delivery.created_at),
                       delivery.type, state_of(delivery), delivery.attempts, delivery.event, delivery.url,
                       delivery.last_error);
    }
    return 0;
}

}  // namespace sheaf::app
