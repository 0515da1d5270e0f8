#include "jsonl/splitter.h"

#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "jsonl/utf8.h"

namespace sheaf::jsonl {
namespace {

constexpr std::size_t kBlock = 64;
constexpr std::size_t kNone = std::string_view::npos;

// One bit for each byte of a block.
struct Masks {
    std::uint64_t quotes = 0;
    std::uint64_t backslashes = 0;
    std::uint64_t opens = 0;   // { and [
    std::uint64_t closes = 0;  // } and ]
    std::uint64_t curly = 0;   // tells the two kinds apart
};

#if defined(__SSE2__)
Masks read_block(const char* bytes) {
    Masks masks;
    for (std::size_t i = 0; i < kBlock; i += 16) {
        const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i));
        // { } are [ ] with bit 5 set.
        const __m128i folded = _mm_or_si128(text, _mm_set1_epi8(0x20));
        const auto mask = [i](__m128i flags) {
            return std::uint64_t{static_cast<std::uint32_t>(_mm_movemask_epi8(flags))} << i;
        };
        masks.quotes |= mask(_mm_cmpeq_epi8(text, _mm_set1_epi8('"')));
        masks.backslashes |= mask(_mm_cmpeq_epi8(text, _mm_set1_epi8('\\')));
        masks.opens |= mask(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')));
        masks.closes |= mask(_mm_cmpeq_epi8(folded, _mm_set1_epi8('}')));
        masks.curly |= mask(_mm_slli_epi16(text, 2));
    }
    return masks;
}

// Whether a string that goes on into the block goes on behind it, too.
bool stays_in_string(const char* bytes) {
    __m128i found = _mm_setzero_si128();
    for (std::size_t i = 0; i < kBlock; i += 16) {
        const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(text, _mm_set1_epi8('"')));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(text, _mm_set1_epi8('\\')));
    }
    return _mm_movemask_epi8(found) == 0;
}
#else
Masks read_block(const char* bytes) {
    Masks masks;
    for (std::size_t i = 0; i < kBlock; ++i) {
        const std::uint64_t bit = std::uint64_t{1} << i;
        switch (bytes[i]) {
            case '"':
                masks.quotes |= bit;
                break;
            case '\\':
                masks.backslashes |= bit;
                break;
            case '{':
                masks.opens |= bit;
                masks.curly |= bit;
                break;
            case '[':
                masks.opens |= bit;
                break;
            case '}':
                masks.closes |= bit;
                masks.curly |= bit;
                break;
            case ']':
                masks.closes |= bit;
                break;
            default:
                break;
        }
    }
    return masks;
}

bool stays_in_string(const char* bytes) {
    return std::string_view(bytes, kBlock).find_first_of("\"\\") == kNone;
}
#endif

// The bytes that a backslash before them escapes. `carry`: the block before ended in an unescaped backslash.
std::uint64_t find_escaped(std::uint64_t backslashes, std::uint64_t& carry) {
    constexpr std::uint64_t kOdd = 0xAAAAAAAAAAAAAAAAULL;
    if (backslashes == 0) {
        const std::uint64_t escaped = carry;
        carry = 0;
        return escaped;
    }
    // As in simdjson: a subtraction finds, for each run of backslashes, whether the byte behind it is
    // escaped.
    const std::uint64_t potential = backslashes & ~carry;
    const std::uint64_t maybe = potential << 1;
    const std::uint64_t codes = (maybe | kOdd) - potential;
    const std::uint64_t both = codes ^ kOdd;
    const std::uint64_t escaped = both ^ (backslashes | carry);
    carry = (both & backslashes) >> 63;
    return escaped;
}

std::uint64_t prefix_xor(std::uint64_t bits) {
    for (const int shift : {1, 2, 4, 8, 16, 32}) bits ^= bits << shift;
    return bits;
}

