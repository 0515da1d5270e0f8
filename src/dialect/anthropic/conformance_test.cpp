#include <sstream>

#include "dialect/anthropic/testing_world.h"
#include "dialect/dialect_conformance.h"

namespace sheaf::dialect::anthropic {
namespace {

constexpr std::size_t kBodyBytesMax = 4096;

class AnthropicSubject final : public DialectSubject {
public:
    explicit AnthropicSubject(DialectConformance& world) : world_(&world) {
        world.build_batches();
        dialect_ = make_anthropic_dialect({.executor = world.executor(),
                                           .accounts = *world.accounts,
                                           .batches = *world.batches,
                                           .live = world.live,
                                           .public_url = {},
                                           .limits = {.batch_bytes_max = kBodyBytesMax}});
    }
    Dialect& dialect() override { return *dialect_; }

    bool is_error(const std::string& body) const override {
        const auto document = jsonl::Document::parse(body);
        if (!document) return false;
        const simdjson::dom::element root = document->root();
        return at(body, "/type") == "error" && root["error"]["type"].is_string() &&
               root["error"]["message"].is_string() && root["request_id"].is_string();
    }

    Asked bring_items(std::size_t count) override {
        std::string requests;
        for (std::size_t i = 0; i < count; ++i)
            requests += fmt::format(
                R"({}{{"custom_id":"item-{}","params":{{"model":"local","max_tokens":9,"messages":[{{"role":"user","content":"x"}}]}}}})",
                i == 0 ? "" : ",", i);
        return create_with(R"({"requests":[)" + requests + "]}");
    }
    Asked create_malformed() override { return create_with(R"({"requests":[)"); }
    OversizeCall create_oversize() override {
        Asked asked = bring_items(1);
        asked.body.resize(2 * kBodyBytesMax, ' ');
        return {std::move(asked), kBodyBytesMax};
    }
    std::string create(std::size_t items) override { return at(world_->call(bring_items(items)), "/id"); }

    std::string print_id(const BatchId& id) const override { return batch_name(id); }
    std::optional<BatchId> parse_id(const std::string& id) const override { return parse_batch_id(id); }
    std::vector<std::string> ids_in(const Answered& answered, const std::string& id) const override {
        std::vector<std::string> ids{id};
        if (const auto call = answered.headers.find("request-id")) ids.emplace_back(*call);
        return ids;
    }
    Asked retrieve(const std::string& id) override { return {.target = path_of(id)}; }
    Asked cancel(const std::string& id) override {
        return {.method = "POST", .target = path_of(id) + "/cancel"};
    }
    Asked remove(const std::string& id) override { return {.method = "DELETE", .target = path_of(id)}; }
    std::vector<Asked> read_results(const std::string& id, std::size_t) override {
        return {{.target = path_of(id) + "/results"}};
    }
    std::vector<ShownResult> results(const std::string& id, std::size_t items) override {
        const Answered answered = world_->call(read_results(id, items).at(0));
        std::vector<ShownResult> shown;
        if (answered.status != 200) return shown;
        std::istringstream lines(answered.body);
        for (std::string line; std::getline(lines, line);)
            shown.push_back({at(line, "/custom_id"), at(line, "/result/type") == "succeeded", line});
        return shown;
    }

    Asked unknown_path() override { return {.target = std::string(kMessages) + "/nothing"}; }
    core::Answer good_answer() override { return anthropic::good_answer().answer; }
    std::optional<std::chrono::seconds> lifetime() const override { return 24h; }

private:
    static std::string path_of(const std::string& id) { return fmt::format("{}/{}", kBatches, id); }
    static Asked create_with(std::string body) {
        return {.method = "POST", .target = std::string(kBatches), .body = std::move(body)};
    }

    DialectConformance* world_;
    std::unique_ptr<Dialect> dialect_;
};

INSTANTIATE_TEST_SUITE_P(Anthropic, DialectConformance, testing::Values(make_subject<AnthropicSubject>));

}  // namespace
}  // namespace sheaf::dialect::anthropic
