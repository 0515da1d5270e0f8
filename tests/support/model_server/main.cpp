// A model server to measure with: fast, and its time, slots, cache and faults are known.
//
//   model_server --port-file FILE [--latency-ms N | --latency lognormal:MEAN,SIGMA,CAP] [--slots N] …
//
// POST /v1/chat/completions, /v1/messages and /v1/responses answer with a canned text; the body is scanned,
// not checked (model_stand_in checks). A request may say in a text: "id=NAME", by which the ledger and the
// answer call it, and "cost_ms=N", how long it takes. It is answered whole, whatever "stream" says.
// GET /v1/models, /health, /metrics as model servers have them; GET /stats tells counters, GET /ledger an
// entry for each request (with --ledger or --ledger-file). POST /control {"slots":64} changes slots,
// queue_max, knee, held (1: nothing is started) or latency_ms while it runs; {"reset":1} begins counters,
// ledger, request numbers and the times of faults anew.
#include <cstdio>
#include <exception>
#include <map>

#include <CLI/CLI.hpp>

#include "server.h"

int main(int argc, char** argv) try {
    using model_server::MetricNames;
    model_server::Options options;
    std::string latency;
    std::vector<std::string> faults;
    const std::map<std::string, MetricNames> names{{"none", MetricNames::none},
                                                   {"vllm", MetricNames::vllm},
                                                   {"sglang", MetricNames::sglang},
                                                   {"llamacpp", MetricNames::llamacpp}};
    CLI::App app("A model server to measure with.");
    app.add_option("--port", options.port);
    app.add_option("--port-file", options.port_file)->required();
    app.add_option("--model", options.model);
    app.add_option("--latency-ms", options.latency.mean_ms);
    app.add_option("--latency", latency, "lognormal:MEAN,SIGMA,CAP in ms");
    app.add_option("--slots", options.engine.limits.slots);
    app.add_option("--queue-max", options.engine.limits.queue_max);
    app.add_option("--knee", options.engine.limits.knee);
    app.add_option("--kv-tokens", options.engine.kv_tokens);
    app.add_option("--prefill-tokens-per-s", options.engine.prefill_tokens_per_s);
    app.add_option("--chars-per-token", options.chars_per_token)->check(CLI::PositiveNumber);
    app.add_option("--metrics", options.metrics)->transform(CLI::CheckedTransformer(names));
    app.add_option("--retry-after-s", options.retry_after_s);
    app.add_option("--fault", faults, "KIND:FRACTION[@FROM-TO]");
    app.add_flag("--ledger", options.keeps_ledger);
    app.add_option("--ledger-file", options.ledger_file);
    app.add_flag("--held", options.engine.limits.held);
    CLI11_PARSE(app, argc, argv);
    if (!options.ledger_file.empty()) options.keeps_ledger = true;
    if (!latency.empty()) {
        const auto parsed = model_server::parse_latency(latency);
        if (!parsed) throw CLI::ValidationError("--latency", latency);
        options.latency = *parsed;
    }
    for (const auto& text : faults) {
        const auto fault = model_server::parse_fault(text);
        if (!fault) throw CLI::ValidationError("--fault", text);
        options.faults.push_back(*fault);
    }
    model_server::Server(std::move(options)).run();
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "model_server: %s\n", error.what());
    return 1;
}
