// A model server for tests: one that speaks Chat Completions, Messages, Responses and Embeddings, reads
// requests strictly, answers by rule, and remembers what it was sent.
//
//   model_stand_in [--port N] [--port-file FILE] [--latency-ms N] [--ledger FILE] [--key KEY]
//
// It takes a free port where none is given.
//
// POST /v1/chat/completions, /v1/messages and /v1/responses answer with a text, with a plain document of the
// asked schema, or with a call of a tool when one must be called; /v1/embeddings with a vector of each input.
// /v1/messages/count_tokens and /tokenize count. A line in the last text of the user's first message changes
// that:
//
//   stand-in: ACTION [once | times=N] [retry-after=SECONDS] [text=WORDS…]
//
// ACTION: an HTTP status of an error, or one of hang, half, garbage, html, empty, no-choices, error-200,
// echo-key, context, wrong-schema, not-json, fence, refusal, filter, length, call, slow-drip, half-stream,
// error-stream, whole, say. `once` and `times` bound how often the same words are answered so; wrong-schema
// and not-json otherwise hold for every turn.
//
// GET /stand-in/ledger tells counters and an entry for each request; GET /v1/models lists one model.
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include <boost/asio/signal_set.hpp>
#include <unistd.h>

#include "async/timer.h"
#include "backend/invented.h"
#include "backend/json_text.h"
#include "base/hash.h"
#include "chat_request_check.h"
#include "embeddings_request_check.h"
#include "http/server.h"
#include "jsonl/writer.h"
#include "messages_request_check.h"
#include "responses_request_check.h"
#include "stand_in_answers.h"
#include "stand_in_ledger.h"

namespace {

using namespace sheaf;
using stand_in::AskedRequest;
using stand_in::Entry;
using stand_in::Protocol;
using stand_in::Said;
namespace json = boost::json;

constexpr std::uint64_t kBodyBytesMax = 256U << 20;

struct Options {
    std::uint16_t port = 0;
    std::string port_file;
    std::chrono::milliseconds latency{0};
    std::string ledger_file;
    std::string key;
};

struct Directive {
    std::string action;
    std::size_t times = 1'000'000;
    std::string retry_after;
    std::string text;
};

Directive parse_directive(const std::string& words) {
    std::istringstream lines(words);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("stand-in: ")) continue;
        Directive directive;
        if (const auto text = line.find(" text="); text != std::string::npos) {
            directive.text = line.substr(text + 6);
            line.resize(text);
        }
        std::istringstream parts(line.substr(10));
        parts >> directive.action;
        for (std::string part; parts >> part;) {
            if (part == "once") directive.times = 1;
            if (part.starts_with("times="))
                std::from_chars(part.data() + 6, part.data() + part.size(), directive.times);
            if (part.starts_with("retry-after=")) directive.retry_after = part.substr(12);
        }
        return directive;
    }
    return {};
}

http::Response json_response(int status, std::string body) {
    http::Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(body);
    return response;
}

std::string error_body(Protocol protocol, std::string_view message, std::string_view param,
                       std::string_view code) {
    jsonl::Writer out;
    out.open_object();
    if (protocol == Protocol::messages) out.member("type", "error");
    out.key("error").open_object().member("message", message).member("type", "invalid_request_error");
    if (protocol != Protocol::messages) out.member("param", param).member("code", code);
    return out.close_object().close_object().take();
}

// The times that stand before the pictures.
std::vector<double> shown_times(const AskedRequest& request) {
    std::vector<double> times;
    for (const auto& part : request.parts)
        if (!part.is_image && part.text.starts_with('['))
            if (const auto time = backend::parse_time(part.text)) times.push_back(*time);
    return times;
}

// A plain document of the schema; an array of stretches of time gets one, over all that was shown.
std::string good_document(const AskedRequest& request) {
    auto document = backend::invented_document(*request.schema);
    const auto times = shown_times(request);
    const auto* properties = request.schema->get_object().if_contains("properties");
    if (times.empty() || properties == nullptr || !document.is_object()) return backend::json_text(document);
    for (const auto& property : properties->get_object()) {
        const auto* items =
            property.value().is_object() ? property.value().get_object().if_contains("items") : nullptr;
        if (items == nullptr || !items->is_object()) continue;
        boost::system::error_code error;
        if (items->find_pointer("/properties/start_time", error) == nullptr) continue;
        auto segment = backend::invented_document(*items);
        segment.as_object()["start_time"] = times.front();
        segment.as_object()["end_time"] = std::max(times.back(), times.front() + 1);
        document.as_object()[property.key()] = json::array{segment};
    }
    return backend::json_text(document);
}

