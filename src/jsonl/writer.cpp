#include "jsonl/writer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include <simdjson.h>

#include "jsonl/utf8.h"

namespace sheaf::jsonl {
namespace {

void append_unit(std::string& out, unsigned unit) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out += "\\u";
    for (const unsigned shift : {12U, 8U, 4U, 0U}) out.push_back(kDigits[(unit >> shift) & 0xF]);
}

void append_escaped(std::string& out, char32_t code_point) {
    if (code_point >= 0x10000) {
        const auto offset = static_cast<unsigned>(code_point - 0x10000);
        append_unit(out, 0xD800 | (offset >> 10));
        append_unit(out, 0xDC00 | (offset & 0x3FF));
    } else {
        append_unit(out, static_cast<unsigned>(code_point));
    }
}

// Appends the character at the start of `rest`, which is beyond ASCII; returns the bytes it took.
std::size_t append_wide(std::string& out, std::string_view rest, Charset charset) {
    const Utf8Character character = decode_utf8(rest);
    if (charset == Charset::ascii)
        append_escaped(out, character.code_point);
    else if (character.valid)
        out.append(rest.substr(0, character.bytes));
    else
        append_utf8(out, 0xFFFD);
    return character.bytes;
}

void append_control(std::string& out, char c) {
    switch (c) {
        case '"':
            out += "\\\"";
            break;
        case '\\':
            out += "\\\\";
            break;
        case '\n':
            out += "\\n";
            break;
        case '\r':
            out += "\\r";
            break;
        case '\t':
            out += "\\t";
            break;
        case '\b':
            out += "\\b";
            break;
        case '\f':
            out += "\\f";
            break;
        default:
            append_unit(out, static_cast<unsigned char>(c));
    }
}

// Whether characters beyond ASCII may be copied as they are.
enum class Wide : std::uint8_t { is_plain, is_special };

constexpr std::uint64_t kOnes = 0x0101010101010101U;
constexpr std::uint64_t kHighBits = kOnes << 7U;

// Not 0 when one of the word's bytes is below `bound`, which is at most 128.
constexpr std::uint64_t find_below(std::uint64_t word, std::uint64_t bound) {
    return (word - kOnes * bound) & ~word & kHighBits;
}

bool is_plain(char c, Wide wide) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && (byte < 0x80 || wide == Wide::is_plain) && c != '"' && c != '\\';
}

bool are_plain(const char* eight, Wide wide) {
    std::uint64_t word = 0;
    std::memcpy(&word, eight, sizeof word);
    const std::uint64_t wide_bytes = wide == Wide::is_plain ? 0 : word & kHighBits;
    return (find_below(word, 0x20) | find_below(word ^ (kOnes * '"'), 1) |
            find_below(word ^ (kOnes * '\\'), 1) | wide_bytes) == 0;
}

// How many bytes from `at` on need no escape.
std::size_t plain_length(std::string_view text, std::size_t at, Wide wide) {
    std::size_t end = at;
    while (text.size() - end >= sizeof(std::uint64_t) && are_plain(text.data() + end, wide))
        end += sizeof(std::uint64_t);
    while (end < text.size() && is_plain(text[end], wide)) ++end;
    return end - at;
}

}  // namespace

void append_string(std::string& out, std::string_view text, Charset charset) {
    out.push_back('"');
    auto wide = Wide::is_special;
    bool may_be_valid = charset == Charset::utf8;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t plain = plain_length(text, at, wide);
        out.append(text.substr(at, plain));
        at += plain;
        if (at == text.size()) break;
        if (static_cast<unsigned char>(text[at]) >= 0x80) {
            if (may_be_valid) {
                may_be_valid = false;
                if (simdjson::validate_utf8(text.data() + at, text.size() - at)) wide = Wide::is_plain;
                continue;
            }
            at += append_wide(out, text.substr(at), charset);
        } else {
            append_control(out, text[at]);
            ++at;
        }
    }
    out.push_back('"');
}

std::string to_ascii(std::string_view json) {
    std::string out;
    out.reserve(json.size());
    std::size_t at = 0;
    while (at < json.size()) {
        std::size_t end = at;
        while (end < json.size() && static_cast<unsigned char>(json[end]) < 0x80) ++end;
        out.append(json.substr(at, end - at));
        at = end;
        if (at < json.size()) at += append_wide(out, json.substr(at), Charset::ascii);
    }
    return out;
}

void Writer::separate() {
    if (needs_comma_) out_.push_back(',');
    needs_comma_ = true;
}

Writer& Writer::open_object() {
    separate();
    out_.push_back('{');
    needs_comma_ = false;
    return *this;
}

Writer& Writer::close_object() {
    out_.push_back('}');
    needs_comma_ = true;
    return *this;
}

Writer& Writer::open_array() {
    separate();
    out_.push_back('[');
    needs_comma_ = false;
    return *this;
}

Writer& Writer::close_array() {
    out_.push_back(']');
    needs_comma_ = true;
    return *this;
}

Writer& Writer::key(std::string_view name) {
    separate();
    append_string(out_, name, charset_);
    out_.push_back(':');
    needs_comma_ = false;
    return *this;
}

Writer& Writer::value(std::string_view text) {
    separate();
    append_string(out_, text, charset_);
    return *this;
}

Writer& Writer::value(bool flag) {
    separate();
    out_ += flag ? "true" : "false";
    return *this;
}

Writer& Writer::value(double number) {
    if (!std::isfinite(number)) return null();
    separate();
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out_.append(digits.data(), end);
    return *this;
}

Writer& Writer::signed_value(std::int64_t number) {
    separate();
    std::array<char, 24> digits{};
    out_.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
    return *this;
}

Writer& Writer::unsigned_value(std::uint64_t number) {
    separate();
    std::array<char, 24> digits{};
    out_.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
    return *this;
}

Writer& Writer::null() {
    separate();
    out_ += "null";
    return *this;
}

Writer& Writer::raw(std::string_view json) {
    separate();
    if (charset_ == Charset::ascii)
        out_ += to_ascii(json);
    else
        out_ += json;
    return *this;
}

}  // namespace sheaf::jsonl
