#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace sheaf::http {

// Runs on the executor of the connection. `request` is valid until the task ends.
using Handler = std::function<async::Task<Response>(Request& request)>;

// Which handler answers what. Filled before the server starts, never changed afterwards.
//
// A pattern is a path whose segments are literal or {name}: "/v1.3/analyze/batches/{id}/results". Literals
// win over {…}. A path under no pattern goes to the fallback of the longest prefix that has one.
class Router {
public:
    struct Fallbacks {
        Handler not_found;
        // `allow` for the Allow header is in the request's header "allow" when it is called.
        Handler method_not_allowed;
    };

    Router();
    ~Router();
    Router(Router&&) noexcept;

    void add(std::string_view method, std::string_view pattern, Handler handler);
    // How paths below `prefix` that match nothing are answered.
    void add_fallbacks(std::string_view prefix, Fallbacks fallbacks);

    // Fills path_parameters and returns what to call; never null.
    const Handler& match(Request& request) const;

private:
    struct Node;
    std::unique_ptr<Node> root_;
};

}  // namespace sheaf::http
