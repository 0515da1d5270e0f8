#include "dialect/twelvelabs/asset_form.h"

#include <array>

#include <fmt/format.h>

#include "dialect/twelvelabs/prompt_reader.h"
#include "dialect/twelvelabs/user_metadata.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::size_t kReadAtOnce = 256 * 1024;
constexpr std::size_t kFieldBytesMax = 128 * 1024;
constexpr std::size_t kFilenameBytesMax = 1024;
constexpr std::size_t kImageStartBytes = 16;
// Beyond the limit, so much of a body is read and thrown away before it is refused.
constexpr std::uint64_t kDrainedBytesMax = std::uint64_t{512} << 20;

std::unexpected<Problem> refuse_field(std::string_view name, std::string_view what) {
    Findings findings;
    findings.invalid(std::string(name), what);
    return findings.refusal();
}

Checked<bool> read_form_flag(const std::optional<std::string>& text, std::string_view name) {
    if (!text || *text == "false" || text->empty()) return false;
    if (*text == "true") return true;
    return refuse_field(name, "must be true or false");
}

std::string name_in_url(std::string_view url) {
    url = url.substr(0, url.find_first_of("?#"));
    const auto host = url.find("://");
    const auto slash = url.rfind('/');
    if (slash == std::string_view::npos || host == std::string_view::npos || slash < host + 3) return {};
    return http::percent_decode(url.substr(slash + 1), false);
}

}  // namespace

bool looks_like_image(std::string_view start) {
    constexpr std::array<std::string_view, 5> kStarts{"\xFF\xD8\xFF", "\x89PNG\r\n\x1A\n", "GIF87a", "GIF89a",
                                                      "BM"};
    for (const std::string_view magic : kStarts) {
        if (start.starts_with(magic)) return true;
    }
    return start.size() >= 12 && start.starts_with("RIFF") && start.substr(8, 4) == "WEBP";
}

async::Task<Checked<>> AssetForm::read(http::Request& request) {
    const auto boundary = form_boundary(request.headers.find("content-type"));
    if (!boundary) co_return refuse(400, code::kContentTypeInvalid, boundary.error().message);
    request.body->set_limit(assets_->limits().direct_media_bytes_max + kDrainedBytesMax);
    FormParser parser(*boundary, {});
    std::vector<char> piece(kReadAtOnce);
    while (true) {
        const auto count = co_await request.body->read(piece);
        if (!count && refusal_) co_return std::unexpected(*refusal_);
        if (!count && count.error().code == ErrorCode::too_large) {
            co_return refuse(400, code::kVideoFilesizeTooLarge, "The file is too large.", "file");
        }
        if (!count) co_return refuse(count.error());
        if (*count == 0) break;
        if (refusal_) continue;
        parser.feed({piece.data(), *count});
        auto taken = co_await take(parser);
        if (taken) continue;
        refusal_ = taken.error();
        file_.reset();
    }
    if (refusal_) co_return std::unexpected(*refusal_);
    if (!parser.complete()) {
        co_return refuse(400, code::kParameterInvalid, "The form ends before its closing boundary.");
    }
    co_return Checked<>{};
}

async::Task<Checked<>> AssetForm::take(FormParser& parser) {
    while (true) {
        auto event = parser.next();
        if (!event) co_return refuse(event.error());
        if (!*event) co_return Checked<>{};
        Checked<> done;
        switch ((*event)->kind) {
            case FormParser::Kind::part:
                done = co_await begin_part(std::move((*event)->part));
                break;
            case FormParser::Kind::data:
                done = co_await add_data((*event)->data);
                break;
            case FormParser::Kind::end:
                break;
        }
        if (!done) co_return done;
    }
}

std::optional<std::string>* AssetForm::field(std::string_view name) {
    if (name == "method") return &fields_.method;
    if (name == "url") return &fields_.url;
    if (name == "filename") return &fields_.filename;
    if (name == "enable_hls") return &fields_.enable_hls;
    if (name == "enable_thumbnail") return &fields_.enable_thumbnail;
    if (name == "user_metadata") return &fields_.user_metadata;
    return nullptr;
}

