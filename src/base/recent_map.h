#pragma once

#include <cstddef>
#include <deque>
#include <unordered_map>
#include <utility>

namespace sheaf {

// A map that holds no more than `size_max` keys: the one that came first goes for the one too many.
template <class Key, class Value>
class RecentMap {
public:
    explicit RecentMap(std::size_t size_max) : size_max_(size_max) {}

    // nullptr: there is none. Valid until the next insertion.
    Value* find(const Key& key) {
        const auto found = values_.find(key);
        return found == values_.end() ? nullptr : &found->second;
    }
    const Value* find(const Key& key) const {
        const auto found = values_.find(key);
        return found == values_.end() ? nullptr : &found->second;
    }
    // A key that is there stays as old as it is.
    void set(const Key& key, Value value) {
        if (!values_.insert_or_assign(key, std::move(value)).second) return;
        order_.push_back(key);
        if (order_.size() <= size_max_) return;
        values_.erase(order_.front());
        order_.pop_front();
    }

private:
    std::size_t size_max_;
    std::unordered_map<Key, Value> values_;
    std::deque<Key> order_;  // by when each came
};

}  // namespace sheaf
