// postgres_bench --store URL --dir DIR [--items N] [--group N] [--bytes N] [--callers N] [--nodes N]: the
// PostgreSQL store alone, without model servers. Makes one batch, claims and completes it in groups,
// `callers` at once on each of `nodes`, and prints items a second.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/check.h"
#include "store/stores.h"

namespace {

using namespace sheaf;
using Clock = std::chrono::steady_clock;

struct Work {
    std::string url;
    std::filesystem::path directory;
    std::uint32_t items = 100'000;
    std::uint32_t group = 256;
    std::size_t bytes = 500;
    int callers = 2;
    int nodes = 1;
};

template <class T>
T value_of(Result<T> result) {
    CHECK(result, result.error().message);
    return std::move(*result);
}

double per_second(std::uint32_t items, Clock::time_point since) {
    return items / std::chrono::duration<double>(Clock::now() - since).count();
}

core::Batch create(store::Store& store, const Work& work) {
    store::BatchDraft draft;
    const Timestamp now = SystemClock{}.now();
    draft.batch.id = make_batch_id(now);
    draft.batch.account.name = "bench";
    draft.batch.dialect = "bench";
    draft.batch.created_at = now;
    draft.batch.expires_at = draft.batch.purge_at = now + std::chrono::hours{24};
    auto spool = value_of(store.batches().new_body());
    const std::string body(work.bytes, 'b');
    for (std::uint32_t at = 0; at < work.items; ++at) {
        draft.items.push_back({fmt::format("item-{}", at), {}, std::uint64_t{at} * work.bytes, work.bytes});
        CHECK(spool->append(body), "the body is spooled");
    }
    return value_of(store.batches().create(std::move(draft), std::move(spool)));
}

void complete_all(store::Store& store, const BatchId& batch, const Work& work) {
    const std::string line = std::string(work.bytes - 1, 'r') + '\n';
    for (;;) {
        const auto claimed = value_of(
            store.items().claim({.batch = batch, .count_max = work.group, .now = SystemClock{}.now()}));
        CHECK(claimed.damaged.empty(), "bodies are sound");
        if (claimed.leases.empty()) return;
        std::vector<store::ItemResult> results;
        for (const core::Lease& lease : claimed.leases) {
            results.push_back({lease.item.id,
                               lease.epoch,
                               core::ItemState::succeeded,
                               line,
                               {10, 20},
                               SystemClock{}.now()});
        }
        CHECK(store.items().finish(results), "results are recorded");
    }
}

void run(const Work& work) {
    std::vector<std::unique_ptr<store::Store>> nodes;
    for (int at = 0; at < work.nodes; ++at) {
        nodes.push_back(value_of(store::open_postgres_store(
            {.url = Secret(work.url), .directory = work.directory / fmt::format("node-{}", at)})));
    }
    auto start = Clock::now();
    const core::Batch batch = create(*nodes[0], work);
    fmt::print("in: {:.0f} items/s\n", per_second(work.items, start));
    start = Clock::now();
    {
        std::vector<std::jthread> callers;
        for (int at = 0; at < work.nodes * work.callers; ++at) {
            callers.emplace_back(
                [&, at] { complete_all(*nodes[static_cast<std::size_t>(at % work.nodes)], batch.id, work); });
        }
    }
    fmt::print("claimed and completed: {:.0f} items/s\n", per_second(work.items, start));
    const core::Batch after = value_of(nodes[0]->batches().find(batch.account, batch.id));
    CHECK(after.counts.succeeded == work.items, "every item has its result");
    start = Clock::now();
    CHECK(nodes[0]->batches().publish(batch.id,
                                      {.render = [](const auto&, const auto&) { return std::string(); }}),
          "results are laid out");
    CHECK(nodes[0]->batches().open_results(batch.id), "results are opened");
    fmt::print("published and laid out: {:.0f} items/s\n", per_second(work.items, start));
    CHECK(nodes[0]->batches().remove(batch.id), "the batch is removed");
}

}  // namespace

int main(int argc, char** argv) {
    Work work;
    CLI::App program("The PostgreSQL store alone", "postgres_bench");
    program.add_option("--store", work.url)->required();
    program.add_option("--dir", work.directory)->required();
    program.add_option("--items", work.items);
    program.add_option("--group", work.group);
    program.add_option("--bytes", work.bytes);
    program.add_option("--callers", work.callers);
    program.add_option("--nodes", work.nodes);
    CLI11_PARSE(program, argc, argv);
    run(work);
    return 0;
}
