#include "protocol/messages_blocks.h"

#include <array>
#include <initializer_list>
#include <utility>

#include <fmt/format.h>

namespace sheaf::protocol {
namespace {

void add_text(std::string text, std::vector<Part>& parts) {
    if (!text.empty()) parts.emplace_back(Text{std::move(text)});
}

Result<> read_text_block(const Value& block, std::vector<Part>& parts) {
    const auto text = required_text(block, "text");
    if (!text) return std::unexpected(text.error());
    add_text(std::string(*text), parts);
    return {};
}

Result<> read_image(const Value& block, std::vector<Part>& parts) {
    const auto source = block.find("source");
    if (!source) return block.refuse("An image must have a source");
    const auto type = required_text(*source, "type");
    if (!type) return std::unexpected(type.error());
    Image image{.url = {}, .detail = {}, .where = block.path()};
    if (*type == "url") {
        const auto url = required_text(*source, "url");
        if (!url) return std::unexpected(url.error());
        image.url = *url;
    } else if (*type == "base64") {
        const auto media_type = required_text(*source, "media_type");
        if (!media_type) return std::unexpected(media_type.error());
        const auto data = required_text(*source, "data");
        if (!data) return std::unexpected(data.error());
        image.url = fmt::format("data:{};base64,{}", *media_type, *data);
    } else {
        return untranslatable(*source, "stored files");
    }
    parts.emplace_back(std::move(image));
    return {};
}

Result<> expect_no_citations(const Value& block) {
    const auto citations = block.find("citations");
    if (!citations) return {};
    const auto enabled = citations->find("enabled");
    if (enabled && enabled->json().is_bool() && bool(enabled->json()))
        return untranslatable(*citations, "citations");
    return {};
}

// What a document or search result is called, before what it says.
std::string heading(std::initializer_list<std::string_view> lines) {
    std::string text;
    for (const auto line : lines)
        if (!line.empty()) text += fmt::format("{}\n", line);
    return text.empty() ? text : text + "\n";
}

std::string text_or_empty(const Value& object, std::string_view name) {
    const auto member = object.find(name);
    std::string_view text;
    if (!member || member->json().get(text) != simdjson::SUCCESS) return {};
    return std::string(text);
}

Result<> read_document(const Value& block, std::vector<Part>& parts) {
    if (auto plain = expect_no_citations(block); !plain) return plain;
    const auto source = block.find("source");
    if (!source) return block.refuse("A document must have a source");
    const auto type = required_text(*source, "type");
    if (!type) return std::unexpected(type.error());
    auto title = heading({text_or_empty(block, "title"), text_or_empty(block, "context")});
    if (*type == "text") {
        const auto data = required_text(*source, "data");
        if (!data) return std::unexpected(data.error());
        add_text(title.append(*data), parts);
        return {};
    }
    if (*type != "content") return untranslatable(*source, "documents other than text");
    const auto content = source->find("content");
    if (!content) return source->refuse("A source of content must have content");
    while (title.ends_with('\n')) title.pop_back();
    add_text(std::move(title), parts);
    return read_messages_content(*content, parts);
}

Result<> read_search_result(const Value& block, std::vector<Part>& parts) {
    if (auto plain = expect_no_citations(block); !plain) return plain;
    const auto content = block.find("content");
    if (!content) return block.refuse("A search result must have content");
    std::vector<Part> said;
    if (auto read = read_messages_content(*content, said); !read) return read;
    auto text = heading({text_or_empty(block, "title"), text_or_empty(block, "source")});
    for (const auto& part : said)
        if (const auto* piece = std::get_if<Text>(&part)) text += piece->text;
    add_text(std::move(text), parts);
    return {};
}

Result<> read_tool_use(const Value& block, std::vector<Part>& parts) {
    const auto id = required_text(block, "id");
    if (!id) return std::unexpected(id.error());
    const auto name = required_text(block, "name");
    if (!name) return std::unexpected(name.error());
    ToolCall call{.id = std::string(*id), .name = std::string(*name), .arguments = "{}"};
    if (const auto input = block.find("input"))
        if (auto read = read_schema(*input, call.arguments); !read) return read;
    parts.emplace_back(std::move(call));
    return {};
}

Result<> read_tool_result(const Value& block, std::vector<Part>& parts) {
    const auto id = required_text(block, "tool_use_id");
    if (!id) return std::unexpected(id.error());
    ToolResult result{.call_id = std::string(*id), .content = {}};
    if (const auto is_error = block.find("is_error")) {
        const auto flag = as_flag(*is_error);
        if (!flag) return std::unexpected(flag.error());
        result.is_error = *flag;
    }
    std::vector<Part> said;
    if (const auto content = block.find("content"))
        if (auto read = read_messages_content(*content, said); !read) return read;
    for (auto& part : said) {
        if (auto* text = std::get_if<Text>(&part)) result.content.emplace_back(std::move(*text));
        if (auto* image = std::get_if<Image>(&part)) result.content.emplace_back(std::move(*image));
    }
    parts.emplace_back(std::move(result));
    return {};
}

Result<> read_thinking(const Value& block, std::vector<Part>& parts) {
    const auto text = required_text(block, "thinking");
    if (!text) return std::unexpected(text.error());
    parts.emplace_back(Thinking{std::string(*text), text_or_empty(block, "signature")});
    return {};
}

Result<> read_redacted_thinking(const Value& block, std::vector<Part>& parts) {
    const auto data = required_text(block, "data");
    if (!data) return std::unexpected(data.error());
    parts.emplace_back(RedactedThinking{std::string(*data)});
    return {};
}

constexpr std::array kBlocks{
    Member<std::vector<Part>>{"text", read_text_block},
    Member<std::vector<Part>>{"image", read_image},
    Member<std::vector<Part>>{"document", read_document},
    Member<std::vector<Part>>{"search_result", read_search_result},
    Member<std::vector<Part>>{"tool_use", read_tool_use},
    Member<std::vector<Part>>{"tool_result", read_tool_result},
    Member<std::vector<Part>>{"thinking", read_thinking},
    Member<std::vector<Part>>{"redacted_thinking", read_redacted_thinking},
};

Result<> read_block(const Value& block, std::vector<Part>& parts) {
    if (auto fits = expect_object(block); !fits) return fits;
    const auto type = required_text(block, "type");
    if (!type) return std::unexpected(type.error());
    for (const auto& known : kBlocks)
        if (known.name == *type) return known.read(block, parts);
    return untranslatable(block, fmt::format("blocks of the type {}", type->substr(0, 64)));
}

}  // namespace

Result<> read_messages_content(const Value& content, std::vector<Part>& parts) {
    if (!content.json().is_string())
        return for_each_value(content, [&](const Value& block) { return read_block(block, parts); });
    std::string text;
    if (auto read = read_text(content, text); !read) return read;
    add_text(std::move(text), parts);
    return {};
}

}  // namespace sheaf::protocol
