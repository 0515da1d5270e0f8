#include "backend/scene/text_reader.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include <dlfcn.h>
#include <tesseract/baseapi.h>

namespace sheaf::backend::scene {
namespace {

constexpr float kConfidenceMin = 60;
constexpr float kSecondLookScore = 1.9F;  // four marks on one base line

// Debian's Tesseract starts OpenMP threads for each line. OMP_THREAD_LIMIT is read when the library is
// loaded, so it cannot be set from here; this can, for the calling thread. The function is there when
// Tesseract was built with it.
void use_one_thread() {
    using SetThreads = void (*)(int);
    static const auto set_threads = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
    if (set_threads != nullptr) set_threads(1);
}

std::string_view trimmed(std::string_view word) {
    const auto is_edge = [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x80 && std::isalnum(byte) == 0;
    };
    while (!word.empty() && is_edge(word.front())) word.remove_prefix(1);
    while (!word.empty() && is_edge(word.back()) && word.back() != '%') word.remove_suffix(1);
    return word;
}

std::size_t letters_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte >= 0xC0 || (byte < 0x80 && std::isalnum(byte) != 0);
    }));
}

// Whether the text that was read is about as wide as the marks that were seen.
bool explains(const std::optional<ReadLine>& line, const Box& box) {
    if (!line) return false;
    return static_cast<double>(line->text.size()) * 0.45 * box.height() >= 0.75 * box.width();
}

// Patterns are read as short words now and then. Those have to be sure and to fit the marks in width.
bool is_believable(const ReadLine& line, const Box& box) {
    const std::size_t letters = letters_of(line.text);
    if (letters >= 6) return line.confidence >= 70;
    if (letters <= 2 && !std::all_of(line.text.begin(), line.text.end(),
                                     [](unsigned char c) { return std::isdigit(c) != 0; })) {
        return false;
    }
    const double width = static_cast<double>(letters) * box.height();  // of square letters
    if (width * 0.3 > box.width() || width * 1.3 < box.width()) return false;
    return line.confidence >= (letters >= 4 ? 85.0F : 91.0F);
}

bool is_same_place(const ReadMemory::Entry& entry, const LineCandidate& candidate) {
    const Box& a = entry.candidate.box;
    const Box& b = candidate.box;
    return entry.candidate.is_light == candidate.is_light && std::abs(a.left - b.left) <= 3 &&
           std::abs(a.top - b.top) <= 3 && std::abs(a.right - b.right) <= 3 &&
           std::abs(a.bottom - b.bottom) <= 3;
}

bool looks_same(const GrayPicture& left, const GrayPicture& right) {
    if (std::abs(left.width - right.width) > 4 || std::abs(left.height - right.height) > 4) return false;
    const int width = std::min(left.width, right.width);
    const int height = std::min(left.height, right.height);
    // Cells of 8 by 8 pixels: noise averages out, a changed character does not.
    for (int top = 0; top + 8 <= height; top += 8) {
        for (int x = 0; x + 8 <= width; x += 8) {
            int sum = 0;
            for (int v = 0; v < 8; ++v) {
                for (int u = 0; u < 8; ++u)
                    sum += left.view().at(x + u, top + v) - right.view().at(x + u, top + v);
            }
            if (std::abs(sum) > 64 * 40) return false;
        }
    }
    return true;
}

}  // namespace

bool is_plausible_word(std::string_view word, float confidence) {
    const std::string_view core = trimmed(word);
    if (core.empty() || confidence < kConfidenceMin) return false;
    std::size_t characters = 0;
    std::size_t good = 0;
    bool all_equal = true;
    for (const char c : core) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte & 0xC0U) == 0x80U) continue;
        ++characters;
        good += byte >= 0x80 || std::isalnum(byte) != 0 ? 1 : 0;
        all_equal = all_equal && c == core.front();
    }
    if (good * 10 < characters * 7) return false;
    if (characters == 1)
        return confidence >= 90 && std::isdigit(static_cast<unsigned char>(core.front())) != 0;
    if (characters == 2) return confidence >= 75;
    return !all_equal || std::isdigit(static_cast<unsigned char>(core.front())) != 0;
}

struct TextReader::Engine {
    tesseract::TessBaseAPI api;

