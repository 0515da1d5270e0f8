#include "life.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "scheduler/layout.h"
#include "store/stores.h"
#include "store/upkeep.h"

namespace sheaf::sim {
namespace {

constexpr std::chrono::seconds kSettlesWithin{3'600};
// Between looks at whether all is over.
constexpr std::chrono::milliseconds kFirstPause{300}, kLongestPause{5'000};

std::vector<Time::duration> moments(Dice& dice, std::uint64_t count_max, std::chrono::milliseconds within) {
    std::vector<Time::duration> moments(dice.between(0, count_max));
    for (auto& moment : moments)
        moment = std::chrono::milliseconds(dice.between(0, static_cast<std::uint64_t>(within.count())));
    return moments;
}

}  // namespace

Life::Life(std::uint64_t seed, const std::filesystem::path& scratch, const std::filesystem::path& fresh)
    : data_(scratch / "data"), dice_(seed) {
    machine().random.seed(dice_.seed());
    // SQLite's, too: of what it draws for its log some is written in as many bytes as it needs.
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(seed % 1'000'000'007) + 1, nullptr);
    plan();
    const bool is_alone = seed % 2 == 1;
    const std::uint64_t count = is_alone ? 1 : dice_.between(1, 3);
    for (std::uint64_t i = 0; i < count; ++i) seats_.push_back(std::make_unique<Seat>(timeline_));
    if (is_alone) {
        std::filesystem::copy(fresh, data_, std::filesystem::copy_options::recursive);
        disk_.emplace(data_.string(), dice_.seed(), !power_fails_);
        machine().disk = &*disk_;
    } else {
        store_ = store::make_memory_store();
        settings_.lease_for = 15s;
        power_fails_ = false;
        witness_->allowance.news = 8s;
    }
    witness_->allowance.loses_power = power_fails_;
}

Life::~Life() {
    for (auto& seat : seats_) seat->node.reset();
    store_.reset();
    disk_.reset();
    machine().disk = nullptr;
    std::error_code ignored;
    std::filesystem::remove_all(data_, ignored);
}

void Life::plan() {
    const std::vector<std::chrono::microseconds> paces{1ms, 10ms, 50ms, 300ms, 2s};
    model_habits_.typical = dice_.one_of(paces);
    if (dice_.happens(0.5)) {
        model_habits_.breaks = dice_.happens(0.5) ? 0.1 : 0.02;
        model_habits_.refuses = 0.03;
        model_habits_.is_overloaded = dice_.happens(0.3) ? 0.1 : 0;
        model_habits_.hangs = dice_.happens(0.2) ? 0.02 : 0;
    }
    if (dice_.happens(0.3)) model_habits_.window = dice_.between(1, 20);
    settings_.slots =
        static_cast<std::uint32_t>(dice_.happens(0.5) ? dice_.between(1, 4) : dice_.between(4, 64));
    power_fails_ = dice_.happens(0.6);
    const bool is_long = dice_.happens(0.1);
    until_peace_ =
        std::chrono::milliseconds(is_long ? dice_.between(1'500, 10'000) : dice_.between(200, 1'500));
    models_.emplace(timeline_, dice_, model_habits_);
    listener_.emplace(timeline_, dice_, dice_.happens(0.5) ? 0.2 : 0);
    witness_.emplace(timeline_, *models_);
    const bool is_large = dice_.happens(0.05);
    clients_.emplace(
        timeline_, dice_, *witness_,
        Clients::Habits{.accounts = static_cast<std::uint32_t>(dice_.between(1, 4)),
                        .batches_max = static_cast<std::uint32_t>(dice_.between(1, is_long ? 5 : 3)),
                        .items_max = is_large ? 300U : 30U,
                        .tells_items = dice_.happens(0.3)});
    for (const AccountId& account : clients_->accounts()) {
        if (dice_.happens(0.5)) listening_.insert(account);
    }
}

void Life::note(std::string_view what) {
    for (const char c : what) fingerprint_ = (fingerprint_ ^ static_cast<unsigned char>(c)) * 1099511628211U;
    story_.push_back(fmt::format(
        "{:10.3f} ms  {}",
        std::chrono::duration<double, std::milli>(timeline_.now().time_since_epoch() - 1'000h).count(),
        what));
}

std::string Life::story() const {
    std::string all;
    for (const std::string& line : story_) all += line + '\n';
    return all;
}

void Life::start(Seat& seat) {
    if (seat.node) return;
    if (disk_) {
        auto opened = store::open_sqlite_store({.directory = data_});
        if (!opened) {
            note("it does not start: " + opened.error().message);
            const bool has_a_reason =
                disk_->is_dead() || disk_->faults.bytes_left || disk_->faults.sync_fails_at > 0;
            if (!has_a_reason) {
                witness_->found("accepted_means_durable",
                                "it does not start any more: " + opened.error().message);
                return;
            }
            return crash(seat);
        }
        store_ = std::move(*opened);
    }
    const auto webhooks = store_->outbox().webhooks();
    if (webhooks && webhooks->empty()) {
        for (const AccountId& account : listening_) {
            (void)store_->outbox().insert({.id = WebhookId::make(seat.clock.now()),
                                           .account = account,
                                           .dialect = std::string(kDialect),
                                           .url = "https://" + account.name + ".example/",
                                           .secret = Secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"),
                                           .types = {},
                                           .created_at = seat.clock.now()});
        }
    }
    note("start");
    seat.has_stopped = seat.is_stopping = false;
    seat.node =
        std::make_unique<Node>(timeline_, dice_, seat.clock, *store_, *models_, *listener_, settings_);
    if (disk_ && disk_->is_dead()) crash(seat);
}

void Life::crash(Seat& seat) {
    note(disk_ ? fmt::format("crash at call {} of the disk", disk_->calls()) : "crash");
    ++witness_->allowance.extra_runs;
    if (disk_) disk_->kill();
    seat.node.reset();
    if (disk_) {
        store_.reset();
        come_back_on_disk();
    }
    start_again_later(seat);
}

void Life::come_back_on_disk() {
    disk_->faults.dies_at = disk_->faults.sync_fails_at = 0;
    // A sync that failed, and a disk that kept its power: what the next life reads is in the cache of the
    // system, and no program can tell whether it is on the disk.
    const bool loses_power = power_fails_ && (disk_->sync_has_failed() || dice_.happens(0.6));
    if (loses_power) {
        note("the power was lost");
        disk_->lose_power();
    } else {
        if (disk_->sync_has_failed()) power_fails_ = false;
        disk_->revive();
    }
    if (dice_.happens(0.05)) inspect();
    if (faults_are_over_) return;
    if (!disk_->faults.bytes_left && dice_.happens(0.02)) lose_index();
    // Now and then the next start does not get far, either.
    if (dice_.happens(0.2)) disk_->faults.dies_at = disk_->calls() + dice_.between(1, 40);
}

// What a crash leaves is sound: the next start needs no repair. But of frames in the write-ahead log that fit
// nothing before them nobody can tell whether they were ever committed: commits that were refused leave such,
// too, and so does a power cut.
void Life::inspect() {
    const auto is_to_blame = [](store::Fault fault) {
        return store::is_damage(fault) && fault != store::Fault::index_log_damaged;
    };
    const auto upkeep = store::open_sqlite_upkeep(data_);
    if (!upkeep) return witness_->found("what_is_stored_is_sound", upkeep.error().message);
    const auto checked = (*upkeep)->check(
        {.found =
             [&](const store::Finding& finding) {
                 if (!is_to_blame(finding.fault)) return;
                 witness_->found(
                     "what_is_stored_is_sound",
                     fmt::format("fault {} {}", std::to_underlying(finding.fault), finding.detail));
             },
         .progress = [](std::uint64_t, std::uint64_t) {}});
    if (!checked) witness_->found("what_is_stored_is_sound", checked.error().message);
}

// The index is gone, and built anew from the records, which know nothing of webhooks, keys and what was
// archived.
void Life::lose_index() {
    note("the index is lost");
    for (const char* const name : {"index.db", "index.db-wal", "index.db-shm"})
        disk_->destroy((data_ / name).string());
    witness_->allowance.loses_index = true;
    witness_->allowance.extra_runs += 2;
    const PlainCodec codec;
    const auto upkeep = store::open_sqlite_upkeep(data_);
    if (!upkeep) return witness_->found("accepted_means_durable", upkeep.error().message);
    const auto repaired = (*upkeep)->repair(
        {.found = [](const store::Finding&) {}, .progress = [](std::uint64_t, std::uint64_t) {}},
        {.lost_line =
             [&](const core::Batch& batch, const core::ItemHead& item) {
                 return codec.line(batch, item, core::Failed{{"internal_server_error", "lost"}});
             },
         .layout =
             [&](const core::Batch&) { return scheduler::layout_of(codec, seats_.front()->clock.now()); },
         .speaks = [](const core::Batch&) { return true; },
         .now = seats_.front()->clock.now()});
    if (!repaired) return witness_->found("accepted_means_durable", repaired.error().message);
    if (!power_fails_ || dice_.happens(0.5)) return;
    note("the power was lost after the repair");
    disk_->lose_power();
}

void Life::start_again_later(Seat& seat) {
    timeline_.after(dice_.time_about(100ms), [this, &seat] { start(seat); });
}

Node* Life::some_node() {
    Seat& seat = some_seat();
    return seat.node && !seat.is_stopping ? seat.node.get() : nullptr;
}

void Life::clients_go_on() {
    if (faults_are_over_) return;
    if (Node* const node = some_node()) clients_->act(*node);
    timeline_.after(dice_.time_about(25ms), [this] { clients_go_on(); });
}

void Life::plan_faults() {
    const auto soon = [this](std::uint64_t count_max, auto what) {
        for (const auto moment : moments(dice_, count_max, until_peace_)) {
            timeline_.at(timeline_.now() + moment, [this, what] {
                if (!faults_are_over_) what();
            });
        }
    };
    soon(2, [this] {
        note("the model server is out");
        models_->be_out_until(timeline_.now() + dice_.time_about(2s));
    });
    if (dice_.happens(0.15)) {
        witness_->allowance.clocks_jump = true;
        soon(2, [this] {
            const auto by = dice_.one_of(std::vector<std::chrono::milliseconds>{1s, -1s, 20s, 25h});
            note(fmt::format("clocks jump by {} ms", by.count()));
            witness_->allowance.extra_runs += 2;
            witness_->allowance.jumps_back += std::max(-by, 0ms);
            for (auto& seat : seats_) seat->clock.jump(by);
        });
    }
    soon(1, [this] {
        Seat& seat = some_seat();
        if (!seat.node || seat.is_stopping) return;
        note("stop in order");
        seat.is_stopping = true;
        ++witness_->allowance.extra_runs;
        seat.node->stop(std::chrono::milliseconds(dice_.between(0, 500)), seat.has_stopped);
    });
    if (!disk_) {
        soon(3, [this] {
            if (Seat& seat = some_seat(); seat.node) crash(seat);
        });
        soon(2, [this] {
            Node* const node = some_node();
            if (node == nullptr) return;
            const auto time = dice_.time_about(6s);
            note(fmt::format("cut from the store for {} ms",
                             std::chrono::floor<std::chrono::milliseconds>(time).count()));
            witness_->allowance.extra_runs += 1;
            witness_->allowance.news += std::chrono::floor<std::chrono::milliseconds>(time);
            node->cut_from_store_until(timeline_.now() + time);
            cut_until_ = std::max(cut_until_, timeline_.now() + time);
        });
        return;
    }
    soon(3, [this] { disk_->faults.dies_at = disk_->calls() + dice_.between(1, 120); });
    if (dice_.happens(0.2)) {
        soon(2, [this] {
            note("the disk is nearly full");
            disk_->faults.bytes_left = dice_.between(0, 60'000);
            timeline_.after(dice_.time_about(1s), [this] { disk_->faults.bytes_left.reset(); });
        });
    }
    if (dice_.happens(0.2)) {
        soon(1, [this] {
            if (disk_->sync_has_failed()) return;
            disk_->faults.sync_fails_at = disk_->syncs() + dice_.between(1, 20);
        });
    }
}

bool Life::turn() {
    bool any = false;
    for (auto& seat : seats_) {
        while (seat->node && seat->node->turn()) {
            any = true;
            look_after_disk();
        }
        if (seat->node && seat->has_stopped) {
            note("stopped");
            seat->node.reset();
            if (disk_) store_.reset();
            look_after_disk();
            // The last sync, as it closed.
            if (disk_ && disk_->sync_has_failed()) come_back_on_disk();
            start_again_later(*seat);
        }
    }
    return any;
}

// The end of the machine, and of a server whose store says that it should end.
void Life::look_after_disk() {
    if (!disk_) return;
    Seat& seat = *seats_.front();
    const bool has_broken = store_ && !store_->health();
    if (seat.node && (disk_->is_dead() || has_broken)) crash(seat);
    // It died while it stopped.
    if (!seat.node && disk_->is_dead()) crash(seat);
}

void Life::run_for(Time::duration time) {
    const Time limit = timeline_.now() + time;
    while (turn() || timeline_.step(limit)) look_after_disk();
}

void Life::end_faults() {
    note("faults are over");
    faults_are_over_ = true;
    models_->recover();
    listener_->recover();
    if (!disk_) return;
    disk_->faults = {};
}

void Life::settle() {
    // What was cut off has its answers on the way until then.
    run_for(std::max(Time::duration::zero(), cut_until_ + 1s - timeline_.now()));
    const Time limit = timeline_.now() + kSettlesWithin;
    for (auto pause = kFirstPause; timeline_.now() < limit; pause = std::min(pause * 3 / 2, kLongestPause)) {
        run_for(pause);
        Node* const node = some_node();
        if (node == nullptr) continue;  // nobody can be asked
        clients_->look_at_all(*node);
        run_for(50ms);
        if (witness_->all_is_over(listener_->ledger(), listening_, seats_.front()->clock.now())) return;
    }
}

// On each node.
void Life::read_everything() {
    const auto may_ask = [](const auto& seat) { return seat->node && !seat->is_stopping; };
    const auto have_answered = [](const auto& seat) { return !seat->node || !seat->node->is_called(); };
    if (!wait_until([&] { return std::ranges::all_of(seats_, may_ask); }))
        return witness_->found("all_ends_in_time", "a node neither stops nor starts");
    for (auto& seat : seats_) clients_->look_at_all(*seat->node);
    if (!wait_until([&] { return std::ranges::all_of(seats_, have_answered); }))
        witness_->found("all_ends_in_time", "a call is not answered");
}

bool Life::wait_until(const std::function<bool()>& done) {
    const Time limit = timeline_.now() + kSettlesWithin;
    while (!done() && timeline_.now() < limit) run_for(20ms);
    return done();
}

void Life::look_for_what_was_removed() {
    const auto names = witness_->names_of_removed();
    if (!disk_ || names.empty()) return;
    // What deleting leaves in the write-ahead log goes with the next writes, seconds later.
    run_for(4s);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data_)) {
        if (!entry.is_regular_file()) continue;
        std::string bytes(entry.file_size(), '\0');
        std::ifstream(entry.path(), std::ios::binary)
            .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        for (const std::string& name : names) {
            if (bytes.contains(name)) witness_->left_on_disk(name, entry.path().filename());
        }
    }
}

std::vector<std::string> Life::live() {
    models_->on_attempt = [this](const ModelServer::Attempt& attempt) { note("asked " + attempt.item); };
    witness_->on_news = [this](std::string_view news) { note(news); };
    listener_->on_post = [this](const Post& post) {
        note("told " + post.payload);
        const auto id = parse_batch_id(post.payload.substr(post.payload.find(' ') + 1).substr(0, 24));
        if (id && store_) witness_->saw_post(post, store_->batches().find(witness_->account_of(*id), *id));
    };
    for (auto& seat : seats_) start(*seat);
    plan_faults();
    clients_go_on();
    run_for(until_peace_);
    end_faults();
    settle();
    read_everything();
    if (dice_.happens(0.2)) look_for_what_was_removed();
    witness_->judge_end(listener_->ledger(), listening_, seats_.front()->clock.now());
    note(fmt::format("{} attempts, {} posts, {} calls of the disk", models_->ledger().size(),
                     listener_->ledger().size(), disk_ ? disk_->calls() : 0));
    return witness_->findings();
}

}  // namespace sheaf::sim
