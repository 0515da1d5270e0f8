#include "cli/console.h"

#include <gtest/gtest.h>

#include "cli/result_text.h"

namespace sheaf::cli {
namespace {

TEST(Bar, FillsWithTheFraction) {
    EXPECT_EQ(render_progress({.label = "up", .fraction = 0.5, .detail = "d"}, 35),
              "up [##########..........]  50 %  d");
    EXPECT_EQ(render_progress({.label = "up", .fraction = 0, .detail = ""}, 30).find('#'), std::string::npos);
    EXPECT_EQ(render_progress({.label = "up", .fraction = 1, .detail = ""}, 30).find('.'), std::string::npos);
}

TEST(Bar, NeverPassesTheWidth) {
    const ProgressView view{.label = "überträgt \xE6\x98\xA0", .fraction = 0.3, .detail = "12 of 40 done"};
    for (std::size_t width = 1; width < 120; ++width) {
        const std::string line = render_progress(view, width);
        const auto columns = std::count_if(
            line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
        EXPECT_LE(static_cast<std::size_t>(columns), width) << line;
        EXPECT_EQ(line.find('\n'), std::string::npos);
    }
}

TEST(Bar, TakesFractionsThatAreNone) {
    for (const double fraction : {-1.0, 2.0, std::nan(""), HUGE_VAL}) {
        EXPECT_LE(render_progress({.label = "x", .fraction = fraction, .detail = ""}, 40).size(), 40U);
    }
}

TEST(Format, BytesAndDurations) {
    EXPECT_EQ(format_bytes(0), "0 B");
    EXPECT_EQ(format_bytes(999), "999 B");
    EXPECT_EQ(format_bytes(1000), "1.0 kB");
    EXPECT_EQ(format_bytes(27'345'678), "27.3 MB");
    EXPECT_EQ(format_bytes(999'999'999), "1.0 GB");
    EXPECT_EQ(format_duration(std::chrono::seconds{42}), "0:42");
    EXPECT_EQ(format_duration(std::chrono::seconds{3723}), "1:02:03");
}

TEST(Printable, ControlCharactersCannotReachTheTerminal) {
    EXPECT_EQ(to_printable("a\x1b[2J\x07\x7f\xC2\x9Bz\tx\ny", Lines::keep), "a [2J   z\tx\ny");
    EXPECT_EQ(to_printable("a\tx\ny\xC3\xA9", Lines::join), "a x y\xC3\xA9");
}

class ProgressTest : public testing::Test {
protected:
    std::string shown(bool bars, const std::function<void(Progress&)>& use) {
        char* text = nullptr;
        std::size_t size = 0;
        FILE* const file = ::open_memstream(&text, &size);
        const Console console{.out = file, .err = file, .bars = bars};
        {
            Progress progress(console);
            use(progress);
        }
        std::fclose(file);
        std::string all(text, size);
        std::free(text);
        return all;
    }
};

TEST_F(ProgressTest, APipeGetsPlainLinesNowAndThen) {
    const std::string text = shown(false, [](Progress& progress) {
        for (int i = 0; i < 100; ++i) progress.show({.label = "up", .fraction = i / 100.0, .detail = "x"});
        progress.note("a note");
    });
    EXPECT_EQ(text, "up: 0 %, x\na note\n");
}

TEST_F(ProgressTest, ATerminalGetsABarThatIsTakenAway) {
    const std::string text = shown(true, [](Progress& progress) {
        progress.show({.label = "up", .fraction = 0.5, .detail = "x"});
        progress.note("a note");
    });
    EXPECT_TRUE(text.starts_with("\rup [")) << text;
    EXPECT_NE(text.find("\r\x1b[Ka note\n\rup ["), std::string::npos) << text;
    EXPECT_TRUE(text.ends_with("\r\x1b[K")) << text;
}

TEST(ResultText, ShowsNameStatusAndIndentedText) {
    const auto ready = parse_result_line(
        R"({"task_id":"t1","custom_id":"a","status":"ready","data":{"data":"one\ntwo\u001b[2J","finish_reason":"length"}})");
    ASSERT_TRUE(ready);
    EXPECT_EQ(render_result(*ready, {{"a", "a.mp4"}}),
              "a.mp4  [ready, cut off at the token limit]\n    one\n    two [2J\n\n");
    const auto failed = parse_result_line(
        R"({"task_id":"t2","custom_id":null,"status":"failed","error":{"message":"too short"}})");
    ASSERT_TRUE(failed);
    EXPECT_EQ(render_result(*failed, {}), "t2  [failed]\n    too short\n\n");
    EXPECT_FALSE(parse_result_line("{}"));
    EXPECT_FALSE(parse_result_line("nonsense"));
}

TEST(ResultText, DescribesABatch) {
    const BatchState batch{.batch_id = "b",
                           .status = "running",
                           .total = 40,
                           .queued = 17,
                           .running = 8,
                           .ready = 11,
                           .failed = 1,
                           .canceled = 1,
                           .expired = 2};
    EXPECT_EQ(describe_counts(batch), "15 of 40 done, 1 failed, 1 canceled, 2 expired, 8 running, 17 queued");
    EXPECT_EQ(describe_end(batch), "Batch b is running: 11 ready, 1 failed, 1 canceled, 2 expired.");
    EXPECT_NE(describe_end({.batch_id = "b", .status = "rejected"}).find("is rejected"), std::string::npos);
}

}  // namespace
}  // namespace sheaf::cli
