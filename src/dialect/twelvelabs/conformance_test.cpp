#include "dialect/dialect_conformance.h"
#include "dialect/twelvelabs/twelvelabs.h"
#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::size_t kBodyBytesMax = 4096;

class TwelveLabsSubject final : public DialectSubject {
public:
    explicit TwelveLabsSubject(DialectConformance& world) : world_(&world) {
        world.limits.json_body_bytes_max = kBodyBytesMax;
        world.build_batches();
        dialect_ = make_twelvelabs_dialect({world.executor(), *world.accounts, *world.batches, *world.assets,
                                            world.live, world.webhooks, "", "pegasus1.5"});
    }
    Dialect& dialect() override { return *dialect_; }

    bool is_error(const std::string& body) const override {
        const auto document = jsonl::Document::parse(body);
        if (!document) return false;
        const simdjson::dom::element root = document->root();
        return root["code"].is_string() && root["message"].is_string() && root["error"]["code"].is_string();
    }

    Asked bring_items(std::size_t count) override {
        if (video_.empty()) video_ = world_->ready_asset("video");
        std::string requests;
        for (std::size_t i = 0; i < count; ++i)
            requests += fmt::format(R"({}{{"video":{{"type":"asset_id","asset_id":"{}"}}}})",
                                    i == 0 ? "" : ",", video_);
        return post(
            "/analyze/batches",
            R"({"model_name":"pegasus1.5","analysis_mode":"general","defaults":{"prompt":{"input_text":"x"}},"requests":[)" +
                requests + "]}");
    }
    Asked create_malformed() override { return post("/analyze/batches", R"({"model_name":"pegasus1.5",)"); }
    OversizeCall create_oversize() override {
        Asked asked = bring_items(1);
        asked.body.resize(2 * kBodyBytesMax, ' ');
        return {std::move(asked), kBodyBytesMax};
    }
    std::string create(std::size_t items) override {
        const std::string body = world_->call(bring_items(items)).body;
        const auto document = jsonl::Document::parse(body);
        std::string_view id;
        return document && !document->root()["batch_id"].get(id) ? std::string(id) : body;
    }

    std::string print_id(const BatchId& id) const override { return to_string(id); }
    std::optional<BatchId> parse_id(const std::string& id) const override { return parse_batch_id(id); }
    Asked retrieve(const std::string& id) override { return {.target = "/v1.3/analyze/batches/" + id}; }
    Asked cancel(const std::string& id) override {
        return {.method = "POST", .target = "/v1.3/analyze/batches/" + id + "/cancel"};
    }
    Asked remove(const std::string& id) override {
        return {.method = "DELETE", .target = "/v1.3/analyze/batches/" + id};
    }
    std::vector<Asked> read_results(const std::string& id, std::size_t) override {
        return {{.target = "/v1.3/analyze/batches/" + id + "/results"}};
    }
    std::vector<ShownResult> results(const std::string& id, std::size_t items) override {
        std::vector<ShownResult> shown;
        const std::string text = world_->call(read_results(id, items).at(0)).body;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = text.find('\n', at);
            const auto document = jsonl::Document::parse(std::string_view(text).substr(at, end - at));
            std::string_view item;
            std::string_view status;
            if (document && !document->root()["task_id"].get(item) && !document->root()["status"].get(status))
                shown.push_back({std::string(item), status == "ready", text.substr(at, end - at)});
            at = end == std::string::npos ? text.size() : end + 1;
        }
        return shown;
    }

    Asked unknown_path() override { return {.target = "/v1.3/nothing"}; }
    core::Answer good_answer() override {
        return {.text = "A fine video.", .usage = {.input_tokens = 1, .output_tokens = 1}};
    }
    std::optional<std::chrono::seconds> lifetime() const override { return 24h; }

private:
    static Asked post(const std::string& path, std::string body) {
        return {.method = "POST", .target = "/v1.3" + path, .body = std::move(body)};
    }

    DialectConformance* world_;
    std::string video_;
    std::unique_ptr<Dialect> dialect_;
};

INSTANTIATE_TEST_SUITE_P(TwelveLabs, DialectConformance, testing::Values(make_subject<TwelveLabsSubject>));

}  // namespace
}  // namespace sheaf::dialect::twelvelabs
