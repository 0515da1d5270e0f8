#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "protocol/conversation.h"
#include "protocol/stream_events.h"

namespace sheaf::protocol {

// Tells an answer to a client while it comes, as events of one protocol. Its parts come one after the other.
class StreamWriter {
public:
    virtual ~StreamWriter() = default;
    // Before anything else. `answer` has what is known already, and gets the id that the client is told.
    virtual void begin(Completion& answer) = 0;
    // A part begins, with no text yet.
    virtual void open(const Part& part) = 0;
    // `part` has grown by `text`, whose tokens have `logprobs`.
    virtual void grow(const Part& part, std::string_view text, std::string_view logprobs) = 0;
    // `part` is whole; `cut`: the answer was cut off in it.
    enum class PartEnd : std::uint8_t { whole, cut };
    virtual void close(const Part& part, PartEnd how) = 0;
    // The answer is whole, and `reply` says it in one piece.
    virtual void end(const Completion& answer, std::string_view reply) = 0;
    // The answer in one piece. invalid: its client's protocol cannot say it.
    virtual Result<std::string> reply(const Completion& answer) = 0;

    // The events since the last call.
    std::string take() { return std::exchange(out_, {}); }

protected:
    std::string out_;
};

// Puts an answer together from its deltas and tells it to a writer part by part. What a server tells at the
// same time, as it may with calls, waits until the part before it is whole.
class StreamAssembly {
public:
    // `writer` outlives this; null when nobody is told.
    explicit StreamAssembly(StreamWriter* writer) : writer_(writer) {}

    void take(Delta delta);
    // The server said why it stopped.
    bool has_stopped() const { return has_stopped_; }
    // No delta comes any more: the parts end.
    void finish();
    // Whole after finish().
    const Completion& completion() const { return completion_; }

private:
    struct Slot {
        Part part;
        std::string untold = {};
        std::string untold_logprobs = {};
        std::optional<std::size_t> call = {};
        bool is_told = false;  // the writer has opened it
        bool is_whole = false;
    };

    void take_one(Started& started);
    void take_one(TextDelta& delta);
    void take_one(ThinkingDelta& delta) { grow<Thinking>(delta.text); }
    void take_one(ThinkingSigned& thinking);
    void take_one(RedactedThinking& thinking);
    void take_one(RefusalDelta& delta) { grow<Refusal>(delta.text); }
    void take_one(CallStarted& call);
    void take_one(CallDelta& delta);
    void take_one(CallEnded& call);
    void take_one(Stopped& stopped);
    void take_one(core::Usage& usage) { completion_.usage = usage; }
    void take_one(Ended&) {}

    template <class Wanted>
    Slot& slot_of();
    template <class Wanted>
    void grow(const std::string& text);
    Slot& add(Part part);
    Slot* find_call(std::size_t number);
    void end_slots();
    void tell();
    void begin();

    StreamWriter* writer_;
    Completion completion_;
    std::deque<Slot> slots_;  // the parts that are not whole, or that wait for one before them
    bool has_begun_ = false;
    bool has_stopped_ = false;
};

}  // namespace sheaf::protocol
