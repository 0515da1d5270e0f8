#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "async/task.h"
#include "core/batch.h"
#include "dialect/sail/errors.h"
#include "service/batches.h"

namespace sheaf::dialect::sail {

// The answers that show the state of every item of a batch, kept as text while nothing changes: clients ask
// for them every few seconds, and one of 100,000 items has 5 MB. Belongs to one executor.
//
// Items only move forward, so equal counts mean that no item moved: the counts say whether a text still
// holds. A power cut may take an item back from running to queued; so what clients kept from an earlier
// process is never taken as still valid.
class StatusMaps {
public:
    // What is kept at most; the one that was not asked for longest goes first.
    struct Room {
        std::size_t maps = 1024;
        std::size_t bytes = std::size_t{64} << 20;
    };
    explicit StatusMaps(service::Batches& batches) : StatusMaps(batches, Room{}) {}
    StatusMaps(service::Batches& batches, Room room);

    // The value of the ETag header for the batch in this state.
    std::string etag_of(const core::Batch& batch) const;

    struct Map {
        std::string etag;
        std::shared_ptr<const std::string> text;
    };
    // The newest; `batch` may be older than that. Lets others run while a large map is written.
    async::Task<Checked<Map>> read(const core::Batch& batch);
    std::size_t bytes_kept() const { return bytes_kept_; }

private:
    struct Kept {
        BatchId id;
        core::Counts counts;
        std::shared_ptr<const std::string> text;
    };
    const Kept* find(const core::Batch& batch);
    void keep(Kept map);
    void drop(std::list<Kept>::iterator map);

    service::Batches* batches_;
    Room room_;
    std::string process_;   // tells this process's ETags from an earlier one's
    std::list<Kept> kept_;  // the one asked for last is first
    std::size_t bytes_kept_ = 0;
};

}  // namespace sheaf::dialect::sail
