#include "cli/request_file.h"

#include <fmt/format.h>

#include "cli/json.h"
#include "jsonl/splitter.h"
#include "jsonl/writer.h"

namespace sheaf::cli {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kSailEndpoint = "/v1/responses";

std::unexpected<Failure> wrong(std::string message) {
    return give_up(ExitCode::usage, std::move(message));
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    const auto first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) return text.substr(text.size());
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The next line that is not blank; takes it off the front of `rest`. Empty: there is none.
std::string_view next_line(std::string_view& rest) {
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = trim(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (!line.empty()) return line;
    }
    return "";
}

// What a file is, before anything of it but its first item is parsed.
struct Layout {
    bool is_lines = false;
    std::string_view requests = "";  // the array, when it is no lines
    std::string_view first = "";
    std::size_t items = 0;
};

Layout layout_of_lines(std::string_view text) {
    Layout layout{.is_lines = true};
    for (std::string_view line = next_line(text); !line.empty(); line = next_line(text)) {
        if (layout.items++ == 0) layout.first = line;
    }
    return layout;
}

Outcome<Layout> find_layout(std::string_view text) {
    std::string_view rest = text;
    // An object that ends on its line and is an item: the file is lines.
    if (const auto line = jsonl::Document::parse(next_line(rest)); line && member(line->root(), "custom_id"))
        return layout_of_lines(text);
    Layout layout;
    if (trim(text).starts_with('[')) {
        layout.requests = text;
    } else {
        const auto split =
            jsonl::for_each_member(text, [&](std::string_view name, std::string_view value) -> Result<> {
                if (name == "requests") layout.requests = value;
                return {};
            });
        if (!split) return wrong(fmt::format("The request file cannot be read: {}", split.error().message));
    }
    if (!trim(layout.requests).starts_with('['))
        return wrong(
            "The request file is neither lines of requests nor an object that has a list of them in "
            "\"requests\".");
    const auto split =
        jsonl::for_each_element(layout.requests, [&](std::size_t, std::string_view item) -> Result<> {
            if (layout.items++ == 0) layout.first = item;
            return {};
        });
    if (!split) return wrong(fmt::format("The request file cannot be read: {}", split.error().message));
    return layout;
}

std::optional<RequestDialect> dialect_of(const Json& item) {
    if (member(item, "url") && member(item, "body")) return RequestDialect::openai;
    const auto params = member(item, "params");
    if (!params) return std::nullopt;
    if (member(*params, "messages")) return RequestDialect::anthropic;
    if (member(*params, "input")) return RequestDialect::sail;
    return std::nullopt;
}

// The body of the call that creates a batch, around what the file has.
std::string to_create_body(std::string_view text, const Layout& layout, RequestDialect dialect) {
    jsonl::Writer body;
    body.open_object();
    bool has_endpoint = false;
    if (!layout.is_lines && layout.requests.data() != text.data()) {
        const auto copied =
            jsonl::for_each_member(text, [&](std::string_view name, std::string_view value) -> Result<> {
                has_endpoint |= name == "endpoint";
                if (name != "requests") body.member_raw(name, value);
                return {};
            });
        (void)copied;  // It was read once already.
    }
    if (dialect == RequestDialect::sail && !has_endpoint) body.member("endpoint", kSailEndpoint);
    body.key("requests");
    if (layout.is_lines) {
        body.open_array();
        for (std::string_view line = next_line(text); !line.empty(); line = next_line(text)) body.raw(line);
        body.close_array();
    } else {
        body.raw(layout.requests);
    }
    body.close_object();
    return body.take();
}

std::string_view without_mark(std::string_view text) {
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    return text;
}

}  // namespace

std::optional<RequestDialect> parse_request_dialect(std::string_view word) {
    if (word == "openai") return RequestDialect::openai;
    if (word == "anthropic") return RequestDialect::anthropic;
    if (word == "sail") return RequestDialect::sail;
    return std::nullopt;
}

bool is_request_file(std::string_view text) {
    const auto layout = find_layout(without_mark(text));
    const auto first = jsonl::Document::parse(layout ? layout->first : "");
    return first && dialect_of(first->root());
}

Outcome<RequestFile> read_request_file(std::string text, std::optional<RequestDialect> dialect) {
    const std::string_view content = without_mark(text);
    const auto layout = find_layout(content);
    if (!layout) return std::unexpected(layout.error());
    if (layout->items == 0) return wrong("The request file has no requests.");
    const auto first = jsonl::Document::parse(layout->first);
    if (!first) return wrong(fmt::format("The first request cannot be read: {}", first.error().message));
    if (!dialect) dialect = dialect_of(first->root());
    if (!dialect)
        return wrong(
            "The first request is of no known form; name it with --dialect openai, anthropic or sail.");
    RequestFile file{.dialect = *dialect, .body = {}, .endpoint = {}, .items = layout->items};
    if (*dialect != RequestDialect::openai) {
        file.body = to_create_body(content, *layout, *dialect);
        return file;
    }
    if (!layout->is_lines) return wrong("A request file for OpenAI's API has one request a line.");
    auto endpoint = string_member(first->root(), "url");
    if (!endpoint) return wrong("The first request has no \"url\".");
    file.endpoint = std::move(*endpoint);
    file.body = std::move(text);
    return file;
}

}  // namespace sheaf::cli