std::string good_text(const AskedRequest& request) {
    return request.schema ? good_document(request)
                          : fmt::format("The stand-in saw {} pictures.", request.images);
}

// What is called in place of a text, if something is.
std::optional<stand_in::AskedTool> called_tool(const AskedRequest& request, const Directive& directive) {
    if (request.tools.empty() || (!request.forced_tool && directive.action != "call")) return std::nullopt;
    for (const auto& tool : request.tools)
        if (tool.name == request.forced_tool) return tool;
    return request.tools.front();
}

std::string whole_answer(const AskedRequest& request, const Said& said) {
    switch (request.protocol) {
        case Protocol::chat_completions:
            return stand_in::ChatAnswer(request, said).whole();
        case Protocol::messages:
            return stand_in::MessagesAnswer(request, said).whole();
        case Protocol::responses:
            return stand_in::ResponsesAnswer(request, said).whole();
        case Protocol::embeddings:
            return stand_in::embeddings_answer(request);
    }
    return {};
}

std::vector<std::string> events_of_answer(const AskedRequest& request, const Said& said) {
    switch (request.protocol) {
        case Protocol::chat_completions:
            return stand_in::ChatAnswer(request, said).events();
        case Protocol::messages:
            return stand_in::MessagesAnswer(request, said).events();
        case Protocol::responses:
            return stand_in::ResponsesAnswer(request, said).events();
        case Protocol::embeddings:
            break;
    }
    return {};
}

class StandIn {
public:
    explicit StandIn(Options options) : options_(std::move(options)), ledger_(options_.ledger_file) {}

    http::Router router() {
        using stand_in::MessagesRequestCheck;
        http::Router made;
        const auto add = [this, &made](std::string_view path, Protocol protocol, Check check) {
            made.add("POST", path, [this, protocol, check = std::move(check)](http::Request& request) {
                return complete(request, protocol, check);
            });
        };
        add("/v1/chat/completions", Protocol::chat_completions, read_with<stand_in::ChatRequestCheck>);
        add("/v1/messages", Protocol::messages, read_messages<MessagesRequestCheck::Asks::answer>);
        add("/v1/messages/count_tokens", Protocol::messages,
            read_messages<MessagesRequestCheck::Asks::count>);
        add("/v1/responses", Protocol::responses, read_with<stand_in::ResponsesRequestCheck>);
        add("/v1/embeddings", Protocol::embeddings, read_with<stand_in::EmbeddingsRequestCheck>);
        add("/tokenize", Protocol::chat_completions, read_with<stand_in::ChatRequestCheck>);
        made.add("GET", "/v1/models", [](http::Request&) {
            return now(
                json_response(200, R"({"object":"list","data":[{"id":"stand-in","object":"model"}]})"));
        });
        made.add("GET", "/stand-in/ledger",
                 [this](http::Request&) { return now(json_response(200, ledger_.text())); });
        const auto lost = [](http::Request&) {
            return now(
                json_response(404, error_body(Protocol::chat_completions, "no such path", "", "not_found")));
        };
        made.add_fallbacks("/", {lost, lost});
        return made;
    }

private:
    using Check = std::function<stand_in::Verdict(std::string_view body, AskedRequest& request)>;

    template <class Reader>
    static stand_in::Verdict read_with(std::string_view body, AskedRequest& request) {
        return Reader().check(body, request);
    }
    template <stand_in::MessagesRequestCheck::Asks asks>
    static stand_in::Verdict read_messages(std::string_view body, AskedRequest& request) {
        return stand_in::MessagesRequestCheck(asks).check(body, request);
    }

    static async::Task<http::Response> now(http::Response response) { co_return response; }

    static stand_in::Verdict check_headers(const http::Headers& headers, Protocol protocol) {
        const auto type = headers.find("content-type");
        if (!type || !type->starts_with("application/json"))
            return stand_in::bad("", "The content type must be application/json.");
        if (protocol == Protocol::messages && !headers.find("anthropic-version"))
            return stand_in::bad("", "anthropic-version: header is required");
        return std::nullopt;
    }

    bool has_key(const http::Headers& headers, Protocol protocol) const {
        if (options_.key.empty()) return true;
        return headers.find("authorization") == "Bearer " + options_.key &&
               (protocol != Protocol::messages || headers.find("x-api-key") == options_.key);
    }

