#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sheaf::backend::managed {

// With {port} replaced wherever it stands.
std::vector<std::string> with_port(std::vector<std::string> command, std::uint16_t port);

// Of `environment` ("NAME=value"), what a model server may see: all but our own settings, SHEAF_….
std::vector<std::string> without_our_settings(const char* const* environment);

}  // namespace sheaf::backend::managed
