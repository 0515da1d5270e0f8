#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/scene/text_lines.h"
#include "base/result.h"

namespace sheaf::backend::scene {

// A line of text as read from one picture.
struct ReadLine {
    Box box;  // in the picture's pixels
    std::string text;
    float confidence = 0;  // 0 to 100, of its words
};

// What was read from the picture before, so that what did not change is not read again. Belongs to one video.
class ReadMemory {
public:
    struct Entry {
        LineCandidate candidate;
        GrayPicture cut;
        std::vector<ReadLine> lines;  // none, or one
    };
    std::vector<Entry> entries;
    std::uint64_t cuts_read = 0;  // by Tesseract
};

// Reads on-screen text with Tesseract's English model.
//
// Threads: any. Each call borrows an engine of its own, so there are as many engines as there were calls at
// once; an engine is kept for the next. Tesseract's own threads are switched off: lines are short, and the
// lane's threads are the parallelism.
class TextReader {
public:
    TextReader();
    ~TextReader();

    // The lines of `picture` with words that were read with confidence, from top to bottom. unavailable:
    // Tesseract or its English data is not installed.
    Result<std::vector<ReadLine>> read(GrayView picture, ReadMemory& memory);

private:
    struct Engine;
    Result<std::unique_ptr<Engine>> borrow();
    void give_back(std::unique_ptr<Engine> engine);

    std::mutex mutex_;
    std::vector<std::unique_ptr<Engine>> idle_;
};

// Whether Tesseract's `word`, read with `confidence`, is worth telling.
bool is_plausible_word(std::string_view word, float confidence);

}  // namespace sheaf::backend::scene
