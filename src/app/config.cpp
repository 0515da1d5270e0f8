#include "app/config.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "app/settings.h"

namespace sheaf::app {
namespace {

using namespace std::chrono_literals;

using core::Protocol;

std::optional<BackendKind> parse_backend(std::string_view word) {
    if (word == "chat") return BackendKind::chat;
    if (word == "messages") return BackendKind::messages;
    if (word == "responses") return BackendKind::responses;
    if (word == "scene") return BackendKind::scene;
    if (word == "scripted") return BackendKind::scripted;
    return std::nullopt;
}

bool is_server(BackendKind kind) {
    switch (kind) {
        case BackendKind::chat:
        case BackendKind::messages:
        case BackendKind::responses:
            return true;
        case BackendKind::scene:
        case BackendKind::scripted:
            return false;
    }
    return false;
}

std::optional<Protocol> parse_protocol(std::string_view word) {
    if (word == "chat") return Protocol::chat_completions;
    if (word == "messages") return Protocol::messages;
    if (word == "responses") return Protocol::responses;
    if (word == "embeddings") return Protocol::embeddings;
    return std::nullopt;
}

Result<log::Level> parse_level(const std::string& word) {
    if (word == "debug") return log::Level::debug;
    if (word == "info") return log::Level::info;
    if (word == "warning") return log::Level::warning;
    if (word == "error") return log::Level::error;
    return fail(ErrorCode::invalid, "log_level must be debug, info, warning or error, not \"" + word + "\"");
}

// The address of one server, or those of several.
void read_urls(Settings& model, std::vector<std::string>& urls) {
    std::string url;
    model.read("url", url);
    model.read("urls", urls);
    if (!url.empty() && !urls.empty())
        model.complain("url is for one server, urls for several: set one of them");
    if (!url.empty()) urls = {url};
    if (urls.empty()) model.complain("a model server needs url = \"http://host:port/v1\"");
    if (std::set(urls.begin(), urls.end()).size() < urls.size()) model.complain("urls names a server twice");
}

// What servers of the kind speak, unless the setting says more.
void read_protocols(Settings& model, std::string_view kind, std::vector<Protocol>& protocols) {
    std::vector<std::string> words{std::string(kind)};
    if (kind == "chat") words.emplace_back("embeddings");
    model.read("protocols", words);
    protocols.clear();
    for (const auto& word : words) {
        const auto protocol = parse_protocol(word);
        if (!protocol)
            model.complain(
                "protocols may name \"chat\", \"messages\", \"responses\" and \"embeddings\", not \"" + word +
                "\"");
        else if (std::ranges::find(protocols, *protocol) == protocols.end())
            protocols.push_back(*protocol);
    }
    if (std::ranges::find(words, kind) == words.end())
        model.complain(fmt::format("protocols must name \"{0}\" when backend = \"{0}\"", kind));
}

// A server that we start ourselves: a text or an array of words.
std::optional<backend::ManagedOptions> read_managed(Settings& model) {
    if (!model.has("command")) return std::nullopt;
    backend::ManagedOptions managed;
    model.read("name", managed.name);
    if (model.is_text("command")) {
        std::string text;
        model.read("command", text);
        auto words = backend::split_command(text);
        if (words)
            managed.command = *std::move(words);
        else
            model.complain(words.error().message);
    } else {
        model.read("command", managed.command);
    }
    const auto names_port = [](const std::string& word) { return word.contains("{port}"); };
    if (std::ranges::none_of(managed.command, names_port))
        model.complain("command must say by {port} where the server is to listen");
    if (model.has("url") || model.has("urls"))
        model.complain("url is for a server that runs, command for one to start: set one of them");
    model.read_milliseconds("start_time_s", managed.start_time, 1s, 24h);
    model.read_milliseconds("idle_time_s", managed.idle_time, 1s, 24h * 365);
    return managed;
}

void read_relay(Settings& model, std::string_view kind, backend::RelayOptions& relay) {
    relay.managed = read_managed(model);
    if (!relay.managed) read_urls(model, relay.urls);
    read_protocols(model, kind, relay.protocols);
    model.read("model", relay.model);
    std::string key_variable;
    model.read("key_env", key_variable);
    if (!key_variable.empty()) {
        const char* const key = std::getenv(key_variable.c_str());
        if (key == nullptr)
            model.complain("key_env names the variable " + key_variable + ", which is not set");
        else
            relay.key = Secret(key);
    }
    model.read("frames_per_second", relay.sampling.frames_per_second, {0.01, 30});
    model.read("frames_max", relay.sampling.frames_max, {1, 4096});
    model.read("frame_edge_max", relay.sampling.long_edge_max, {64, 4096});
    model.read_milliseconds("answer_time_s", relay.answer_time, 1s, 24h);
    model.read("context_tokens", relay.sampling.context_tokens, {0, 1e9});
    if (relay.model.empty()) model.complain("a model server needs model = \"the name the server knows\"");
}

void read_scripted(Settings& model, backend::ScriptedOptions& scripted) {
    model.read("answer", scripted.answer);
    model.read_plain_milliseconds("delay_ms", scripted.delay);
    model.read_plain_milliseconds("delay_spread_ms", scripted.delay_spread);
    model.read("fail_rate", scripted.fail_rate, {0, 1});
    model.read("broken_rate", scripted.broken_rate, {0, 1});
    model.read("overload_rate", scripted.overload_rate, {0, 1});
    model.read("seed", scripted.seed, {0, 1e15});
}

// A number, or "auto": found out by the backend, which is the default of model servers.
void read_concurrency(Settings& model, ModelConfig& config) {
    const bool has_servers = is_server(config.backend);
    backend::AdmissionRules rules;
    std::string word = has_servers ? "auto" : "";
    if (model.is_text("concurrency"))
        model.read("concurrency", word);
    else if (model.has("concurrency"))
        word.clear();
    if (word.empty()) {
        model.read("concurrency", config.concurrency, {1, 65'536});
        return;
    }
    if (word != "auto" || !has_servers) {
        model.complain(has_servers ? "concurrency must be a number or \"auto\""
                                   : "concurrency must be a number: \"auto\" is for model servers");
        return;
    }
    model.read("concurrency_max", rules.most, {1, 65'536});
    config.relay.admission = rules;
    config.concurrency = rules.most * std::max(1U, static_cast<std::uint32_t>(config.relay.urls.size()));
}

ModelConfig read_model(Settings model) {
    ModelConfig config;
    std::string kind = "scene";
    model.read("name", config.name);
    model.read("backend", kind);
    if (config.name.empty()) model.complain("every [[model]] needs a name");
    const auto backend = parse_backend(kind);
    if (!backend)
        model.complain(
            "backend must be \"chat\", \"messages\", \"responses\", \"scene\" or \"scripted\", not \"" +
            kind + "\"");
    config.backend = backend.value_or(BackendKind::scene);
    switch (config.backend) {
        case BackendKind::chat:
        case BackendKind::messages:
        case BackendKind::responses:
            read_relay(model, kind, config.relay);
            break;
        case BackendKind::scripted:
            read_scripted(model, config.scripted);
            break;
        case BackendKind::scene:
            config.concurrency = std::max(1U, std::thread::hardware_concurrency());
            model.read("ocr_every_s", config.scene.ocr_every_s, {0.1, 3600});
            model.read("ocr_frames_max", config.scene.ocr_frames_max, {0, 100'000});
            break;
    }
    read_concurrency(model, config);
    config.live_concurrency = std::max(1U, config.concurrency / 4);
    model.read("live_concurrency", config.live_concurrency, {1, 65'536});
    model.read("attempts_max", config.retry.attempts_max, {1, 100});
    model.read("overloads_max", config.retry.overloads_max, {1, 10'000});
    model.read_plain_milliseconds("retry_first_wait_ms", config.retry.first_wait);
    model.read_plain_milliseconds("retry_wait_max_ms", config.retry.wait_max);
    return config;
}

void read_limits(Settings limits, service::Limits& into) {
    limits.read("batch_items_max", into.batch_items_max, {1, kItemsMax});
    limits.read("batch_content_hours_max", into.batch_content_hours_max, {0, 1e9});
    limits.read("active_batches_max", into.active_batches_max, {0, 1e9});
    limits.read_seconds("batch_time_s", into.batch_time);
    limits.read_seconds("retention_s", into.retention);
    limits.read_seconds("upload_time_s", into.upload_time);
    limits.read_seconds("presigned_time_s", into.presigned_time);
    limits.read_seconds("idempotency_time_s", into.idempotency_time);
    limits.read("json_body_bytes_max", into.json_body_bytes_max, {1024, 1e12});
    limits.read("direct_media_bytes_max", into.direct_media_bytes_max, {1, 1e13});
    limits.read("image_bytes_max", into.image_bytes_max, {1, 1e10});
    limits.read("url_media_bytes_max", into.url_media_bytes_max, {1, 1e13});
    limits.read("multipart_media_bytes_max", into.multipart_media_bytes_max, {1, 1e13});
    limits.read("base64_bytes_max", into.base64_bytes_max, {1, 1e10});
    limits.read("video_seconds_min", into.video_seconds_min, {0, 1e9});
    limits.read("video_seconds_max", into.video_seconds_max, {0, 1e9});
    limits.read("live_video_seconds_max", into.live_video_seconds_max, {0, 1e9});
    limits.read("video_edge_min", into.video_edge_min, {1, 100'000});
    limits.read("video_long_edge_max", into.video_long_edge_max, {1, 100'000});
    limits.read("video_short_edge_max", into.video_short_edge_max, {1, 100'000});
    limits.read("video_aspect_max", into.video_aspect_max, {1, 1000});
}

// The vendors' own. What expires does so after `batch_time_s` of [limits], whoever's it is.
void read_dialects(Settings& root, Config& config) {
    config.anthropic.batch_time = config.limits.batch_time;
    config.openai.batch_time = config.limits.batch_time;
    Settings anthropic = root.table("anthropic");
    anthropic.read("batch_items_max", config.anthropic.batch_items_max, {1, kItemsMax});
    anthropic.read("batch_bytes_max", config.anthropic.batch_bytes_max, {1024, 1e12});
    anthropic.read_seconds("results_time_s", config.anthropic.results_time);
    anthropic.read_seconds("retention_s", config.anthropic.retention);
    anthropic.read("refuses_sampling", config.anthropic_refuses_sampling);
    Settings openai = root.table("openai");
    openai.read("batch_lines_max", config.openai.lines_max, {1, kItemsMax});
    openai.read("batch_file_bytes_max", config.openai.batch_file_bytes_max, {1024, 1e12});
    openai.read_seconds("batch_file_time_s", config.openai.batch_file_time);
    openai.read_seconds("result_file_time_s", config.openai.result_file_time);
    Settings sail = root.table("sail");
    sail.read("batch_items_max", config.sail.items_max, {1, kItemsMax});
    sail.read("batch_bytes_max", config.sail.body_bytes_max, {1024, 1e12});
    std::string shared = "openai";
    root.read("v1_batches", shared);
    if (shared == "sail")
        config.v1_batches = dialect::SharedList::sail;
    else if (shared != "openai")
        root.complain("v1_batches must be \"openai\" or \"sail\", not \"" + shared + "\"");
}

void read_server(Settings server, http::ServerLimits& into) {
    server.read("connections_max", into.connections_max, {1, 1e6});
    server.read("header_bytes_max", into.header_bytes_max, {1024, 1 << 24});
    server.read_seconds("header_time_s", into.header_time);
    server.read_seconds("idle_time_s", into.idle_time);
    server.read_seconds("body_grace_s", into.body_grace);
    server.read("body_bytes_per_second", into.body_bytes_per_second, {1, 1e9});
    server.read_seconds("write_stall_s", into.write_stall);
    server.read("discard_bytes_max", into.discard_bytes_max, {0, 1e12});
}

void read_media(Settings media, media::FfmpegOptions& into) {
    media.read("workers_max", into.workers_max, {1, 1024});
    media.read("memory_bytes_max", into.memory_bytes_max, {1 << 26, 1e13});
    media.read_seconds("cpu_time_s", into.cpu_time_max);
    media.read_seconds("wall_time_s", into.wall_time_max);
    media.read("pixels_max", into.pixels_max, {1 << 16, 1e10});
    media.read("output_bytes_max", into.output_bytes_max, {1 << 20, 1e12});
    media.read("cache_bytes_max", into.cache_bytes_max, {0, 1e13});
}

void read_fetch(Settings fetch, fetch::FetchPolicy& into) {
    fetch.read("allowed_networks", into.allowed_networks);
    fetch.read_seconds("connect_time_s", into.connect_time);
    fetch.read_seconds("time_max_s", into.time_max);
    fetch.read("redirects_max", into.redirects_max, {0, 20});
}

// The defaults: nothing configured, a real analysis without a model, and for developing clients answers by
// rule.
void read_webhooks(Settings webhooks, Config& config) {
    bool allows_private = false;
    webhooks.read("allow_private", allows_private);
    webhooks.read("allowed_networks", config.webhook_posts.allowed_networks);
    if (allows_private) config.webhook_posts.allowed_networks = {"0.0.0.0/0", "::/0"};
    webhooks.read_seconds("connect_time_s", config.webhook_posts.connect_time);
    webhooks.read_milliseconds("answer_time_s", config.webhooks.webhook_time, 1s, 1h);
    webhooks.read_milliseconds("item_answer_time_s", config.webhooks.own_target_time, 1s, 1h);
    webhooks.read_seconds("retry_waits_s", config.webhooks.webhook_retries.waits);
    webhooks.read_seconds("item_retry_waits_s", config.webhooks.own_target_retries.waits);
    webhooks.read_seconds("kept_s", config.webhooks.kept_for);
}

ModelConfig embedded_text() {
    ModelConfig practice;
    practice.name = "practice";
    practice.backend = BackendKind::scripted;
    return practice;
}

ModelConfig embedded_video() {
    ModelConfig scene;
    scene.name = "pegasus1.5";
    scene.backend = BackendKind::scene;
    scene.concurrency = std::max(1U, std::thread::hardware_concurrency());
    scene.live_concurrency = 1;
    return scene;
}

void check_models(const std::vector<ModelConfig>& models, Settings& root) {
    std::set<std::string> names;
    for (const ModelConfig& model : models) {
        if (!names.insert(model.name).second)
            root.complain("two [[model]] entries are named \"" + model.name + "\"");
    }
}

void read_environment(Config& config) {
    if (const char* const value = std::getenv("SHEAF_LISTEN")) config.listen = value;
    if (const char* const value = std::getenv("SHEAF_DATA")) config.data = value;
    if (const char* const value = std::getenv("SHEAF_STORE")) config.store = Secret(value);
    if (const char* const value = std::getenv("SHEAF_SHARED")) config.shared = value;
    if (const char* const value = std::getenv("SHEAF_PUBLIC_URL")) config.public_url = value;
}

Result<Config> config_from(const toml::table& table) {
    Config config;
    Settings root(table, "");
    std::string level = "info";
    std::string data = config.data.string();
    root.read("listen", config.listen);
    root.read("data", data);
    config.data = data;
    std::string store;
    root.read("store", store);
    if (const auto usable = check_store_url(store); !usable)
        root.complain("store: " + usable.error().message);
    config.store = Secret(std::move(store));
    std::string shared;
    root.read("shared", shared);
    config.shared = shared;
    root.read("public_url", config.public_url);
    root.read("log_level", level);
    root.read_milliseconds("stop_grace_s", config.stop_grace, 0s, 24h);
    std::chrono::milliseconds lease_time{};
    root.read_milliseconds("lease_s", lease_time, 1s, 24h);
    if (lease_time > 0ms) config.lease_time = lease_time;
    root.read("requests_per_minute", config.requests_per_minute, {0, 1e9});
    if (auto parsed = parse_level(level))
        config.log_level = *parsed;
    else
        root.complain(parsed.error().message);
    read_limits(root.table("limits"), config.limits);
    read_dialects(root, config);
    read_server(root.table("server"), config.server);
    read_media(root.table("media"), config.media);
    read_fetch(root.table("fetch"), config.fetch);
    read_webhooks(root.table("webhooks"), config);
    for (Settings& model : root.tables("model")) config.models.push_back(read_model(std::move(model)));
    if (config.models.empty()) config.models = {embedded_video(), embedded_text()};
    check_models(config.models, root);
    if (auto fault = root.first_complaint()) return fail(ErrorCode::invalid, *fault);
    return config;
}

}  // namespace

Result<Address> parse_address(const std::string& text) {
    const auto colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0) {
        return fail(ErrorCode::invalid,
                    "An address is HOST:PORT, such as 127.0.0.1:8080, not \"" + text + "\".");
    }
    Address address{.host = text.substr(0, colon)};
    if (address.host.starts_with('[') && address.host.ends_with(']')) {
        address.host = address.host.substr(1, address.host.size() - 2);
    }
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + colon + 1, end, address.port);
    if (read.ec != std::errc{} || read.ptr != end) {
        return fail(ErrorCode::invalid, "The port in \"" + text + "\" must be a number from 0 to 65535.");
    }
    return address;
}

Result<Config> parse_config(std::string_view text, std::string_view where) {
    try {
        return config_from(toml::parse(text, where));
    } catch (const toml::parse_error& error) {
        return fail(ErrorCode::invalid, fmt::format("{} is not valid TOML: {} (line {})", where,
                                                    error.description(), error.source().begin.line));
    }
}

Result<Config> read_config(const std::optional<std::filesystem::path>& path) {
    Result<Config> config = Config{};
    if (path) {
        auto text = read_text_file(*path);
        if (!text) return std::unexpected(text.error());
        config = parse_config(*text, path->string());
        if (!config) config.error().message = path->string() + ": " + config.error().message;
    } else {
        config = parse_config("", "defaults");
    }
    if (config) read_environment(*config);
    return config;
}

}  // namespace sheaf::app
