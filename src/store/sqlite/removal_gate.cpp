#include "store/sqlite/removal_gate.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>

namespace sheaf::store {
namespace {

Result<File> open_hold(const std::filesystem::path& directory) {
    const auto path = directory / "HOLD";
    File file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file)
        return fail(ErrorCode::unavailable, "cannot open " + path.string() + ": " + std::strerror(errno));
    return file;
}

}  // namespace

Result<std::unique_ptr<RemovalGate>> RemovalGate::open(const std::filesystem::path& directory) {
    auto file = open_hold(directory);
    if (!file) return std::unexpected(file.error());
    return std::make_unique<RemovalGate>(std::move(*file));
}

RemovalGate::Pass RemovalGate::enter() {
    const std::scoped_lock lock(mutex_);
    if (inside_ == 0 && ::flock(file_.fd(), LOCK_EX | LOCK_NB) != 0) return Pass(nullptr);
    ++inside_;
    return Pass(this);
}

RemovalGate::Pass::~Pass() {
    if (gate_ == nullptr) return;
    const std::scoped_lock lock(gate_->mutex_);
    if (--gate_->inside_ == 0) ::flock(gate_->file_.fd(), LOCK_UN);
}

Result<File> hold_off_removals(const std::filesystem::path& directory) {
    auto file = open_hold(directory);
    if (!file) return file;
    while (::flock(file->fd(), LOCK_SH) != 0) {
        if (errno != EINTR)
            return fail(ErrorCode::unavailable,
                        std::string("cannot hold off removals: ") + std::strerror(errno));
    }
    return file;
}

}  // namespace sheaf::store
