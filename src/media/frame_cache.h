#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>

#include <boost/asio/thread_pool.hpp>

#include "media/flight.h"
#include "media/video.h"

namespace sheaf::media {

// Decoded frames by (file, request), up to a number of bytes; what was not asked for the longest goes first.
//
// Many may ask for the same at once, from any executors: it is decoded once. When all of them are canceled,
// the decoder is told to stop; one of them alone disturbs nobody. Errors are not kept, nor sets larger than
// the cache. Must outlive its askers; `pool` must be joined before the cache goes.
class FrameCache {
public:
    using Set = std::shared_ptr<const FrameSet>;
    // Blocks, on a thread of the pool. Ends early, with any error, when the token says so.
    using Decode = std::function<Result<FrameSet>(std::stop_token)>;

    FrameCache(std::uint64_t bytes_max, boost::asio::thread_pool& pool)
        : bytes_max_(bytes_max), pool_(pool) {}

    async::Task<Result<Set>> get(std::string key, FrameRequest request, Decode decode);

    struct Stats {
        std::uint64_t decodes = 0;  // started
        std::uint64_t hits = 0;     // answered by what was there, or by another's decode
        std::uint64_t bytes = 0;
    };
    Stats stats() const;

    static std::uint64_t bytes_of(const FrameSet& set);

private:
    using Key = std::pair<std::string, FrameRequest>;
    using FrameFlight = Flight<Result<Set>>;
    struct Entry {
        Key key;
        Set set;
        std::uint64_t bytes = 0;
    };

    // What is there, or a seat in the flight that will bring it.
    std::pair<Set, std::optional<FrameFlight::Seat>> find_or_join(const Key& key, Decode& decode);
    void land(const Key& key, const std::shared_ptr<FrameFlight>& flight, Result<FrameSet> decoded);
    void keep(const Key& key, const Set& set);

    const std::uint64_t bytes_max_;
    boost::asio::thread_pool& pool_;
    mutable std::mutex mutex_;
    Stats stats_;
    std::list<Entry> entries_;  // the last asked for first
    std::map<Key, std::list<Entry>::iterator> by_key_;
    std::map<Key, std::shared_ptr<FrameFlight>> flights_;
};

}  // namespace sheaf::media
