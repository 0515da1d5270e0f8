#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sheaf::dialect::sail {

// The members of a JSON object as pieces of its text, which must outlive this: what is passed on stays as the
// client wrote it. The pieces are not checked beyond brackets and quotes.
class Members {
public:
    struct Member {
        std::string name;
        std::string_view text;
    };

    Members() = default;
    // invalid: not an object, or not balanced.
    static Result<Members> of(std::string_view object);

    // Nullopt when there is none, or it is null.
    std::optional<std::string_view> find(std::string_view name) const;
    const std::vector<Member>& all() const { return members_; }

private:
    std::vector<Member> members_;
};

// What the JSON string `text` says; nullopt when it is none.
std::optional<std::string> string_in(std::string_view text);

}  // namespace sheaf::dialect::sail
