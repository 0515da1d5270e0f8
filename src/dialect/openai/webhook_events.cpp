#include <array>

#include <fmt/format.h>

#include "dialect/openai/batch_object.h"
#include "dialect/openai/ids.h"
#include "dialect/openai/openai.h"
#include "dialect/openai/paging.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::openai {
namespace {

constexpr std::array<std::string_view, 4> kTypes{"batch.completed", "batch.failed", "batch.expired",
                                                 "batch.cancelled"};

core::Event render_event(const core::EventStamp& stamp, std::string type, std::string_view about) {
    const std::string id = "evt_" + to_string(stamp.id);
    jsonl::Writer json;
    json.open_object().member("id", id).member("object", "event");
    json.member("created_at", unix_seconds(stamp.at)).member("type", type);
    json.key("data").open_object().member("id", about).close_object().close_object();
    return {.id = id, .type = std::move(type), .payload = json.take()};
}

core::Event render_event(const core::EventStamp& stamp, const core::Batch& batch) {
    return render_event(stamp, fmt::format("batch.{}", to_word(status_of(batch))), render_id(batch.id));
}

class Events final : public core::EventRenderer {
public:
    core::WebhookForm form() const override { return core::WebhookForm::standard; }
    std::span<const std::string_view> types() const override { return kTypes; }

    // Until its results are laid out, a batch that was not rejected has not ended for its client.
    std::optional<core::Event> batch_ended(const core::EventStamp& stamp,
                                           const core::Batch& batch) const override {
        if (batch.end_reason != core::EndReason::rejected) return std::nullopt;
        return render_event(stamp, batch);
    }
    std::optional<core::Event> batch_published(const core::EventStamp& stamp,
                                               const core::Batch& batch) const override {
        return render_event(stamp, batch);
    }
    std::optional<core::Event> item_ended(const core::EventStamp&, const core::EndedItem&) const override {
        return std::nullopt;
    }
    core::Event test(const core::EventStamp& stamp) const override {
        return render_event(stamp, "webhook.test", "");
    }
};

}  // namespace

std::unique_ptr<core::EventRenderer> make_event_renderer() {
    return std::make_unique<Events>();
}

}  // namespace sheaf::dialect::openai
