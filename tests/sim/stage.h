#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "async/blocking.h"
#include "timeline.h"

namespace sheaf::sim {

// Where the work of one node's lanes happens: each piece after a while, in no fixed order, and its outcome is
// told after another. While the way is cut, pieces wait, or their outcomes do.
class Stage final : public async::Stage {
public:
    Stage(Timeline& timeline, Dice& dice, std::chrono::microseconds typical)
        : timeline_(&timeline), dice_(&dice), typical_(typical) {}

    void put(std::move_only_function<void()> work, std::move_only_function<void()> resume) override;
    void cut_until(Time when) { cut_until_ = when; }
    // Nothing happens any more. Before the executors of those who wait go.
    void drop_all() { pieces_.clear(); }

private:
    struct Piece {
        std::move_only_function<void()> work, resume;
    };
    std::chrono::microseconds way();
    void work(std::uint64_t number);
    void resume(std::uint64_t number);
    // `what` of the piece, if it is still there then.
    void later(std::uint64_t number, void (Stage::*what)(std::uint64_t));

    Timeline* timeline_;
    Dice* dice_;
    std::chrono::microseconds typical_;
    Time cut_until_{};
    std::map<std::uint64_t, Piece> pieces_;
    std::uint64_t last_ = 0;
    std::shared_ptr<Stage*> self_ = std::make_shared<Stage*>(this);
};

}  // namespace sheaf::sim
