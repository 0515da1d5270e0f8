#include "cli/result_file.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

namespace sheaf::cli {
namespace {

std::string part_of(const std::string& path) {
    return path + ".part";
}

std::unexpected<Failure> unwritable(const std::string& path) {
    return give_up(ExitCode::usage, fmt::format("{} cannot be written: {}.", path, std::strerror(errno)));
}

}  // namespace

Outcome<ResultFile> ResultFile::open(const Console& console, std::string path) {
    if (path.empty() || path == "-") return ResultFile(console.out, "");
    FILE* const file = std::fopen(part_of(path).c_str(), "we");
    if (file == nullptr) return unwritable(path);
    return ResultFile(file, std::move(path));
}

ResultFile::~ResultFile() {
    if (path_.empty() || file_ == nullptr) return;
    std::fclose(file_);
    ::unlink(part_of(path_).c_str());
}

Outcome<> ResultFile::keep() {
    if (path_.empty()) return {};
    const bool written = std::fflush(file_) == 0 && ::fsync(::fileno(file_)) == 0;
    if (!written || std::rename(part_of(path_).c_str(), path_.c_str()) != 0) return unwritable(path_);
    std::fclose(std::exchange(file_, nullptr));
    return {};
}

}  // namespace sheaf::cli
