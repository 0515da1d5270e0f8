#include "metrics.h"

#include <fmt/format.h>

namespace model_server {
namespace {

class Text {
public:
    explicit Text(std::string labels) : labels_(std::move(labels)) {}

    template <class Value>
    Text& add(std::string_view name, std::string_view type, Value value) {
        text_ += fmt::format("# HELP {0} Of the stand-in.\n# TYPE {0} {1}\n{0}{2} {3}\n", name, type, labels_,
                             value);
        return *this;
    }
    std::string take() { return std::move(text_); }

private:
    std::string labels_;
    std::string text_;
};

std::string vllm(std::string labels, const Gauges& gauges) {
    return Text(std::move(labels))
        .add("vllm:num_requests_running", "gauge", gauges.running)
        .add("vllm:num_requests_waiting", "gauge", gauges.waiting)
        .add("vllm:kv_cache_usage_perc", "gauge", gauges.kv_usage)
        .add("vllm:gpu_cache_usage_perc", "gauge", gauges.kv_usage)
        .add("vllm:prefix_cache_queries_total", "counter", gauges.prompt_tokens)
        .add("vllm:prefix_cache_hits_total", "counter", gauges.cached_tokens)
        .add("vllm:prompt_tokens_total", "counter", gauges.prompt_tokens)
        .add("vllm:generation_tokens_total", "counter", gauges.generation_tokens)
        .take();
}

}  // namespace

std::string metrics_text(MetricNames names, std::string_view model, const Gauges& gauges) {
    const auto labels = fmt::format(R"({{model_name="{}"}})", model);
    switch (names) {
        case MetricNames::none:
            return {};
        case MetricNames::vllm:
            return vllm(labels, gauges);
        case MetricNames::sglang:
            return Text(labels)
                .add("sglang:num_running_reqs", "gauge", gauges.running)
                .add("sglang:num_queue_reqs", "gauge", gauges.waiting)
                .add("sglang:token_usage", "gauge", gauges.kv_usage)
                .add("sglang:prompt_tokens_total", "counter", gauges.prompt_tokens)
                .add("sglang:generation_tokens_total", "counter", gauges.generation_tokens)
                .take();
        case MetricNames::llamacpp:
            return Text("")
                .add("llamacpp:requests_processing", "gauge", gauges.running)
                .add("llamacpp:requests_deferred", "gauge", gauges.waiting)
                .add("llamacpp:kv_cache_usage_ratio", "gauge", gauges.kv_usage)
                .add("llamacpp:prompt_tokens_total", "counter", gauges.prompt_tokens)
                .add("llamacpp:tokens_predicted_total", "counter", gauges.generation_tokens)
                .take();
    }
    return {};
}

}  // namespace model_server
