#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "store/sqlite/page_checks.h"
#include "store/sqlite/sqlite_store.h"
#include "store/sqlite/temporary_directory.h"
#include "store/store_conformance.h"
#include "store/upkeep.h"

namespace sheaf::store {

namespace fs = std::filesystem;

inline std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_whole(const fs::path& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

inline void flip_bit(const fs::path& path, std::size_t at, char bit = 0x10) {
    std::string bytes = contents(path);
    ASSERT_LT(at, bytes.size()) << path;
    bytes[at] = static_cast<char>(bytes[at] ^ bit);
    write_whole(path, bytes);
}

inline void flip_bit_of(const fs::path& path, std::string_view needle) {
    const std::size_t at = contents(path).find(needle);
    ASSERT_NE(at, std::string::npos) << path;
    flip_bit(path, at);
}

// A data directory that is damaged on purpose, and what its check says.
class UpkeepTest : public testing::Test {
protected:
    fs::path data() const { return directory_.path() / "data"; }
    fs::path log() const { return data() / "log" / "00000001.seg"; }
    fs::path small_bodies() const { return data() / "bodies" / "00000001.seg"; }
    fs::path results_of(const ABatch& batch) const {
        return data() / "results" / (to_string(batch.id()) + ".jsonl");
    }
    fs::path body_of(const ABatch& batch) const { return data() / "bodies" / to_string(batch.id()); }

    Store& open() {
        auto store = open_sqlite_store({.directory = data()});
        CHECK(store, store.error().message);
        store_ = std::move(*store);
        return *store_;
    }
    void close() { store_.reset(); }

    void create(const ABatch& batch) {
        const auto created = batch.create(*store_);
        ASSERT_TRUE(created) << created.error().message;
    }
    std::vector<core::Lease> claim(const ABatch& batch, std::uint32_t count) {
        return store_->items().claim({.batch = batch.id(), .count_max = count, .now = kNow})->leases;
    }
    void run(const ABatch& batch, std::uint32_t count, core::ItemState state = core::ItemState::succeeded) {
        std::vector<ItemResult> results;
        for (const core::Lease& lease : claim(batch, count)) {
            results.push_back({lease.item.id, lease.epoch, state, line_of(lease.item.id), {3, 5}, kNow});
        }
        ASSERT_TRUE(store_->items().finish(results));
    }
    void publish(const ABatch& batch) {
        ASSERT_TRUE(store_->batches().publish(batch.id(), {.render = rendered_line}));
    }
    core::Batch found(const ABatch& batch) { return store_->batches().find(kAlice, batch.id()).value(); }
    std::string line(const ABatch& batch, std::uint32_t ordinal) {
        auto lines = store_->batches().read_lines(batch.id(), ordinal, 1, 1 << 20);
        return lines ? lines->at(0).line.value_or("none") : std::string(to_string(lines.error().code));
    }

    void sql(const std::string& statements) {
        sqlite3* handle = nullptr;
        CHECK(sqlite3_open_v2((data() / "index.db").c_str(), &handle, SQLITE_OPEN_READWRITE,
                              checked_pages()) == SQLITE_OK,
              "the index opens");
        char* why = nullptr;
        EXPECT_EQ(sqlite3_exec(handle, statements.c_str(), nullptr, nullptr, &why), SQLITE_OK) << why;
        sqlite3_close(handle);
    }

    // What a killed server leaves: its files as they are this moment.
    void leave_as_if_killed() {
        const fs::path killed = directory_.path() / "killed";
        fs::copy(data(), killed, fs::copy_options::recursive);
        close();
        fs::remove_all(data());
        fs::rename(killed, data());
        fs::remove(data() / "index.db-shm");
    }

    // All files below the directory, with their bytes.
    std::map<std::string, std::string> everything() const {
        std::map<std::string, std::string> files;
        for (const auto& entry : fs::recursive_directory_iterator(data()))
            files[entry.path().string()] = entry.is_regular_file() ? contents(entry.path()) : "";
        return files;
    }

    using Told = std::vector<std::string>;
    // Each fault as "number of its kind, item: detail".
    static std::string told(const Finding& finding);
    Listener listener() {
        return {[this](const Finding& finding) { told_.push_back(told(finding)); },
                [](std::uint64_t, std::uint64_t) {}};
    }
    Told check() {
        told_.clear();
        const auto upkeep = open_sqlite_upkeep(data());
        CHECK(upkeep, upkeep.error().message);
        const auto checked = (*upkeep)->check(listener());
        CHECK(checked, checked.error().message);
        checked_ = *checked;
        return told_;
    }
    static std::string lost_line(const core::ItemHead& item) {
        return fmt::format("{{\"lost\":{}}}\n", item.id.ordinal);
    }
    Told repair(core::ItemCodec::Order order = core::ItemCodec::Order::submission) {
        told_.clear();
        const auto upkeep = open_sqlite_upkeep(data());
        CHECK(upkeep, upkeep.error().message);
        const auto checked = (*upkeep)->repair(
            listener(),
            {.lost_line = [](const core::Batch&, const core::ItemHead& item) { return lost_line(item); },
             .layout = [&](const core::Batch&) { return Batches::Layout{rendered_line, order, files_}; },
             .speaks = [](const core::Batch&) { return true; },
             .now = kNow + std::chrono::hours{1}});
        CHECK(checked, checked.error().message);
        return told_;
    }

    TemporaryDirectory directory_;
    std::unique_ptr<Store> store_;
    Told told_;
    Checked checked_;
    decltype(Batches::Layout::files) files_;
};

inline std::string UpkeepTest::told(const Finding& finding) {
    static const std::map<Fault, std::string> kNames{{Fault::index_missing, "index missing"},
                                                     {Fault::index_damaged, "index damaged"},
                                                     {Fault::index_log_damaged, "index log"},
                                                     {Fault::rows_stray, "rows stray"},
                                                     {Fault::segment_missing, "segment missing"},
                                                     {Fault::segment_short, "segment short"},
                                                     {Fault::segment_uncounted, "uncounted"},
                                                     {Fault::stray_file, "stray file"},
                                                     {Fault::counts_wrong, "counts"},
                                                     {Fault::items_missing, "items missing"},
                                                     {Fault::batch_stuck, "stuck"},
                                                     {Fault::plan_damaged, "plan"},
                                                     {Fault::lease_missing, "no lease"},
                                                     {Fault::lease_stray, "stray lease"},
                                                     {Fault::body_missing, "body missing"},
                                                     {Fault::body_damaged, "body"},
                                                     {Fault::request_damaged, "request"},
                                                     {Fault::request_unreadable, "old request"},
                                                     {Fault::result_damaged, "result"},
                                                     {Fault::results_missing, "results missing"},
                                                     {Fault::results_resized, "results resized"},
                                                     {Fault::results_unclosed, "unclosed"},
                                                     {Fault::record_damaged, "record"},
                                                     {Fault::order_damaged, "order"},
                                                     {Fault::batch_rebuilt, "rebuilt"},
                                                     {Fault::file_outside, "file outside"},
                                                     {Fault::leftover, "leftover"},
                                                     {Fault::log_tail, "tail"},
                                                     {Fault::segment_spare, "spare"},
                                                     {Fault::kept_copy, "kept"},
                                                     {Fault::unknown_file, "unknown"}};
    std::string text = kNames.at(finding.fault);
    if (finding.item != nullptr) text += fmt::format(" {}", finding.item->id.ordinal);
    const bool is_file = finding.batch == nullptr && finding.fault != Fault::index_damaged;
    if (is_file) text += ": " + finding.detail;
    switch (finding.mending) {
        case Mending::none:
            break;
        case Mending::mended:
            text += " (mended)";
            break;
        case Mending::requeued:
            text += " (requeued)";
            break;
        case Mending::given_up:
            text += " (given up)";
            break;
    }
    return text;
}

}  // namespace sheaf::store
