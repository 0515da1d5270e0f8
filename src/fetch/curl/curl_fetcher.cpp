#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include "fetch/curl/target.h"
#include "fetch/fetch.h"

namespace sheaf::fetch {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::size_t kHeaderBytesMax = std::size_t{256} << 10;
constexpr std::size_t kRedirectBytesMax = std::size_t{64} << 10;
constexpr long kBufferBytes = 256L << 10;
constexpr std::chrono::milliseconds kAskEvery{1000};

struct FreeEasy {
    void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
};

// The same words for every target that is refused, so that nobody learns what is there.
std::unexpected<Error> denied() {
    return fail(ErrorCode::denied, "The URL leads to an address that is not allowed.");
}

bool is_redirect(long status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// One call of get(): what the callbacks share, over all redirects.
struct Transfer {
    const AddressRules& rules;
    const Fetcher::Sink& sink;
    std::uint64_t bytes_max;
    CURL* easy = nullptr;
    std::uint64_t bytes = 0;
    std::size_t header_bytes = 0;
    std::size_t redirect_bytes = 0;
    bool was_denied = false;
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

// The address of the connection itself, so that no second look-up can give another.
curl_socket_t on_open_socket(void* context, curlsocktype purpose, curl_sockaddr* address) {
    auto& transfer = *static_cast<Transfer*>(context);
    const auto endpoint = endpoint_of(address->addr);
    if (purpose != CURLSOCKTYPE_IPCXN || !endpoint || !transfer.rules.allows(*endpoint)) {
        transfer.was_denied = true;
        return CURL_SOCKET_BAD;
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

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

Error error_of(CURLcode code) {
    const auto unavailable = [](std::string message) {
        return Error{ErrorCode::unavailable, std::move(message), {}};
    };
    switch (code) {
        case CURLE_FILESIZE_EXCEEDED:
            return {ErrorCode::too_large, "The file is larger than allowed.", {}};
        case CURLE_COULDNT_RESOLVE_HOST:
            return unavailable("The URL's host was not found.");
        case CURLE_COULDNT_CONNECT:
            return unavailable("The URL's server could not be reached.");
        case CURLE_OPERATION_TIMEDOUT:
            return unavailable("The URL's server was too slow.");
        case CURLE_PEER_FAILED_VERIFICATION:
            return unavailable("The URL's server has no valid certificate.");
        case CURLE_PARTIAL_FILE:
            return unavailable("The URL's server ended before the whole file was there.");
        case CURLE_GOT_NOTHING:
            return unavailable("The URL's server did not answer.");
        default:
            return unavailable(fmt::format("The URL could not be fetched: {}.", ::curl_easy_strerror(code)));
    }
}

// Sets options one after the other and remembers whether all were taken: a refused one must not go unnoticed.
class Options {
public:
    explicit Options(CURL* easy) : easy_(easy) {}
    template <class T>
    Options& set(CURLoption option, T value) {
        if (::curl_easy_setopt(easy_, option, value) != CURLE_OK) complete_ = false;
        return *this;
    }
    bool complete() const { return complete_; }

private:
    CURL* easy_;
    bool complete_ = true;
};

class CurlFetcher final : public Fetcher {
public:
    CurlFetcher(FetchPolicy policy, AddressRules rules)
        : policy_(std::move(policy)), rules_(std::move(rules)) {}

    Result<Fetched> get(const std::string& url, std::uint64_t bytes_max, const Sink& sink) override {
        const SteadyTime deadline = std::chrono::steady_clock::now() + policy_.time_max;
        auto target = parse_target(url);
        if (!target) return std::unexpected(target.error());
        const std::unique_ptr<CURL, FreeEasy> easy(::curl_easy_init());
        if (!easy) return fail(ErrorCode::internal, "There is no memory for a transfer.");
        Transfer transfer{.rules = rules_, .sink = sink, .bytes_max = bytes_max, .easy = easy.get()};
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
        options.set(CURLOPT_NOSIGNAL, 1L)
            .set(CURLOPT_PROTOCOLS_STR, "http,https")
            .set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
            .set(CURLOPT_FOLLOWLOCATION, 0L)
            .set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L)
            .set(CURLOPT_PROXY, "")
            .set(CURLOPT_NOPROXY, "*")
            .set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED))
            .set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1))
            .set(CURLOPT_HTTP_CONTENT_DECODING, 0L)
            .set(CURLOPT_SSL_VERIFYPEER, 1L)
            .set(CURLOPT_SSL_VERIFYHOST, 2L)
            .set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2))
            .set(CURLOPT_USERAGENT, "sheaf")
            .set(CURLOPT_BUFFERSIZE, kBufferBytes)
            .set(CURLOPT_MAXFILESIZE_LARGE,
                 static_cast<curl_off_t>(std::min<std::uint64_t>(transfer.bytes_max, INT64_MAX)))
            .set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(policy_.connect_time.count()))
            .set(CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(policy_.stall_bytes_per_second))
            .set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(policy_.stall_time.count()))
            .set(CURLOPT_OPENSOCKETFUNCTION, &on_open_socket)
            .set(CURLOPT_OPENSOCKETDATA, &transfer)
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
        transfer.was_denied = false;
        const CURLcode code = ::curl_easy_perform(transfer.easy);
        if (transfer.ended_by) return std::unexpected(*transfer.ended_by);

        const long status = transfer.status();
        if (is_redirect(status)) {
            char* location = nullptr;
            ::curl_easy_getinfo(transfer.easy, CURLINFO_REDIRECT_URL, &location);
            if (location == nullptr) return fail(ErrorCode::unavailable, "The URL redirects to nowhere.");
            return std::string(location);
        }
        if (transfer.was_denied && code != CURLE_OK) return denied();
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
    static const CURLcode initialised = ::curl_global_init(CURL_GLOBAL_DEFAULT);
    if (initialised != CURLE_OK) return fail(ErrorCode::internal, "libcurl cannot be used.");
    auto rules = AddressRules::make(policy.allowed_networks);
    if (!rules) return std::unexpected(rules.error());
    return std::make_unique<CurlFetcher>(std::move(policy), std::move(*rules));
}

}  // namespace sheaf::fetch
