#include "dialect/sail/webhook_events.h"

#include "dialect/sail/codec.h"
#include "dialect/sail/members.h"
#include "dialect/sail/sail.h"
#include "dialect/sail/words.h"

namespace sheaf::dialect::sail {
namespace {

constexpr std::string_view kWebhook = "completion_webhook";

class Events final : public core::EventRenderer {
public:
    core::WebhookForm form() const override { return core::WebhookForm::bearer; }
    std::span<const std::string_view> types() const override { return {}; }
    bool reads_bodies() const override { return true; }
    bool tells_of_unrun() const override { return true; }

    std::optional<core::Event> batch_ended(const core::EventStamp&, const core::Batch&) const override {
        return std::nullopt;
    }

    // The body is the item as its GET shows it: without an envelope, to be told apart by its id.
    std::optional<core::Event> item_ended(const core::EventStamp&,
                                          const core::EndedItem& ended) const override {
        auto target = completion_target(ended.body);
        if (!target) return std::nullopt;
        const auto render =
            ended.batch.kind == core::BatchKind::task ? &render_stored_response : &render_item;
        return core::Event{.id = print_response_id(ended.item.id),
                           .type = "response",
                           .payload = render(ended.batch, ended.item, ended.body, ended.line),
                           .target = std::move(target)};
    }

    core::Event test(const core::EventStamp& stamp) const override {
        return {.id = to_string(stamp.id), .type = "test", .payload = "{}"};
    }
};

}  // namespace

std::optional<core::WebhookTarget> completion_target(std::string_view params) {
    // Most requests name nobody, and are not taken apart to see it.
    if (params.find(kWebhook) == std::string_view::npos) return std::nullopt;
    const auto members = Members::of(params);
    const auto metadata = members ? Members::of(members->find("metadata").value_or("")) : members;
    if (!metadata) return std::nullopt;
    auto url = string_in(metadata->find(kWebhook).value_or(""));
    if (!url || url->empty()) return std::nullopt;
    return core::WebhookTarget{
        .url = std::move(*url),
        .token = Secret(string_in(metadata->find("webhook_token").value_or("")).value_or(""))};
}

std::unique_ptr<core::EventRenderer> make_event_renderer() {
    return std::make_unique<Events>();
}

}  // namespace sheaf::dialect::sail
