#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "cli/failure.h"

namespace sheaf::cli {

// A file of lines that grows as they come, and that a later run goes on with.
class GrowingFile {
public:
    // Makes it where there is none. Of one that is there a last line without its end is cut off.
    static Outcome<GrowingFile> open(std::string path);

    // What is in it.
    std::uint64_t lines() const { return lines_; }
    // Without its end; empty where there are no lines.
    const std::string& last_line() const { return last_line_; }
    // Whole, and handed to the system when it returns.
    Outcome<> append(std::string_view line);
    // What was appended is on the disk.
    Outcome<> sync();

private:
    struct Close {
        void operator()(FILE* file) const { std::fclose(file); }
    };
    GrowingFile(FILE* file, std::string path) : file_(file), path_(std::move(path)) {}
    Outcome<> read();

    std::unique_ptr<FILE, Close> file_;
    std::string path_;
    std::uint64_t lines_ = 0;
    std::string last_line_;
};

}  // namespace sheaf::cli
