#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <set>

#include "base/descriptor.h"
#include "base/id.h"
#include "base/result.h"

namespace sheaf::store::postgres {

// Results files that were laid out on this machine, those used last, so that ranges of one file are not laid
// out for each read. Threads: any.
class ResultsCache {
public:
    // The batch's file, made by `make` if it is not here. One thread makes it, others wait for it.
    Result<SharedDescriptor> get(const BatchId& id, std::uint64_t bytes,
                                 const std::function<Result<SharedDescriptor>()>& make);
    void drop(const BatchId& id);
    void clear();

private:
    static constexpr std::size_t kFilesMax = 64;
    static constexpr std::uint64_t kBytesMax = std::uint64_t{2} << 30;

    struct Entry {
        BatchId id;
        std::uint64_t bytes = 0;
        SharedDescriptor file;
    };
    SharedDescriptor find(const BatchId& id);
    void keep(Entry entry);

    std::mutex mutex_;
    std::condition_variable made_;
    std::set<BatchId> being_made_;
    std::uint64_t drops_ = 0;
    std::list<Entry> files_;  // used last first
    std::uint64_t bytes_ = 0;
};

}  // namespace sheaf::store::postgres
