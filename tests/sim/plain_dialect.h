#pragma once

#include <array>

#include "core/item_codec.h"
#include "core/webhook.h"

// The dialect of the simulation: as little as makes batches, lines and events of words.
namespace sheaf::sim {

inline constexpr std::string_view kDialect = "plain";
inline constexpr std::string_view kModel = "m";

// An item's body is its name. Its line: "NAME ok ATTEMPT", "NAME failed", "NAME canceled" or "NAME expired".
class PlainCodec final : public core::ItemCodec {
public:
    Result<core::Inference> decode(const core::Batch& batch, std::string_view body) const override;
    core::Forecast forecast(const core::Batch& batch, const core::Subject& subject,
                            std::string_view body) const override;
    std::string line(const core::Batch& batch, const core::ItemHead& item,
                     const core::Ending& ending) const override;
};

// Tells "ended BATCH" and "item BATCH ORDINAL".
class PlainRenderer final : public core::EventRenderer {
public:
    core::WebhookForm form() const override { return core::WebhookForm::standard; }
    std::span<const std::string_view> types() const override { return kTypes; }
    std::optional<core::Event> batch_ended(const core::EventStamp& stamp,
                                           const core::Batch& batch) const override;
    std::optional<core::Event> item_ended(const core::EventStamp& stamp,
                                          const core::EndedItem& ended) const override;
    core::Event test(const core::EventStamp& stamp) const override;

private:
    static constexpr std::array<std::string_view, 2> kTypes{"batch.ended", "item.ended"};
};

}  // namespace sheaf::sim
