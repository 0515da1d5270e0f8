// A model server for tests: an OpenAI-compatible server that reads requests strictly, answers by rule, and
// remembers what it was sent.
//
//   model_stand_in --port-file FILE [--latency-ms N] [--ledger FILE] [--key KEY]
//
// POST /v1/chat/completions answers with a text, or with a plain document of the asked schema. A line in the
// last text of the user's first message changes that:
//
//   stand-in: ACTION [once | times=N] [retry-after=SECONDS] [text=WORDS…]
//
// ACTION: an HTTP status of an error, or one of hang, half, garbage, html, empty, no-choices, error-200,
// echo-key, context, wrong-schema, not-json, fence, refusal, filter, length, slow-drip, half-stream, whole,
// say. `once` and `times` bound how often the same words are answered so; wrong-schema and not-json otherwise
// hold for every turn.
//
// GET /stand-in/ledger tells counters and an entry for each request; GET /v1/models lists one model.
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include <boost/asio/signal_set.hpp>
#include <unistd.h>

#include "async/timer.h"
#include "backend/invented.h"
#include "backend/json_text.h"
#include "base/hash.h"
#include "chat_request_check.h"
#include "http/server.h"
#include "jsonl/writer.h"

namespace {

using namespace sheaf;
using stand_in::ChatRequest;
using stand_in::view;
namespace json = boost::json;

constexpr std::uint64_t kBodyBytesMax = 256U << 20;

struct Options {
    std::string port_file;
    std::chrono::milliseconds latency{0};
    std::string ledger_file;
    std::string key;
};

struct Entry {
    int status = 200;
    std::string violation;
    std::string action;
    std::string words;   // the last text of the user's first message
    std::string prefix;  // hash of all parts up to the last picture
    std::size_t images = 0;
    std::size_t turns = 0;
    bool is_streamed = false;
    std::size_t bytes = 0;
};

std::string render(const Entry& entry) {
    jsonl::Writer out;
    out.open_object().member("status", entry.status).member("violation", entry.violation);
    out.member("action", entry.action).member("words", entry.words).member("prefix", entry.prefix);
    out.member("images", entry.images).member("turns", entry.turns).member("stream", entry.is_streamed);
    out.member("bytes", entry.bytes).close_object();
    return out.take();
}

class Ledger {
public:
    explicit Ledger(const std::string& file) {
        if (!file.empty()) file_.open(file, std::ios::app);
    }

    void add(Entry entry) {
        if (file_.is_open()) file_ << render(entry) << std::endl;
        entries_.push_back(std::move(entry));
    }