// Follows the brackets from block to block, from an opening one to its partner.
class BracketScan {
public:
    // The offset in the block just behind the partner; kNone when it is not in this block. `broken` is set
    // when one kind closes what the other opened.
    std::size_t feed(const char* block, bool& broken) {
        // Most blocks of a large text are in the middle of a string.
        if (string_carry_ != 0 && stays_in_string(block)) {
            escape_carry_ = 0;
            return kNone;
        }
        const Masks masks = read_block(block);
        const std::uint64_t quotes = masks.quotes & ~find_escaped(masks.backslashes, escape_carry_);
        const std::uint64_t in_string = prefix_xor(quotes) ^ string_carry_;
        string_carry_ = static_cast<std::uint64_t>(static_cast<std::int64_t>(in_string) >> 63);
        const std::uint64_t opens = masks.opens & ~in_string;
        const std::uint64_t closes = masks.closes & ~in_string;
        if (depth() > std::popcount(closes)) {
            curly_ += std::popcount(opens & masks.curly) - std::popcount(closes & masks.curly);
            square_ += std::popcount(opens & ~masks.curly) - std::popcount(closes & ~masks.curly);
            broken = curly_ < 0 || square_ < 0;
            return kNone;
        }
        for (std::uint64_t brackets = opens | closes; brackets != 0; brackets &= brackets - 1) {
            const std::uint64_t bit = brackets & -brackets;
            ((masks.curly & bit) != 0 ? curly_ : square_) += (opens & bit) != 0 ? 1 : -1;
            if (curly_ < 0 || square_ < 0) {
                broken = true;
                return kNone;
            }
            if (depth() == 0) return static_cast<std::size_t>(std::countr_zero(bit)) + 1;
        }
        return kNone;
    }

private:
    std::int64_t depth() const { return curly_ + square_; }

    std::int64_t curly_ = 0;
    std::int64_t square_ = 0;
    std::uint64_t escape_carry_ = 0;
    std::uint64_t string_carry_ = 0;  // all ones inside a string
};

// The offset just behind the bracket that closes the one at `start`, or kNone.
std::size_t end_of_brackets(std::string_view json, std::size_t start) {
    BracketScan scan;
    bool broken = false;
    std::size_t at = start;
    for (; json.size() - at >= kBlock; at += kBlock) {
        const std::size_t end = scan.feed(json.data() + at, broken);
        if (end != kNone) return at + end;
        if (broken) return kNone;
    }
    std::array<char, kBlock> tail;
    tail.fill(' ');
    std::memcpy(tail.data(), json.data() + at, json.size() - at);
    const std::size_t end = scan.feed(tail.data(), broken);
    return end == kNone || broken ? kNone : at + end;
}

// The offset just behind the closing quote of the string that opens at `start`, or kNone.
std::size_t end_of_string(std::string_view json, std::size_t start) {
    std::size_t from = start + 1;
    while (true) {
        const std::size_t quote = json.find('"', from);
        if (quote == kNone) return kNone;
        std::size_t backslashes = 0;
        while (quote - backslashes > start + 1 && json[quote - backslashes - 1] == '\\') ++backslashes;
        if (backslashes % 2 == 0) return quote + 1;
        from = quote + 1;
    }
}

std::optional<unsigned> read_unit(std::string_view text) {
    if (text.size() < 4) return std::nullopt;
    unsigned unit = 0;
    for (const char c : text.substr(0, 4)) {
        if (c >= '0' && c <= '9')
            unit = unit * 16 + static_cast<unsigned>(c - '0');
        else if (c >= 'a' && c <= 'f')
            unit = unit * 16 + static_cast<unsigned>(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            unit = unit * 16 + static_cast<unsigned>(c - 'A') + 10;
        else
            return std::nullopt;
    }
    return unit;
}

// Decodes the \uXXXX (and its second half) behind the backslash at the start of `text`; returns the bytes
// taken.
std::optional<std::size_t> decode_unicode(std::string_view text, std::string& out) {
    const auto first = read_unit(text.substr(2));
    if (!first) return std::nullopt;
    if (*first < 0xD800 || *first > 0xDFFF) {
        append_utf8(out, *first);
        return 6;
    }
    if (*first > 0xDBFF || !text.substr(6).starts_with("\\u")) return std::nullopt;
    const auto second = read_unit(text.substr(8));
    if (!second || *second < 0xDC00 || *second > 0xDFFF) return std::nullopt;
    append_utf8(out, 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00));
    return 12;
}

