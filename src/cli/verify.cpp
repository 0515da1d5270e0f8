#include "cli/verify.h"

#include <fmt/format.h>

#include "cli/receipt.h"

namespace sheaf::cli {
namespace {

int complain(const Console& console, const Failure& failure) {
    console.tell("sheaf: " + failure.message);
    return static_cast<int>(failure.exit_code);
}

}  // namespace

int verify(const Console& console, const VerifyFlags& flags) {
    const auto receipt = Receipt::read(flags.receipt);
    if (!receipt) return complain(console, receipt.error());
    ResultsCheck check(*receipt);
    for (const std::string& path : flags.results) {
        const auto read =
            read_lines_of(path, [&](std::string_view text, const Sha256& sha256, std::uint64_t number) {
                check.add(text, sha256, {path, number});
            });
        if (!read) return complain(console, read.error());
    }
    const auto findings = check.findings();
    for (const std::string& finding : findings) console.print(finding + "\n");
    const std::size_t items = receipt->items.size();
    if (findings.empty()) {
        console.print(fmt::format("Batch {}: {} {}, each line there once and unchanged.\n", receipt->batch,
                                  items, items == 1 ? "item" : "items"));
        return static_cast<int>(ExitCode::all_ready);
    }
    console.tell(fmt::format("sheaf: These are not the results of batch {}: {} of {} lines or items differ.",
                             receipt->batch, findings.size(), std::max(items, check.lines())));
    return static_cast<int>(ExitCode::some_not_ready);
}

}  // namespace sheaf::cli
