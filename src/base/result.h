#pragma once

#include <expected>

#include "base/error.h"

namespace sheaf {

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message, std::string field = {}) {
    return std::unexpected(Error{code, std::move(message), std::move(field)});
}

}  // namespace sheaf
