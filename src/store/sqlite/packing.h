#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "store/stored_id.h"

namespace sheaf::store {

// Numbers and texts, one after the other, in as few bytes as they need: seven bits a byte, the lowest first.
class Packer {
public:
    void number(std::uint64_t value) {
        while (value >= 0x80) {
            bytes_ += static_cast<char>(value | 0x80);
            value >>= 7;
        }
        bytes_ += static_cast<char>(value);
    }
    // Small ones of either sign are short.
    void difference(std::int64_t value) {
        number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
    }
    template <class T>
        requires std::is_enum_v<T>
    void choice(T value) {
        number(static_cast<std::uint64_t>(value));
    }
    void text(std::string_view value) {
        number(value.size());
        bytes_ += value;
    }
    void time(Timestamp value) { difference(value.time_since_epoch().count()); }
    void time_or_none(const std::optional<Timestamp>& value) {
        number(value ? 1 : 0);
        if (value) time(*value);
    }
    void id(const BatchId& value) {
        const StoredId stored = stored_id(value);
        bytes_.append(stored.data(), stored.size());
    }
    void sum(std::uint32_t value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
    void append(std::string_view packed) { bytes_ += packed; }

    const std::string& bytes() const { return bytes_; }
    std::string take() { return std::move(bytes_); }

private:
    std::string bytes_;
};

// Reads what a Packer wrote, in the same order. What is read past the end is empty, and failed() says so.
class Unpacker {
public:
    explicit Unpacker(std::string_view bytes) : left_(bytes) {}

    std::uint64_t number() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (left_.empty()) break;
            const auto byte = static_cast<unsigned char>(left_.front());
            left_.remove_prefix(1);
            value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
            if (byte < 0x80) return value;
        }
        failed_ = true;
        return 0;
    }
    std::int64_t difference() {
        const std::uint64_t value = number();
        return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
    }
    // One of the values up to `last`.
    template <class T>
        requires std::is_enum_v<T>
    T choice(T last) {
        const std::uint64_t value = number();
        if (value <= static_cast<std::uint64_t>(last)) return static_cast<T>(value);
        failed_ = true;
        return last;
    }
    std::string text() { return text_of(number()); }
    std::string text_of(std::uint64_t size) { return std::string(cut(size)); }
    Timestamp time() { return Timestamp{std::chrono::milliseconds{difference()}}; }
    std::optional<Timestamp> time_or_none() {
        if (number() == 0) return std::nullopt;
        return time();
    }
    BatchId id() {
        const std::string_view bytes = cut(std::tuple_size_v<StoredId>);
        return failed_ ? BatchId{} : batch_id(bytes);
    }
    std::uint32_t sum() {
        std::uint32_t value = 0;
        const std::string_view bytes = cut(sizeof value);
        if (!failed_) std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }
    bool failed() const { return failed_; }
    bool at_end() const { return left_.empty(); }

private:
    std::string_view cut(std::uint64_t count) {
        if (count > left_.size()) {
            failed_ = true;
            left_ = {};
            return {};
        }
        const std::string_view part = left_.substr(0, count);
        left_.remove_prefix(count);
        return part;
    }
    std::string_view left_;
    bool failed_ = false;
};

}  // namespace sheaf::store
