#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/id.h"
#include "core/batch_state.h"

namespace sheaf::core {

// What an item is about, in a form that can be searched: "asset:<id>" or "url:<text>", or empty.
struct Subject {
    std::string text;
    static Subject asset(const AssetId& id) { return {"asset:" + to_string(id)}; }
    static Subject url(const std::string& url) { return {"url:" + url}; }
    bool operator==(const Subject&) const = default;
};

// Tokens, as the backend counted them, or our estimate where it counts none.
struct Usage {
    std::uint64_t input_tokens = 0;  // all of them, cached ones too
    std::uint64_t output_tokens = 0;
    std::uint64_t cached_tokens = 0;     // of the input: read from a cache
    std::uint64_t reasoning_tokens = 0;  // of the output: thought and not said
    bool operator==(const Usage&) const = default;
    Usage& operator+=(const Usage& other) {
        input_tokens += other.input_tokens;
        output_tokens += other.output_tokens;
        cached_tokens += other.cached_tokens;
        reasoning_tokens += other.reasoning_tokens;
        return *this;
    }
};

// An item without its body and without its result.
struct ItemHead {
    ItemId id;
    std::optional<std::string> custom_id;
    Subject subject;
    ItemState state = ItemState::queued;
    std::optional<Timestamp> finished_at;  // set when the state is terminal
};

// The right to run one item until `expires_at`. A result is written only under the newest epoch.
struct Lease {
    ItemHead item;
    std::uint32_t epoch = 0;
    std::uint32_t attempt = 1;  // 1 on the first lease; counts leases that a crash lost, too
    Timestamp expires_at;
    std::string body;          // the item's bytes as the client sent them
    std::uint64_t prefix = 0;  // as in Planned; 0, too, once a lease of the item was lost
};

}  // namespace sheaf::core
