#include <map>
#include <random>

#include <gtest/gtest.h>

#include "dialect/openai/testing_world.h"

namespace sheaf::dialect::openai {
namespace {

// Every accepted line is in exactly one of the two files, whatever happens to its batch.
class OpenAiConservation : public OpenAiWorld, public testing::WithParamInterface<unsigned> {
protected:
    int below(int end) { return static_cast<int>(random_() % static_cast<unsigned>(end)); }

    core::Ending any_ending() {
        switch (below(5)) {
            case 0:
                return core::Failed{{.code = "invalid_request", .message = "No.", .status = 400}};
            case 1:
                return core::Failed{{.code = "timed_out", .message = "Too slow."}};
            default:
                return core::Succeeded{{.reply = R"({"object":"chat.completion"})",
                                        .usage = {.input_tokens = 3, .output_tokens = 1}}};
        }
    }

    // Items that run, and how they will end.
    void claim_some(const BatchId& id) {
        const auto claimed = store->items().claim(
            {.batch = id, .count_max = static_cast<std::uint32_t>(1 + below(4)), .now = clock.now()});
        ASSERT_TRUE(claimed);
        running_.insert(running_.end(), claimed->leases.begin(), claimed->leases.end());
    }
    void finish_some(const core::Batch& batch) {
        for (int i = below(4); i > 0 && !running_.empty(); --i) {
            const auto at = running_.begin() + below(static_cast<int>(running_.size()));
            const core::Ending ending = any_ending();
            const auto* const good = std::get_if<core::Succeeded>(&ending);
            const store::ItemResult result{at->item.id,
                                           at->epoch,
                                           good ? core::ItemState::succeeded : core::ItemState::failed,
                                           dialect->codec().line(batch, at->item, ending),
                                           good ? good->answer.usage : core::Usage{},
                                           clock.now()};
            ASSERT_TRUE(store->items().finish({&result, 1}));
            running_.erase(at);
        }
    }

    std::mt19937 random_{GetParam()};
    std::vector<core::Lease> running_;
};

TEST_P(OpenAiConservation, OutputAndErrorsAreWhatWasAccepted) {
    const int count = 1 + below(30);
    const std::string id = make_batch(count);
    const BatchId batch_id = *parse_batch_id(id);
    const int fate = below(3);  // 0: it is let run, 1: canceled under way, 2: its time runs out
    int steps_left = below(12);
    while (true) {
        const auto row = store->batches().find(kTeam, batch_id);
        ASSERT_TRUE(row);
        if (row->state == core::BatchState::ended) break;
        if (row->counts.queued > 0) claim_some(batch_id);
        finish_some(*row);
        if (steps_left-- != 0) continue;
        if (fate == 1) ASSERT_NE(post("/batches/" + id + "/cancel").status, 500);
        if (fate == 2) {
            clock.advance(24h);
            ASSERT_NE(status(id), "in_progress");
        }
    }
    publish(id);

    const std::string shown = batch(id);
    std::map<std::string, int> seen;
    std::map<std::string, int> of_file;
    for (const std::string file : {"output", "error"}) {
        const std::string file_id = text_at(shown, "/" + file + "_file_id");
        if (file_id == "null") continue;
        const auto lines = lines_of(read_file(file_id));
        EXPECT_FALSE(lines.empty()) << "an empty file is no file";
        for (const std::string& line : lines) {
            ++seen[text_at(line, "/custom_id")];
            ++of_file[file];
            const bool is_good = text_at(line, "/response/status_code") == "200";
            EXPECT_EQ(is_good, file == "output") << line;
            EXPECT_NE(text_at(line, "/response") == "null", text_at(line, "/error") == "null") << line;
            if (text_at(line, "/error/code") == "batch_cancelled") ++of_file["cancelled"];
        }
    }
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(count));
    for (const auto& [name, times] : seen) EXPECT_EQ(times, 1) << name;
    EXPECT_EQ(text_at(shown, "/request_counts"),
              fmt::format(R"({{"total":{},"completed":{},"failed":{}}})", count, of_file["output"],
                          of_file["error"] - of_file["cancelled"]));
    EXPECT_EQ(text_at(shown, "/usage/total_tokens"), std::to_string(of_file["output"] * 4));
}

INSTANTIATE_TEST_SUITE_P(Seeds, OpenAiConservation, testing::Range(0U, 40U));

}  // namespace
}  // namespace sheaf::dialect::openai
