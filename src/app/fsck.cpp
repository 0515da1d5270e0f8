#include "app/fsck.h"

#include <cstdio>
#include <functional>
#include <map>
#include <memory>

#include <fmt/format.h>

#include "app/fsck_blobs.h"
#include "app/fsck_report.h"
#include "base/log.h"
#include "core/outcome.h"
#include "dialect/dialects.h"
#include "scheduler/layout.h"
#include "store/upkeep.h"

namespace sheaf::app {
namespace {

using Codecs = std::map<std::string, std::unique_ptr<core::ItemCodec>, std::less<>>;

constexpr std::string_view kLost = "The stored result was damaged and is lost; submit the request again.";

Codecs make_codecs() {
    Codecs codecs;
    codecs.emplace("anthropic", dialect::anthropic::make_codec());
    codecs.emplace("openai", dialect::openai::make_codec());
    codecs.emplace("sail", dialect::sail::make_codec());
    codecs.emplace("twelvelabs", dialect::twelvelabs::make_codec({}));
    return codecs;
}

store::Repairs repairs_of(const Codecs& codecs, Timestamp now) {
    return {.lost_line =
                [&codecs](const core::Batch& batch, const core::ItemHead& item) {
                    return codecs.at(batch.dialect)
                        ->line(batch, item, core::Failed{{"internal_server_error", std::string(kLost)}});
                },
            .layout =
                [&codecs, now](const core::Batch& batch) {
                    return scheduler::layout_of(*codecs.at(batch.dialect), now);
                },
            .speaks = [&codecs](const core::Batch& batch) { return codecs.contains(batch.dialect); },
            .now = now};
}

store::Listener listener_of(Report& report) {
    return {
        .found = [&](const store::Finding& finding) { report.add(weight_of(finding), describe(finding)); },
        .progress = [&](std::uint64_t done,
                        std::uint64_t total) { report.show_progress("checking", done, total, "batches"); }};
}

int complain(const Error& error) {
    fmt::print(stderr, "sheaf fsck: {}\n", error.message);
    return 2;
}

}  // namespace

int fsck(const FsckOptions& options, const cli::Console& console) {
    log::set_level(log::Level::error);
    auto upkeep = store::open_sqlite_upkeep(options.data);
    if (!upkeep) return complain(upkeep.error());
    Report report(console);
    const auto codecs = make_codecs();
    const store::Repairs repairs = repairs_of(codecs, SystemClock{}.now());
    const auto listener = listener_of(report);
    const auto checked = options.repair ? (*upkeep)->repair(listener, repairs) : (*upkeep)->check(listener);
    if (!checked) return complain(checked.error());
    if (checked->index_was_read) {
        const std::filesystem::path directory = options.data / "blobs";
        const auto aside = checked->index_was_rebuilt ? store::put_aside_name(directory, repairs.now)
                                                      : std::filesystem::path();
        const auto blobs = check_blobs({.directory = directory, .repair = options.repair, .put_aside = aside},
                                       **upkeep, report);
        if (!blobs) return complain(blobs.error());
    }
    report.sum_up(*checked);
    return report.exit_code();
}

Result<> check_copy(const std::filesystem::path& data, Report& report) {
    auto upkeep = store::open_sqlite_upkeep(data, store::HalfMade::taken);
    if (!upkeep) return std::unexpected(upkeep.error());
    const auto checked = (*upkeep)->check(listener_of(report));
    if (!checked) return std::unexpected(checked.error());
    if (const auto blobs = check_blobs({.directory = data / "blobs"}, **upkeep, report); !blobs) return blobs;
    report.sum_up(*checked);
    return {};
}

}  // namespace sheaf::app