// `text` without its quotes. Nullopt: an escape that JSON does not have, or a bare control character.
std::optional<std::string> decode_string(std::string_view text) {
    constexpr std::string_view kCodes = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    std::string out;
    while (!text.empty()) {
        if (static_cast<unsigned char>(text[0]) < 0x20) return std::nullopt;
        if (text[0] != '\\') {
            out.push_back(text[0]);
            text.remove_prefix(1);
            continue;
        }
        if (text.size() < 2) return std::nullopt;
        if (text[1] == 'u') {
            const auto taken = decode_unicode(text, out);
            if (!taken) return std::nullopt;
            text.remove_prefix(*taken);
            continue;
        }
        const std::size_t code = kCodes.find(text[1]);
        if (code == kNone) return std::nullopt;
        out.push_back(kMeanings[code]);
        text.remove_prefix(2);
    }
    return out;
}

bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

}  // namespace

void PartReader::skip_blanks() {
    while (at_ < json_.size() && is_blank(json_[at_])) ++at_;
}

char PartReader::peek() {
    skip_blanks();
    return at_ < json_.size() ? json_[at_] : '\0';
}

bool PartReader::take(char c) {
    skip_blanks();
    if (at_ >= json_.size() || json_[at_] != c) return false;
    ++at_;
    return true;
}

std::unexpected<Error> PartReader::broken(std::string_view what) const {
    return fail(ErrorCode::invalid, fmt::format("This is not valid JSON: {} at byte {}.", what, at_));
}

std::optional<std::string_view> PartReader::take_until(std::size_t end) {
    if (end == kNone) return std::nullopt;
    const std::string_view taken = json_.substr(at_, end - at_);
    at_ = end;
    return taken;
}

std::optional<std::string_view> PartReader::take_string() {
    if (peek() != '"') return std::nullopt;
    return take_until(end_of_string(json_, at_));
}

Result<> PartReader::open(char bracket, std::string_view missing) {
    if (!take(bracket)) return broken(missing);
    is_first_ = true;
    return {};
}

Result<> PartReader::open_object() {
    return open('{', "an object is missing");
}

Result<> PartReader::open_array() {
    return open('[', "an array is missing");
}

Result<bool> PartReader::next(char bracket, std::string_view missing) {
    const bool is_first = std::exchange(is_first_, false);
    if (take(bracket)) return false;
    if (!is_first && !take(',')) return broken(missing);
    return true;
}

Result<std::optional<std::string>> PartReader::next_member() {
    const auto more = next('}', "a comma or } is missing");
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::nullopt;
    const auto quoted = take_string();
    if (!quoted) return broken("a member's name in double quotes is missing");
    auto decoded = decode_string(quoted->substr(1, quoted->size() - 2));
    if (!decoded) return broken("a member's name has a bad escape before");
    if (!take(':')) return broken("a colon is missing");
    return decoded;
}

Result<bool> PartReader::next_element() {
    return next(']', "a comma or ] is missing");
}

Result<std::string_view> PartReader::value() {
    const char c = peek();
    std::optional<std::string_view> taken;
    if (c == '"') {
        taken = take_string();
    } else if (c == '{' || c == '[') {
        taken = take_until(end_of_brackets(json_, at_));
    } else {
        std::size_t end = at_;
        while (end < json_.size() && !is_blank(json_[end]) &&
               !std::string_view(",]}[{\":").contains(json_[end]))
            ++end;
        if (end > at_) taken = take_until(end);
    }
    if (!taken) return broken("a value is missing or does not end");
    return *taken;
}

Result<> PartReader::finish() {
    if (peek() != '\0' || at_ < json_.size())
        return broken("there is something after the end of the document");
    return {};
}

Result<> for_each_member(
    std::string_view json,
    const std::function<Result<>(std::string_view key, std::string_view value)>& member) {
    PartReader reader(json);
    if (auto opened = reader.open_object(); !opened) return opened;
    while (true) {
        const auto key = reader.next_member();
        if (!key) return std::unexpected(key.error());
        if (!*key) return reader.finish();
        const auto value = reader.value();
        if (!value) return std::unexpected(value.error());
        if (auto told = member(**key, *value); !told) return told;
    }
}

Result<> for_each_element(std::string_view json,
                          const std::function<Result<>(std::size_t index, std::string_view value)>& element) {
    PartReader reader(json);
    if (auto opened = reader.open_array(); !opened) return opened;
    for (std::size_t index = 0;; ++index) {
        const auto more = reader.next_element();
        if (!more) return std::unexpected(more.error());
        if (!*more) return reader.finish();
        const auto value = reader.value();
        if (!value) return std::unexpected(value.error());
        if (auto told = element(index, *value); !told) return told;
    }
}

}  // namespace sheaf::jsonl
