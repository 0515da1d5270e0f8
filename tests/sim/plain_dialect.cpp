#include "plain_dialect.h"

#include <fmt/format.h>

namespace sheaf::sim {
namespace {

std::string event_id(const core::EventStamp& stamp) {
    return "evt_" + to_string(stamp.id);
}

}  // namespace

Result<core::Inference> PlainCodec::decode(const core::Batch& batch, std::string_view body) const {
    return core::ModelRequest{.protocol = core::Protocol::chat_completions,
                              .model = batch.model.empty() ? std::string(kModel) : batch.model,
                              .body = std::string(body)};
}

// Names that begin alike have a document in common.
core::Forecast PlainCodec::forecast(const core::Batch&, const core::Subject&, std::string_view body) const {
    core::Forecast forecast;
    forecast.prompt.add(body.substr(0, body.rfind('-')), 4'000);
    forecast.prompt.add(body);
    return forecast;
}

std::string PlainCodec::line(const core::Batch&, const core::ItemHead& item,
                             const core::Ending& ending) const {
    const std::string name = item.custom_id.value_or("-");
    if (const auto* succeeded = std::get_if<core::Succeeded>(&ending))
        return fmt::format("{} ok {}\n", name, succeeded->answer.reply);
    if (std::holds_alternative<core::Failed>(ending)) return name + " failed\n";
    return name + (std::holds_alternative<core::Canceled>(ending) ? " canceled\n" : " expired\n");
}

std::optional<core::Event> PlainRenderer::batch_ended(const core::EventStamp& stamp,
                                                      const core::Batch& batch) const {
    return core::Event{event_id(stamp), "batch.ended", "ended " + to_string(batch.id)};
}

std::optional<core::Event> PlainRenderer::item_ended(const core::EventStamp& stamp,
                                                     const core::EndedItem& ended) const {
    return core::Event{event_id(stamp), "item.ended",
                       fmt::format("item {} {}", to_string(ended.batch.id), ended.item.id.ordinal)};
}

core::Event PlainRenderer::test(const core::EventStamp& stamp) const {
    return {event_id(stamp), "test", "test"};
}

}  // namespace sheaf::sim
