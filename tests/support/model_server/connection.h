#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace model_server {

// A client's connection and what is under way on it. Owns the descriptor, which does not block.
class Connection {
public:
    explicit Connection(int descriptor) : descriptor_(descriptor) {}
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    int descriptor() const { return descriptor_; }

    // Takes what has arrived. False: the client is gone.
    bool receive();
    std::string_view input() const { return {buffer_.data() + begin_, end_ - begin_}; }
    void consume(std::size_t bytes) { begin_ += bytes; }

    // What is to be sent is added here.
    std::string& output() { return output_; }
    // Sends as much as the socket takes. False: the client is gone.
    bool flush();
    bool is_flushed() const { return sent_ == output_.size(); }

    // The next close is told as a reset.
    void reset_at_close() const;

    std::optional<std::uint64_t> asked;  // the request that waits for its answer: one at a time
    bool closes = false;                 // once all is sent
    bool watches_output = false;

private:
    int descriptor_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0, end_ = 0;
    std::string output_;
    std::size_t sent_ = 0;
};

}  // namespace model_server