    async::Task<http::Response> complete(http::Request& http_request, Protocol protocol, Check check) {
        Entry entry{.path = http_request.path};
        const auto body = co_await http::read_all(*http_request.body, kBodyBytesMax);
        if (!body)
            co_return json_response(413, error_body(protocol, "the body is too large", "", "too_large"));
        entry.bytes = body->size();
        if (body->size() <= stand_in::kKeptBytesMax) entry.body = *body;
        AskedRequest request{.protocol = protocol};
        auto violation = check_headers(http_request.headers, protocol);
        if (!violation) violation = check(*body, request);
        if (violation) {
            entry.status = 400;
            entry.violation = violation->param + ": " + violation->message;
            std::cerr << "violation: " << entry.violation << std::endl;
            ledger_.add(entry);
            co_return json_response(400,
                                    error_body(protocol, violation->message, violation->param, "invalid"));
        }
        const std::string key(http_request.headers.find("authorization").value_or(""));
        if (!has_key(http_request.headers, protocol)) {
            entry.status = 401;
            ledger_.add(entry);
            co_return json_response(
                401, error_body(protocol, "Incorrect API key provided: " + key, "", "invalid_api_key"));
        }
        describe(request, entry);
        Directive directive = parse_directive(entry.words);
        const auto seen = ++seen_[entry.words + (request.turns > 0 ? "\nagain" : "")];
        if (seen > directive.times || (directive.times == 1 && request.turns > 0)) directive = {};
        entry.action = directive.action;
        if (options_.latency.count() > 0) co_await async::sleep_for(options_.latency);
        if (directive.action == "hang") {
            ledger_.add(entry);
            co_await async::sleep_for(std::chrono::hours{1});
        }
        auto response = find_fault(request, directive, key);
        if (!response) response = good_answer(http_request.path, request, directive);
        entry.status = response->status;
        ledger_.add(entry);
        co_return *std::move(response);
    }

    static void describe(const AskedRequest& request, Entry& entry) {
        entry.images = request.images;
        entry.turns = request.turns;
        entry.is_streamed = request.is_streamed;
        std::size_t shared = 0;
        for (std::size_t i = 0; i < request.parts.size(); ++i)
            if (request.parts[i].is_image) shared = i + 1;
        std::string prefix;
        for (std::size_t i = 0; i < shared; ++i) prefix += request.parts[i].text + "\n";
        if (shared > 0) entry.prefix = to_hex(sha256(prefix)).substr(0, 16);
        if (!request.parts.empty() && !request.parts.back().is_image) entry.words = request.parts.back().text;
    }

    static std::optional<http::Response> find_fault(const AskedRequest& request, const Directive& directive,
                                                    const std::string& key) {
        const auto& action = directive.action;
        const auto error = [&](std::string_view message, std::string_view param, std::string_view code) {
            return error_body(request.protocol, message, param, code);
        };
        int status = 0;
        if (std::from_chars(action.data(), action.data() + action.size(), status).ec == std::errc() &&
            status >= 300) {
            auto response = json_response(
                status, error(directive.text.empty() ? "as it was told" : directive.text, "", "told"));
            if (!directive.retry_after.empty()) response.headers.add("Retry-After", directive.retry_after);
            return response;
        }
        if (action == "echo-key") return json_response(500, error("the key " + key + " is odd", "", "told"));
        if (action == "context")
            return json_response(400, error("This model's maximum context length is 4096 tokens.", "messages",
                                            "context_length_exceeded"));
        if (action == "garbage") return json_response(200, "{\"choices\":[{\"mess");
        if (action == "error-200") return json_response(200, error("out of memory", "", "told"));
        if (action == "no-choices") return json_response(200, R"({"object":"chat.completion","choices":[]})");
        if (action == "html") {
            http::Response response;
            response.headers.add("Content-Type", "text/html");
            response.body = std::string("<html>It works!</html>");
            return response;
        }
        return std::nullopt;
    }

    static http::Response good_answer(std::string_view path, const AskedRequest& request,
                                      const Directive& directive) {
        if (path == "/v1/messages/count_tokens") return json_response(200, R"({"input_tokens":41})");
        if (path == "/tokenize")
            return json_response(200, R"({"count":43,"max_model_len":4096,"tokens":[]})");
        const auto& action = directive.action;
        Said said{.text = good_text(request), .called = called_tool(request, directive)};
        if (action == "say") said.text = directive.text;
        if (action == "empty") said.text.clear();
        if (action == "wrong-schema") said.text = R"({"nonsense":true})";
        if (action == "not-json") said.text = "I would rather not.";
        if (action == "fence") said.text = "```json\n" + said.text + "\n```";
        if (action == "filter") said.finish = "content_filter";
        if (action == "refusal") {
            said.is_refusal = true;
            said.text = "I cannot help with that.";
        }
        if (action == "length") {
            said.finish = "length";
            said.text.resize(said.text.size() / 2);
        }
        if (request.is_streamed && action != "whole") return streamed(request, action, said);
        auto body = whole_answer(request, said);
        if (action != "half" && action != "slow-drip") return json_response(200, std::move(body));
        const bool is_half = action == "half";
        auto response = json_response(200, {});
        response.body =
            http::StreamBody([body, is_half](http::BodyWriter& out) { return drip(out, body, is_half); });
        return response;
    }

