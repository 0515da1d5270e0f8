#include "protocol/check_blocks.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include <fmt/format.h>

#include "protocol/closed_object.h"

namespace sheaf::protocol {
namespace {

constexpr std::size_t kToolUseNameMax = 200;
constexpr std::size_t kShownTypeMax = 64;

template <Place place>
Result<> content_of(const Value& value) {
    return check_messages_content(value, place);
}

constexpr std::array<std::string_view, 1> kEphemeral{"ephemeral"};
constexpr std::array<std::string_view, 2> kTimesToLive{"5m", "1h"};
constexpr std::array kCacheControl{
    Field{"type", one_of<kEphemeral>, Need::required},
    Field{"ttl", one_of<kTimesToLive>},
};
constexpr Field kCacheControlField{"cache_control", check_cache_control, Need::optional, Null::allowed};

constexpr std::array kCitationsConfig{Field{"enabled", any_flag}};

Result<> base64(const Value& value) {
    if (auto fits = non_empty_text(value); !fits) return fits;
    auto text = as_text(value).value_or("");
    for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
    const bool is_good = std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
               c == '/';
    });
    if (!is_good) return value.refuse("Input should be valid base64, without a prefix");
    return {};
}

constexpr std::array<std::string_view, 4> kImageTypes{"image/jpeg", "image/png", "image/gif", "image/webp"};
constexpr std::array<std::string_view, 1> kPdfType{"application/pdf"};
constexpr std::array<std::string_view, 1> kPlainType{"text/plain"};

constexpr std::array kUrlSource{Field{"url", non_empty_text, Need::required}};
constexpr std::array kFileSource{Field{"file_id", non_empty_text, Need::required}};
constexpr std::array kBase64Image{
    Field{"media_type", one_of<kImageTypes>, Need::required},
    Field{"data", base64, Need::required},
};
constexpr std::array kBase64Pdf{
    Field{"media_type", one_of<kPdfType>, Need::required},
    Field{"data", base64, Need::required},
};
constexpr std::array kTextSource{
    Field{"media_type", one_of<kPlainType>, Need::required},
    Field{"data", any_text, Need::required},
};
constexpr std::array kContentSource{Field{"content", content_of<Place::document>, Need::required}};

constexpr std::array kImageSources{
    Variant{"base64", kBase64Image},
    Variant{"url", kUrlSource},
    Variant{"file", kFileSource},
};
constexpr std::array kDocumentSources{
    Variant{"base64", kBase64Pdf},      Variant{"text", kTextSource}, Variant{"url", kUrlSource},
    Variant{"content", kContentSource}, Variant{"file", kFileSource},
};
template <const auto& variants>
Result<> one_variant_of(const Value& value) {
    return check_variants(value, variants);
}

constexpr std::array kText{
    Field{"text", non_empty_text, Need::required},
    Field{"citations", array_of<any_object>, Need::optional, Null::allowed},
    kCacheControlField,
};
constexpr std::array kImage{
    Field{"source", one_variant_of<kImageSources>, Need::required},
    Field{"transformations", anything},
    kCacheControlField,
};
constexpr std::array kDocument{
    Field{"source", one_variant_of<kDocumentSources>, Need::required},
    Field{"title", any_text, Need::optional, Null::allowed},
    Field{"context", any_text, Need::optional, Null::allowed},
    Field{"citations", closed<kCitationsConfig>, Need::optional, Null::allowed},
    kCacheControlField,
};
constexpr std::array kSearchResult{
    Field{"source", any_text, Need::required},
    Field{"title", any_text, Need::required},
    Field{"content", content_of<Place::search_result>, Need::required},
    Field{"citations", closed<kCitationsConfig>, Need::optional, Null::allowed},
    kCacheControlField,
};
constexpr std::array kToolUse{
    Field{"id", plain_name<>, Need::required},
    Field{"name", plain_name<kToolUseNameMax>, Need::required},
    Field{"input", any_object, Need::required},
    Field{"caller", any_object, Need::optional, Null::allowed},
    kCacheControlField,
};
constexpr std::array kToolResult{
    Field{"tool_use_id", plain_name<>, Need::required},
    Field{"content", content_of<Place::tool_result>},
    Field{"is_error", any_flag},
    kCacheControlField,
};
constexpr std::array kThinking{
    Field{"thinking", any_text, Need::required},
    Field{"signature", any_text, Need::required},
};
constexpr std::array kRedactedThinking{Field{"data", any_text, Need::required}};
constexpr std::array kToolReference{
    Field{"tool_name", non_empty_text, Need::required},
    kCacheControlField,
};

