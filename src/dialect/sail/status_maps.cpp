#include "dialect/sail/status_maps.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/hash.h"
#include "dialect/sail/batch_json.h"
#include "dialect/sail/words.h"

namespace sheaf::dialect::sail {
namespace {

// Others get their turn after so many items were written.
constexpr std::size_t kWrittenAtOnce = 4096;

std::string random_word() {
    std::array<unsigned char, 8> random{};
    fill_random(random.data(), random.size());
    return to_hex(random);
}

core::Counts count(const std::vector<core::ItemHead>& heads) {
    core::Counts counts;
    for (const core::ItemHead& head : heads) ++counts.of(head.state);
    return counts;
}

async::Task<std::string> write_map(const core::Batch& batch, const std::vector<core::ItemHead>& heads) {
    jsonl::Writer json;
    open_batch(json, batch);
    json.key("request_status").open_object();
    std::size_t written = 0;
    for (const core::ItemHead& head : heads) {
        json.key(head.custom_id.value_or("")).open_object().member("status", map_word(head.state));
        json.close_object();
        if (++written % kWrittenAtOnce == 0) co_await async::yield_to_others();
    }
    json.close_object().close_object();
    co_return json.take();
}

}  // namespace

StatusMaps::StatusMaps(service::Batches& batches, Room room)
    : batches_(&batches), room_(room), process_(random_word()) {}

std::string StatusMaps::etag_of(const core::Batch& batch) const {
    const core::Counts& counts = batch.counts;
    return fmt::format("\"{}-{}-{}.{}.{}.{}.{}.{}\"", process_, to_string(batch.id), counts.queued,
                       counts.running, counts.succeeded, counts.failed, counts.canceled, counts.expired);
}

async::Task<Checked<StatusMaps::Map>> StatusMaps::read(const core::Batch& batch) {
    if (const Kept* const kept = find(batch)) co_return Map{etag_of(batch), kept->text};
    // In one call, for one state of all items: pages of different states would add up to none.
    const std::uint32_t total = batch.counts.total();
    const auto heads = co_await batches_->read_heads(batch.id, 0, total);
    if (!heads) co_return refuse(heads.error());
    if (heads->size() != total) co_return refuse_unknown();
    core::Batch read = batch;
    read.counts = count(*heads);
    auto text = std::make_shared<const std::string>(co_await write_map(read, *heads));
    keep({read.id, read.counts, text});
    co_return Map{etag_of(read), std::move(text)};
}

const StatusMaps::Kept* StatusMaps::find(const core::Batch& batch) {
    const auto found = std::ranges::find(kept_, batch.id, &Kept::id);
    if (found == kept_.end() || found->counts != batch.counts) return nullptr;
    kept_.splice(kept_.begin(), kept_, found);
    return &kept_.front();
}

void StatusMaps::keep(Kept map) {
    if (const auto older = std::ranges::find(kept_, map.id, &Kept::id); older != kept_.end()) drop(older);
    if (map.text->size() > room_.bytes) return;
    bytes_kept_ += map.text->size();
    kept_.push_front(std::move(map));
    while (bytes_kept_ > room_.bytes || kept_.size() > room_.maps) drop(std::prev(kept_.end()));
}

void StatusMaps::drop(std::list<Kept>::iterator map) {
    bytes_kept_ -= map->text->size();
    kept_.erase(map);
}

}  // namespace sheaf::dialect::sail
