#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "fetch/curl/guarded.h"
#include "fetch/curl/target.h"
#include "fetch/fetch.h"

namespace sheaf::fetch {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::size_t kHeaderBytesMax = std::size_t{256} << 10;
constexpr std::size_t kRedirectBytesMax = std::size_t{64} << 10;
constexpr long kBufferBytes = 256L << 10;
constexpr std::chrono::milliseconds kAskEvery{1000};

// One call of get(): what the callbacks share, over all redirects.
struct Transfer {
    Guard guard;
    const Fetcher::Sink& sink;
    std::uint64_t bytes_max;
    CURL* easy = nullptr;
    std::uint64_t bytes = 0;
    std::size_t header_bytes = 0;
    std::size_t redirect_bytes = 0;
    std::optional<Error> ended_by;  // the sink's error, or ours
    SteadyTime asked_at = std::chrono::steady_clock::now();

    long status() const {
        long code = 0;
        ::curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
        return code;
    }
    bool is_success() const { return status() >= 200 && status() < 300; }
    bool give(std::string_view some) {
        const auto taken = sink(some);
        if (!taken) ended_by = taken.error();
        return taken.has_value();
    }
};

std::size_t on_header(char*, std::size_t size, std::size_t count, void* context) {
    auto& transfer = *static_cast<Transfer*>(context);
    transfer.header_bytes += size * count;
    if (transfer.header_bytes <= kHeaderBytesMax) return size * count;
    transfer.ended_by = Error{ErrorCode::unavailable, "The server sent too many headers.", {}};
    return 0;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* context) {
    auto& transfer = *static_cast<Transfer*>(context);
    const std::size_t length = size * count;
    if (is_redirect(transfer.status())) {
        // Read past, and within reason: libcurl names the next address only after a whole answer.
        transfer.redirect_bytes += length;
        return transfer.redirect_bytes <= kRedirectBytesMax ? length : 0;
    }
    if (!transfer.is_success()) return 0;
    if (length > transfer.bytes_max - transfer.bytes) {
        transfer.ended_by = Error{ErrorCode::too_large, "The file is larger than allowed.", {}};
        return 0;
    }
    transfer.bytes += length;
    transfer.asked_at = std::chrono::steady_clock::now();
    return transfer.give({data, length}) ? length : 0;
}

int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(context);
    const auto now = std::chrono::steady_clock::now();
    if (now - transfer.asked_at < kAskEvery) return 0;
    transfer.asked_at = now;
    return transfer.give({}) ? 0 : 1;
}

class CurlFetcher final : public Fetcher {
public:
    CurlFetcher(FetchPolicy policy, AddressRules rules)
        : policy_(std::move(policy)), rules_(std::move(rules)) {}

    Result<Fetched> get(const std::string& url, std::uint64_t bytes_max, const Sink& sink) override {
        const SteadyTime deadline = std::chrono::steady_clock::now() + policy_.time_max;
        auto target = parse_target(url);
        if (!target) return std::unexpected(target.error());
        const Easy easy(::curl_easy_init());
        if (!easy) return fail(ErrorCode::internal, "There is no memory for a transfer.");
        Transfer transfer{.guard = {rules_}, .sink = sink, .bytes_max = bytes_max, .easy = easy.get()};
        if (!prepare(transfer))
            return fail(ErrorCode::internal, "libcurl does not take an option that we rely on.");

        for (std::uint32_t redirects = 0;; ++redirects) {
            const auto next = run(transfer, *target, deadline);
            if (!next) return std::unexpected(next.error());
            if (next->empty()) return finished(transfer);
            if (redirects == policy_.redirects_max)
                return fail(ErrorCode::unavailable, "The URL redirects too often.");
            target = parse_target(*next);
            if (!target) return denied();
        }
    }

private:
    bool prepare(Transfer& transfer) const {
        Options options(transfer.easy);
        set_guarded(options, transfer.guard);
        options.set(CURLOPT_BUFFERSIZE, kBufferBytes)
            .set(CURLOPT_MAXFILESIZE_LARGE,
                 static_cast<curl_off_t>(std::min<std::uint64_t>(transfer.bytes_max, INT64_MAX)))
            .set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(policy_.connect_time.count()))
            .set(CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(policy_.stall_bytes_per_second))
            .set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(policy_.stall_time.count()))
            .set(CURLOPT_HEADERFUNCTION, &on_header)
            .set(CURLOPT_HEADERDATA, &transfer)
            .set(CURLOPT_WRITEFUNCTION, &on_body)
            .set(CURLOPT_WRITEDATA, &transfer)
            .set(CURLOPT_NOPROGRESS, 0L)
            .set(CURLOPT_XFERINFOFUNCTION, &on_progress)
            .set(CURLOPT_XFERINFODATA, &transfer);
        return options.complete();
    }

    // Makes one request. Returns where it redirects to, or nothing when the body was given to the sink.
    Result<std::string> run(Transfer& transfer, const Target& target, SteadyTime deadline) const {
        if (target.address && !rules_.allows({*target.address, target.port})) return denied();
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return std::unexpected(error_of(CURLE_OPERATION_TIMEDOUT));
        Options options(transfer.easy);
        options.set(CURLOPT_URL, target.url.c_str()).set(CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
        if (!options.complete()) return fail(ErrorCode::internal, "libcurl does not take the URL.");
        transfer.header_bytes = 0;
        transfer.redirect_bytes = 0;
        transfer.guard.was_denied = false;
        const CURLcode code = ::curl_easy_perform(transfer.easy);
        if (transfer.ended_by) return std::unexpected(*transfer.ended_by);

        const long status = transfer.status();
        if (is_redirect(status)) {
            char* location = nullptr;
            ::curl_easy_getinfo(transfer.easy, CURLINFO_REDIRECT_URL, &location);
            if (location == nullptr) return fail(ErrorCode::unavailable, "The URL redirects to nowhere.");
            return std::string(location);
        }
        if (transfer.guard.was_denied && code != CURLE_OK) return denied();
        // Part of a file was not asked for, and a status above 299 brings an error's body.
        if (status != 0 && (!transfer.is_success() || status == 206)) {
            return fail(ErrorCode::unavailable,
                        fmt::format("The URL's server answered with status {}.", status));
        }
        if (code != CURLE_OK) return std::unexpected(error_of(code));
        return std::string();
    }

    static Fetched finished(const Transfer& transfer) {
        char* type = nullptr;
        ::curl_easy_getinfo(transfer.easy, CURLINFO_CONTENT_TYPE, &type);
        return {.content_type = type == nullptr ? std::string() : std::string(type), .bytes = transfer.bytes};
    }

    FetchPolicy policy_;
    AddressRules rules_;
};

}  // namespace

Result<std::unique_ptr<Fetcher>> make_curl_fetcher(FetchPolicy policy) {
    if (const auto started = start_curl(); !started) return std::unexpected(started.error());
    auto rules = AddressRules::make(policy.allowed_networks);
    if (!rules) return std::unexpected(rules.error());
    return std::make_unique<CurlFetcher>(std::move(policy), std::move(*rules));
}

}  // namespace sheaf::fetch
