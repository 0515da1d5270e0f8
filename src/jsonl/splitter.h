#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sheaf::jsonl {

// Cuts a large document into its parts without building it: one pass, no copies, memory independent of its
// size. The views lie in `json`; a part is checked no further than brackets and quotes need, so parse each.

// Calls `member` with the (decoded) key and the value's bytes of each member of the object `json`, in order.
// invalid: not an object, not balanced, something after it, or an error from `member`.
Result<> for_each_member(std::string_view json,
                         const std::function<Result<>(std::string_view key, std::string_view value)>& member);

// The same for the elements of the array `json`.
Result<> for_each_element(std::string_view json,
                          const std::function<Result<>(std::size_t index, std::string_view value)>& element);

// The same step by step, for callers that go deeper, or let others run in between. It stands before a value,
// or inside of a container between two. Every error is invalid; read no further after one.
class PartReader {
public:
    // `json` outlives the reader.
    explicit PartReader(std::string_view json) : json_(json) {}

    // The first byte of the value that comes next; 0 at the end of the text.
    char peek();
    // Steps into the container that comes next.
    Result<> open_object();
    Result<> open_array();
    // The (decoded) key of the next member, whose value comes next. Nullopt: the object ended, and is stepped
    // out of.
    Result<std::optional<std::string>> next_member();
    // Whether another element comes next. False: the array ended, and is stepped out of.
    Result<bool> next_element();
    // The bytes of the value that comes next.
    Result<std::string_view> value();
    // That nothing follows.
    Result<> finish();

    // How many bytes were read.
    std::size_t offset() const { return at_; }

private:
    void skip_blanks();
    bool take(char c);
    Result<> open(char bracket, std::string_view missing);
    // Steps out of a container at its end, or over the comma before what comes next.
    Result<bool> next(char bracket, std::string_view missing);
    std::optional<std::string_view> take_string();
    std::optional<std::string_view> take_until(std::size_t end);
    std::unexpected<Error> broken(std::string_view what) const;

    std::string_view json_;
    std::size_t at_ = 0;
    bool is_first_ = false;  // in the container nothing was read yet
};

}  // namespace sheaf::jsonl
