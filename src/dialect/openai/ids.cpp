#include "dialect/openai/ids.h"

#include <span>

#include <fmt/format.h>

#include "base/hash.h"
#include "dialect/openai/openai.h"

namespace sheaf::dialect::openai {
namespace {

__extension__ using Number = unsigned __int128;

constexpr std::string_view kBatch = "batch_";
constexpr std::string_view kFile = "file-";
constexpr std::string_view kUpload = "upload_";
constexpr std::string_view kPart = "part_";
constexpr std::string_view kLine = "batch_req_";
constexpr std::string_view kRequest = "request";

constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kHexDigits = 24;
constexpr std::size_t kBase62Digits = 22;  // what 128 bits need
constexpr unsigned kIdBits = 96;

// Of the kind too: an id of one kind is none of another.
std::uint32_t checksum(std::string_view kind, std::string_view hex) {
    return crc32c(hex, crc32c(kind));
}

std::string render_hex(std::string_view kind, const RawId& id) {
    const std::string hex = to_string(id);
    return fmt::format("{}{:08x}", hex, checksum(kind, hex));
}

std::optional<RawId> parse_hex(std::string_view kind, std::string_view text) {
    if (!text.starts_with(kind)) return std::nullopt;
    text.remove_prefix(kind.size());
    const auto id = parse_raw_id(text.substr(0, kHexDigits));
    if (!id || text != render_hex(kind, *id)) return std::nullopt;
    return id;
}

std::string render_base62(std::string_view kind, const RawId& id) {
    const std::uint64_t low = (id.random << 20) | id.ordinal;
    Number number = (Number{checksum(kind, to_string(id))} << kIdBits) | (Number{id.seconds} << 64) | low;
    std::string text(kBase62Digits, '0');
    for (auto digit = text.rbegin(); digit != text.rend(); ++digit) {
        *digit = kDigits[static_cast<std::size_t>(number % kDigits.size())];
        number /= kDigits.size();
    }
    return text;
}

std::optional<RawId> parse_base62(std::string_view kind, std::string_view text) {
    if (!text.starts_with(kind) || text.size() != kind.size() + kBase62Digits) return std::nullopt;
    text.remove_prefix(kind.size());
    // What is too large for the number is another number then, which is written another way.
    Number number = 0;
    for (const char c : text) {
        const auto digit = kDigits.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        number = number * kDigits.size() + digit;
    }
    const auto low = static_cast<std::uint64_t>(number);
    const RawId id{static_cast<std::uint32_t>(number >> 64), low >> 20,
                   static_cast<std::uint32_t>(low) & ((1U << 20) - 1)};
    if (text != render_base62(kind, id)) return std::nullopt;
    return id;
}

RawId to_raw(const ItemId& id) {
    return {id.batch.seconds, id.batch.random, id.ordinal + 1};
}

template <class Id>
std::optional<Id> wrap(const std::optional<RawId>& raw) {
    if (!raw) return std::nullopt;
    return Id{*raw};
}

}  // namespace

std::string render_id(const BatchId& id) {
    return std::string(kBatch) + render_hex(kBatch, {id.seconds, id.random, 0});
}
std::string print_batch_id(const BatchId& id) {
    return render_id(id);
}

std::string render_id(const FileId& id) {
    return std::string(kFile) + render_base62(kFile, id.raw);
}
std::string render_id(const FileUploadId& id) {
    return std::string(kUpload) + render_hex(kUpload, id.raw);
}
std::string render_id(const FilePartId& id) {
    return std::string(kPart) + render_hex(kPart, id.raw);
}

std::string render_line_id(const ItemId& id) {
    return std::string(kLine) + render_hex(kLine, to_raw(id));
}
std::string render_request_id(const ItemId& id) {
    const Sha256 hash = sha256(std::string(kRequest).append(to_string(id)));
    return to_hex(std::span(hash).first<16>());
}

std::optional<BatchId> parse_batch_id(std::string_view text) {
    const auto raw = parse_hex(kBatch, text);
    if (!raw || raw->ordinal != 0) return std::nullopt;
    return BatchId{raw->seconds, raw->random};
}
std::optional<FileId> parse_file(std::string_view text) {
    return wrap<FileId>(parse_base62(kFile, text));
}
std::optional<FileUploadId> parse_upload(std::string_view text) {
    return wrap<FileUploadId>(parse_hex(kUpload, text));
}
std::optional<FilePartId> parse_part(std::string_view text) {
    return wrap<FilePartId>(parse_hex(kPart, text));
}

}  // namespace sheaf::dialect::openai
