#include "dialect/twelvelabs/prompt_reader.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::size_t kUrlBytesMax = 8192;

constexpr std::array<bool, 256> make_base64_alphabet() {
    std::array<bool, 256> allowed{};
    for (const char c :
         std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")) {
        allowed[static_cast<unsigned char>(c)] = true;
    }
    return allowed;
}
constexpr auto kBase64 = make_base64_alphabet();

AssetId to_asset_id(const std::string& text, const std::string& path, Findings& findings) {
    const auto id = AssetId::parse(text);
    if (!id) findings.invalid(path, "must be an asset identifier of 24 hexadecimal characters");
    return id.value_or(AssetId{});
}

core::FromUrl to_url(std::string text, const std::string& path, Findings& findings) {
    if (!is_web_url(text)) findings.invalid(path, "must be an http or https URL");
    return {std::move(text)};
}

core::NamedImage read_image(dom::element value, const std::string& path, std::uint64_t base64_bytes_max,
                            Findings& findings) {
    ObjectReader reader(value, path, findings);
    core::NamedImage image;
    if (auto name = reader.text("name", Need::required)) {
        if (!is_plain_name(*name)) {
            findings.invalid(reader.path_of("name"),
                             "must be 1 to 64 letters, digits, hyphens or underscores");
        }
        image.name = std::move(*name);
    }
    const auto type = reader.text("media_type", Need::required);
    if (type && *type != "image") findings.invalid(reader.path_of("media_type"), "must be \"image\"");
    auto url = reader.text("url");
    const auto asset = reader.text("asset_id");
    auto base64 = reader.text("base64_string");
    if (int{url.has_value()} + int{asset.has_value()} + int{base64.has_value()} != 1) {
        findings.invalid(path, "must have exactly one of url, asset_id and base64_string");
    }
    if (url) {
        image.source = to_url(std::move(*url), reader.path_of("url"), findings);
    } else if (asset) {
        image.source = core::FromAsset{to_asset_id(*asset, reader.path_of("asset_id"), findings)};
    } else if (base64) {
        check_base64(*base64, reader.path_of("base64_string"), base64_bytes_max, findings);
        image.source = core::FromBase64{std::move(*base64)};
    }
    reader.finish();
    return image;
}

bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

}  // namespace

core::Prompt read_prompt(dom::element value, const std::string& path, std::uint64_t base64_bytes_max,
                         Findings& findings) {
    ObjectReader reader(value, path, findings);
    core::Prompt prompt;
    if (auto text = reader.text("input_text", Need::required)) {
        if (is_blank(*text)) findings.invalid(reader.path_of("input_text"), "must not be empty");
        prompt.text = std::move(*text);
    }
    prompt.images = read_images(reader, prompt.text, reader.path_of("input_text"), base64_bytes_max);
    reader.finish();
    return prompt;
}

std::vector<core::NamedImage> read_images(ObjectReader& owner, std::string_view text,
                                          const std::string& text_path, std::uint64_t base64_bytes_max) {
    Findings& findings = owner.findings();
    std::vector<core::NamedImage> images;
    if (const auto sources = owner.array("media_sources")) {
        const std::string path = owner.path_of("media_sources");
        for (const dom::element source : *sources) {
            if (images.size() == kImagesMax) {
                findings.invalid(path, fmt::format("must have at most {} sources", kImagesMax));
                break;
            }
            const std::string place = jsonl::join_path(path, images.size());
            core::NamedImage image = read_image(source, place, base64_bytes_max, findings);
            if (has(images, image.name, &core::NamedImage::name)) {
                findings.invalid(place + ".name", "must be unique among the sources");
            }
            images.push_back(std::move(image));
        }
    }
    for (const std::string_view name : find_placeholders(text)) {
        if (!has(images, name, &core::NamedImage::name)) {
            findings.invalid(text_path,
                             fmt::format("refers to <@{}>, which media_sources does not declare", name));
        }
    }
    return images;
}

core::MediaSource read_video(dom::element value, const std::string& path, std::uint64_t base64_bytes_max,
                             Findings& findings) {
    ObjectReader reader(value, path, findings);
    core::MediaSource video;
    const auto type = reader.text("type", Need::required);
    if (type == "asset_id") {
        if (const auto id = reader.text("asset_id", Need::required)) {
            video = core::FromAsset{to_asset_id(*id, reader.path_of("asset_id"), findings)};
        }
    } else if (type == "url") {
        if (auto url = reader.text("url", Need::required)) {
            video = to_url(std::move(*url), reader.path_of("url"), findings);
        }
    } else if (type == "base64_string") {
        if (auto text = reader.text("base64_string", Need::required)) {
            check_base64(*text, reader.path_of("base64_string"), base64_bytes_max, findings);
            video = core::FromBase64{std::move(*text)};
        }
    } else if (type) {
        findings.invalid(reader.path_of("type"), "must be \"asset_id\", \"url\" or \"base64_string\"");
    }
    // A member of one of the other types may be there as null only.
    if (type) reader.finish();
    return video;
}

void check_base64(std::string_view text, const std::string& path, std::uint64_t bytes_max,
                  Findings& findings) {
    if (text.size() > bytes_max) {
        findings.invalid(path, fmt::format("must be at most {} bytes long", bytes_max));
        return;
    }
    std::string_view digits = text;
    while (digits.ends_with('=') && text.size() - digits.size() < 2) digits.remove_suffix(1);
    const bool good = !digits.empty() && text.size() % 4 == 0 && std::ranges::all_of(digits, [](char c) {
        return kBase64[static_cast<unsigned char>(c)];
    });
    if (!good) findings.invalid(path, "must be base64 with padding");
}

bool is_web_url(std::string_view text) {
    if (text.size() > kUrlBytesMax) return false;
    for (const char c : text) {
        if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '"' || c == '<' || c == '>' ||
            c == '\\') {
            return false;
        }
    }
    std::string_view rest;
    const auto scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos) return false;
    std::string scheme(text.substr(0, scheme_end));
    std::ranges::transform(scheme, scheme.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    if (scheme != "http" && scheme != "https") return false;
    rest = text.substr(scheme_end + 3);
    return !rest.empty() && rest.front() != '/' && rest.front() != '?' && rest.front() != '#' &&
           rest.front() != ':';
}

std::vector<std::string_view> find_placeholders(std::string_view text) {
    std::vector<std::string_view> names;
    for (std::size_t at = text.find("<@"); at != std::string_view::npos; at = text.find("<@", at + 2)) {
        const std::string_view rest = text.substr(at + 2);
        const auto end = rest.substr(0, 65).find('>');
        if (end != std::string_view::npos && is_plain_name(rest.substr(0, end)))
            names.push_back(rest.substr(0, end));
    }
    return names;
}

}  // namespace sheaf::dialect::twelvelabs
