#pragma once

#include <set>
#include <string>

#include "service/files.h"
#include "service/testing_world.h"

namespace sheaf::service {

// What is in an opened file.
inline std::string text_of(const OpenedFile& file) {
    std::string bytes(file.bytes, '\0');
    EXPECT_EQ(::pread(file.file->fd(), bytes.data(), bytes.size(), static_cast<off_t>(file.offset)),
              static_cast<ssize_t>(bytes.size()));
    return bytes;
}

inline std::set<std::string> keys_of(blob::BlobStore& blobs) {
    const auto all = blobs.list("");
    return {all->begin(), all->end()};
}

// Files over memory, which can be stopped and started again like the server.
class FilesWorld : public World {
protected:
    FilesWorld() { start(); }

    void start() {
        files.emplace(Files::Parts{.store = {store->files(), store_lane},
                                   .batches = {store->batches(), store_lane},
                                   .blobs = {blobs, lane},
                                   .lane = &lane,
                                   .clock = &clock,
                                   .limits = limits});
    }

    Result<core::File> create(std::string_view bytes,
                              std::optional<std::chrono::seconds> lifetime = std::nullopt) {
        auto coming = run(files->new_file());
        if (!coming) return std::unexpected(coming.error());
        for (const char& c : bytes) {
            if (const auto taken = run(coming->append({&c, 1})); !taken)
                return std::unexpected(taken.error());
        }
        return run(files->create({kTeam, "batch", "in.jsonl", lifetime}, std::move(*coming)));
    }
    std::string read(const core::File& file) {
        const auto opened = run(files->open(file));
        return opened ? text_of(*opened) : std::string(to_string(opened.error().code));
    }

    core::FileUpload begin(std::uint64_t bytes) {
        auto upload = run(files->begin_upload({{kTeam, "batch", "large.jsonl", 2h}, "text/jsonl", bytes}));
        EXPECT_TRUE(upload);
        return *upload;
    }
    Result<core::FilePart> add(FileUploadId id, std::string_view bytes) {
        auto coming = run(files->new_part(kTeam, id));
        if (!coming) return std::unexpected(coming.error());
        if (const auto taken = run(coming->append(bytes)); !taken) return std::unexpected(taken.error());
        return run(files->add_part(kTeam, id, std::move(*coming)));
    }
    core::FileUploadState state_of(FileUploadId id) { return run(files->find_upload(kTeam, id))->state; }

    const AccountId kTeam{"team"};
    const AccountId kOther{"other"};
    Limits limits;
    std::optional<Files> files;
};

}  // namespace sheaf::service
