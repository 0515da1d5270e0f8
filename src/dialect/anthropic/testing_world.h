#pragma once

#include "dialect/anthropic/anthropic.h"
#include "dialect/anthropic/words.h"
#include "dialect/dialect_world.h"
#include "jsonl/document.h"

// What the tests of this dialect share: its routes over real services, whose ports are in memory.
namespace sheaf::dialect::anthropic {

// A Message as models are told to answer.
inline constexpr std::string_view kReply =
    R"({"id":"msg_1","type":"message","role":"assistant","model":"local","content":[{"type":"text","text":"Hi","citations":null}],"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"container":null,"diagnostics":null,"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":null,"output_tokens":3,"output_tokens_details":null,"server_tool_use":null,"service_tier":"standard","inference_geo":null,"speed":null}})";

inline core::Succeeded good_answer() {
    return {{.reply = std::string(kReply), .usage = {.input_tokens = 11, .output_tokens = 3}}};
}

// The string at `pointer`, or what stands there.
inline std::string at(std::string_view body, const std::string& pointer) {
    const auto document = jsonl::Document::parse(body);
    if (!document) return "(no JSON)";
    const auto found = document->root().at_pointer(pointer);
    if (found.error() != simdjson::SUCCESS) return "(absent)";
    std::string_view text;
    return found.get(text) == simdjson::SUCCESS ? std::string(text)
                                                : simdjson::to_string(found.value_unsafe());
}
inline std::string at(const Answered& answered, const std::string& pointer) {
    return at(answered.body, pointer);
}

class AnthropicWorld : public DialectWorld {
protected:
    AnthropicWorld() {
        live.ending = good_answer();
        build();
    }
    ~AnthropicWorld() override {
        live.held = false;
        turn_until([&] { return live.running == 0; });
        run(dialect->stop());
    }

    // Again, with the options as they are now.
    void build() {
        if (dialect) run(dialect->stop());
        build_batches();
        dialect = make_anthropic_dialect({.executor = io.get_executor(),
                                          .accounts = *accounts,
                                          .batches = *batches,
                                          .live = live,
                                          .public_url = public_url,
                                          .requests_per_minute = per_minute,
                                          .refuses_sampling = refuses_sampling,
                                          .limits = offered});
        router.emplace();
        dialect->add_routes(*router);
        const SharedHandlers shared = dialect->shared();
        router->add("GET", "/v1/models", shared.list_models);
        router->add("GET", "/v1/models/{id}", shared.retrieve_model);
        router->add_fallbacks("/v1", shared.under_v1);
    }

    // What the list shows, to tell whether a refused call left anything.
    std::string stored() { return get("/v1/messages/batches?limit=1000").body; }

    void work(const std::string& name, std::uint32_t count, const core::Ending& ending) {
        DialectWorld::work(*parse_batch_id(name), count, ending, dialect->codec());
    }
    void publish(const std::string& name) { DialectWorld::publish(*parse_batch_id(name), dialect->codec()); }

    std::string public_url;
    std::uint32_t per_minute = 0;
    bool refuses_sampling = false;
    Limits offered;
    std::unique_ptr<Dialect> dialect;
};

}  // namespace sheaf::dialect::anthropic
