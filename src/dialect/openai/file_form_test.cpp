#include "dialect/openai/file_form.h"

#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "dialect/openai/testing_form.h"
#include "dialect/openai/testing_world.h"
#include "http/chunked.h"

namespace sheaf::dialect::openai {
namespace {

std::filesystem::path forms() {
    return std::filesystem::path(__FILE__).parent_path() / "testdata" / "forms";
}

struct Captured {
    std::string content_type;
    std::string body;  // without the framing of chunks
};

std::string without_chunks(std::string_view framed) {
    http::ChunkDecoder decoder;
    std::string body(framed.size(), '\0');
    const auto step = decoder.decode(framed, body);
    EXPECT_TRUE(decoder.ended());
    EXPECT_EQ(step.consumed, framed.size());
    body.resize(step.produced);
    return body;
}

// A request as a client wrote it.
Captured read_capture(const std::string& name) {
    std::ifstream in(forms() / name, std::ios::binary);
    const std::string request{std::istreambuf_iterator<char>(in), {}};
    const auto end = request.find("\r\n\r\n");
    http::Headers headers;
    for (std::size_t at = request.find("\r\n"); at < end; at = request.find("\r\n", at + 2)) {
        const auto colon = request.find(": ", at);
        headers.add(request.substr(at + 2, colon - at - 2),
                    request.substr(colon + 2, request.find("\r\n", at + 2) - colon - 2));
    }
    const std::string body = request.substr(end + 4);
    const bool is_chunked = headers.find("transfer-encoding") == "chunked";
    if (!is_chunked) EXPECT_EQ(headers.find("content-length"), std::to_string(body.size()));
    return {std::string(headers.find("content-type").value_or("")), is_chunked ? without_chunks(body) : body};
}

class OpenAiForms : public OpenAiWorld, public testing::WithParamInterface<std::string> {
protected:
    Answered send(std::string body, std::size_t piece = 4096, std::size_t fails_at = std::string::npos) {
        return call({.method = "POST",
                     .target = "/files",
                     .body = std::move(body),
                     .content_type = captured.content_type,
                     .piece = piece,
                     .body_fails_at = fails_at});
    }
    void expect_nothing_left(std::size_t cut) {
        EXPECT_TRUE(keys().empty()) << "cut at " << cut;
        EXPECT_TRUE(run(files->list({.account = kTeam}))->rows.empty()) << "cut at " << cut;
    }

    const Captured captured = read_capture(GetParam());
};

TEST_P(OpenAiForms, IsReadInPiecesOfAnySize) {
    for (std::size_t piece = 1; piece <= 70; ++piece) {
        const Answered answered = send(captured.body, piece);
        ASSERT_EQ(answered.status, 200) << answered.body;
        EXPECT_EQ(text_at(answered.body, "/filename"), "in put.jsonl");
        EXPECT_EQ(text_at(answered.body, "/purpose"), "batch");
        EXPECT_EQ(text_at(answered.body, "/bytes"), "37");
        EXPECT_EQ(text_at(answered.body, "/expires_at"), "1781780400");
        EXPECT_EQ(read_file(text_at(answered.body, "/id")),
                  "{\"custom_id\":\"a\"}\r\n{\"custom_id\":\"b\"}\n");
    }
}

TEST_P(OpenAiForms, LeavesNothingOfAClientThatVanishes) {
    for (std::size_t cut = 0; cut < captured.body.size(); ++cut) {
        EXPECT_GE(send(captured.body, 4096, cut).status, 400);
        expect_nothing_left(cut);
    }
}

TEST_P(OpenAiForms, LeavesNothingWhenItEndsTooSoon) {
    const std::size_t complete = captured.body.rfind("--") + 2;
    for (std::size_t cut = 1; cut < complete; ++cut) {
        EXPECT_EQ(send(captured.body.substr(0, cut)).status, 400);
        expect_nothing_left(cut);
    }
    EXPECT_EQ(send(captured.body.substr(0, complete)).status, 200) << "an epilogue need not be there";
}

TEST_P(OpenAiForms, LeavesNothingOnAFullDisk) {
    blobs.writers_fail = true;
    const Answered answered = send(captured.body);
    EXPECT_EQ(answered.status, 503);
    EXPECT_TRUE(answered.headers.find("Retry-After"));
    expect_nothing_left(captured.body.size());
}

std::vector<std::string> captures() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(forms())) {
        if (entry.path().extension() == ".http") names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return names;
}

INSTANTIATE_TEST_SUITE_P(Captured, OpenAiForms, testing::ValuesIn(captures()), [](const auto& info) {
    std::string name = info.param.substr(0, info.param.find('.'));
    std::ranges::replace(name, '-', '_');
    return name;
});

// Its client told how much would come, and waits for leave to send it.
class AnnouncedBody final : public http::BodyReader {
public:
    explicit AnnouncedBody(std::uint64_t bytes) : bytes_(bytes) {}
    async::Task<Result<std::size_t>> read(std::span<char>) override {
        was_read = true;
        co_return 0;
    }
    void set_limit(std::uint64_t) override {}
    std::optional<std::uint64_t> announced_bytes() const override { return bytes_; }

    bool was_read = false;

private:
    std::uint64_t bytes_;
};

class OpenAiFileForm : public OpenAiWorld {
protected:
    // Of a form whose file may have 1,000 bytes.
    Problem read(AnnouncedBody& body, http::Headers headers) {
        FileForm form("file", 1000, [] { return no_bytes(); });
        http::Request request;
        request.headers = std::move(headers);
        request.headers.add("content-type", Form::content_type());
        request.body = &body;
        auto read = run(form.read(request));
        EXPECT_FALSE(read);
        return read.error();
    }

private:
    static async::Task<Checked<service::FileBytes>> no_bytes() { co_return refuse("There is no file."); }
};

TEST_F(OpenAiFileForm, WhoAsksBeforeSendingTooMuchIsSparedIt) {
    http::Headers expecting;
    expecting.add("Expect", "100-continue");
    AnnouncedBody large(std::uint64_t{1} << 30);
    EXPECT_EQ(read(large, expecting).status, 413);
    EXPECT_FALSE(large.was_read);

    AnnouncedBody small(1000);
    EXPECT_EQ(read(small, expecting).status, 400);
    EXPECT_TRUE(small.was_read);

    AnnouncedBody at_once(std::uint64_t{1} << 30);
    read(at_once, {});
    EXPECT_TRUE(at_once.was_read) << "the answer is read after the body was sent";
}

}  // namespace
}  // namespace sheaf::dialect::openai