    static async::Task<Result<>> drip(http::BodyWriter& out, std::string body, bool is_half) {
        if (is_half) {
            (void)co_await out.write(std::string_view(body).substr(0, body.size() / 2));
            co_return fail(ErrorCode::internal, "as it was told");
        }
        for (std::size_t i = 0; i < body.size(); i += 7) {
            if (auto written = co_await out.write(std::string_view(body).substr(i, 7)); !written)
                co_return written;
            co_await async::sleep_for(std::chrono::milliseconds{2});
        }
        co_return Result<>{};
    }

    static http::Response streamed(const AskedRequest& request, const std::string& action, const Said& said) {
        http::Response response;
        response.headers.add("Content-Type", "text/event-stream");
        auto all = events_of_answer(request, said);
        // Of a chat: the comment, the role and the first word.
        const std::size_t begun = request.protocol == Protocol::chat_completions ? 3 : 4;
        if (action == "half-stream" || action == "half" || action == "error-stream") all.resize(begun);
        if (action == "error-stream")
            all.push_back(stand_in::event(request.protocol == Protocol::chat_completions ? "" : "error",
                                          error_body(request.protocol, "out of memory", "", "told")));
        if (action == "slow-drip") {
            std::string joined;
            for (const auto& event : all) joined += event;
            response.body =
                http::StreamBody([joined](http::BodyWriter& out) { return drip(out, joined, false); });
            return response;
        }
        const bool is_aborted = action == "half";
        response.body = http::StreamBody(
            [all, is_aborted](http::BodyWriter& out) { return send_events(out, all, is_aborted); });
        return response;
    }

    static async::Task<Result<>> send_events(http::BodyWriter& out, std::vector<std::string> all,
                                             bool is_aborted) {
        for (const auto& event : all)
            if (auto written = co_await out.write(event); !written) co_return written;
        if (is_aborted) co_return fail(ErrorCode::internal, "as it was told");
        co_return Result<>{};
    }

    Options options_;
    stand_in::Ledger ledger_;
    std::map<std::string, std::size_t> seen_;
};

std::optional<Options> parse_options(int count, char** arguments) {
    Options options;
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string name = arguments[i];
        const std::string value = arguments[i + 1];
        if (name == "--port")
            options.port = static_cast<std::uint16_t>(std::atoi(value.c_str()));
        else if (name == "--port-file")
            options.port_file = value;
        else if (name == "--latency-ms")
            options.latency = std::chrono::milliseconds(std::atoi(value.c_str()));
        else if (name == "--ledger")
            options.ledger_file = value;
        else if (name == "--key")
            options.key = value;
        else
            return std::nullopt;
    }
    if (count % 2 == 0) return std::nullopt;
    return options;
}

// Whole or not at all: whoever waits for the file must not read half a number.
bool write_port(const std::string& file, std::uint16_t port) {
    const auto beside = file + ".new";
    {
        std::ofstream out(beside);
        out << port << "\n";
        if (!out.flush()) return false;
    }
    return std::rename(beside.c_str(), file.c_str()) == 0;
}

}  // namespace

int main(int count, char** arguments) {
    const auto options = parse_options(count, arguments);
    if (!options) {
        std::cerr << "usage: model_stand_in [--port N] [--port-file FILE] [--latency-ms N] [--ledger FILE] "
                     "[--key KEY]\n";
        return 2;
    }
    boost::asio::io_context context{1};
    StandIn stand_in(*options);
    http::Server server(context.get_executor(), stand_in.router(), {});
    if (const auto listening = server.listen("127.0.0.1", options->port); !listening) {
        std::cerr << listening.error().message << "\n";
        return 1;
    }
    boost::asio::signal_set signals(context, SIGTERM, SIGINT);
    signals.async_wait([&](const boost::system::error_code& error, int) {
        if (error) return;
        boost::asio::co_spawn(context, server.stop(std::chrono::milliseconds{0}),
                              [](const std::exception_ptr&) {});
    });
    if (!options->port_file.empty() && !write_port(options->port_file, server.port())) return 1;
    context.run();
    return 0;
}
