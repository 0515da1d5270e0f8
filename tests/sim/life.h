#pragma once

#include <filesystem>
#include <memory>

#include "clients.h"
#include "machine.h"

namespace sheaf::sim {

// One life, all of it decided by its seed: some accounts, batches and nodes, and what befalls them. An odd
// seed is one server on its own disk, by SQLite; an even one several nodes on a store that they share, which
// keeps what it was told.
class Life {
public:
    // `scratch` is a folder of this process; `fresh` one with the data of a server that has never been used.
    Life(std::uint64_t seed, const std::filesystem::path& scratch, const std::filesystem::path& fresh);
    ~Life();

    // What was found wrong.
    std::vector<std::string> live();
    // Of all that happened: equal for equal lives.
    std::uint64_t fingerprint() const { return fingerprint_; }
    std::string story() const;

private:
    struct Seat {  // of a node, from life to life
        explicit Seat(const Timeline& timeline) : clock(timeline) {}
        WallClock clock;
        std::unique_ptr<Node> node;
        bool is_stopping = false;
        bool has_stopped = false;
    };

    void plan();
    void plan_faults();
    void start(Seat& seat);
    void crash(Seat& seat);
    void come_back_on_disk();
    void inspect();
    void lose_index();
    void start_again_later(Seat& seat);
    Seat& some_seat() { return *seats_[dice_.between(0, seats_.size() - 1)]; }
    Node* some_node();
    void clients_go_on();
    void run_for(Time::duration time);
    // Whether anything was ready to go on now.
    bool turn();
    void look_after_disk();
    void end_faults();
    void settle();
    void read_everything();
    bool wait_until(const std::function<bool()>& done);
    void look_for_what_was_removed();
    void note(std::string_view what);

    std::filesystem::path data_;
    Dice dice_;
    Timeline timeline_;
    NodeSettings settings_;
    ModelServer::Habits model_habits_;
    std::optional<ModelServer> models_;
    std::optional<Listener> listener_;
    std::optional<Witness> witness_;
    std::optional<Clients> clients_;
    std::set<AccountId> listening_;
    std::optional<LossyDisk> disk_;
    std::unique_ptr<store::Store> store_;  // alone: of the life of the server; else of all
    std::vector<std::unique_ptr<Seat>> seats_;
    std::chrono::milliseconds until_peace_{0};
    Time cut_until_{};
    bool power_fails_ = false;  // at the next crash, its disk loses what was not synced
    bool faults_are_over_ = false;
    std::uint64_t fingerprint_ = 14695981039346656037U;
    std::vector<std::string> story_;
};

}  // namespace sheaf::sim
