#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "dialect/dialect_world.h"
#include "dialect/openai/ids.h"
#include "dialect/openai/openai.h"
#include "dialect/spooling.h"
#include "jsonl/document.h"
#include "service/files.h"

namespace sheaf::dialect::openai {

// The text at a JSON pointer: a string as it is, anything else as it is written; "(absent)".
inline std::string text_at(std::string_view json, const std::string& pointer) {
    const auto document = jsonl::Document::parse(json);
    simdjson::dom::element element;
    if (!document || document->root().at_pointer(pointer).get(element)) return "(absent)";
    std::string_view text;
    return element.get(text) == simdjson::SUCCESS ? std::string(text) : simdjson::minify(element);
}

inline std::vector<std::string> lines_of(const std::string& body) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < body.size(); at = body.find('\n', at) + 1) {
        const auto end = body.find('\n', at);
        EXPECT_NE(end, std::string::npos) << "the last line is not ended";
        if (end == std::string::npos) break;
        lines.push_back(body.substr(at, end - at));
    }
    return lines;
}

// A good line of an input file for chat completions.
inline std::string chat_line(std::string_view custom_id, std::string_view more = "") {
    return fmt::format(
        R"({{"custom_id":"{}","method":"POST","url":"/v1/chat/completions","body":{{"model":"local","messages":[{{"role":"user","content":"hi"}}]{}}}}})"
        "\n",
        custom_id, more);
}

// What the tests of this dialect share: its routes over real services, whose ports are in memory. The shared
// paths are this dialect's alone.
class OpenAiWorld : public DialectWorld {
protected:
    OpenAiWorld() { build(); }
    ~OpenAiWorld() override { stop_dialect(); }

    // Again, with the limits as they are now.
    void build() {
        stop_dialect();
        build_batches();
        files.emplace(service::Files::Parts{.store = {store->files(), store_lane},
                                            .batches = {store->batches(), store_lane},
                                            .blobs = {blobs, lane},
                                            .lane = &lane,
                                            .clock = &clock,
                                            .limits = limits});
        dialect = make_openai_dialect({io.get_executor(), *accounts, *batches, *files, live, dialect_limits});
        router.emplace();
        dialect->add_routes(*router);
        const SharedHandlers shared = dialect->shared();
        router->add("POST", "/v1/batches", [this, create = shared.create_batch](http::Request& request) {
            return spool_and_create(request, create);
        });
        router->add("GET", "/v1/batches", shared.list_batches);
        router->add("GET", "/v1/batches/{id}", shared.retrieve_batch);
        router->add("POST", "/v1/batches/{id}/cancel", shared.cancel_batch);
        router->add("GET", "/v1/models", shared.list_models);
        router->add("GET", "/v1/models/{id}", shared.retrieve_model);
        router->add_fallbacks("/v1", shared.under_v1);
    }

    // Targets are below /v1.
    Answered call(Asked asked) {
        asked.target.insert(0, "/v1");
        return DialectWorld::call(std::move(asked));
    }
    Answered get(std::string target) { return call({.target = std::move(target)}); }
    Answered post(std::string target, std::string body = {}) {
        return call({.method = "POST", .target = std::move(target), .body = std::move(body)});
    }

    // The id of a file as clients see it.
    std::string add_file(std::string_view bytes, std::string purpose = "batch", std::string owner = "team") {
        auto coming = run(files->new_file());
        EXPECT_TRUE(coming);
        EXPECT_TRUE(run(coming->append(bytes)));
        const auto file = run(files->create({{std::move(owner)}, std::move(purpose), "in.jsonl", 24h * 30},
                                            std::move(*coming)));
        EXPECT_TRUE(file);
        return render_id(file->id);
    }
    // A file as it is downloaded, or why not.
    std::string read_file(const std::string& id) {
        const auto parsed = parse_file(id);
        if (!parsed) return "no id";
        const auto file = run(files->find(kTeam, *parsed));
        if (!file) return std::string(to_string(file.error().code));
        const auto opened = run(files->open(*file));
        if (!opened) return std::string(to_string(opened.error().code));
        std::string bytes(opened->bytes, '\0');
        EXPECT_EQ(::pread(opened->file->fd(), bytes.data(), bytes.size(), static_cast<off_t>(opened->offset)),
                  static_cast<ssize_t>(bytes.size()));
        return bytes;
    }

    static std::string batch_body(std::string_view file, std::string_view more = "",
                                  std::string_view endpoint = "/v1/chat/completions") {
        return fmt::format(R"({{"input_file_id":"{}","endpoint":"{}","completion_window":"24h"{}}})", file,
                           endpoint, more);
    }
    // The id of a batch of so many items, named a0, a1, …
    std::string make_batch(int items, std::string_view more = "") {
        std::string lines;
        for (int i = 0; i < items; ++i) lines += chat_line(fmt::format("a{}", i));
        const Answered answered = post("/batches", batch_body(add_file(lines), more));
        EXPECT_EQ(answered.status, 200) << answered.body;
        return text_at(answered.body, "/id");
    }
    std::string batch(const std::string& id) { return get("/batches/" + id).body; }
    std::string status(const std::string& id) { return text_at(batch(id), "/status"); }

    void work(const std::string& batch_id, std::uint32_t count, const core::Ending& ending) {
        DialectWorld::work(*parse_batch_id(batch_id), count, ending, dialect->codec());
    }
    void publish(const std::string& batch_id) {
        DialectWorld::publish(*parse_batch_id(batch_id), dialect->codec());
    }

    Limits dialect_limits;
    std::optional<service::Files> files;
    std::unique_ptr<Dialect> dialect;

private:
    void stop_dialect() {
        if (!dialect) return;
        live.held = false;
        turn_until([&] { return live.running == 0; });
        run(dialect->stop());
    }
    using Create = std::function<async::Task<http::Response>(http::Request&, service::Spool)>;
    async::Task<http::Response> spool_and_create(http::Request& request, const Create& create) {
        auto body = co_await spool_body(request, *batches, std::uint64_t{4} << 20);
        EXPECT_TRUE(body);
        co_return co_await create(request, std::move(*body));
    }
};

}  // namespace sheaf::dialect::openai
