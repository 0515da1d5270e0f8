#include "stage.h"

#include <algorithm>

namespace sheaf::sim {

std::chrono::microseconds Stage::way() {
    const auto time = dice_->time_about(typical_);
    if (timeline_->now() >= cut_until_) return time;
    return std::max(time, std::chrono::ceil<std::chrono::microseconds>(cut_until_ - timeline_->now()));
}

void Stage::later(std::uint64_t number, void (Stage::*what)(std::uint64_t)) {
    timeline_->after(way(), [self = std::weak_ptr(self_), number, what] {
        if (const auto stage = self.lock(); stage && (*stage)->pieces_.contains(number))
            ((*stage)->*what)(number);
    });
}

void Stage::put(std::move_only_function<void()> work, std::move_only_function<void()> resume) {
    pieces_.emplace(++last_, Piece{std::move(work), std::move(resume)});
    later(last_, &Stage::work);
}

void Stage::work(std::uint64_t number) {
    pieces_.at(number).work();
    later(number, &Stage::resume);
}

void Stage::resume(std::uint64_t number) {
    auto piece = pieces_.extract(number);
    piece.mapped().resume();
}

}  // namespace sheaf::sim
