#include "backend/pattern.h"

#include <cstddef>
#include <exception>
#include <iterator>
#include <stdexcept>
#include <string>

#include <boost/regex.hpp>

namespace sheaf::backend {
namespace {

constexpr std::size_t kPatternBytesMax = 2048;
constexpr std::size_t kTextBytesMax = 32 * 1024;
constexpr std::size_t kLooksMax = 1'000'000;

// Walks a text and throws once it has been looked at too often: Boost's own bound allows for seconds of work.
class CountingIterator {
public:
    using iterator_category = std::bidirectional_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    CountingIterator() = default;
    CountingIterator(const char* at, std::size_t* looks_left) : at_(at), looks_left_(looks_left) {}

    reference operator*() const {
        if (*looks_left_ == 0) throw std::runtime_error("too much work");
        --*looks_left_;
        return *at_;
    }
    CountingIterator& operator++() {
        ++at_;
        return *this;
    }
    CountingIterator operator++(int) {
        auto before = *this;
        ++at_;
        return before;
    }
    CountingIterator& operator--() {
        --at_;
        return *this;
    }
    CountingIterator operator--(int) {
        auto before = *this;
        --at_;
        return before;
    }
    bool operator==(const CountingIterator& other) const { return at_ == other.at_; }

private:
    const char* at_ = nullptr;
    std::size_t* looks_left_ = nullptr;
};

bool is_whole_match(const char* pattern, std::string_view text) {
    if (text.size() > 128) return false;
    return boost::regex_match(text.begin(), text.end(), boost::regex(pattern));
}

}  // namespace

Result<> check_pattern(std::string_view pattern) {
    if (pattern.size() > kPatternBytesMax) return fail(ErrorCode::invalid, "the pattern is too long");
    try {
        const boost::regex compiled(pattern.begin(), pattern.end());
        return {};
    } catch (const std::exception& error) {
        return fail(ErrorCode::invalid,
                    std::string("the pattern is not a regular expression: ") + error.what());
    }
}

Result<bool> matches_pattern(std::string_view pattern, std::string_view text) {
    if (text.size() > kTextBytesMax)
        return fail(ErrorCode::too_large, "the text is too long to check its pattern");
    try {
        const boost::regex compiled(pattern.begin(), pattern.end());
        std::size_t looks_left = kLooksMax;
        return boost::regex_search(CountingIterator(text.data(), &looks_left),
                                   CountingIterator(text.data() + text.size(), &looks_left), compiled);
    } catch (const std::exception&) {
        return fail(ErrorCode::too_large, "the pattern takes too much work to check");
    }
}

bool matches_format(std::string_view format, std::string_view text) {
    static constexpr const char* kDate = R"(\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))";
    static constexpr const char* kTime =
        R"(([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([zZ]|[+-]([01]\d|2[0-3]):[0-5]\d))";
    if (format == "uuid") return is_whole_match("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text);
    if (format == "date") return is_whole_match(kDate, text);
    if (format == "time") return is_whole_match(kTime, text);
    if (format == "date-time") return is_whole_match((std::string(kDate) + "[tT ]" + kTime).c_str(), text);
    return true;
}

}  // namespace sheaf::backend
