#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sheaf::jsonl {

// Whether characters beyond ASCII are written as they are or as \uXXXX. Lines that are streamed are ascii:
// some clients decode each network chunk by itself, or split lines at U+2028 (docs/api/twelvelabs.md,
// "Framing").
enum class Charset : std::uint8_t { utf8, ascii };

// Appends `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
void append_string(std::string& out, std::string_view text, Charset charset);

// Writes one JSON document without blanks. Commas and quotes are its business, balance is the caller's.
//
//   Writer json;
//   json.open_object().member("status", "ready").member("count", 3).close_object();
class Writer {
public:
    explicit Writer(Charset charset = Charset::utf8) : charset_(charset) {}

    Writer& open_object();
    Writer& close_object();
    Writer& open_array();
    Writer& close_array();
    Writer& key(std::string_view name);

    Writer& value(std::string_view text);
    Writer& value(const char* text) { return value(std::string_view(text)); }
    Writer& value(const std::string& text) { return value(std::string_view(text)); }
    Writer& value(bool flag);
    Writer& value(double number);  // shortest form that reads back the same; null when not finite
    template <class Integer>
        requires(std::is_integral_v<Integer> && !std::is_same_v<Integer, bool>)
    Writer& value(Integer number) {
        if constexpr (std::is_signed_v<Integer>)
            return signed_value(number);
        else
            return unsigned_value(number);
    }
    Writer& null();
    // A JSON document that is already text. In ascii, its strings are escaped on the way.
    Writer& raw(std::string_view json);

    template <class Value>
    Writer& member(std::string_view name, const Value& v) {
        return key(name).value(v);
    }
    Writer& member_null(std::string_view name) { return key(name).null(); }
    Writer& member_raw(std::string_view name, std::string_view json) { return key(name).raw(json); }

    const std::string& text() const { return out_; }
    std::string take() { return std::move(out_); }

private:
    void separate();
    Writer& signed_value(std::int64_t number);
    Writer& unsigned_value(std::uint64_t number);

    std::string out_;
    Charset charset_;
    bool needs_comma_ = false;
};

// The same document, every character beyond ASCII written as \uXXXX.
std::string to_ascii(std::string_view json);

}  // namespace sheaf::jsonl