async::Task<Checked<>> AssetForm::begin_part(FormPart part) {
    if (part.name == "file") {
        if (file_) co_return refuse_field("file", "stands twice in the form");
        auto file = co_await assets_->new_file();
        if (!file) co_return refuse(file.error());
        file_.emplace(std::move(*file));
        file_name_ = std::move(part.filename);
        current_ = nullptr;
        co_return Checked<>{};
    }
    current_ = field(part.name);
    if (current_ == nullptr) {
        Findings findings;
        findings.unknown(part.name.substr(0, 64));
        co_return findings.refusal();
    }
    if (*current_) co_return refuse_field(part.name, "stands twice in the form");
    current_->emplace();
    co_return Checked<>{};
}

async::Task<Checked<>> AssetForm::add_data(std::string_view data) {
    if (current_ == nullptr) co_return co_await add_file_data(data);
    (*current_)->append(data);
    if ((*current_)->size() > kFieldBytesMax) {
        co_return refuse(400, code::kParameterInvalid,
                         fmt::format("A field of the form is longer than {} bytes.", kFieldBytesMax));
    }
    co_return Checked<>{};
}

async::Task<Checked<>> AssetForm::add_file_data(std::string_view data) {
    const service::Limits& limits = assets_->limits();
    if (file_start_.size() < kImageStartBytes) file_start_ += data.substr(0, kImageStartBytes);
    const std::uint64_t bytes_max =
        looks_like_image(file_start_) ? limits.image_bytes_max : limits.direct_media_bytes_max;
    if (data.size() > bytes_max - std::min(file_->bytes(), bytes_max)) {
        co_return refuse(
            400, code::kVideoFilesizeTooLarge,
            fmt::format("A file of this type may have {} bytes; use a multipart upload for larger ones.",
                        bytes_max),
            "file");
    }
    const auto appended = co_await file_->append(data);
    if (!appended) co_return refuse(appended.error());
    co_return Checked<>{};
}

Checked<service::AssetRequest> AssetForm::check_fields(AccountId account) const {
    service::AssetRequest request;
    request.account = std::move(account);
    request.filename = fields_.filename.value_or(file_name_.value_or(""));
    if (request.filename.empty() && fields_.url) request.filename = name_in_url(*fields_.url);
    if (request.filename.size() > kFilenameBytesMax) {
        return refuse_field("filename", fmt::format("must be at most {} bytes long", kFilenameBytesMax));
    }
    const auto hls = read_form_flag(fields_.enable_hls, "enable_hls");
    if (!hls) return std::unexpected(hls.error());
    const auto thumbnail = read_form_flag(fields_.enable_thumbnail, "enable_thumbnail");
    if (!thumbnail) return std::unexpected(thumbnail.error());
    request.wants_hls = *hls;
    request.wants_thumbnail = *thumbnail;
    if (fields_.user_metadata && !fields_.user_metadata->empty()) {
        auto metadata = parse_user_metadata(*fields_.user_metadata);
        if (!metadata) return std::unexpected(metadata.error());
        request.user_metadata = std::move(*metadata);
    }
    return request;
}

async::Task<Checked<core::Asset>> AssetForm::create(AccountId account) {
    Findings findings;
    const bool is_direct = fields_.method == "direct";
    if (!fields_.method)
        findings.missing("method");
    else if (!is_direct && fields_.method != "url")
        findings.invalid("method", "must be \"direct\" or \"url\"");
    else if (is_direct && !file_)
        findings.missing("file");
    else if (is_direct && file_->bytes() == 0)
        findings.invalid("file", "must not be empty");
    else if (!is_direct && !fields_.url)
        findings.missing("url");
    else if (!is_direct && !is_web_url(*fields_.url))
        findings.invalid("url", "must be an http or https URL");
    if (findings.any()) co_return findings.refusal();
    auto request = check_fields(std::move(account));
    if (!request) co_return std::unexpected(request.error());
    auto asset = is_direct ? co_await assets_->create(std::move(*request), std::move(*file_))
                           : co_await assets_->create_from_url(std::move(*request), *fields_.url);
    if (!asset) co_return refuse(asset.error());
    co_return std::move(*asset);
}

}  // namespace sheaf::dialect::twelvelabs