    std::string text() const {
        std::map<std::string, std::size_t> prefixes;
        std::size_t images = 0;
        std::size_t violations = 0;
        for (const auto& entry : entries_) {
            images += entry.images;
            violations += entry.violation.empty() ? 0 : 1;
            if (!entry.prefix.empty()) ++prefixes[entry.prefix];
        }
        std::size_t shared = 0;
        for (const auto& [prefix, count] : prefixes) shared += count - 1;
        jsonl::Writer out;
        out.open_object().member("requests", entries_.size()).member("violations", violations);
        out.member("images_decoded", images).member("frame_sets", prefixes.size());
        out.member("prefix_repeated", shared).key("entries").open_array();
        for (const auto& entry : entries_) out.raw(render(entry));
        out.close_array().close_object();
        return out.take();
    }

private:
    std::ofstream file_;
    std::vector<Entry> entries_;
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

std::string error_body(std::string_view message, std::string_view param, std::string_view code) {
    jsonl::Writer out;
    out.open_object()
        .key("error")
        .open_object()
        .member("message", message)
        .member("type", "invalid_request_error");
    out.member("param", param).member("code", code).close_object().close_object();
    return out.take();
}

// The times that stand before the pictures.
std::vector<double> shown_times(const ChatRequest& request) {
    std::vector<double> times;
    for (const auto& part : request.parts)
        if (!part.is_image && part.text.starts_with('['))
            if (const auto time = backend::parse_time(part.text)) times.push_back(*time);
    return times;
}

// A plain document of the schema; an array of stretches of time gets one, over all that was shown.
std::string good_document(const ChatRequest& request) {
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

class StandIn {
public:
    explicit StandIn(Options options) : options_(std::move(options)), ledger_(options_.ledger_file) {}

    http::Router router() {
        http::Router made;
        made.add("POST", "/v1/chat/completions",
                 [this](http::Request& request) { return complete(request); });
        made.add("GET", "/v1/models", [](http::Request&) {
            return now(
                json_response(200, R"({"object":"list","data":[{"id":"stand-in","object":"model"}]})"));
        });
        made.add("GET", "/stand-in/ledger",
                 [this](http::Request&) { return now(json_response(200, ledger_.text())); });
        const auto lost = [](http::Request&) {
            return now(json_response(404, error_body("no such path", "", "not_found")));
        };
        made.add_fallbacks("/", {lost, lost});
        return made;
    }

private:
    static async::Task<http::Response> now(http::Response response) { co_return response; }

    async::Task<http::Response> complete(http::Request& http_request) {
        Entry entry;
        const auto body = co_await http::read_all(*http_request.body, kBodyBytesMax);
        if (!body) co_return json_response(413, error_body("the body is too large", "", "too_large"));
        entry.bytes = body->size();
        const auto type = http_request.headers.find("content-type");
        const auto key = http_request.headers.find("authorization").value_or("");
        ChatRequest request;
        std::optional<stand_in::Violation> violation;
        if (!type || !type->starts_with("application/json"))
            violation = {"", "The content type must be application/json."};
        if (!violation) violation = stand_in::RequestCheck().check(*body, request);
        if (violation) {
            entry.status = 400;
            entry.violation = violation->param + ": " + violation->message;
            std::cerr << "violation: " << entry.violation << std::endl;
            ledger_.add(entry);
            co_return json_response(400, error_body(violation->message, violation->param, "invalid"));
        }
        if (!options_.key.empty() && key != "Bearer " + options_.key) {
            entry.status = 401;
            ledger_.add(entry);
            co_return json_response(
                401, error_body(fmt::format("Incorrect API key provided: {}", key), "", "invalid_api_key"));
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
        auto response = answer(request, directive, std::string(key));
        entry.status = response.status;
        ledger_.add(entry);
        co_return response;
    }

    static void describe(const ChatRequest& request, Entry& entry) {
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

    http::Response answer(const ChatRequest& request, const Directive& directive, const std::string& key) {
        const auto& action = directive.action;
        int status = 0;
        if (std::from_chars(action.data(), action.data() + action.size(), status).ec == std::errc() &&
            status >= 300) {
            auto response = json_response(
                status, error_body(directive.text.empty() ? "as it was told" : directive.text, "", "told"));
            if (!directive.retry_after.empty()) response.headers.add("Retry-After", directive.retry_after);
            return response;
        }
        if (action == "echo-key")
            return json_response(500, error_body("the key " + key + " is odd", "", "told"));
        if (action == "context")
            return json_response(400, error_body("This model's maximum context length is 4096 tokens.",
                                                 "messages", "context_length_exceeded"));
        if (action == "garbage") return json_response(200, "{\"choices\":[{\"mess");
        if (action == "error-200") return json_response(200, error_body("out of memory", "", "told"));
        if (action == "no-choices") return json_response(200, R"({"object":"chat.completion","choices":[]})");
        if (action == "html") {
            http::Response response;
            response.headers.add("Content-Type", "text/html");
            response.body = std::string("<html>It works!</html>");
            return response;
        }
        std::string text = request.schema ? good_document(request)
                                          : fmt::format("The stand-in saw {} pictures.", request.images);
        std::string finish = "stop";
        if (action == "say") text = directive.text;
        if (action == "empty") text.clear();
        if (action == "wrong-schema") text = R"({"nonsense":true})";
        if (action == "not-json") text = "I would rather not.";
        if (action == "fence") text = "```json\n" + text + "\n```";
        if (action == "filter") finish = "content_filter";
        if (action == "length") {
            finish = "length";
            text.resize(text.size() / 2);
        }
        if (request.is_streamed && action != "whole") return streamed(request, directive, text, finish);
        auto body = completion(request, text, finish, action == "refusal");
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

    static void write_usage(jsonl::Writer& out, const ChatRequest& request, const std::string& text) {
        std::size_t input = request.images * 100;
        for (const auto& part : request.parts)
            if (!part.is_image) input += part.text.size() / 4;
        const auto output = text.size() / 4 + 1;
        out.key("usage").open_object().member("prompt_tokens", input).member("completion_tokens", output);
        out.member("total_tokens", input + output).close_object();
    }

    static std::string completion(const ChatRequest& request, const std::string& text,
                                  const std::string& finish, bool is_refusal) {
        jsonl::Writer out;
        out.open_object().member("id", "chatcmpl-1").member("object", "chat.completion").member("created", 1);
        out.member("model", request.model).key("choices").open_array().open_object().member("index", 0);
        out.key("message").open_object().member("role", "assistant");
        if (is_refusal)
            out.member_null("content").member("refusal", "I cannot help with that.");
        else
            out.member("content", text).member_null("refusal");
        out.close_object().member("finish_reason", finish).close_object().close_array();
        write_usage(out, request, text);
        return out.close_object().take();
    }

    // The events of a streamed answer, a word each.
    static std::vector<std::string> events(const ChatRequest& request, std::string text,
                                           const std::string& finish) {
        const auto event = [&](std::string_view delta, std::string_view reason) {
            jsonl::Writer out;
            out.open_object().member("id", "chatcmpl-1").member("object", "chat.completion.chunk");
            out.key("choices").open_array().open_object().member("index", 0).key("delta").open_object();
            if (!delta.empty()) out.member("content", delta);
            out.close_object().key("finish_reason");
            if (reason.empty())
                out.null();
            else
                out.value(reason);
            out.close_object().close_array().member_null("usage").close_object();
            return "data: " + out.take() + "\n\n";
        };
        std::vector<std::string> all{": keep-alive\n\n", event("", "")};
        const std::string whole = text;
        while (!text.empty()) {
            const auto count =
                std::min(text.size(), text.find(' ') == std::string::npos ? text.size() : text.find(' ') + 1);
            all.push_back(event(text.substr(0, count), ""));
            text.erase(0, count);
        }
        all.push_back(event("", finish));
        if (request.wants_usage) {
            jsonl::Writer out;
            out.open_object()
                .member("object", "chat.completion.chunk")
                .key("choices")
                .open_array()
                .close_array();
            write_usage(out, request, whole);
            all.push_back("data: " + out.close_object().take() + "\n\n");
        }
        all.emplace_back("data: [DONE]\n\n");
        return all;
    }

    static http::Response streamed(const ChatRequest& request, const Directive& directive,
                                   const std::string& text, const std::string& finish) {
        http::Response response;
        response.headers.add("Content-Type", "text/event-stream");
        auto all = events(request, text, finish);
        std::string cut;
        if (directive.action == "half-stream" || directive.action == "half") all.resize(3);
        if (directive.action == "slow-drip") {
            std::string joined;
            for (const auto& event : all) joined += event;
            response.body =
                http::StreamBody([joined](http::BodyWriter& out) { return drip(out, joined, false); });
            return response;
        }
        const bool is_aborted = directive.action == "half";
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
    Ledger ledger_;
    std::map<std::string, std::size_t> seen_;
};

std::optional<Options> parse_options(int count, char** arguments) {
    Options options;
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string name = arguments[i];
        const std::string value = arguments[i + 1];
        if (name == "--port-file")
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
    if (count % 2 == 0 || options.port_file.empty()) return std::nullopt;
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
        std::cerr << "usage: model_stand_in --port-file FILE [--latency-ms N] [--ledger FILE] [--key KEY]\n";
        return 2;
    }
    boost::asio::io_context context{1};
    StandIn stand_in(*options);
    http::Server server(context.get_executor(), stand_in.router(), {});
    if (const auto listening = server.listen("127.0.0.1", 0); !listening) {
        std::cerr << listening.error().message << "\n";
        return 1;
    }
    boost::asio::signal_set signals(context, SIGTERM, SIGINT);
    signals.async_wait([&](const boost::system::error_code& error, int) {
        if (error) return;
        boost::asio::co_spawn(context, server.stop(std::chrono::milliseconds{0}),
                              [](const std::exception_ptr&) {});
    });
    if (!write_port(options->port_file, server.port())) return 1;
    context.run();
    return 0;
}
