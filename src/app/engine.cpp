#include "app/engine.h"

#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "app/event_renderers.h"
#include "app/settings.h"
#include "app/status_routes.h"
#include "base/hash.h"
#include "base/log.h"
#include "blob/blobs.h"
#include "dialect/dialects.h"
#include "scheduler/dispatcher.h"
#include "scheduler/inputs.h"
#include "scheduler/publisher.h"
#include "scheduler/reaper.h"
#include "scheduler/runner.h"
#include "service/files.h"
#include "service/followers.h"
#include "webhook/sender.h"

namespace sheaf::app {
namespace {

constexpr std::size_t kStoreThreads = 4;
constexpr std::size_t kFileThreads = 4;
constexpr std::size_t kFetchThreads = 4;
constexpr std::chrono::milliseconds kResumeEvery{5'000};
constexpr std::size_t kSigningKeyBytes = 32;

Result<Secret> read_signing_key(const std::filesystem::path& path) {
    auto text = read_text_file(path);
    if (!text) return std::unexpected(text.error());
    if (text->size() == 2 * kSigningKeyBytes) return Secret(std::move(*text));
    return fail(ErrorCode::unavailable, "The signing key " + path.string() + " is not whole; remove it.");
}

template <std::size_t kBytes>
std::string random_hex() {
    std::array<unsigned char, kBytes> bytes{};
    fill_random(bytes.data(), bytes.size());
    return to_hex(bytes);
}

bool write_synced(const std::filesystem::path& path, std::string_view text) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    const bool is_written =
        ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
    return ::close(fd) == 0 && is_written;
}

// The key that signs presigned URLs: made at the first start, kept over restarts, readable by the owner
// alone. It gets its name when it is whole: a crash leaves none, and of several nodes one is first.
Result<Secret> read_or_make_signing_key(const std::filesystem::path& path) {
    if (std::filesystem::exists(path)) return read_signing_key(path);
    std::error_code ignored;
    std::filesystem::create_directories(path.parent_path(), ignored);
    const std::string key = random_hex<kSigningKeyBytes>();
    const std::filesystem::path unnamed = path.string() + ".part-" + random_hex<8>();
    const bool is_written = write_synced(unnamed, key);
    const int linked = is_written ? ::link(unnamed.c_str(), path.c_str()) : -1;
    const bool another_was_first = is_written && linked != 0 && errno == EEXIST;
    std::filesystem::remove(unnamed, ignored);
    if (another_was_first) return read_signing_key(path);
    if (linked != 0)
        return fail(ErrorCode::unavailable, "The signing key " + path.string() + " cannot be written.");
    return Secret(key);
}

Result<std::unique_ptr<backend::Backend>> make_backend(const ModelConfig& model, async::Executor executor,
                                                       async::Lane& cpu_lane) {
    switch (model.backend) {
        case BackendKind::chat:
        case BackendKind::messages:
        case BackendKind::responses:
            return backend::make_relay_backend(executor, model.relay);
        case BackendKind::scene:
            return backend::make_scene_backend(cpu_lane, model.scene);
        case BackendKind::scripted:
            return backend::make_scripted_backend(model.scripted);
    }
    return fail(ErrorCode::internal, "a backend of no known kind");
}

Result<scheduler::Models> make_models(const Config& config, async::Executor executor, async::Lane& cpu_lane) {
    scheduler::Models models;
    for (const ModelConfig& model : config.models) {
        auto made = make_backend(model, executor, cpu_lane);
        if (!made)
            return fail(ErrorCode::invalid, "The model \"" + model.name + "\": " + made.error().message);
        models.try_emplace(model.name, scheduler::Model{.name = model.name,
                                                        .backend = std::move(*made),
                                                        .slots = model.concurrency,
                                                        .live_slots = model.live_concurrency,
                                                        .retry = model.retry});
    }
    return models;
}

// Of several nodes one may die: what it ran is run elsewhere when its leases are over, and looked for each 5
// s.
std::chrono::milliseconds lease_time(const Config& config) {
    constexpr std::chrono::milliseconds kAlone{60'000};
    constexpr std::chrono::milliseconds kOfSeveral{15'000};
    return config.lease_time.value_or(config.store_place().is_shared() ? kOfSeveral : kAlone);
}

// What other nodes write is announced by none: results are too many. Alone, everything is.
std::chrono::milliseconds follow_look_time(const Config& config) {
    constexpr std::chrono::milliseconds kAlone{10'000};
    constexpr std::chrono::milliseconds kOfSeveral{500};
    return config.store_place().is_shared() ? kOfSeveral : kAlone;
}

media::FfmpegOptions media_options(const Config& config) {
    media::FfmpegOptions options = config.media;
    options.worker_command = {"/proc/self/exe", "media-worker"};
    return options;
}

}  // namespace

// Declared in the order of building: each part refers only to those above it.
struct Engine::Parts {
    Parts(const Config& settings, async::Executor io_executor, async::Executor scheduler_executor)
        : config(settings),
          io(io_executor),
          scheduler_home(scheduler_executor),
          behind(scheduler_executor),
          io_behind(io_executor) {}

    Config config;
    async::Executor io;
    async::Executor scheduler_home;
    SystemClock clock;

    std::unique_ptr<store::Store> store;
    std::unique_ptr<blob::BlobStore> blobs;
    std::unique_ptr<fetch::Fetcher> fetcher;
    std::unique_ptr<media::Media> media;
    Secret signing_key;
    scheduler::Models models;

    std::unique_ptr<service::Followers> followers;
    std::map<std::string, std::unique_ptr<core::ItemCodec>, std::less<>> codecs;  // by dialect
    std::unique_ptr<scheduler::Inputs> inputs;
    std::unique_ptr<scheduler::Runner> runner;
    std::unique_ptr<scheduler::Dispatcher> dispatcher;
    std::unique_ptr<scheduler::Publisher> publisher;
    std::unique_ptr<scheduler::Reaper> reaper;

    EventRenderers event_renderers;
    std::unique_ptr<fetch::Poster> poster;
    std::unique_ptr<webhook::Expander> expander;
    std::unique_ptr<webhook::Sender> sender;

    std::unique_ptr<service::Accounts> accounts;
    std::unique_ptr<service::Batches> batches;
    std::unique_ptr<service::Assets> assets;
    std::unique_ptr<service::Files> files;
    std::unique_ptr<service::Webhooks> webhooks;
    std::vector<std::unique_ptr<dialect::Dialect>> dialects;
    std::unique_ptr<dialect::V1Routes> v1_routes;
    std::unique_ptr<dialect::native::BatchApi> batch_api;
    std::unique_ptr<http::Server> server;

    async::TaskGroup behind;     // on the scheduler's executor
    async::TaskGroup io_behind;  // on the server's

    // Last, so that their threads have ended before anything they use goes.
    async::Lane store_lane{kStoreThreads};
    async::Lane file_lane{kFileThreads};
    async::Lane fetch_lane{kFetchThreads};
    async::Lane post_lane{config.webhooks.attempts_at_once};
    async::Lane cpu_lane{std::max<std::size_t>(1, std::thread::hardware_concurrency())};

    core::Codecs known_codecs() const;
    http::Router build_dialects();
    Result<> open_stores();
    Result<> build_scheduler();
    Result<> build_sender();
    void build_services();
    async::Task<void> look_after_assets();
    async::Task<void> start_scheduler();
    async::Task<void> stop_scheduler();
    async::Task<void> stop_backends();
    async::Task<void> start_services();
    async::Task<void> stop_services();
};

Result<> Engine::Parts::open_stores() {
    auto opened = open_store(config.store_place());
    if (!opened) return std::unexpected(opened.error());
    store = std::move(*opened);
    auto local = blob::open_local_blobs(config.shared_directory() / "blobs");
    if (!local) return std::unexpected(local.error());
    blobs = std::move(*local);
    auto key = read_or_make_signing_key(config.shared_directory() / "signing.key");
    if (!key) return std::unexpected(key.error());
    signing_key = std::move(*key);
    auto made = fetch::make_curl_fetcher(config.fetch);
    if (!made) return std::unexpected(made.error());
    fetcher = std::move(*made);
    media = media::make_ffmpeg_media(media_options(config));
    return {};
}

Result<> Engine::Parts::build_scheduler() {
    auto made = make_models(config, scheduler_home, cpu_lane);
    if (!made) return std::unexpected(made.error());
    models = std::move(*made);
    codecs.emplace("anthropic", dialect::anthropic::make_codec());
    codecs.emplace("openai", dialect::openai::make_codec(config.openai));
    codecs.emplace("sail", dialect::sail::make_codec());
    codecs.emplace("twelvelabs", dialect::twelvelabs::make_codec(config.limits));
    const core::Codecs known = known_codecs();

    followers = std::make_unique<service::Followers>(io, follow_look_time(config));

    std::uint64_t seed = 0;
    fill_random(&seed, sizeof seed);
    inputs =
        std::make_unique<scheduler::Inputs>(scheduler::Inputs::Parts{.assets = {store->assets(), store_lane},
                                                                     .blobs = {*blobs, file_lane},
                                                                     .fetch_lane = &fetch_lane,
                                                                     .fetcher = fetcher.get(),
                                                                     .media = media.get(),
                                                                     .clock = &clock,
                                                                     .limits = config.limits});
    runner = std::make_unique<scheduler::Runner>(*inputs, seed);
    dispatcher = std::make_unique<scheduler::Dispatcher>(
        scheduler::Dispatcher::Parts{.executor = scheduler_home,
                                     .batches = {store->batches(), store_lane},
                                     .queue = {store->items(), store_lane},
                                     .models = &models,
                                     .runner = runner.get(),
                                     .codecs = known,
                                     .clock = &clock,
                                     .lease_for = lease_time(config),
                                     .on_ended =
                                         [this] {
                                             publisher->wake();
                                             sender->wake();
                                             followers->told_of_all();
                                         },
                                     .on_written =
                                         [this](std::span<const store::ItemResult> results) {
                                             sender->wake();
                                             followers->told(results);
                                         }});
    publisher = std::make_unique<scheduler::Publisher>(
        scheduler_home, async::Blocking<store::Batches>(store->batches(), store_lane), known, clock);
    reaper = std::make_unique<scheduler::Reaper>(
        async::Blocking<store::Batches>(store->batches(), store_lane), *dispatcher, clock);
    return {};
}

Result<> Engine::Parts::build_sender() {
    auto made = fetch::make_curl_poster(config.webhook_posts);
    if (!made) return std::unexpected(made.error());
    poster = std::move(*made);
    event_renderers = make_event_renderers();
    webhook::EventRenderers known;
    for (const auto& [name, renderer] : event_renderers) known.emplace(name, renderer.get());
    expander = std::make_unique<webhook::Expander>(store->outbox(), store->batches(), known,
                                                   config.webhooks.attempts_max());
    std::uint64_t seed = 0;
    fill_random(&seed, sizeof seed);
    sender = std::make_unique<webhook::Sender>(webhook::Sender::Parts{.executor = scheduler_home,
                                                                      .outbox = {store->outbox(), store_lane},
                                                                      .store_lane = &store_lane,
                                                                      .expander = expander.get(),
                                                                      .post_lane = &post_lane,
                                                                      .poster = poster.get(),
                                                                      .clock = &clock,
                                                                      .policy = config.webhooks,
                                                                      .seed = seed});
    return {};
}

core::Codecs Engine::Parts::known_codecs() const {
    core::Codecs known;
    for (const auto& [name, codec] : codecs) known.emplace(name, codec.get());
    return known;
}

http::Router Engine::Parts::build_dialects() {
    auto anthropic = dialect::make_anthropic_dialect({.executor = io,
                                                      .accounts = *accounts,
                                                      .batches = *batches,
                                                      .live = *dispatcher,
                                                      .public_url = config.public_url,
                                                      .requests_per_minute = config.requests_per_minute,
                                                      .refuses_sampling = config.anthropic_refuses_sampling,
                                                      .limits = config.anthropic});
    auto openai = dialect::make_openai_dialect({.executor = io,
                                                .accounts = *accounts,
                                                .batches = *batches,
                                                .files = *files,
                                                .live = *dispatcher,
                                                .limits = config.openai});
    auto sail = dialect::make_sail_dialect({.executor = io,
                                            .accounts = *accounts,
                                            .batches = *batches,
                                            .live = *dispatcher,
                                            .limits = config.sail});
    auto twelvelabs = dialect::make_twelvelabs_dialect({.executor = io,
                                                        .accounts = *accounts,
                                                        .batches = *batches,
                                                        .assets = *assets,
                                                        .live = *dispatcher,
                                                        .webhooks = *webhooks,
                                                        .public_url = config.public_url,
                                                        .requests_per_minute = config.requests_per_minute});
    const std::vector<dialect::ParseBatchId> batch_ids{
        dialect::anthropic::parse_batch_id, dialect::openai::parse_batch_id, dialect::sail::parse_batch_id};
    v1_routes = std::make_unique<dialect::V1Routes>(
        dialect::V1Routes::Parts{.accounts = accounts.get(),
                                 .batches = batches.get(),
                                 .openai = openai->shared(),
                                 .sail = sail->shared(),
                                 .anthropic = anthropic->shared(),
                                 .batch_ids = batch_ids,
                                 .create_bytes_max = config.sail.body_bytes_max,
                                 .list = config.v1_batches});
    batch_api = std::make_unique<dialect::native::BatchApi>(dialect::native::Options{.accounts = *accounts,
                                                                                     .batches = *batches,
                                                                                     .followers = *followers,
                                                                                     .codecs = known_codecs(),
                                                                                     .batch_ids = batch_ids});
    http::Router router;
    for (auto* const dialect : {&anthropic, &openai, &sail, &twelvelabs}) {
        (*dialect)->add_routes(router);
        dialects.push_back(std::move(*dialect));
    }
    v1_routes->add_to(router);
    batch_api->add_routes(router);
    return router;
}

void Engine::Parts::build_services() {
    accounts =
        std::make_unique<service::Accounts>(async::Blocking<store::Keys>(store->keys(), store_lane), clock);
    batches =
        std::make_unique<service::Batches>(async::Blocking<store::Batches>(store->batches(), store_lane),
                                           file_lane, clock, config.limits, known_codecs(), [this] {
                                               dispatcher->wake();
                                               followers->told_of_all();
                                           });
    assets = std::make_unique<service::Assets>(
        service::Assets::Parts{.executor = io,
                               .store = {store->assets(), store_lane},
                               .blobs = {*blobs, file_lane},
                               .lane = &file_lane,
                               .fetch_lane = &fetch_lane,
                               .fetcher = fetcher.get(),
                               .media = media.get(),
                               .clock = &clock,
                               .limits = config.limits,
                               .signing_key = signing_key,
                               .render_details = dialect::twelvelabs::render_details});
    files = std::make_unique<service::Files>(service::Files::Parts{.store = {store->files(), store_lane},
                                                                   .batches = {store->batches(), store_lane},
                                                                   .blobs = {*blobs, file_lane},
                                                                   .lane = &file_lane,
                                                                   .clock = &clock,
                                                                   .limits = config.limits});
    webhooks =
        std::make_unique<service::Webhooks>(async::Blocking<store::Outbox>(store->outbox(), store_lane));
    http::Router router = build_dialects();
    add_status_routes(router, {.accounts = *accounts, .media = *media, .store = *store});
    server = std::make_unique<http::Server>(io, std::move(router), config.server);
}

async::Task<void> Engine::Parts::look_after_assets() {
    while (true) {
        co_await async::sleep_for(kResumeEvery);
        co_await assets->resume();
    }
}

async::Task<void> Engine::Parts::start_scheduler() {
    // In a directory of several nodes they may be in use.
    if (config.shared.empty()) co_await inputs->clear_leftovers();
    behind.spawn(dispatcher->run());
    behind.spawn(publisher->run());
    behind.spawn(reaper->run());
    behind.spawn(sender->run());
}

async::Task<void> Engine::Parts::stop_scheduler() {
    co_await dispatcher->stop(config.stop_grace);
    co_await sender->stop();
    behind.stop();
    co_await behind.wait_until_empty();
}

async::Task<void> Engine::Parts::stop_backends() {
    for (auto& [name, model] : models) co_await model.backend->stop();
}

async::Task<void> Engine::Parts::start_services() {
    co_await assets->resume();
    io_behind.spawn(look_after_assets());
    io_behind.spawn(files->run());
}

async::Task<void> Engine::Parts::stop_services() {
    followers->stop();
    co_await server->stop(config.stop_grace);
    for (const auto& dialect : dialects) co_await dialect->stop();
    io_behind.stop();
    co_await io_behind.wait_until_empty();
    co_await assets->stop();
}

Result<std::unique_ptr<Engine>> Engine::make(const Config& config, async::Executor io,
                                             async::Executor scheduler) {
    auto parts = std::make_unique<Parts>(config, io, scheduler);
    if (auto opened = parts->open_stores(); !opened) return std::unexpected(opened.error());
    if (auto built = parts->build_scheduler(); !built) return std::unexpected(built.error());
    if (auto built = parts->build_sender(); !built) return std::unexpected(built.error());
    parts->build_services();
    parts->store->on_change([parts = parts.get()] {
        parts->dispatcher->wake();
        parts->sender->wake();
        parts->followers->told_of_all();
    });
    return std::unique_ptr<Engine>(new Engine(std::move(parts)));
}

Engine::Engine(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Engine::~Engine() {
    parts_->store->on_change({});
}

Result<> Engine::listen(const std::string& host, std::uint16_t port) {
    return parts_->server->listen(host, port);
}

std::uint16_t Engine::port() const {
    return parts_->server->port();
}

async::Task<void> Engine::start() {
    co_await async::on(parts_->scheduler_home, parts_->start_scheduler());
    co_await async::on(parts_->io, parts_->start_services());
}

// Both at once, within one grace time: live calls that are under way still find their backends.
async::Task<void> Engine::stop() {
    async::TaskGroup both(co_await async::current_executor());
    both.spawn(async::on(parts_->io, parts_->stop_services()));
    both.spawn(async::on(parts_->scheduler_home, parts_->stop_scheduler()));
    co_await both.wait_until_empty();
    co_await async::on(parts_->scheduler_home, parts_->stop_backends());
}

Result<> Engine::health() {
    return parts_->store->health();
}

store::Store& Engine::store() {
    return *parts_->store;
}

}  // namespace sheaf::app
