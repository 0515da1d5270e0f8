#include "protocol/stop_reasons.h"

#include <array>

namespace sheaf::protocol {
namespace {

struct Word {
    std::string_view word;
    StopReason stop;
};

// Among words of one meaning the first is the one that is written.
constexpr std::array kFinishReasons{
    Word{"stop", StopReason::end},
    Word{"stop", StopReason::stop_sequence},
    Word{"length", StopReason::length},
    Word{"length", StopReason::context_length},
    Word{"tool_calls", StopReason::tool_use},
    Word{"function_call", StopReason::tool_use},
    Word{"content_filter", StopReason::refusal},
};
constexpr std::array kStopReasons{
    Word{"end_turn", StopReason::end},      Word{"stop_sequence", StopReason::stop_sequence},
    Word{"max_tokens", StopReason::length}, Word{"model_context_window_exceeded", StopReason::context_length},
    Word{"tool_use", StopReason::tool_use}, Word{"refusal", StopReason::refusal},
    Word{"pause_turn", StopReason::end},
};

template <std::size_t count>
std::optional<StopReason> stop_of(const std::array<Word, count>& words, std::string_view word) {
    for (const auto& known : words)
        if (known.word == word) return known.stop;
    return std::nullopt;
}

template <std::size_t count>
std::string_view word_of(const std::array<Word, count>& words, StopReason stop) {
    for (const auto& known : words)
        if (known.stop == stop) return known.word;
    return words[0].word;
}

}  // namespace

std::optional<StopReason> read_finish_reason(std::string_view word) {
    return stop_of(kFinishReasons, word);
}

std::optional<StopReason> read_stop_reason(std::string_view word) {
    return stop_of(kStopReasons, word);
}

std::string_view to_finish_reason(StopReason stop) {
    return word_of(kFinishReasons, stop);
}

std::string_view to_stop_reason(StopReason stop) {
    return word_of(kStopReasons, stop);
}

bool is_cut_off(StopReason stop) {
    switch (stop) {
        case StopReason::length:
        case StopReason::context_length:
        case StopReason::refusal:
            return true;
        case StopReason::end:
        case StopReason::stop_sequence:
        case StopReason::tool_use:
            return false;
    }
    return false;
}

}  // namespace sheaf::protocol
