#include "protocol/stream_assembly.h"

#include <algorithm>

#include "protocol/logprobs.h"
#include "protocol/stop_reasons.h"

namespace sheaf::protocol {
namespace {

bool is_call(const Part& part) {
    return std::holds_alternative<ToolCall>(part);
}

}  // namespace

void StreamAssembly::take(Delta delta) {
    std::visit([this](auto& one) { take_one(one); }, delta);
    tell();
}

void StreamAssembly::finish() {
    begin();
    end_slots();
    tell();
    if (completion_.stop == StopReason::end && std::ranges::any_of(completion_.parts, is_call))
        completion_.stop = StopReason::tool_use;
}

void StreamAssembly::begin() {
    if (std::exchange(has_begun_, true) || writer_ == nullptr) return;
    writer_->begin(completion_);
}

void StreamAssembly::take_one(Started& started) {
    if (has_begun_) return;
    completion_.id = std::move(started.id);
    completion_.model = std::move(started.model);
    begin();
}

void StreamAssembly::take_one(TextDelta& delta) {
    append_logprobs(completion_.logprobs, delta.logprobs);
    const bool goes_on = !slots_.empty() && std::holds_alternative<Text>(slots_.back().part);
    if (delta.text.empty() && !goes_on) return;
    grow<Text>(delta.text);
    append_logprobs(slots_.back().untold_logprobs, delta.logprobs);
}

void StreamAssembly::take_one(ThinkingSigned& thinking) {
    auto& slot = slot_of<Thinking>();
    std::get<Thinking>(slot.part).signature = std::move(thinking.signature);
    slot.is_whole = true;
}

void StreamAssembly::take_one(RedactedThinking& thinking) {
    add(std::move(thinking)).is_whole = true;
}

void StreamAssembly::take_one(CallStarted& call) {
    auto& slot = add(ToolCall{
        .id = std::move(call.id), .name = std::move(call.name), .arguments = {}, .custom = call.custom});
    slot.call = call.number;
}

void StreamAssembly::take_one(CallDelta& delta) {
    auto* slot = find_call(delta.number);
    if (slot == nullptr || slot->is_whole) return;
    std::get<ToolCall>(slot->part).arguments += delta.arguments;
    slot->untold += delta.arguments;
}

void StreamAssembly::take_one(CallEnded& call) {
    if (auto* slot = find_call(call.number)) slot->is_whole = true;
}

void StreamAssembly::take_one(Stopped& stopped) {
    has_stopped_ = true;
    completion_.stop = stopped.reason;
    completion_.stop_sequence = std::move(stopped.sequence);
    end_slots();
}

// The part that what comes now belongs to: the last, when it is of that kind and goes on.
template <class Wanted>
StreamAssembly::Slot& StreamAssembly::slot_of() {
    if (!slots_.empty() && std::holds_alternative<Wanted>(slots_.back().part) && !slots_.back().is_whole)
        return slots_.back();
    return add(Wanted{});
}

template <class Wanted>
void StreamAssembly::grow(const std::string& text) {
    if (text.empty()) return;
    auto& slot = slot_of<Wanted>();
    std::get<Wanted>(slot.part).text += text;
    slot.untold += text;
}

StreamAssembly::Slot& StreamAssembly::add(Part part) {
    if (!slots_.empty() && !is_call(slots_.back().part)) slots_.back().is_whole = true;
    return slots_.emplace_back(Slot{.part = std::move(part)});
}

StreamAssembly::Slot* StreamAssembly::find_call(std::size_t number) {
    const auto found = std::ranges::find(slots_, std::optional(number), &Slot::call);
    return found == slots_.end() ? nullptr : &*found;
}

void StreamAssembly::end_slots() {
    for (auto& slot : slots_) slot.is_whole = true;
}

void StreamAssembly::tell() {
    while (!slots_.empty()) {
        begin();
        auto& slot = slots_.front();
        if (writer_ != nullptr && !std::exchange(slot.is_told, true)) writer_->open(slot.part);
        if (writer_ != nullptr && !slot.untold.empty())
            writer_->grow(slot.part, slot.untold, slot.untold_logprobs);
        slot.untold.clear();
        slot.untold_logprobs.clear();
        if (!slot.is_whole) return;
        const bool cut = has_stopped_ && slots_.size() == 1 && is_cut_off(completion_.stop);
        if (writer_ != nullptr)
            writer_->close(slot.part, cut ? StreamWriter::PartEnd::cut : StreamWriter::PartEnd::whole);
        completion_.parts.push_back(std::move(slot.part));
        slots_.pop_front();
    }
}

}  // namespace sheaf::protocol
