#include "cli/verify.h"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "cli/receipt.h"

namespace sheaf::cli {
namespace {

class VerifyTest : public testing::Test {
protected:
    void SetUp() override {
        folder_ = std::filesystem::temp_directory_path() / fmt::format("sheaf-verify-test-{}", ::getpid());
        std::filesystem::create_directories(folder_);
        for (int n = 0; n < 4; ++n)
            lines_.push_back(fmt::format(R"({{"task_id":"t{0}","custom_id":"c{0}","status":"ready"}})", n));
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::string file(const std::string& name, const std::string& contents) const {
        std::ofstream(folder_ / name, std::ios::binary) << contents;
        return folder_ / name;
    }
    static std::string contents(const std::filesystem::path& path) {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    static std::string joined(const std::vector<std::string>& lines) {
        std::string text;
        for (const std::string& line : lines) text += line + '\n';
        return text;
    }
    // As the server writes it.
    std::string receipt() const {
        std::string text = fmt::format(
            R"({{"receipt":1,"batch":"b1","dialect":"twelvelabs","end_reason":"completed","counts":{{"total":{}}}}})",
            lines_.size());
        text += '\n';
        for (std::size_t n = 0; n < lines_.size(); ++n) {
            text +=
                fmt::format(R"({{"item":"t{0}","custom_id":"c{0}","outcome":"succeeded","sha256":"{1}"}})", n,
                            to_hex(sha256(lines_[n])));
            text += '\n';
        }
        return text + ended(text);
    }
    static std::string ended(const std::string& text) {
        return fmt::format(R"({{"receipt_sha256":"{}"}})", to_hex(sha256(text))) + '\n';
    }
    int run(const std::string& receipt, std::vector<std::string> results) {
        Console console{.out = std::fopen((folder_ / "out").c_str(), "w"),
                        .err = std::fopen((folder_ / "err").c_str(), "w")};
        const int exit_code = verify(console, {receipt, std::move(results)});
        std::fclose(console.out);
        std::fclose(console.err);
        out_ = contents(folder_ / "out");
        err_ = contents(folder_ / "err");
        return exit_code;
    }
    // Of results with these lines.
    int run_with(const std::vector<std::string>& lines) {
        return run(file("receipt", receipt()), {file("results", joined(lines))});
    }

    std::filesystem::path folder_;
    std::vector<std::string> lines_;
    std::string out_;
    std::string err_;
};

TEST_F(VerifyTest, LinesThatAreThereOnceAndUnchangedAreGoodInAnyOrderAndInSeveralFiles) {
    EXPECT_EQ(run_with(lines_), 0) << err_ << out_;
    EXPECT_EQ(out_, "Batch b1: 4 items, each line there once and unchanged.\n");
    EXPECT_EQ(run_with({lines_[3], lines_[1], lines_[0], lines_[2]}), 0);
    const auto receipt_file = file("receipt", receipt());
    const auto one = file("one", lines_[2] + "\n\n" + lines_[0]);
    const auto two = file("two", lines_[1] + "\n" + lines_[3] + "\n");
    EXPECT_EQ(run(receipt_file, {one, two}), 0) << "an empty line is no result, a last line may have no end";
    EXPECT_EQ(run(receipt_file, {one}), 1);
    EXPECT_EQ(out_, "missing: c1 (t1)\nmissing: c3 (t3)\n");
}

TEST_F(VerifyTest, WhatIsMissingDoubledChangedOrForeignIsNamed) {
    EXPECT_EQ(run_with({lines_[0], lines_[1], lines_[3]}), 1);
    EXPECT_EQ(out_, "missing: c2 (t2)\n");
    EXPECT_EQ(run_with({lines_[0], lines_[1], lines_[1], lines_[2], lines_[3]}), 1);
    EXPECT_EQ(out_, fmt::format("doubled: c1 (t1), line 3 of {}\n", (folder_ / "results").string()));
    std::string changed = lines_[1];
    changed.replace(changed.find("ready"), 5, "reads");
    EXPECT_EQ(run_with({lines_[0], changed, lines_[2], lines_[3]}), 1);
    EXPECT_EQ(out_, fmt::format("changed: c1 (t1), line 2 of {}\n", (folder_ / "results").string()));
    const std::string foreign = R"({"task_id":"t9","custom_id":"c9","status":"ready"})";
    EXPECT_EQ(run_with({lines_[0], lines_[1], lines_[2], lines_[3], foreign}), 1);
    EXPECT_EQ(out_, fmt::format("foreign: line 5 of {}\n", (folder_ / "results").string()));
    EXPECT_NE(err_.find("These are not the results of batch b1"), std::string::npos) << err_;
    EXPECT_EQ(run_with({lines_[0], changed, lines_[1], lines_[2], lines_[3]}), 1);
    EXPECT_EQ(out_, fmt::format("foreign: line 2 of {}\n", (folder_ / "results").string()))
        << "the item's own line is there";
    EXPECT_EQ(run_with({"not JSON at all", lines_[1], lines_[2], lines_[3]}), 1);
    EXPECT_EQ(out_, fmt::format("missing: c0 (t0)\nforeign: line 1 of {}\n", (folder_ / "results").string()));
}

TEST_F(VerifyTest, EveryFlippedByteIsFound) {
    const std::string all = joined(lines_);
    for (std::size_t at = 0; at < all.size(); ++at) {
        std::string flipped = all;
        flipped[at] = static_cast<char>(flipped[at] ^ 1);
        EXPECT_EQ(run(file("receipt", receipt()), {file("results", flipped)}), 1) << at;
    }
    const std::string sound = receipt();
    for (std::size_t at = 0; at + 1 < sound.size(); ++at) {
        std::string flipped = sound;
        flipped[at] = static_cast<char>(flipped[at] ^ 1);
        EXPECT_EQ(run(file("receipt", flipped), {file("results", all)}), 1) << at << out_;
    }
}

TEST_F(VerifyTest, AReceiptThatIsNotWholeIsNotReliedOn) {
    const auto results = file("results", joined(lines_));
    const std::string sound = receipt();
    const std::string head = sound.substr(0, sound.find('\n') + 1);
    const std::string item = sound.substr(head.size(), sound.find('\n', head.size()) + 1 - head.size());
    const std::vector<std::pair<std::string, std::string>> cases{
        {"", "it is empty"},
        {"{}\n", "it is not a receipt"},
        {joined(lines_), "it is not a receipt"},
        {sound.substr(0, sound.rfind('\n', sound.size() - 2) + 1), "its end is missing"},
        {sound + "{}\n", "something follows its end"},
        {head + ended(head), "it does not name as many items as it counts"},
        {head + item + item + item + item + ended(head + item + item + item + item),
         "it names an item twice"}};
    for (const auto& [text, why] : cases) {
        EXPECT_EQ(run(file("receipt", text), {results}), 1) << text;
        EXPECT_NE(err_.find("The receipt cannot be relied on: " + why), std::string::npos) << err_;
    }
    EXPECT_EQ(run(file("receipt", sound), {folder_ / "none"}), 2);
    EXPECT_EQ(run(folder_ / "none", {results}), 2);
    EXPECT_NE(err_.find("cannot be read"), std::string::npos) << err_;
}

TEST_F(VerifyTest, ItemsWithTheSameLineHaveOneEach) {
    lines_[1] = lines_[0];
    EXPECT_EQ(run_with(lines_), 0) << out_;
    EXPECT_EQ(run_with({lines_[0], lines_[2], lines_[3]}), 1);
    EXPECT_EQ(out_, "missing: c1 (t1)\n");
}

TEST_F(VerifyTest, ABatchWithoutItemsHasNoLines) {
    lines_.clear();
    EXPECT_EQ(run_with({}), 0) << err_;
    EXPECT_EQ(run_with({"{}"}), 1);
}

}  // namespace
}  // namespace sheaf::cli
