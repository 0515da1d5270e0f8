#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "store/batches.h"
#include "store/mapped_body.h"
#include "store/sqlite/disk.h"

namespace sheaf::store {

// A body in memory while it is small, in a file of the spool from then on.
class FileSpool final : public BodySpool {
public:
    static constexpr std::size_t kMemoryMax = std::size_t{64} << 10;

    // `path` is the file's name should there be one. `disk` outlives the spool.
    FileSpool(Disk& disk, std::filesystem::path path) : disk_(&disk), path_(std::move(path)) {}
    ~FileSpool() override;

    Result<> append(std::string_view bytes) override;
    Result<std::string_view> bytes() override;

    // Takes the bytes of an open file, which stays as it is, in place of append().
    Result<> share(int fd, std::uint64_t bytes);

    bool in_file() const { return static_cast<bool>(file_); }
    const std::filesystem::path& path() const { return path_; }
    int fd() const { return file_.fd(); }
    // The file is someone else's now, under another name.
    void moved() { is_ours_ = false; }

private:
    Disk* disk_;
    std::filesystem::path path_;
    std::string memory_;
    File file_;
    std::uint64_t size_ = 0;
    std::uint64_t written_out_ = 0;  // of the file, or about to be
    bool is_ours_ = true;
    MappedBody mapped_;
};

}  // namespace sheaf::store
