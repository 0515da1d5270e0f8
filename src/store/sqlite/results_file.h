#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/sqlite/disk.h"

namespace sheaf::store {

// The finished results of a batch: its lines, and after them, beyond what clients are sent, an entry of 16
// bytes for each item in submission order (offset, length, CRC-32C), so that any line is found and checked by
// itself. What follows them tells what became of the batch (batch_records.h: Ended), its CRC-32C, its length
// and "SHFR"; files of earlier versions end with the entries.
class ResultsWriter {
public:
    static Result<ResultsWriter> create(Disk& disk, const std::filesystem::path& path, std::uint32_t count);

    // Lines may come in any order, each ordinal below `count` once.
    Result<> add(std::uint32_t ordinal, std::string_view line);
    // The bytes of all lines so far.
    std::uint64_t line_bytes() const { return line_bytes_; }
    // Writes what is left, and syncs.
    Result<> finish(std::string_view ending);

private:
    ResultsWriter(Disk& disk, File file, std::string entries)
        : disk_(&disk), file_(std::move(file)), entries_(std::move(entries)) {}
    Result<> flush();

    Disk* disk_;
    File file_;
    std::string buffer_;
    std::uint64_t written_ = 0;
    std::uint64_t line_bytes_ = 0;
    std::string entries_;
};

// `line_bytes` is what finish() said. corrupt: the line is not what was written.
Result<std::string> read_result(int fd, std::uint64_t line_bytes, std::uint32_t ordinal);
// What follows the entries. nullopt: there is nothing, or it is damaged.
std::optional<std::string> read_ending(int fd);
// The size of the lines in a file of `size` bytes, by the file itself. nullopt: it is too short.
std::optional<std::uint64_t> line_bytes_of(int fd, std::uint64_t size, std::uint32_t count);
// Checks all lines of the file.
Result<> verify_results(int fd, std::uint64_t line_bytes, std::uint32_t count);

}  // namespace sheaf::store
