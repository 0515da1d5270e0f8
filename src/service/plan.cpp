#include "service/plan.h"

namespace sheaf::service {

std::vector<core::Planned> plan_of(const store::BatchDraft& draft, std::string_view body,
                                   const core::ItemCodec& codec) {
    if (draft.items.size() < 2) return {};
    std::vector<core::Forecast> forecasts;
    forecasts.reserve(draft.items.size());
    for (const store::ItemDraft& item : draft.items) {
        if (item.body_offset > body.size()) return {};
        forecasts.push_back(
            codec.forecast(draft.batch, item.subject, body.substr(item.body_offset, item.body_bytes)));
    }
    return core::plan_order(forecasts);
}

}  // namespace sheaf::service
