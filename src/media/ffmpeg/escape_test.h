#pragma once

#include <string_view>

namespace sheaf::media {

inline constexpr int kEscaped = 66;  // the attempt succeeded
inline constexpr int kRefused = 67;  // the attempt was answered with an error
inline constexpr int kNotConfined = 68;

// Confines this process as a media worker does, then tries to get out in the way that `how` names. Returns
// one of the above as exit code, or is killed.
int try_to_escape(std::string_view how);

}  // namespace sheaf::media
