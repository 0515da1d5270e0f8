#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "app/store_place.h"
#include "backend/backends.h"
#include "base/log.h"
#include "base/result.h"
#include "core/retry.h"
#include "dialect/dialects.h"
#include "fetch/fetch.h"
#include "http/server.h"
#include "media/decoders.h"
#include "service/limits.h"
#include "webhook/sender.h"

namespace sheaf::app {

enum class BackendKind : std::uint8_t { chat, messages, responses, scene, scripted };

// One [[model]] of the configuration.
struct ModelConfig {
    std::string name;
    BackendKind backend = BackendKind::scene;
    std::uint32_t concurrency = 8;  // with relay.admission: what its windows cannot pass together
    std::uint32_t live_concurrency = 2;
    core::RetryPolicy retry;
    backend::RelayOptions relay;  // of chat, messages and responses
    backend::SceneOptions scene;
    backend::ScriptedOptions scripted;
};

// Everything that can be set. Flags win over SHEAF_* variables, those over the file, the file over defaults.
// docs/operations.md lists them all.
struct Config {
    std::string listen = "127.0.0.1:8080";
    std::filesystem::path data = "data";
    Secret store;                  // a PostgreSQL database; empty: the data directory
    std::filesystem::path shared;  // of all nodes: uploaded bytes, the signing key; empty: the data directory
    std::string public_url;        // how clients reach us, if not by the Host they send
    std::filesystem::path port_file;
    log::Level log_level = log::Level::info;
    std::chrono::milliseconds stop_grace{30'000};
    std::optional<std::chrono::milliseconds> lease_time;  // nullopt: what suits the store
    std::uint32_t requests_per_minute = 0;                // per account; 0: no limit
    service::Limits limits;
    dialect::anthropic::Limits anthropic;
    dialect::openai::Limits openai;
    dialect::sail::Limits sail;
    bool anthropic_refuses_sampling = false;
    dialect::SharedList v1_batches = dialect::SharedList::openai;
    http::ServerLimits server;
    media::FfmpegOptions media;
    fetch::FetchPolicy fetch;
    fetch::PostPolicy webhook_posts;
    webhook::SenderPolicy webhooks;
    std::vector<ModelConfig> models;  // never empty: the embedded default stands in

    StorePlace store_place() const { return {data, store}; }
    const std::filesystem::path& shared_directory() const { return shared.empty() ? data : shared; }
};

// "127.0.0.1:8080", "[::1]:0", "localhost:8080"
struct Address {
    std::string host;
    std::uint16_t port = 0;
};
Result<Address> parse_address(const std::string& text);

// Reads the TOML file, if `path` is given, then SHEAF_* variables. invalid: what is wrong, where, and what
// would be right; an unknown setting is an error, so that a misspelt one is not silently ignored.
Result<Config> read_config(const std::optional<std::filesystem::path>& path);
// The same from text, for tests; `where` names it in messages.
Result<Config> parse_config(std::string_view toml, std::string_view where);

}  // namespace sheaf::app
