#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "async/timer.h"
#include "base/hash.h"
#include "cli/batch_commands.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/submit.h"
#include "http/running_server.h"

namespace sheaf::cli {
namespace {

using namespace std::chrono_literals;
using http::Request;
using http::Response;

constexpr std::size_t kChunk = 1000;

async::Task<Response> answer(int status, std::string body) {
    Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(body);
    co_return response;
}

async::Task<Response> error(int status, std::string_view code) {
    return answer(
        status,
        fmt::format(
            R"({{"code":"{0}","message":"It is {0}.","error":{{"code":"{0}","message":"It is {0}."}}}})",
            code));
}

// Speaks as much of the wire as the commands need, strictly, and remembers what was said.
class FakeServer {
public:
    FakeServer() : server_(router()) {}

    std::string origin() const { return server_.origin(); }

    // What the test turns before the command runs.
    std::string broken_file;  // its asset fails
    int refused_chunks = 0;   // answered 503 before one is taken
    int polls_until_over = 2;
    int absent_polls = 0;  // answered 503, after the first one
    bool over_at_all = true;
    std::string failed_item;  // the custom id of an item that fails
    int create_status = 201;

    std::mutex mutex;
    std::vector<std::string> log;                // method and target
    std::map<std::string, std::string> uploads;  // by asset id
    std::map<std::string, std::string> file_names;
    std::string created;
    std::vector<std::string> custom_ids;
    std::vector<std::string> create_calls;  // of requests: target and body
    std::set<std::string> idempotency_keys;
    int in_flight = 0;
    int in_flight_max = 0;

private:
    using Work = async::Task<Response> (FakeServer::*)(Request&, std::string);

    http::Router router() {
        http::Router routes;
        const auto add = [&](const char* method, const char* pattern, bool needs_key, Work work) {
            routes.add(method, pattern,
                       [this, needs_key, work](Request& request) { return serve(request, needs_key, work); });
        };
        add("POST", "/v1.3/assets/multipart-uploads", true, &FakeServer::open);
        add("POST", "/v1.3/assets/multipart-uploads/{id}", true, &FakeServer::report);
        add("POST", "/v1.3/assets/multipart-uploads/{id}/presigned-urls", true, &FakeServer::sign);
        add("PUT", "/chunks/{id}/{n}", false, &FakeServer::put);
        add("GET", "/v1.3/assets/{id}", true, &FakeServer::asset);
        add("POST", "/v1.3/analyze/batches", true, &FakeServer::create);
        add("POST", "/v1/files", true, &FakeServer::take_file);
        add("POST", "/v1/batches", true, &FakeServer::create_requests);
        add("POST", "/v1/messages/batches", true, &FakeServer::create_requests);
        add("POST", "/sail/v1/batches", true, &FakeServer::create_requests);
        add("GET", "/sheaf/v1/batches", true, &FakeServer::list);
        add("GET", "/sheaf/v1/batches/{id}", true, &FakeServer::batch);
        add("GET", "/sheaf/v1/batches/{id}/results", true, &FakeServer::results);
        add("POST", "/sheaf/v1/batches/{id}/cancel", true, &FakeServer::cancel);
        add("DELETE", "/sheaf/v1/batches/{id}", true, &FakeServer::remove);
        return routes;
    }

    async::Task<Response> serve(Request& request, bool needs_key, Work work) {
        auto body = co_await http::read_all(*request.body, 10'000'000);
        if (!body) co_return co_await error(400, "unreadable");
        {
            const std::lock_guard lock(mutex);
            log.push_back(request.method + " " + request.target);
        }
        const auto key = request.headers.find("x-api-key");
        if (needs_key && key != "secret") co_return co_await error(401, "api_key_invalid");
        if (!needs_key && key) co_return co_await error(400, "key_sent_to_a_signed_url");
        co_return co_await (this->*work)(request, std::move(*body));
    }

    std::string urls(std::string_view id, std::uint64_t first, std::uint64_t count) const {
        std::string list;
        for (std::uint64_t n = first; n < first + count; ++n) {
            list += fmt::format(
                R"({}{{"chunk_index":{},"url":"{}/chunks/{}/{}?signature=s","expires_at":"2026-01-01T00:00:00Z"}})",
                list.empty() ? "" : ",", n, server_.origin(), id, n);
        }
        return list;
    }

