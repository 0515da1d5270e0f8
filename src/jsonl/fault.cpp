#include "jsonl/fault.h"

#include <algorithm>

#include <fmt/format.h>

#include "jsonl/utf8.h"

namespace sheaf::jsonl {
namespace {

// A recursive descent over the grammar that stops at the first thing that does not fit.
class FaultFinder {
public:
    FaultFinder(std::string_view json, std::size_t depth_max) : json_(json), depth_max_(depth_max) {}

    std::optional<Fault> run() {
        skip_blanks();
        if (at_end()) {
            miss("the text is empty");
        } else if (value(1)) {
            skip_blanks();
            if (!at_end()) miss("there is something after the end of the document");
        }
        return std::move(fault_);
    }

private:
    bool at_end() const { return at_ >= json_.size(); }
    char peek() const { return at_end() ? '\0' : json_[at_]; }

    bool miss(std::string what) {
        fault_ = Fault{
            at_, at_end() && !json_.empty() && at_ > 0 ? what + "; the text ends here" : std::move(what)};
        return false;
    }

    void skip_blanks() {
        while (!at_end() && std::string_view(" \t\r\n").contains(json_[at_])) ++at_;
    }

    bool take(char c) {
        if (at_end() || json_[at_] != c) return false;
        ++at_;
        return true;
    }

    bool value(std::size_t depth) {
        switch (peek()) {
            case '{':
                return depth > depth_max_ ? miss("the nesting is too deep") : object(depth);
            case '[':
                return depth > depth_max_ ? miss("the nesting is too deep") : array(depth);
            case '"':
                return string();
            case 't':
                return word("true");
            case 'f':
                return word("false");
            case 'n':
                return word("null");
            default:
                return number();
        }
    }

    bool object(std::size_t depth) {
        ++at_;
        skip_blanks();
        if (take('}')) return true;
        while (true) {
            skip_blanks();
            if (peek() != '"') return miss("a member's name in double quotes is missing");
            if (!string()) return false;
            skip_blanks();
            if (!take(':')) return miss("a colon is missing");
            skip_blanks();
            if (!value(depth + 1)) return false;
            skip_blanks();
            if (take('}')) return true;
            if (!take(',')) return miss("a comma or } is missing");
        }
    }

    bool array(std::size_t depth) {
        ++at_;
        skip_blanks();
        if (take(']')) return true;
        while (true) {
            skip_blanks();
            if (!value(depth + 1)) return false;
            skip_blanks();
            if (take(']')) return true;
            if (!take(',')) return miss("a comma or ] is missing");
        }
    }

    bool word(std::string_view expected) {
        if (!json_.substr(at_).starts_with(expected)) return miss("a value is missing");
        at_ += expected.size();
        return true;
    }

    bool digits() {
        const std::size_t start = at_;
        while (peek() >= '0' && peek() <= '9') ++at_;
        return at_ > start;
    }

    bool number() {
        const std::size_t start = at_;
        take('-');
        if (take('0')) {
            if (peek() >= '0' && peek() <= '9') return miss("a number may not start with 0");
        } else if (!digits()) {
            at_ = at_ == start ? at_ : start;
            return miss("a value is missing");
        }
        if (take('.') && !digits()) return miss("digits are missing after the point");
        if (peek() == 'e' || peek() == 'E') {
            ++at_;
            if (!take('+')) take('-');
            if (!digits()) return miss("the exponent's digits are missing");
        }
        return true;
    }

    std::optional<unsigned> unit() {
        unsigned value = 0;
        for (int i = 0; i < 4; ++i) {
            const char c = peek();
            if (c >= '0' && c <= '9')
                value = value * 16 + static_cast<unsigned>(c - '0');
            else if (c >= 'a' && c <= 'f')
                value = value * 16 + static_cast<unsigned>(c - 'a') + 10;
            else if (c >= 'A' && c <= 'F')
                value = value * 16 + static_cast<unsigned>(c - 'A') + 10;
            else
                return std::nullopt;
            ++at_;
        }
        return value;
    }

    bool escape() {
        ++at_;
        if (at_end()) return miss("the string does not end");
        if (!take('u')) {
            if (!std::string_view("\"\\/bfnrt").contains(peek())) return miss("there is no such escape");
            ++at_;
            return true;
        }
        const auto first = unit();
        if (!first) return miss("\\u needs four hexadecimal digits");
        if (*first < 0xD800 || *first > 0xDFFF) return true;
        if (*first > 0xDBFF || !take('\\') || !take('u'))
            return miss("half of a surrogate pair stands alone");
        const auto second = unit();
        if (!second || *second < 0xDC00 || *second > 0xDFFF)
            return miss("half of a surrogate pair stands alone");
        return true;
    }

    bool string() {
        ++at_;
        while (!at_end()) {
            const auto byte = static_cast<unsigned char>(json_[at_]);
            if (byte == '"') {
                ++at_;
                return true;
            }
            if (byte == '\\') {
                if (!escape()) return false;
            } else if (byte < 0x20) {
                return miss("a control character must be escaped in a string");
            } else {
                const Utf8Character character = decode_utf8(json_.substr(at_));
                if (!character.valid) return miss("the bytes are not UTF-8");
                at_ += character.bytes;
            }
        }
        return miss("the string does not end");
    }

    std::string_view json_;
    std::size_t depth_max_;
    std::size_t at_ = 0;
    std::optional<Fault> fault_;
};

}  // namespace

std::optional<Fault> find_fault(std::string_view json, std::size_t depth_max) {
    return FaultFinder(json, depth_max).run();
}

std::string describe_place(std::string_view json, std::size_t offset) {
    const std::string_view before = json.substr(0, offset);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    return fmt::format("line {}, column {}", line, offset - line_start + 1);
}

}  // namespace sheaf::jsonl
