#include "app/fsck_blobs.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "blob/blobs.h"
#include "cli/console.h"
#include "service/assets.h"
#include "service/leftovers.h"

namespace sheaf::app {
namespace {

using Kind = store::NamedBlob::Kind;

std::string who(const store::NamedBlob& blob) {
    const std::string name = cli::to_printable(blob.filename, cli::Lines::join);
    switch (blob.kind) {
        case Kind::asset:
            return fmt::format("asset {} (\"{}\") of the account {}", to_string(blob.id), name,
                               blob.account.name);
        case Kind::file:
            return fmt::format("file \"{}\" of the account {}", name, blob.account.name);
        case Kind::part:
            return "a part of an upload";
        case Kind::chunk:
            return fmt::format("chunk {} of the upload {}", blob.index, to_string(blob.id));
    }
    return {};
}

std::string_view meaning_of(Kind kind) {
    switch (kind) {
        case Kind::asset:
            return "Items about it fail; upload it again.";
        case Kind::file:
            return "It cannot be read; upload it again.";
        case Kind::part:
        case Kind::chunk:
            return "The upload cannot be completed; begin it again.";
    }
    return {};
}

// What a key says of whom it belongs to; nullopt: to nobody for longer than a run of the server.
struct Owner {
    Kind kind;
    RawId id;
};
std::optional<Owner> owner_of(std::string_view key) {
    const auto after = [&](std::string_view prefix, std::size_t skipped, Kind kind) -> std::optional<Owner> {
        if (!key.starts_with(prefix) || key.size() < prefix.size() + skipped) return std::nullopt;
        const auto id = parse_raw_id(key.substr(prefix.size() + skipped, service::kIdLength));
        if (!id) return std::nullopt;
        return Owner{kind, *id};
    };
    if (const auto asset = after("assets/", 0, Kind::asset)) return asset;
    if (const auto file = after("files/", 0, Kind::file)) return file;
    if (const auto part = after("parts/", service::kIdLength + 1, Kind::part)) return part;
    return after("chunks/", 0, Kind::chunk);
}

// A server would clear it away at its next start.
Result<> put_aside(const BlobCheck& check, const blob::LocalFile& file, Report& report) {
    const std::filesystem::path kept = check.put_aside / file.path;
    std::error_code error;
    std::filesystem::create_directories(kept.parent_path(), error);
    if (!error) std::filesystem::rename(check.directory / file.path, kept, error);
    if (error) return fail(ErrorCode::unavailable, "cannot move " + file.path + ": " + error.message());
    report.add(Weight::note,
               fmt::format("blobs/{} belongs to nobody that the index knows. It was moved to {}.", file.path,
                           check.put_aside.filename().string()));
    return {};
}

// Empty: nothing.
Result<std::string> what_is_wrong(const std::filesystem::path& directory, const store::NamedBlob& blob) {
    const auto file = blob::read_local_blob(directory, key_of(blob));
    if (!file && are_missing(file.error())) return "its bytes are missing";
    const bool has_size = file && (!blob.bytes || *blob.bytes == file->bytes());
    if (file && !has_size) return fmt::format("it has {} bytes instead of {}", file->bytes(), *blob.bytes);
    const auto checked = file ? file->check() : Result<>(std::unexpected(file.error()));
    if (!checked && checked.error().code == ErrorCode::corrupt) return "its bytes are damaged";
    if (!checked) return std::unexpected(checked.error());
    return std::string();
}

Result<std::uint64_t> count_files(const std::filesystem::path& directory) {
    std::uint64_t count = 0;
    const auto visited = blob::visit_local_blobs(directory, [&](const blob::LocalFile&) -> Result<> {
        ++count;
        return {};
    });
    if (!visited) return std::unexpected(visited.error());
    return count;
}

Result<> check_named(const BlobCheck& check, store::Upkeep& upkeep, Report& report) {
    const auto files = count_files(check.directory);
    if (!files) return std::unexpected(files.error());
    std::uint64_t checked = 0;
    return upkeep.each_blob([&](const store::NamedBlob& blob) -> Result<> {
        const auto what = what_is_wrong(check.directory, blob);
        if (!what) return std::unexpected(what.error());
        if (!what->empty())
            report.add(Weight::damaged, fmt::format("{}: {} (blobs/{}). {}", who(blob), *what, key_of(blob),
                                                    meaning_of(blob.kind)));
        report.show_progress("checking", ++checked, std::max(checked, *files), "files");
        return {};
    });
}

}  // namespace

std::string key_of(const store::NamedBlob& blob) {
    return blob.kind == Kind::chunk ? service::blob_key_of(UploadId{blob.id}, blob.index, blob.etag)
                                    : blob.key;
}

bool are_missing(const Error& error) {
    return error.code == ErrorCode::not_found || error.code == ErrorCode::invalid;
}

Result<> check_blobs(const BlobCheck& check, store::Upkeep& upkeep, Report& report) {
    if (const auto named = check_named(check, upkeep, report); !named) return named;
    const auto tell_leftover = [&](const blob::LocalFile& file) {
        const store::Finding finding{.fault = store::Fault::leftover,
                                     .detail = "blobs/" + file.path,
                                     .mending = check.repair ? store::Mending::mended : store::Mending::none};
        report.add(weight_of(finding), describe(finding));
    };
    const auto visited =
        blob::visit_local_blobs(check.directory, [&](const blob::LocalFile& file) -> Result<> {
            if (file.kind == blob::LocalFile::Kind::unknown) {
                report.add(Weight::note,
                           describe({.fault = store::Fault::unknown_file, .detail = "blobs/" + file.path}));
                return {};
            }
            if (file.kind == blob::LocalFile::Kind::unfinished) return tell_leftover(file), Result<>{};
            const auto owner = owner_of(file.path);
            const bool is_temporary = file.path.starts_with("inputs/");
            const auto is_named = owner ? upkeep.names(owner->kind, owner->id) : Result<bool>(!is_temporary);
            if (!is_named) return std::unexpected(is_named.error());
            if (*is_named) return {};
            if (!check.put_aside.empty() && !is_temporary) return put_aside(check, file, report);
            tell_leftover(file);
            if (!check.repair) return {};
            std::error_code error;
            std::filesystem::remove(check.directory / file.path, error);
            if (error)
                return fail(ErrorCode::unavailable, "cannot remove " + file.path + ": " + error.message());
            return {};
        });
    if (!visited || !check.repair) return visited;
    // Opening removes what was left half-written.
    const auto opened = blob::open_local_blobs(check.directory);
    if (!opened) return std::unexpected(opened.error());
    return {};
}

}  // namespace sheaf::app