    async::Task<Response> open(Request&, std::string body) {
        const auto document = jsonl::Document::parse(body);
        if (!document || string_member(document->root(), "type") != "video")
            return error(400, "parameter_invalid");
        const auto total = number_member(document->root(), "total_size").value_or(0);
        const auto chunks = (total + kChunk - 1) / kChunk;
        const std::lock_guard lock(mutex);
        const std::string id = fmt::format("asset{}", file_names.size() + 1);
        file_names[id] = string_member(document->root(), "filename").value_or("");
        uploads[id] = std::string(total, '\0');
        return answer(
            201,
            fmt::format(
                R"({{"upload_id":"{0}","asset_id":"{0}","upload_urls":[{1}],"upload_headers":{{}},"chunk_size":{2},)"
                R"("total_chunks":{3},"expires_at":"2026-01-01T00:00:00Z"}})",
                id, urls(id, 1, std::min<std::uint64_t>(chunks, 2)), kChunk, chunks));
    }

    async::Task<Response> sign(Request& request, std::string body) {
        const auto document = jsonl::Document::parse(body);
        if (!document) return error(400, "parameter_invalid");
        const std::string list =
            urls(request.path_parameters[0], number_member(document->root(), "start").value_or(0),
                 number_member(document->root(), "count").value_or(0));
        return answer(200, fmt::format(R"({{"upload_urls":[{}]}})", list));
    }

    async::Task<Response> put(Request& request, std::string body) {
        {
            const std::lock_guard lock(mutex);
            in_flight_max = std::max(in_flight_max, ++in_flight);
        }
        co_await async::sleep_for(5ms);
        const std::lock_guard lock(mutex);
        --in_flight;
        if (refused_chunks > 0) {
            --refused_chunks;
            co_return co_await error(503, "service_unavailable");
        }
        uploads[request.path_parameters[0]].replace((std::stoul(request.path_parameters[1]) - 1) * kChunk,
                                                    body.size(), body);
        Response response;
        response.headers.add("ETag", "\"" + md5_hex(body) + "\"");
        co_return response;
    }

    async::Task<Response> report(Request& request, std::string body) {
        const auto document = jsonl::Document::parse(body);
        if (!document) return error(400, "parameter_invalid");
        const std::lock_guard lock(mutex);
        const std::string& bytes = uploads[request.path_parameters[0]];
        for (const Json chunk : document->root()["completed_chunks"].get_array()) {
            const std::size_t offset = (number_member(chunk, "chunk_index").value_or(1) - 1) * kChunk;
            const std::string part = bytes.substr(offset, number_member(chunk, "chunk_size").value_or(0));
            if (string_member(chunk, "proof") != md5_hex(part) ||
                string_member(chunk, "proof_type") != "etag") {
                return error(400, "parameter_invalid");
            }
        }
        return answer(200, "{}");
    }

    async::Task<Response> asset(Request& request, std::string) {
        const std::lock_guard lock(mutex);
        const std::string id = request.path_parameters[0];
        if (asset_polls_[id]++ == 0)
            return answer(200, fmt::format(R"({{"_id":"{}","status":"processing"}})", id));
        if (file_names[id] == broken_file) {
            return answer(
                200, fmt::format(R"({{"_id":"{}","status":"failed","error":{{"message":"no video in it"}}}})",
                                 id));
        }
        return answer(200, fmt::format(R"({{"_id":"{}","status":"ready"}})", id));
    }

    async::Task<Response> create(Request& request, std::string body) {
        const std::lock_guard lock(mutex);
        idempotency_keys.insert(std::string(request.headers.find("idempotency-key").value_or("")));
        if (create_status == 503) {
            create_status = 201;
            return error(503, "service_unavailable");
        }
        if (create_status != 201) return error(create_status, "not_as_you_like");
        created = body;
        const auto document = jsonl::Document::parse(body);
        custom_ids.clear();
        for (const Json item : document->root()["requests"].get_array())
            custom_ids.push_back(string_member(item, "custom_id").value_or(""));
        return answer(
            201,
            fmt::format(
                R"({{"batch_id":"b1","status":"pending","total_items":{},"created_at":"2026-01-01T00:00:00Z",)"
                R"("expires_at":"2026-01-01T00:00:00Z","items":[]}})",
                custom_ids.size()));
    }

