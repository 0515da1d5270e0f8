#include "core/file.h"
#include "dialect/dialect_conformance.h"
#include "dialect/openai/testing_form.h"
#include "dialect/openai/testing_world.h"
#include "dialect/v1_routes.h"

namespace sheaf::dialect::openai {
namespace {

constexpr std::size_t kBodyBytesMax = 4096;

// Its items come in a file, and its batches by the paths that it shares, here with none but itself.
class OpenAiSubject final : public DialectSubject {
public:
    explicit OpenAiSubject(DialectConformance& world) : world_(&world) {
        world.build_batches();
        world.build_files();
        dialect_ = make_openai_dialect({.executor = world.executor(),
                                        .accounts = *world.accounts,
                                        .batches = *world.batches,
                                        .files = *world.files,
                                        .live = world.live,
                                        .limits = {}});
        SharedHandlers alone = dialect_->shared();
        alone.retrieve_item = alone.under_v1.not_found;
        shared_.emplace(V1Routes::Parts{.accounts = &*world.accounts,
                                        .batches = &*world.batches,
                                        .openai = alone,
                                        .sail = alone,
                                        .anthropic = alone,
                                        .batch_ids = {openai::parse_batch_id},
                                        .create_bytes_max = kBodyBytesMax});
    }
    Dialect& dialect() override { return *dialect_; }
    void add_routes(http::Router& router) override {
        dialect_->add_routes(router);
        shared_->add_to(router);
    }

    bool is_error(const std::string& body) const override {
        const auto document = jsonl::Document::parse(body);
        if (!document) return false;
        const auto error = document->root()["error"];
        return error["message"].is_string() && error["type"].is_string() && !error["param"].error() &&
               !error["code"].error();
    }

    Asked bring_items(std::size_t count) override {
        std::string lines;
        for (std::size_t i = 0; i < count; ++i) lines += chat_line(fmt::format("item-{}", i));
        return {.method = "POST",
                .target = "/v1/files",
                .body = Form().field("purpose", "batch").file(lines).end(),
                .content_type = Form::content_type()};
    }
    Asked create_malformed() override { return create_with(R"({"input_file_id":)"); }
    OversizeCall create_oversize() override {
        return {create_with(batch_body("file-1") + std::string(2 * kBodyBytesMax, ' ')), kBodyBytesMax};
    }
    std::string create(std::size_t items) override {
        const std::string file = text_at(world_->call(bring_items(items)).body, "/id");
        return text_at(world_->call(create_with(batch_body(file))).body, "/id");
    }

    std::string print_id(const BatchId& id) const override { return render_id(id); }
    std::optional<BatchId> parse_id(const std::string& id) const override {
        return openai::parse_batch_id(id);
    }
    std::vector<std::string> ids_in(const Answered&, const std::string& id) const override {
        std::vector<std::string> ids = result_files(id);
        ids.push_back(id);
        return ids;
    }
    Asked retrieve(const std::string& id) override { return {.target = "/v1/batches/" + id}; }
    Asked cancel(const std::string& id) override {
        return {.method = "POST", .target = "/v1/batches/" + id + "/cancel"};
    }
    Asked remove(const std::string& id) override {
        return {.method = "DELETE", .target = "/v1/batches/" + id};
    }
    std::vector<Asked> read_results(const std::string& id, std::size_t) override {
        std::vector<Asked> calls;
        for (const std::string& file : result_files(id)) calls.push_back(read_file(file));
        return calls;
    }
    // From the files that the batch names, as a client finds them.
    std::vector<ShownResult> results(const std::string& id, std::size_t) override {
        const std::string batch = world_->call(retrieve(id)).body;
        std::vector<ShownResult> shown;
        for (const char* const name : {"/output_file_id", "/error_file_id"}) {
            const std::string file = text_at(batch, name);
            if (file == "null") continue;
            for (const std::string& line : lines_of(world_->call(read_file(file)).body))
                shown.push_back(
                    {text_at(line, "/custom_id"), text_at(line, "/response/status_code") == "200", line});
        }
        return shown;
    }

    Asked unknown_path() override { return {.target = "/v1/nothing"}; }
    core::Answer good_answer() override {
        return {.reply = R"({"object":"chat.completion"})", .usage = {.input_tokens = 1, .output_tokens = 1}};
    }
    std::optional<std::chrono::seconds> lifetime() const override { return 24h; }

private:
    static Asked create_with(std::string body) {
        return {.method = "POST", .target = "/v1/batches", .body = std::move(body)};
    }
    static Asked read_file(const std::string& file) { return {.target = "/v1/files/" + file + "/content"}; }
    // Whether they are there or not.
    std::vector<std::string> result_files(const std::string& id) const {
        const BatchId batch = parse_id(id).value();
        return {render_id(core::result_file_id(batch, core::kOutputFile)),
                render_id(core::result_file_id(batch, core::kErrorFile))};
    }

    DialectConformance* world_;
    std::unique_ptr<Dialect> dialect_;
    std::optional<V1Routes> shared_;
};

INSTANTIATE_TEST_SUITE_P(OpenAi, DialectConformance, testing::Values(make_subject<OpenAiSubject>));

}  // namespace
}  // namespace sheaf::dialect::openai
