#include "dialect/dialect_conformance.h"
#include "dialect/sail/sail.h"
#include "jsonl/document.h"

namespace sheaf::dialect::sail {
namespace {

constexpr std::size_t kBodyBytesMax = 4096;

class SailSubject final : public DialectSubject {
public:
    explicit SailSubject(DialectConformance& world) : world_(&world) {
        world.build_batches();
        dialect_ = make_sail_dialect({world.executor(), *world.accounts, *world.batches, world.live,
                                      Limits{.body_bytes_max = kBodyBytesMax}});
    }
    Dialect& dialect() override { return *dialect_; }

    bool is_error(const std::string& body) const override {
        const auto document = jsonl::Document::parse(body);
        if (!document) return false;
        const auto error = document->root()["error"];
        return error["message"].is_string() && error["type"].is_string() && !error["param"].error() &&
               !error["code"].error();
    }

    Asked bring_items(std::size_t count) override {
        std::string requests;
        for (std::size_t i = 0; i < count; ++i)
            requests += fmt::format(R"({}{{"custom_id":"{}","params":{{"model":"local","input":"x"}}}})",
                                    i == 0 ? "" : ",", i);
        return post("/batches", R"({"endpoint":"/v1/responses","requests":[)" + requests + "]}");
    }
    Asked create_malformed() override {
        return post("/batches", R"({"endpoint":"/v1/responses","requests":[)");
    }
    OversizeCall create_oversize() override {
        Asked asked = bring_items(1);
        asked.body.resize(2 * kBodyBytesMax, ' ');
        return {std::move(asked), kBodyBytesMax};
    }
    std::string create(std::size_t items) override {
        const std::string body = world_->call(bring_items(items)).body;
        const auto document = jsonl::Document::parse(body);
        std::string_view id;
        return document && !document->root()["id"].get(id) ? std::string(id) : body;
    }

    std::string print_id(const BatchId& id) const override { return "batch_" + to_string(id); }
    std::optional<BatchId> parse_id(const std::string& id) const override { return parse_batch_id(id); }
    Asked retrieve(const std::string& id) override { return get("/batches/" + id); }
    Asked cancel(const std::string& id) override {
        return {.method = "POST", .target = "/sail/v1/batches/" + id + "/cancel"};
    }
    Asked remove(const std::string& id) override {
        return {.method = "DELETE", .target = "/sail/v1/batches/" + id};
    }
    std::vector<Asked> read_results(const std::string& id, std::size_t items) override {
        std::vector<Asked> calls;
        for (std::size_t i = 0; i < items; ++i) calls.push_back(get(fmt::format("/batches/{}/{}", id, i)));
        return calls;
    }
    std::vector<ShownResult> results(const std::string& id, std::size_t items) override {
        std::vector<ShownResult> shown;
        for (const Asked& asked : read_results(id, items)) {
            const Answered answered = world_->call(asked);
            const auto document = jsonl::Document::parse(answered.body);
            if (answered.status != 200 || !document) continue;
            std::string_view item;
            std::string_view status;
            if (document->root()["id"].get(item) || document->root()["status"].get(status)) continue;
            shown.push_back({std::string(item), status == "completed", answered.body});
        }
        return shown;
    }

    Asked unknown_path() override { return get("/nothing"); }
    core::Answer good_answer() override {
        return {.reply =
                    R"({"id":"resp_1","object":"response","status":"completed","model":"local","output":[]})",
                .usage = {.input_tokens = 1, .output_tokens = 1}};
    }
    std::optional<std::chrono::seconds> lifetime() const override { return std::nullopt; }

private:
    static Asked get(const std::string& path) { return {.target = "/sail/v1" + path}; }
    static Asked post(const std::string& path, std::string body) {
        return {.method = "POST", .target = "/sail/v1" + path, .body = std::move(body)};
    }

    DialectConformance* world_;
    std::unique_ptr<Dialect> dialect_;
};

INSTANTIATE_TEST_SUITE_P(Sail, DialectConformance, testing::Values(make_subject<SailSubject>));

}  // namespace
}  // namespace sheaf::dialect::sail
