#include "fetch/curl/guarded.h"

#include <fmt/format.h>
#include <sys/socket.h>

namespace sheaf::fetch {
namespace {

curl_socket_t on_open_socket(void* context, curlsocktype purpose, curl_sockaddr* address) {
    auto& guard = *static_cast<Guard*>(context);
    const auto endpoint = endpoint_of(address->addr);
    if (purpose != CURLSOCKTYPE_IPCXN || !endpoint || !guard.rules.allows(*endpoint)) {
        guard.was_denied = true;
        return CURL_SOCKET_BAD;
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace

void set_guarded(Options& options, Guard& guard) {
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
        .set(CURLOPT_OPENSOCKETFUNCTION, &on_open_socket)
        .set(CURLOPT_OPENSOCKETDATA, &guard);
}

std::unexpected<Error> denied() {
    return fail(ErrorCode::denied, "The URL leads to an address that is not allowed.");
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
            return unavailable(
                fmt::format("The URL's server could not be talked to: {}.", ::curl_easy_strerror(code)));
    }
}

bool is_redirect(long status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Result<> start_curl() {
    static const CURLcode started = ::curl_global_init(CURL_GLOBAL_DEFAULT);
    if (started != CURLE_OK) return fail(ErrorCode::internal, "libcurl cannot be used.");
    return {};
}

}  // namespace sheaf::fetch
