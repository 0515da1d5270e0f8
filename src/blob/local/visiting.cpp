#include <system_error>

#include "blob/blobs.h"
#include "blob/local/files.h"

namespace sheaf::blob {
namespace {

namespace fs = std::filesystem;

LocalFile::Kind kind_of(const std::string& path, bool is_plain) {
    if (path.starts_with(std::string(kUnfinished) + '/')) return LocalFile::Kind::unfinished;
    return is_plain && is_blob_key(path) ? LocalFile::Kind::blob : LocalFile::Kind::unknown;
}

}  // namespace

Result<> visit_local_blobs(const fs::path& directory,
                           const std::function<Result<>(const LocalFile&)>& visit) {
    std::error_code error;
    fs::recursive_directory_iterator at(directory, error);
    for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
        std::error_code unreadable;
        const auto status = at->symlink_status(unreadable);
        if (fs::is_directory(status)) continue;
        const bool is_plain = fs::is_regular_file(status);
        LocalFile file{.path = at->path().lexically_relative(directory).string()};
        file.kind = kind_of(file.path, is_plain);
        if (const auto visited = visit(file); !visited) return visited;
    }
    if (error && error != std::errc::no_such_file_or_directory)
        return std::unexpected(error_of(error.value(), "listed"));
    return {};
}

}  // namespace sheaf::blob
