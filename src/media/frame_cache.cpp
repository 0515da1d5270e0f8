#include "media/frame_cache.h"

#include <boost/asio/post.hpp>

namespace sheaf::media {

std::uint64_t FrameCache::bytes_of(const FrameSet& set) {
    std::uint64_t bytes = sizeof(FrameSet);
    for (const auto& frame : set.frames) bytes += sizeof(Frame) + frame.bytes.capacity();
    return bytes;
}

async::Task<Result<FrameCache::Set>> FrameCache::get(std::string key, FrameRequest request, Decode decode) {
    auto [set, seat] = find_or_join({std::move(key), request}, decode);
    if (set) co_return set;
    auto value = co_await FrameFlight::wait(std::move(*seat));
    if (!value) co_return fail(ErrorCode::canceled, "Nobody waits for the frames any more.");
    co_return std::move(*value);
}

std::pair<FrameCache::Set, std::optional<FrameCache::FrameFlight::Seat>> FrameCache::find_or_join(
    const Key& key, Decode& decode) {
    const std::scoped_lock lock(mutex_);
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
        ++stats_.hits;
        entries_.splice(entries_.begin(), entries_, found->second);
        return {found->second->set, std::nullopt};
    }
    auto& flight = flights_[key];
    if (flight) {
        if (auto seat = flight->join()) {
            ++stats_.hits;
            return {nullptr, std::move(seat)};
        }
    }
    // The first to ask, or the first after all others had gone.
    flight = std::make_shared<FrameFlight>();
    ++stats_.decodes;
    boost::asio::post(pool_, [this, key, flight = flight, decode = std::move(decode)]() noexcept {
        const auto stop = flight->stop_token();
        land(key, flight,
             stop.stop_requested() ? fail(ErrorCode::canceled, "Nobody waits for the frames any more.")
                                   : decode(stop));
    });
    return {nullptr, flight->join()};
}

void FrameCache::land(const Key& key, const std::shared_ptr<FrameFlight>& flight, Result<FrameSet> decoded) {
    Result<Set> value = std::unexpected(Error{});
    if (decoded) {
        value = std::make_shared<const FrameSet>(std::move(*decoded));
    } else {
        value = std::unexpected(std::move(decoded.error()));
    }
    {
        const std::scoped_lock lock(mutex_);
        if (const auto found = flights_.find(key); found != flights_.end() && found->second == flight) {
            flights_.erase(found);
        }
        if (value) keep(key, *value);
    }
    flight->land(std::move(value));
}

void FrameCache::keep(const Key& key, const Set& set) {
    const std::uint64_t bytes = bytes_of(*set);
    if (bytes > bytes_max_ || by_key_.contains(key)) return;
    entries_.push_front({key, set, bytes});
    by_key_[key] = entries_.begin();
    stats_.bytes += bytes;
    while (stats_.bytes > bytes_max_) {
        stats_.bytes -= entries_.back().bytes;
        by_key_.erase(entries_.back().key);
        entries_.pop_back();
    }
}

FrameCache::Stats FrameCache::stats() const {
    const std::scoped_lock lock(mutex_);
    return stats_;
}

}  // namespace sheaf::media
