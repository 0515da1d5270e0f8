#pragma once

#include <cstdio>
#include <string>
#include <utility>

#include "cli/console.h"
#include "cli/failure.h"

namespace sheaf::cli {

// Where results go: standard output, or a file that appears under its name only when it is whole.
class ResultFile {
public:
    // Empty or "-": standard output.
    static Outcome<ResultFile> open(const Console& console, std::string path);
    ~ResultFile();
    ResultFile(ResultFile&& other) noexcept
        : file_(std::exchange(other.file_, nullptr)), path_(std::exchange(other.path_, {})) {}
    ResultFile& operator=(ResultFile&&) = delete;

    FILE* file() { return file_; }
    // Puts the file in its place; without it what was written is removed.
    Outcome<> keep();

private:
    ResultFile(FILE* file, std::string path) : file_(file), path_(std::move(path)) {}

    FILE* file_;
    std::string path_;  // empty: standard output
};

}  // namespace sheaf::cli