    bool over() const { return over_at_all && polls_ >= polls_until_over; }
    std::string batch_json(std::string_view id = "b1") const {
        const std::size_t failed = over() && !failed_item.empty() ? 1 : 0;
        const std::size_t succeeded = over() ? custom_ids.size() - failed : 0;
        return fmt::format(
            R"({{"id":"{}","dialect":"twelvelabs","kind":"batch","model":"m","tag":null,"state":"{}","end_reason":{},)"
            R"("counts":{{"total":{},"queued":{},"running":0,"succeeded":{},"failed":{},"canceled":0,"expired":0}},)"
            R"("created_at":"2026-01-01T00:00:00Z"}})",
            id, over() ? "ended" : "running", over() ? "\"completed\"" : "null", custom_ids.size(),
            over() ? 0 : custom_ids.size(), succeeded, failed);
    }

    async::Task<Response> take_file(Request& request, std::string body) {
        const std::lock_guard lock(mutex);
        const std::string type(request.headers.find("content-type").value_or(""));
        const auto boundary = type.find("boundary=");
        if (!type.starts_with("multipart/form-data") || boundary == std::string::npos)
            return error(400, "no_form");
        const std::string mark = "\r\n--" + type.substr(boundary + 9);
        const auto head = body.find("name=\"file\"");
        const auto begin = body.find("\r\n\r\n", head) + 4;
        created = body.substr(begin, body.find(mark, begin) - begin);
        if (body.find("name=\"purpose\"\r\n\r\nbatch\r\n") == std::string::npos)
            return error(400, "no_purpose");
        return answer(200, R"({"id":"file-1","object":"file"})");
    }
    async::Task<Response> create_requests(Request& request, std::string body) {
        const std::lock_guard lock(mutex);
        custom_ids = {"a", "b"};
        create_calls.push_back(request.target + " " + body);
        if (request.target == "/v1/messages/batches" && !request.headers.find("anthropic-version"))
            return error(400, "no_version");
        return answer(200, R"({"id":"b1"})");
    }
    static bool known(const Request& request) { return request.path_parameters[0] == "b1"; }

    async::Task<Response> batch(Request& request, std::string) {
        const std::lock_guard lock(mutex);
        if (!known(request)) return error(404, "resource_not_exist");
        if (++polls_ > 1 && absent_polls > 0) {
            --absent_polls;
            return error(503, "service_unavailable");
        }
        return answer(200, batch_json());
    }
    async::Task<Response> list(Request& request, std::string) {
        const std::lock_guard lock(mutex);
        const bool is_second = request.parameter("after") == "b1";
        return answer(200, fmt::format(R"({{"batches":[{}],"has_more":{}}})",
                                       batch_json(is_second ? "b0" : "b1"), !is_second));
    }
    async::Task<Response> results(Request& request, std::string) {
        const std::lock_guard lock(mutex);
        if (!known(request)) return error(404, "resource_not_exist");
        std::string lines;
        for (std::size_t i = 0; i < custom_ids.size(); ++i) {
            const std::string head =
                fmt::format(R"({{"task_id":"t{}","custom_id":"{}","status":)", i, custom_ids[i]);
            if (!over()) continue;
            if (custom_ids[i] == failed_item)
                lines += head + R"("failed","error":{"message":"too short"}})" + "\n";
            else
                lines +=
                    head +
                    R"("ready","data":{"generation_id":"g","data":"caf\u00e9","finish_reason":"stop","usage":{"output_tokens":1}}})" +
                    "\n";
        }
        return answer(200, lines);
    }
    async::Task<Response> cancel(Request& request, std::string) {
        const std::lock_guard lock(mutex);
        if (!known(request)) return error(404, "resource_not_exist");
        return over() ? error(409, "conflict") : answer(200, batch_json());
    }
    async::Task<Response> remove(Request& request, std::string) {
        const std::lock_guard lock(mutex);
        if (!known(request)) return error(404, "resource_not_exist");
        return over() ? answer(204, "") : error(409, "not_ended");
    }

