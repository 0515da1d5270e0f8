#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sheaf::fetch {

struct FetchPolicy {
    // Networks that may be reached although they are private, loopback or otherwise not public: "10.0.0.0/8".
    std::vector<std::string> allowed_networks;
    std::chrono::seconds connect_time{10};
    std::chrono::seconds time_max{1800};
    std::uint32_t stall_bytes_per_second = 1024;  // slower than this for stall_time ends it
    std::chrono::seconds stall_time{60};
    std::uint32_t redirects_max = 5;
};

struct Fetched {
    std::string content_type;  // as the server said it; never trusted
    std::uint64_t bytes = 0;
};

// Gets what a client's URL points to. Only http and https; every address that is connected to, also after a
// redirect, was checked: public, or in an allowed network. The check is made on the address of the connection
// itself, so that a name cannot change between the check and the use. No proxy, no credentials in the URL.
//
// Blocks; any thread. invalid: not a URL we take. denied: the address is not allowed (the same words whether
// or not something listens there). too_large: more than `bytes_max`. unavailable: anything else; `message` is
// for people. An error of the sink ends the transfer and is returned as it is. While nothing arrives, the
// sink is called with no bytes about once a second, so that it can give up.
class Fetcher {
public:
    virtual ~Fetcher() = default;
    using Sink = std::function<Result<>(std::string_view bytes)>;
    virtual Result<Fetched> get(const std::string& url, std::uint64_t bytes_max, const Sink& sink) = 0;
};

Result<std::unique_ptr<Fetcher>> make_curl_fetcher(FetchPolicy policy);

struct PostPolicy {
    std::vector<std::string> allowed_networks;  // as FetchPolicy's
    std::chrono::seconds connect_time{10};
};

struct Message {
    std::string url;
    std::vector<std::string> headers;  // "Name: value"
    std::string_view body;
    std::chrono::milliseconds time_max{10'000};  // from the first look-up to the end of the answer
};

// Sends bytes where a URL points to, once, under the same rules as Fetcher. A redirect is an answer like any
// other: it is not followed. Of the answer only the status counts; its body is read past, and not far.
//
// Blocks; any thread. Returns the status, whatever it is. invalid: the URL is none we take, or a header has a
// control character. denied: the address is not allowed. canceled: `gives_up`, which is asked about once a
// second, said so; the message may have arrived. unavailable: anything else; `message` is for people.
class Poster {
public:
    virtual ~Poster() = default;
    using GivesUp = std::function<bool()>;
    virtual Result<int> post(const Message& message, const GivesUp& gives_up) = 0;
};

Result<std::unique_ptr<Poster>> make_curl_poster(PostPolicy policy);

// invalid: not a URL that Fetcher and Poster take, whatever address it may lead to.
Result<> check_url(const std::string& url);
// "https://example.com:443": scheme, host and port of a URL that check_url() takes.
Result<std::string> origin_of(const std::string& url);

}  // namespace sheaf::fetch