struct Block {
    std::string_view type;
    std::span<const Field> fields;
    std::initializer_list<Place> places;
    bool is_open = false;  // the fields of hosted tools' blocks are theirs alone
};
constexpr std::initializer_list<Place> kAnywhere{Place::user,        Place::assistant, Place::system,
                                                 Place::tool_result, Place::document,  Place::search_result};
constexpr std::initializer_list<Place> kPictures{Place::user, Place::tool_result, Place::document};
constexpr std::initializer_list<Place> kSources{Place::user, Place::tool_result};
constexpr std::initializer_list<Place> kOfUser{Place::user};
constexpr std::initializer_list<Place> kOfAssistant{Place::assistant};
constexpr std::initializer_list<Place> kOfResults{Place::tool_result};
constexpr std::initializer_list<Place> kOfTurns{Place::user, Place::assistant};
constexpr std::array kBlocks{
    Block{"text", kText, kAnywhere},
    Block{"image", kImage, kPictures},
    Block{"document", kDocument, kSources},
    Block{"search_result", kSearchResult, kSources},
    Block{"tool_use", kToolUse, kOfAssistant},
    Block{"tool_result", kToolResult, kOfUser},
    Block{"thinking", kThinking, kOfAssistant},
    Block{"redacted_thinking", kRedactedThinking, kOfAssistant},
    Block{"tool_reference", kToolReference, kOfResults},
    Block{"server_tool_use", {}, kOfTurns, true},
    Block{"web_search_tool_result", {}, kOfTurns, true},
    Block{"web_fetch_tool_result", {}, kOfTurns, true},
    Block{"code_execution_tool_result", {}, kOfTurns, true},
    Block{"bash_code_execution_tool_result", {}, kOfTurns, true},
    Block{"text_editor_code_execution_tool_result", {}, kOfTurns, true},
    Block{"tool_search_tool_result", {}, kOfTurns, true},
    Block{"mcp_tool_use", {}, kOfTurns, true},
    Block{"mcp_tool_result", {}, kOfTurns, true},
    Block{"container_upload", {}, kOfTurns, true},
    Block{"compaction", {}, kOfTurns, true},
};

bool may_stand(const Block& block, Place place) {
    return std::ranges::find(block.places, place) != block.places.end();
}

Result<> check_block(const Value& block, Place place) {
    const auto type = type_of(block);
    if (!type) return std::unexpected(type.error());
    const auto known = std::ranges::find(kBlocks, *type, &Block::type);
    if (known == kBlocks.end() || !may_stand(*known, place)) {
        std::vector<std::string_view> types;
        for (const auto& allowed : kBlocks)
            if (may_stand(allowed, place) && !allowed.is_open) types.push_back(allowed.type);
        return block.member("type", block.json())
            .refuse(fmt::format("{}, not '{}'", should_be(types), type->substr(0, kShownTypeMax)));
    }
    return known->is_open ? Result<>{} : check_closed(block, known->fields, "type");
}

}  // namespace

Result<> check_cache_control(const Value& value) {
    return check_closed(value, kCacheControl);
}

Result<> check_messages_content(const Value& content, Place place) {
    if (content.json().is_string()) return {};
    if (!content.json().is_array())
        return content.refuse("Input should be a valid string or an array of content blocks");
    return for_each_value(content, [&](const Value& block) { return check_block(block, place); });
}

}  // namespace sheaf::protocol
