#include "app/backup.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "app/fsck.h"
#include "app/fsck_blobs.h"
#include "app/fsck_report.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "blob/blobs.h"
#include "store/backup.h"

namespace sheaf::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSigningKey = "signing.key";

int complain(const Error& error) {
    fmt::print(stderr, "sheaf backup: {}\n", error.message);
    return 2;
}

Result<> copy_blobs(const fs::path& from, const fs::path& to, store::Backup& backup) {
    if (const auto made = blob::open_local_blobs(to); !made) return std::unexpected(made.error());
    std::vector<store::NamedBlob> missing;
    const auto copied = backup.each_blob([&](const store::NamedBlob& blob) -> Result<> {
        const auto done = blob::copy_local_blob(from, to, key_of(blob));
        if (done || !are_missing(done.error())) return done;
        missing.push_back(blob);
        return {};
    });
    if (!copied) return copied;
    // One that is spoken of still is missing in the original too, which the check tells.
    for (const store::NamedBlob& blob : missing) {
        if (const auto forgotten = backup.forget_if_deleted(blob); !forgotten)
            return std::unexpected(forgotten.error());
    }
    return {};
}

Result<> sync(const fs::path& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.fd() >= 0 && ::fsync(file.fd()) == 0) return {};
    return fail(ErrorCode::unavailable, "cannot sync " + path.string() + ": " + std::strerror(errno));
}

// It signs upload URLs that clients hold.
Result<> copy_signing_key(const fs::path& from, const fs::path& to) {
    std::error_code error;
    if (!fs::exists(from / kSigningKey, error)) return {};
    fs::copy_file(from / kSigningKey, to / kSigningKey, error);
    if (error) return fail(ErrorCode::unavailable, "cannot copy the signing key: " + error.message());
    return sync(to / kSigningKey);
}

Result<> give_name(const fs::path& partial, const fs::path& to) {
    if (std::rename(partial.c_str(), to.c_str()) != 0)
        return fail(ErrorCode::unavailable, fmt::format("cannot rename {} to {}: {}", partial.string(),
                                                        to.string(), std::strerror(errno)));
    return sync(to.parent_path());
}

Result<> copy_and_check(const BackupOptions& options, const fs::path& partial, Report& report) {
    const auto backup = store::begin_sqlite_backup(options.data, partial);
    if (!backup) return std::unexpected(backup.error());
    auto done = (*backup)->copy_files([&](std::uint64_t number, std::uint64_t total) {
        report.show_progress("copying", number, total, "batches");
    });
    if (done) done = copy_blobs(options.data / "blobs", partial / "blobs", **backup);
    if (done) done = copy_signing_key(options.data, partial);
    if (done) done = (*backup)->finish();
    if (done) done = check_copy(partial, report);
    if (done) done = (*backup)->call_it_whole();
    return done;
}

}  // namespace

int backup(const BackupOptions& options, const cli::Console& console) {
    log::set_level(log::Level::error);
    std::error_code error;
    fs::path to = fs::absolute(options.to, error).lexically_normal();
    if (to.filename().empty()) to = to.parent_path();
    if (fs::exists(to, error) && !(fs::is_directory(to, error) && fs::is_empty(to, error)))
        return complain({ErrorCode::conflict, to.string() + " is there already", {}});
    const fs::path partial = to.string() + ".partial";
    Report report(console);
    auto done = copy_and_check(options, partial, report);
    if (done) done = give_name(partial, to);
    if (!done) return complain(done.error());
    console.print(fmt::format("The copy is {}.\n", to.string()));
    return report.exit_code();
}

}  // namespace sheaf::app
