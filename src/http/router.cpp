#include "http/router.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "http/syntax.h"

namespace sheaf::http {
namespace {

constexpr std::string_view kNotFound =
    R"({"code":"not_found","message":"There is nothing at this path.","error":{"code":"not_found","message":"There is nothing at this path."}})";
constexpr std::string_view kMethodNotAllowed =
    R"({"code":"method_not_allowed","message":"This path does not have that method.","error":{"code":"method_not_allowed","message":"This path does not have that method."}})";

async::Task<Response> answer_not_found(Request&) {
    Response response;
    response.status = 404;
    response.headers.add("Content-Type", "application/json");
    response.body = std::string(kNotFound);
    co_return response;
}

async::Task<Response> answer_method_not_allowed(Request& request) {
    Response response;
    response.status = 405;
    response.headers.add("Content-Type", "application/json");
    response.headers.add("Allow", std::string(request.headers.find("allow").value_or("")));
    response.body = std::string(kMethodNotAllowed);
    co_return response;
}

// The segment before the next slash, which is taken off too.
std::string_view take_segment(std::string_view& path) {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash);
    return segment;
}

// Only what we put there ourselves may tell the fallback which methods there are.
void replace_allow(Headers& headers, std::string allow) {
    Headers kept;
    for (const auto& [name, value] : headers.fields()) {
        if (!equals_ignoring_case(name, "allow")) kept.add(name, value);
    }
    kept.add("allow", std::move(allow));
    headers = std::move(kept);
}

bool is_below(std::string_view path, std::string_view prefix) {
    if (!path.starts_with(prefix)) return false;
    return path.size() == prefix.size() || prefix.ends_with('/') || prefix.empty() ||
           path[prefix.size()] == '/';
}

}  // namespace

struct Router::Node {
    std::map<std::string, Node, std::less<>> literals;
    std::unique_ptr<Node> parameter;
    std::map<std::string, Handler, std::less<>> handlers;  // by method

    // Of the root only.
    std::vector<std::pair<std::string, Fallbacks>> fallbacks;  // longest prefix first
    Fallbacks last_resort{answer_not_found, answer_method_not_allowed};
};

namespace {

struct Search {
    std::string_view method;
    std::vector<std::string> parameters{};
    std::vector<std::string_view> allowed{};
};

// `path` is empty or starts with a slash. Depth is bounded by the patterns, not by the path.
template <class Node>
const Handler* find_handler(const Node& node, std::string_view path, Search& search) {
    if (path.empty()) {
        auto handler = node.handlers.find(search.method);
        if (handler == node.handlers.end() && search.method == "HEAD") handler = node.handlers.find("GET");
        if (handler != node.handlers.end()) return &handler->second;
        for (const auto& [method, unused] : node.handlers) search.allowed.push_back(method);
        return nullptr;
    }
    std::string_view rest = path.substr(1);
    const std::string segment = percent_decode(take_segment(rest), false);
    if (const auto literal = node.literals.find(segment); literal != node.literals.end()) {
        if (const Handler* found = find_handler(literal->second, rest, search)) return found;
    }
    if (!node.parameter || segment.empty()) return nullptr;
    search.parameters.push_back(segment);
    if (const Handler* found = find_handler(*node.parameter, rest, search)) return found;
    search.parameters.pop_back();
    return nullptr;
}

std::string to_allow(std::vector<std::string_view> methods) {
    if (std::ranges::find(methods, "GET") != methods.end()) methods.emplace_back("HEAD");
    std::ranges::sort(methods);
    const auto repeated = std::ranges::unique(methods);
    methods.erase(repeated.begin(), repeated.end());
    std::string allow;
    for (const std::string_view method : methods) allow += (allow.empty() ? "" : ", ") + std::string(method);
    return allow;
}

}  // namespace

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;

void Router::add(std::string_view method, std::string_view pattern, Handler handler) {
    CHECK(pattern.starts_with('/') && handler, "a route has a path and a handler");
    Node* node = root_.get();
    while (!pattern.empty()) {
        pattern.remove_prefix(1);
        const std::string_view segment = take_segment(pattern);
        if (segment.starts_with('{') && segment.ends_with('}')) {
            if (!node->parameter) node->parameter = std::make_unique<Node>();
            node = node->parameter.get();
        } else {
            node = &node->literals[std::string(segment)];
        }
    }
    const bool added = node->handlers.emplace(method, std::move(handler)).second;
    CHECK(added, "each route is added once");
}

void Router::add_fallbacks(std::string_view prefix, Fallbacks fallbacks) {
    CHECK(fallbacks.not_found && fallbacks.method_not_allowed, "both fallbacks are needed");
    if (prefix == "/") prefix = "";
    root_->fallbacks.emplace_back(prefix, std::move(fallbacks));
    std::ranges::sort(root_->fallbacks, std::greater{}, [](const auto& entry) { return entry.first.size(); });
}

const Handler& Router::match(Request& request) const {
    // The target as it was sent keeps an encoded slash inside its segment.
    const std::string_view sent = request.target;
    const std::string_view path =
        sent.empty() ? std::string_view(request.path) : sent.substr(0, sent.find('?'));
    Search search{.method = request.method};
    const Handler* found = path.starts_with('/') ? find_handler(*root_, path, search) : nullptr;
    request.path_parameters = std::move(search.parameters);
    if (found != nullptr) return *found;

    const Fallbacks* fallbacks = &root_->last_resort;
    for (const auto& [prefix, entry] : root_->fallbacks) {
        if (!is_below(request.path, prefix)) continue;
        fallbacks = &entry;
        break;
    }
    if (search.allowed.empty()) return fallbacks->not_found;
    replace_allow(request.headers, to_allow(std::move(search.allowed)));
    return fallbacks->method_not_allowed;
}

}  // namespace sheaf::http
