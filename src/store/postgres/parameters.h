#pragma once

#include <concepts>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace sheaf::store::postgres {

// A string of a column of type text: only names that we chose or checked. Whatever a client may write is
// bytea, which takes zero bytes and knows no encoding.
struct Text {
    std::string_view view;
};

// Appends numbers as PostgreSQL sends them, most significant byte first.
template <std::integral T>
void append_number(std::string& bytes, T value) {
    for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8)
        bytes.push_back(static_cast<char>(static_cast<std::make_unsigned_t<T>>(value) >> shift));
}

// The values of a statement's parameters, in PostgreSQL's binary formats. Views are not copied: what they
// show must live until the statement is sent.
//
// Integers, enums and times are int8, flags are bool, strings are bytea, spans are arrays.
class Parameters {
public:
    template <class... Args>
    explicit Parameters(const Args&... args) {
        (add(args), ...);
    }

    int count() const { return static_cast<int>(types_.size()); }
    const unsigned int* types() const { return types_.data(); }
    const char* const* values() const { return values_.data(); }
    const int* lengths() const { return lengths_.data(); }
    const int* formats() const { return formats_.data(); }

private:
    static constexpr unsigned int kBool = 16;
    static constexpr unsigned int kBytea = 17;
    static constexpr unsigned int kInt8 = 20;
    static constexpr unsigned int kText = 25;
    static constexpr unsigned int kFloat8 = 701;
    static constexpr unsigned int kByteaArray = 1001;
    static constexpr unsigned int kInt8Array = 1016;

    template <class T>
        requires(std::integral<T> && !std::same_as<T, bool>)
    void add(T value) {
        std::string bytes;
        append_number(bytes, static_cast<std::int64_t>(value));
        keep(kInt8, std::move(bytes));
    }
    template <class T>
        requires std::is_enum_v<T>
    void add(T value) {
        add(static_cast<std::int64_t>(value));
    }
    void add(bool value) { keep(kBool, std::string(1, value ? '\1' : '\0')); }
    void add(double value);
    void add(Timestamp value) { add(static_cast<std::int64_t>(value.time_since_epoch().count())); }
    void add(std::string_view value) { refer(kBytea, value); }
    void add(const std::string& value) { refer(kBytea, value); }
    void add(Text value) { refer(kText, value.view); }
    void add(std::span<const std::int64_t> values);
    void add(const std::vector<std::int64_t>& values) { add(std::span<const std::int64_t>(values)); }
    void add(std::span<const std::string_view> values);
    void add(const std::vector<std::string_view>& values) { add(std::span<const std::string_view>(values)); }
    void add(const std::vector<std::string>& values) {
        add(std::vector<std::string_view>(values.begin(), values.end()));
    }
    template <class T>
    void add(const std::optional<T>& value) {
        if (value) return add(*value);
        add(T{});
        values_.back() = nullptr;
    }

    void keep(unsigned int type, std::string bytes) { refer(type, kept_.emplace_back(std::move(bytes))); }
    void refer(unsigned int type, std::string_view bytes);

    std::deque<std::string> kept_;
    std::vector<unsigned int> types_;
    std::vector<const char*> values_;
    std::vector<int> lengths_;
    std::vector<int> formats_;
};

// Rows for COPY ... WITH (FORMAT binary).
class CopyRows {
public:
    explicit CopyRows(std::int16_t columns);
    void begin_row() { append_number(bytes_, columns_); }
    template <std::integral T>
    void number(T value) {  // of exactly the column's width
        append_number(bytes_, static_cast<std::int32_t>(sizeof value));
        append_number(bytes_, value);
    }
    void bytes(std::string_view value) {
        append_number(bytes_, static_cast<std::int32_t>(value.size()));
        bytes_ += value;
    }
    void null() { append_number(bytes_, std::int32_t{-1}); }
    void end() { append_number(bytes_, std::int16_t{-1}); }

    // What was added since the last take().
    std::size_t size() const { return bytes_.size(); }
    std::string take() { return std::exchange(bytes_, {}); }

private:
    std::int16_t columns_;
    std::string bytes_;
};

}  // namespace sheaf::store::postgres
