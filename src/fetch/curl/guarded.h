#pragma once

#include <memory>

#include <curl/curl.h>

#include "base/result.h"
#include "fetch/address.h"

// What every transfer of ours keeps to, whichever way its bytes go.
namespace sheaf::fetch {

struct FreeEasy {
    void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;

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

// Checks the address of every connection that a transfer opens: of the connection itself, so that no second
// look-up can give another. Outlives the transfer.
struct Guard {
    const AddressRules& rules;
    bool was_denied = false;
};

// Only http and https, TLS checked, no redirects by libcurl itself, no proxy, no credentials; guarded.
void set_guarded(Options& options, Guard& guard);

// The same words for every target that is refused, so that nobody learns what is there.
std::unexpected<Error> denied();
// What a failed transfer means.
Error error_of(CURLcode code);
bool is_redirect(long status);

// Once in the process, before anything else of libcurl.
Result<> start_curl();

}  // namespace sheaf::fetch
