#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sheaf::core {

// The beginning of a prompt as hashes of growing length: two prompts whose first N bytes are the same have
// the same hash at every level that ends within them.
//
// A level ends with each part, and inside of a long part wherever the prompt has grown by half: so a shared
// document is found although a question follows it in the same text. Hashes may collide: they decide where
// and when an item runs, never what it answers.
class PrefixChain {
public:
    static constexpr std::size_t kLevelsMax = 16;

    // The next part of the prompt, those that items are likely to share first. `tokens`: what it costs a
    // model to read, where the text does not tell (a video's name); else a quarter of its bytes.
    void add(std::string_view part);
    void add(std::string_view part, std::uint64_t tokens);

    std::size_t depth() const { return depth_; }
    std::uint64_t hash(std::size_t level) const { return levels_[level].hash; }
    // Estimated, of all up to the end of the level.
    std::uint64_t tokens(std::size_t level) const { return levels_[level].tokens; }
    std::uint64_t tokens() const { return tokens_; }

private:
    struct Level {
        std::uint64_t hash = 0;
        std::uint64_t tokens = 0;
    };
    void end_level();

    std::array<Level, kLevelsMax> levels_{};
    std::size_t depth_ = 0;
    std::uint64_t running_ = 0;
    std::uint64_t bytes_ = 0;  // of parts that count by their bytes
    std::uint64_t tokens_ = 0;
    std::uint64_t next_end_ = 256;  // in bytes_: where a level ends inside of a part
};

}  // namespace sheaf::core
