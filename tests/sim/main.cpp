#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "life.h"
#include "store/stores.h"

// sheaf_sim [--lives N] [--seed S] [--jobs J] [--story] [--twice]
//
// Lives N lives, those of the seeds S, S + 1 and so on, and prints what was found wrong in any.

namespace {

using namespace sheaf;
using namespace sheaf::sim;

struct Options {
    std::uint64_t lives = 1'000, seed = 1;
    unsigned jobs = 1;
    bool tells_story = false, lives_twice = false, lets_log = false;
};

struct Tally {
    std::uint64_t passed = 0, failed = 0;
};

std::filesystem::path make_scratch() {
    const bool has_memory_disk = ::access("/dev/shm", W_OK) == 0;
    std::string name = (has_memory_disk ? "/dev/shm" : std::filesystem::temp_directory_path().string()) +
                       "/sheaf-sim-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for the disks of the lives");
    return name;
}

class Scratch {
public:
    Scratch() : path_(make_scratch()) {
        if (!store::open_sqlite_store({.directory = fresh()}))
            throw std::runtime_error("no store can be made");
    }
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Scratch(const Scratch&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path fresh() const { return path_ / "fresh"; }

private:
    std::filesystem::path path_;
};

struct Lived {
    std::vector<std::string> findings;
    std::uint64_t fingerprint = 0;
};

Lived live_once(std::uint64_t seed, const Scratch& scratch, bool tells_story) {
    Life life(seed, scratch.path(), scratch.fresh());
    auto findings = life.live();
    if (tells_story) fmt::print("{}", life.story());
    return {std::move(findings), life.fingerprint()};
}

std::vector<std::string> live(std::uint64_t seed, const Scratch& scratch, const Options& options) {
    Lived lived = live_once(seed, scratch, options.tells_story);
    if (options.lives_twice && live_once(seed, scratch, false).fingerprint != lived.fingerprint)
        lived.findings.emplace_back("the same life went another way");
    return std::move(lived.findings);
}

Tally live_all(const Options& options, unsigned job) {
    const Scratch scratch;
    Tally tally;
    // Neighbours, for every other one is shorter.
    const std::uint64_t end = options.seed + options.lives * (job + 1) / options.jobs;
    for (std::uint64_t seed = options.seed + options.lives * job / options.jobs; seed < end; ++seed) {
        const auto findings = live(seed, scratch, options);
        ++(findings.empty() ? tally.passed : tally.failed);
        for (const std::string& finding : findings) fmt::print("seed {}: {}\n", seed, finding);
        if (!findings.empty()) (void)std::fflush(stdout);
    }
    return tally;
}

// Each job in a process of its own: time belongs to one life at a time.
Tally live_in_jobs(const Options& options) {
    std::vector<int> ends;
    for (unsigned job = 0; job < options.jobs; ++job) {
        int pipe[2];
        if (::pipe(pipe) != 0) throw std::runtime_error("no pipe");
        if (::fork() == 0) {
            const Tally tally = live_all(options, job);
            (void)std::fflush(stdout);
            ::_exit(::write(pipe[1], &tally, sizeof tally) == sizeof tally ? 0 : 1);
        }
        ::close(pipe[1]);
        ends.push_back(pipe[0]);
    }
    Tally all;
    for (const int end : ends) {
        Tally tally;
        if (::read(end, &tally, sizeof tally) != sizeof tally) ++all.failed;  // it crashed
        ::close(end);
        all.passed += tally.passed;
        all.failed += tally.failed;
    }
    while (::wait(nullptr) > 0) {
    }
    return all;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app("Lives lives of servers, their clients and their disks, each decided by its seed.");
    app.add_option("--lives", options.lives, "how many");
    app.add_option("--seed", options.seed, "of the first; the next have the numbers that follow");
    app.add_option("--jobs", options.jobs, "processes")->check(CLI::Range(1, 256));
    app.add_flag("--story", options.tells_story, "print what happened");
    app.add_flag("--log", options.lets_log, "let the servers write their log");
    app.add_flag("--twice", options.lives_twice, "live each twice, and look that it went the same way");
    CLI11_PARSE(app, argc, argv);
    // One thread has it all, and nobody asks how much memory it takes.
    sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    spdlog::set_level(options.lets_log ? spdlog::level::debug : spdlog::level::off);
    const auto began = std::chrono::steady_clock::now();
    const Tally tally = live_in_jobs(options);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    fmt::print("{:.0f} lives a second and job\n",
               static_cast<double>(options.lives) / seconds / options.jobs);
    fmt::print("{} passed, {} failed\n", tally.passed, tally.failed);
    return tally.failed == 0 ? 0 : 1;
}
