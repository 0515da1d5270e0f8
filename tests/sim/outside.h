#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "fetch/fetch.h"
#include "timeline.h"

// What is outside of Sheaf: a model server and whoever listens to webhooks, each with a ledger.
namespace sheaf::sim {

// A model server as all nodes see it: slow, out now and then, failing; it never lies about whose answer it
// is.
class ModelServer {
public:
    struct Habits {
        std::chrono::microseconds typical{20'000};
        double breaks = 0, refuses = 0, is_overloaded = 0, hangs = 0;
        std::optional<std::uint32_t> window;
    };
    struct Attempt {
        std::string item;
        Time began;
        bool was_good = false;
    };

    ModelServer(Timeline& timeline, Dice& dice, Habits habits)
        : timeline_(&timeline), dice_(&dice), habits_(habits) {}

    void be_out_until(Time when) { out_until_ = when; }
    bool is_out() const { return timeline_->now() < out_until_; }
    // From now on nothing goes wrong any more.
    void recover();
    // Told of each attempt as it begins.
    std::function<void(const Attempt&)> on_attempt;
    const std::vector<Attempt>& ledger() const { return ledger_; }
    const Habits& habits() const { return habits_; }

    // What an attempt's number says about the tokens that it took.
    static core::Usage usage_of(std::uint64_t attempt) {
        return {.input_tokens = 100 + attempt % 13, .output_tokens = 1 + attempt % 7};
    }
    async::Task<core::Outcome> answer(std::string item);

private:
    Timeline* timeline_;
    Dice* dice_;
    Habits habits_;
    Time out_until_{};
    std::vector<Attempt> ledger_;
};

// One node's way to it.
class SimulatedBackend final : public backend::Backend {
public:
    explicit SimulatedBackend(ModelServer& server) : server_(&server) {}
    async::Task<core::Outcome> run(backend::Job job) override;
    std::optional<std::uint32_t> window() const override { return server_->habits().window; }
    bool is_out() const override { return server_->is_out(); }
    async::Task<void> ready_for(Try attempt) override;
    bool may_be_late() const override { return true; }
    bool keeps_prefixes() const override { return true; }

private:
    ModelServer* server_;
};

// What came in at the address of one webhook.
struct Post {
    Time at;
    std::string url, event, payload;
    bool was_taken = false;
};

class Listener final : public fetch::Poster {
public:
    Listener(Timeline& timeline, Dice& dice, double fails)
        : timeline_(&timeline), dice_(&dice), fails_(fails) {}
    Result<int> post(const fetch::Message& message, const GivesUp& gives_up) override;
    void recover() { fails_ = 0; }
    // Asked for each post as it comes.
    std::function<void(const Post&)> on_post;
    const std::vector<Post>& ledger() const { return ledger_; }

private:
    Timeline* timeline_;
    Dice* dice_;
    double fails_;
    std::vector<Post> ledger_;
};

}  // namespace sheaf::sim
