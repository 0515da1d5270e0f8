#include "cli/growing_file.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

namespace sheaf::cli {
namespace {

std::unexpected<Failure> unusable(const std::string& path) {
    return give_up(ExitCode::usage, fmt::format("{} cannot be written: {}.", path, std::strerror(errno)));
}

}  // namespace

Outcome<GrowingFile> GrowingFile::open(std::string path) {
    FILE* const file = std::fopen(path.c_str(), "a+e");
    if (file == nullptr) return unusable(path);
    GrowingFile growing(file, std::move(path));
    if (const auto read = growing.read(); !read) return std::unexpected(read.error());
    return growing;
}

Outcome<> GrowingFile::read() {
    std::array<char, std::size_t{64} << 10> buffer;
    std::string line;
    off_t whole = 0;  // bytes up to the end of the last whole line
    if (std::fseek(file_.get(), 0, SEEK_SET) != 0) return unusable(path_);
    while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file_.get())) {
        std::string_view bytes(buffer.data(), count);
        for (std::size_t end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
            line += bytes.substr(0, end);
            whole += static_cast<off_t>(line.size()) + 1;
            ++lines_;
            last_line_ = std::exchange(line, {});
            bytes.remove_prefix(end + 1);
        }
        line += bytes;
    }
    const bool is_cut = line.empty() || ::ftruncate(::fileno(file_.get()), whole) == 0;
    if (std::ferror(file_.get()) != 0 || !is_cut || std::fseek(file_.get(), 0, SEEK_END) != 0)
        return unusable(path_);
    return {};
}

Outcome<> GrowingFile::append(std::string_view line) {
    const std::string text = std::string(line) + '\n';
    if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() || std::fflush(file_.get()) != 0)
        return unusable(path_);
    ++lines_;
    return {};
}

Outcome<> GrowingFile::sync() {
    if (std::fflush(file_.get()) != 0 || ::fsync(::fileno(file_.get())) != 0) return unusable(path_);
    return {};
}

}  // namespace sheaf::cli