    int polls_ = 0;
    std::map<std::string, int> asset_polls_;
    http::RunningServer server_;
};

class CommandsTest : public testing::Test {
protected:
    void SetUp() override {
        for (const char* name : {"SHEAF_SERVER", "SHEAF_API_KEY", "SHEAF_KEY_FILE"}) ::unsetenv(name);
        folder_ = std::filesystem::temp_directory_path() / fmt::format("sheaf-cli-test-{}", ::getpid());
        std::filesystem::create_directories(folder_);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::filesystem::path file(const std::string& name, const std::string& contents) {
        std::ofstream(folder_ / name, std::ios::binary) << contents;
        return folder_ / name;
    }
    static std::string contents(const std::filesystem::path& path) {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    // Runs a command with what it writes kept in out_ and err_.
    int run(const std::function<int(const Console&)>& command) {
        Console console{.out = std::fopen((folder_ / "out").c_str(), "w"),
                        .err = std::fopen((folder_ / "err").c_str(), "w")};
        const int exit_code = command(console);
        std::fclose(console.out);
        std::fclose(console.err);
        out_ = contents(folder_ / "out");
        err_ = contents(folder_ / "err");
        return exit_code;
    }
    SubmitFlags submit_flags(std::vector<std::filesystem::path> videos) {
        SubmitFlags flags;
        flags.server = {.server = server_.origin(), .key = "secret"};
        flags.files = std::move(videos);
        flags.analysis.prompt = "What?";
        return flags;
    }
    BatchFlags batch_flags(std::string id = "b1") {
        return {.server = {.server = server_.origin(), .key = "secret"}, .batch_id = std::move(id)};
    }
    int run_submit(const SubmitFlags& flags) {
        return run([&](const Console& console) { return submit(console, flags); });
    }
    int run_batch(int (*command)(const Console&, const BatchFlags&), const BatchFlags& flags) {
        return run([&](const Console& console) { return command(console, flags); });
    }
    long count(std::string_view entry) {
        const std::lock_guard lock(server_.mutex);
        return std::ranges::count_if(server_.log,
                                     [&](const std::string& line) { return line.starts_with(entry); });
    }

    FakeServer server_;
    std::filesystem::path folder_;
    std::string out_;
    std::string err_;
};

TEST_F(CommandsTest, SubmitUploadsCreatesFollowsAndPrints) {
    std::string large;
    for (int i = 0; i < 60'500; ++i) large.push_back(static_cast<char>(i % 251));
    const auto a = file("a clip.mp4", large);
    const auto b = file("b.mp4", "short");
    EXPECT_EQ(run_submit(submit_flags({a, b})), 0) << err_;
    EXPECT_EQ(server_.uploads["asset1"], large);
    EXPECT_EQ(server_.uploads["asset2"], "short");
    EXPECT_EQ(server_.file_names["asset1"], "a clip.mp4");
    EXPECT_EQ(
        server_.created,
        R"({"model_name":"pegasus1.5","analysis_mode":"general","defaults":{"prompt":{"input_text":"What?"}},"requests":[)"
        R"({"video":{"type":"asset_id","asset_id":"asset1"},"custom_id":"a_clip"},{"video":{"type":"asset_id","asset_id":"asset2"},"custom_id":"b"}]})");
    EXPECT_EQ(out_, "a clip.mp4  [ready]\n    café\n\nb.mp4  [ready]\n    café\n\n");
    EXPECT_NE(err_.find("Batch b1 is completed: 2 ready."), std::string::npos) << err_;
    EXPECT_EQ(err_.find('\x1b'), std::string::npos);
    EXPECT_GT(server_.in_flight_max, 1);
    EXPECT_LE(server_.in_flight_max, 4);
}

TEST_F(CommandsTest, AChunkThatIsRefusedForAMomentIsSentAgain) {
    server_.refused_chunks = 2;
    EXPECT_EQ(run_submit(submit_flags({file("a.mp4", std::string(1500, 'x'))})), 0) << err_;
    EXPECT_EQ(count("PUT /chunks"), 4);
    EXPECT_EQ(server_.uploads["asset1"], std::string(1500, 'x'));
}

TEST_F(CommandsTest, ACreateThatIsRefusedForAMomentIsRepeatedAsTheSameCall) {
    server_.create_status = 503;
    EXPECT_EQ(run_submit(submit_flags({file("a.mp4", "x")})), 0) << err_;
    EXPECT_EQ(count("POST /v1.3/analyze/batches"), 2);
    EXPECT_EQ(server_.idempotency_keys.size(), 1U);
    EXPECT_FALSE(server_.idempotency_keys.contains(""));
}

TEST_F(CommandsTest, AVideoThatCannotBeUsedIsLeftOutAndTold) {
    server_.broken_file = "bad.mp4";
    EXPECT_EQ(run_submit(submit_flags({file("bad.mp4", "x"), file("good.mp4", "y")})), 1);
    EXPECT_NE(err_.find("bad.mp4: no video in it"), std::string::npos) << err_;
    EXPECT_EQ(out_, "good.mp4  [ready]\n    café\n\n");
    EXPECT_EQ(run_submit(submit_flags({folder_ / "bad.mp4"})), 2);
    EXPECT_NE(err_.find("None of the videos"), std::string::npos) << err_;
}

TEST_F(CommandsTest, AFailedItemGivesExitCodeOneAndItsReason) {
    server_.failed_item = "b";
    EXPECT_EQ(run_submit(submit_flags({file("a.mp4", "x"), file("b.mp4", "y")})), 1);
    EXPECT_NE(out_.find("b.mp4  [failed]\n    too short\n"), std::string::npos) << out_;
}

TEST_F(CommandsTest, ResultsCanBeJsonLinesInAFileOrOnStandardOutput) {
    SubmitFlags flags = submit_flags({file("a.mp4", "x")});
    flags.results_file = folder_ / "results.jsonl";
    EXPECT_EQ(run_submit(flags), 0) << err_;
    EXPECT_EQ(out_, "");
    const std::string lines = contents(flags.results_file);
    EXPECT_TRUE(lines.starts_with(R"({"task_id":"t0","custom_id":"a","status":"ready")")) << lines;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "results.jsonl.part"));
    flags.results_file.clear();
    flags.json = true;
    flags.stream_results = true;
    EXPECT_EQ(run_submit(flags), 0) << err_;
    EXPECT_EQ(out_, lines);
}

TEST_F(CommandsTest, NoWaitPrintsTheIdOnly) {
    SubmitFlags flags = submit_flags({file("a.mp4", "x")});
    flags.no_wait = true;
    EXPECT_EQ(run_submit(flags), 0) << err_;
    EXPECT_EQ(out_, "b1\n");
    EXPECT_EQ(count("GET /sheaf/v1/batches"), 0);
}

TEST_F(CommandsTest, TheFirstInterruptStopsWatchingAndTellsHowToComeBack) {
    server_.over_at_all = false;
    SubmitFlags flags = submit_flags({file("a.mp4", "x")});
    std::thread user([&] {
        while (count("GET /sheaf/v1/batches/b1") < 2) std::this_thread::sleep_for(10ms);
        ::kill(::getpid(), SIGINT);
    });
    EXPECT_EQ(run_submit(flags), 130);
    user.join();
    EXPECT_NE(err_.find("Come back with: sheaf watch b1"), std::string::npos) << err_;
}

TEST_F(CommandsTest, AServerThatIsAwayForAMomentIsWaitedFor) {
    server_.absent_polls = 2;
    server_.polls_until_over = 4;
    EXPECT_EQ(run_submit(submit_flags({file("a.mp4", "x")})), 0) << err_;
    EXPECT_NE(err_.find("The server does not answer; trying again."), std::string::npos) << err_;
}

TEST_F(CommandsTest, WatchFollowsAndResultsAndListPrint) {
    SubmitFlags flags = submit_flags({file("a.mp4", "x")});
    flags.no_wait = true;
    ASSERT_EQ(run_submit(flags), 0);
    EXPECT_EQ(run_batch(cancel, batch_flags()), 0) << err_;
    EXPECT_EQ(run_batch(remove, batch_flags()), 5) << "it is not over";
    EXPECT_EQ(run_batch(watch, batch_flags()), 0) << err_;
    EXPECT_NE(err_.find("sheaf results b1"), std::string::npos) << err_;
    EXPECT_EQ(run_batch(results, batch_flags()), 0) << err_;
    EXPECT_EQ(out_, "a  [ready]\n    café\n\n");
    BatchFlags to_file = batch_flags();
    to_file.output = folder_ / "r.jsonl";
    EXPECT_EQ(run_batch(results, to_file), 0);
    EXPECT_TRUE(contents(to_file.output).ends_with("}\n"));
    EXPECT_EQ(run_batch(list, batch_flags("")), 0);
    EXPECT_NE(out_.find("b1                        twelvelabs  completed"), std::string::npos) << out_;
    EXPECT_NE(out_.find("b0                        twelvelabs"), std::string::npos) << "the second page";
    BatchFlags only_one = batch_flags("");
    only_one.count = 1;
    EXPECT_EQ(run_batch(list, only_one), 0);
    EXPECT_EQ(out_.find("b0"), std::string::npos) << out_;
    EXPECT_EQ(run_batch(cancel, batch_flags()), 5);
    EXPECT_NE(err_.find("It is conflict."), std::string::npos);
    EXPECT_EQ(run_batch(remove, batch_flags()), 0);
}

TEST_F(CommandsTest, FollowedResultsGrowAFileThatMustBeOfTheSameStream) {
    SubmitFlags flags = submit_flags({file("a.mp4", "x")});
    flags.no_wait = true;
    ASSERT_EQ(run_submit(flags), 0);
    ASSERT_EQ(run_batch(watch, batch_flags()), 0) << err_;
    BatchFlags following = batch_flags();
    following.follow = true;
    EXPECT_EQ(run_batch(results, following), 0) << err_;
    EXPECT_EQ(out_, "a  [ready]\n    café\n\n");
    EXPECT_EQ(count("GET /sheaf/v1/batches/b1/results?follow=true&after=0&heartbeat=10"), 1);
    following.output = folder_ / "r.jsonl";
    EXPECT_EQ(run_batch(results, following), 0) << err_;
    const std::string lines = contents(following.output);
    EXPECT_EQ(std::ranges::count(lines, '\n'), 1);
    file("r.jsonl", lines + "half a line");
    EXPECT_EQ(run_batch(results, following), 0) << err_;
    EXPECT_EQ(contents(following.output), lines) << "the last line that is there is only compared";
    file("r.jsonl", "other\n");
    EXPECT_EQ(run_batch(results, following), 2);
    EXPECT_NE(err_.find("choose another file"), std::string::npos) << err_;
    EXPECT_EQ(contents(following.output), "other\n");
    following.output = folder_ / "missing" / "r.jsonl";
    EXPECT_EQ(run_batch(results, following), 2);
}

TEST_F(CommandsTest, ARequestFileIsSubmittedByTheCallsOfItsApi) {
    const std::string line =
        R"({"custom_id":"a","method":"POST","url":"/v1/responses","body":{"model":"m","input":"x"}})";
    EXPECT_EQ(run_submit(submit_flags({file("openai.jsonl", line + "\n" + line + "\n")})), 0) << err_;
    EXPECT_EQ(server_.created, line + "\n" + line + "\n");
    const std::string messages = R"({"requests":[{"custom_id":"a","params":{"messages":[]}}]})";
    EXPECT_EQ(run_submit(submit_flags({file("anthropic.json", messages)})), 0) << err_;
    const std::string item = R"({"custom_id":"a","params":{"input":"x"}})";
    EXPECT_EQ(run_submit(submit_flags({file("sail.jsonl", item)})), 0) << err_;
    EXPECT_EQ(
        server_.create_calls,
        (std::vector<std::string>{
            R"(/v1/batches {"input_file_id":"file-1","endpoint":"/v1/responses","completion_window":"24h"})",
            "/v1/messages/batches " + messages,
            R"(/sail/v1/batches {"endpoint":"/v1/responses","requests":[)" + item + "]}"}));
    EXPECT_NE(err_.find("Batch b1: 1 item."), std::string::npos) << err_;
    EXPECT_EQ(out_, "a  [ready]\n    café\n\nb  [ready]\n    café\n\n");
}

TEST_F(CommandsTest, ARequestFileMayBeNamedForItsApi) {
    const auto none = file("a.json", R"({"requests":[{"custom_id":"a","params":{}}]})");
    EXPECT_EQ(run_submit(submit_flags({none})), 2);
    SubmitFlags named = submit_flags({none});
    named.dialect = "sail";
    EXPECT_EQ(run_submit(named), 0) << err_;
    named.dialect = "mistral";
    EXPECT_EQ(run_submit(named), 2);
    EXPECT_NE(err_.find("--dialect is openai, anthropic or sail."), std::string::npos) << err_;
    named = submit_flags({file("a.mp4", "x"), none});
    named.dialect = "sail";
    EXPECT_EQ(run_submit(named), 2);
    const auto analyses =
        file("b.json", R"({"requests":[{"video":{"type":"asset_id","asset_id":"asset1"},"custom_id":"v"}]})");
    EXPECT_EQ(run_submit(submit_flags({analyses})), 0) << err_;
    EXPECT_NE(server_.created.find(R"("custom_id":"v")"), std::string::npos) << server_.created;
}

TEST_F(CommandsTest, FailuresHaveTheirOwnExitCodesAndOneSentence) {
    for (auto* command : {&watch, &results, &cancel, &remove})
        EXPECT_EQ(run_batch(*command, batch_flags("b/2")), 4) << err_;
    EXPECT_EQ(count("GET /sheaf/v1/batches/b%2F2"), 2);
    BatchFlags wrong_key = batch_flags();
    wrong_key.server.key = "wrong";
    EXPECT_EQ(run_batch(results, wrong_key), 3);
    EXPECT_NE(err_.find("refused the key"), std::string::npos) << err_;
    BatchFlags no_server = batch_flags();
    no_server.server.server = "http://127.0.0.1:1";
    EXPECT_EQ(run_batch(results, no_server), 3);
    EXPECT_EQ(err_, "sheaf: No server answers at http://127.0.0.1:1; start one with `sheaf serve`.\n");
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(run_batch(watch, no_server), 3) << "a server that was never there is not waited for";
    EXPECT_LT(std::chrono::steady_clock::now() - before, 20s);
    no_server.server.server = "nonsense";
    EXPECT_EQ(run_batch(results, no_server), 2);
    EXPECT_EQ(run_submit(submit_flags({folder_ / "missing.mp4"})), 2);
    EXPECT_EQ(run_submit(submit_flags({file("empty.mp4", "")})), 2);
    server_.create_status = 400;
    EXPECT_EQ(run_submit(submit_flags({file("a.mp4", "x")})), 2);
    EXPECT_EQ(err_.find("sheaf: The server says: It is not_as_you_like.") != std::string::npos, true) << err_;
}

TEST_F(CommandsTest, TheKeyMayComeFromAFileOrTheEnvironment) {
    BatchFlags flags = batch_flags("");
    flags.server.key.clear();
    EXPECT_EQ(run_batch(list, flags), 3);
    flags.server.key_file = file("key", "secret\n");
    EXPECT_EQ(run_batch(list, flags), 0) << err_;
    flags.server.key_file.clear();
    ::setenv("SHEAF_KEY_FILE", (folder_ / "key").c_str(), 1);
    EXPECT_EQ(run_batch(list, flags), 0) << err_;
    ::setenv("SHEAF_API_KEY", "wrong", 1);
    EXPECT_EQ(run_batch(list, flags), 3);
    ::setenv("SHEAF_API_KEY", "secret", 1);
    ::setenv("SHEAF_SERVER", flags.server.server.c_str(), 1);
    flags.server.server.clear();
    EXPECT_EQ(run_batch(list, flags), 0) << err_;
}

TEST(Commands, EachHasHelpWithExamplesAndExitCodes) {
    CLI::App program;
    ClientCommands commands;
    std::function<int()> chosen;
    commands.add_to(program, chosen);
    for (const char* name : {"submit", "watch", "results", "receipt", "cancel", "delete", "list"}) {
        const std::string help = program.get_subcommand(name)->help();
        EXPECT_NE(help.find("Examples:\n  sheaf " + std::string(name)), std::string::npos) << help;
        EXPECT_NE(help.find("Exit codes:"), std::string::npos) << help;
        EXPECT_NE(help.find("--server"), std::string::npos) << help;
    }
    const std::string verifying = program.get_subcommand("verify")->help();
    EXPECT_NE(verifying.find("Exit codes:"), std::string::npos) << verifying;
    EXPECT_EQ(verifying.find("--server"), std::string::npos) << "it needs none";
    program.parse("results b1 -o out.jsonl", false);
    EXPECT_TRUE(chosen);
}

}  // namespace
}  // namespace sheaf::cli
