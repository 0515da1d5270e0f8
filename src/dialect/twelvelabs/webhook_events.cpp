#include <array>

#include <fmt/format.h>

#include "dialect/twelvelabs/task_json.h"
#include "dialect/twelvelabs/twelvelabs.h"
#include "dialect/twelvelabs/words.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::twelvelabs {
namespace {

using jsonl::Writer;

constexpr std::array<std::string_view, 5> kTypes{"analyze.task.ready", "analyze.task.failed",
                                                 "analyze.batch.completed", "analyze.batch.canceled",
                                                 "analyze.batch.expired"};

// The envelope; `write_data` writes the members of `data`.
template <class WriteData>
core::Event render_event(const core::EventStamp& stamp, std::string type, const WriteData& write_data) {
    const std::string id = "whe_" + to_string(stamp.id);
    Writer json;
    json.open_object().member("id", id).member("created_at", to_rfc3339(stamp.at)).member("type", type);
    json.key("data").open_object();
    write_data(json);
    json.close_object().close_object();
    return {.id = id, .type = std::move(type), .payload = json.take()};
}

class Events final : public core::EventRenderer {
public:
    core::WebhookForm form() const override { return core::WebhookForm::tl_signature; }
    std::span<const std::string_view> types() const override { return kTypes; }

    std::optional<core::Event> batch_ended(const core::EventStamp& stamp,
                                           const core::Batch& batch) const override {
        if (batch.kind == core::BatchKind::task) return std::nullopt;
        const std::string_view status = batch_status(batch.state, batch.end_reason);
        return render_event(stamp, fmt::format("analyze.batch.{}", status), [&](Writer& json) {
            const core::Counts& counts = batch.counts;
            json.member("id", to_string(batch.id)).member("status", status);
            json.member("created_at", to_rfc3339(batch.created_at)).member("total_items", counts.total());
            json.member("ready_items", counts.succeeded).member("failed_items", counts.failed);
            json.member("canceled_items", counts.canceled + counts.expired);
        });
    }

    // Tasks that were canceled or expired are not told.
    std::optional<core::Event> item_ended(const core::EventStamp& stamp,
                                          const core::EndedItem& ended) const override {
        if (!ended.line) return std::nullopt;
        const core::ItemHead& item = ended.item;
        const std::string_view status = item_status(item.state);
        return render_event(stamp, fmt::format("analyze.task.{}", status), [&](Writer& json) {
            json.member("id", to_string(item.id));
            if (item.custom_id)
                json.member("custom_id", *item.custom_id);
            else
                json.member_null("custom_id");
            json.member("status", status).member("created_at", to_rfc3339(ended.batch.created_at));
            if (item.state != core::ItemState::failed) return;
            json.key("error").open_object().member("message", failure_message(*ended.line)).close_object();
        });
    }

    core::Event test(const core::EventStamp& stamp) const override {
        return render_event(stamp, "webhook.test", [](Writer&) {});
    }
};

}  // namespace

std::unique_ptr<core::EventRenderer> make_event_renderer() {
    return std::make_unique<Events>();
}

}  // namespace sheaf::dialect::twelvelabs