    // The words of one line, or nothing.
    std::optional<ReadLine> read(const GrayPicture& cut) {
        api.SetImage(reinterpret_cast<const unsigned char*>(cut.bytes.data()), cut.width, cut.height, 1,
                     cut.width);
        api.SetSourceResolution(200);
        if (api.Recognize(nullptr) != 0) return std::nullopt;
        const std::unique_ptr<tesseract::ResultIterator> words(api.GetIterator());
        if (words == nullptr) return std::nullopt;
        ReadLine line;
        int count = 0;
        std::size_t longest = 0;
        do {
            const std::unique_ptr<char[]> text(words->GetUTF8Text(tesseract::RIL_WORD));
            if (text == nullptr) continue;
            const float confidence = words->Confidence(tesseract::RIL_WORD);
            if (!is_plausible_word(text.get(), confidence)) continue;
            const std::string_view word = trimmed(text.get());
            if (!line.text.empty()) line.text += ' ';
            line.text += word;
            line.confidence += confidence;
            longest = std::max(longest, word.size());
            ++count;
        } while (words->Next(tesseract::RIL_WORD));
        // One or two characters alone are more often a pattern than a word.
        if (count == 0 || (longest < 3 && line.confidence / static_cast<float>(count) < 88))
            return std::nullopt;
        line.confidence /= static_cast<float>(count);
        return line;
    }
};

TextReader::TextReader() = default;
TextReader::~TextReader() = default;

Result<std::unique_ptr<TextReader::Engine>> TextReader::borrow() {
    {
        const std::scoped_lock lock(mutex_);
        if (!idle_.empty()) {
            std::unique_ptr<Engine> engine = std::move(idle_.back());
            idle_.pop_back();
            return engine;
        }
    }
    auto engine = std::make_unique<Engine>();
    if (engine->api.Init(nullptr, "eng", tesseract::OEM_LSTM_ONLY) != 0) {
        return fail(ErrorCode::unavailable, "Tesseract's English data is not installed");
    }
    engine->api.SetVariable("debug_file", "/dev/null");
    engine->api.SetPageSegMode(tesseract::PSM_SINGLE_LINE);
    return engine;
}

void TextReader::give_back(std::unique_ptr<Engine> engine) {
    engine->api.Clear();
    const std::scoped_lock lock(mutex_);
    idle_.push_back(std::move(engine));
}

Result<std::vector<ReadLine>> TextReader::read(GrayView picture, ReadMemory& memory) {
    use_one_thread();
    Result<std::unique_ptr<Engine>> engine = borrow();
    if (!engine) return std::unexpected(engine.error());
    std::vector<ReadLine> lines;
    std::vector<ReadMemory::Entry> entries;
    for (const LineCandidate& candidate : find_lines(picture)) {
        ReadMemory::Entry entry{.candidate = candidate,
                                .cut = cut_line(picture, candidate, CutStyle::stretched)};
        const auto before =
            std::find_if(memory.entries.begin(), memory.entries.end(), [&](const auto& other) {
                return is_same_place(other, candidate) && looks_same(other.cut, entry.cut);
            });
        if (before != memory.entries.end()) {
            // Compared with what was read, not with the last look, so that slow change adds up.
            entry = *before;
        } else {
            ++memory.cuts_read;
            std::optional<ReadLine> line = (*engine)->read(entry.cut);
            if (candidate.score >= kSecondLookScore && !explains(line, candidate.box)) {
                ++memory.cuts_read;
                auto second = (*engine)->read(cut_line(picture, candidate, CutStyle::levelled));
                if (second && (!line || second->text.size() > line->text.size())) line = std::move(second);
            }
            if (line && is_believable(*line, candidate.box)) entry.lines.push_back(std::move(*line));
        }
        for (ReadLine line : entry.lines) {
            line.box = candidate.box;
            lines.push_back(std::move(line));
        }
        entries.push_back(std::move(entry));
    }
    memory.entries = std::move(entries);
    give_back(std::move(*engine));
    std::sort(lines.begin(), lines.end(), [](const ReadLine& l, const ReadLine& r) {
        return std::pair(l.box.top, l.box.left) < std::pair(r.box.top, r.box.left);
    });
    return lines;
}

}  // namespace sheaf::backend::scene
