#include "scheduler/layout.h"

namespace sheaf::scheduler {

store::Batches::Layout layout_of(const core::ItemCodec& codec, Timestamp now) {
    store::Batches::Layout layout;
    layout.order = codec.results_order();
    layout.render = [&codec](const core::Batch& of, const core::ItemHead& item) {
        const bool expired = item.state == core::ItemState::expired;
        return codec.line(of, item, expired ? core::Ending(core::Expired{}) : core::Ending(core::Canceled{}));
    };
    if (layout.order == core::ItemCodec::Order::succeeded_first) {
        layout.files = [&codec, now](const core::Batch& of, std::uint64_t succeeded_bytes,
                                     std::uint64_t total_bytes) {
            return codec.result_files(of, succeeded_bytes, total_bytes, now);
        };
    }
    return layout;
}

}  // namespace sheaf::scheduler
