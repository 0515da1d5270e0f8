#pragma once

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "jsonl/writer.h"

// What the stand-in remembers of each request.
namespace stand_in {

inline constexpr std::size_t kKeptBytesMax = 64 * 1024;  // of a body

struct Entry {
    std::string path;
    int status = 200;
    std::string violation;
    std::string action;
    std::string words;   // the last text of the user's first message
    std::string prefix;  // hash of all parts up to the last picture
    std::size_t images = 0;
    std::size_t turns = 0;
    bool is_streamed = false;
    std::size_t bytes = 0;
    std::string body;  // unless it is large
};

inline std::string render(const Entry& entry) {
    sheaf::jsonl::Writer out;
    out.open_object().member("path", entry.path).member("status", entry.status);
    out.member("violation", entry.violation);
    out.member("action", entry.action).member("words", entry.words).member("prefix", entry.prefix);
    out.member("images", entry.images).member("turns", entry.turns).member("stream", entry.is_streamed);
    out.member("bytes", entry.bytes).member("body", entry.body).close_object();
    return out.take();
}

class Ledger {
public:
    explicit Ledger(const std::string& file) {
        if (!file.empty()) file_.open(file, std::ios::app);
    }

    void add(Entry entry) {
        if (file_.is_open()) file_ << render(entry) << std::endl;
        entries_.push_back(std::move(entry));
    }

    std::string text() const {
        std::map<std::string, std::size_t> prefixes;
        std::size_t images = 0;
        std::size_t violations = 0;
        for (const auto& entry : entries_) {
            images += entry.images;
            violations += entry.violation.empty() ? 0 : 1;
            if (!entry.prefix.empty()) ++prefixes[entry.prefix];
        }
        std::size_t shared = 0;
        for (const auto& [prefix, count] : prefixes) shared += count - 1;
        sheaf::jsonl::Writer out;
        out.open_object().member("requests", entries_.size()).member("violations", violations);
        out.member("images_decoded", images).member("frame_sets", prefixes.size());
        out.member("prefix_repeated", shared).key("entries").open_array();
        for (const auto& entry : entries_) out.raw(render(entry));
        out.close_array().close_object();
        return out.take();
    }

private:
    std::ofstream file_;
    std::vector<Entry> entries_;
};

}  // namespace stand_in
