#include "dialect/openai/file_form.h"

#include <charconv>
#include <vector>

#include <fmt/format.h>

#include "dialect/openai/body.h"

namespace sheaf::dialect::openai {
namespace {

constexpr std::size_t kReadAtOnce = 256 * 1024;
constexpr std::size_t kFieldBytesMax = 64 * 1024;
constexpr std::size_t kFilenameBytesMax = 1024;
// What a form may weigh beside its file.
constexpr std::uint64_t kFormBytesMax = std::uint64_t{4} << 20;
// What is read of a refused body, and thrown away, beyond what was allowed.
constexpr std::uint64_t kDroppedBytesMax = std::uint64_t{512} << 20;
// What the SDKs call bytes that have no name.
constexpr std::string_view kUnnamed = "upload";

std::unexpected<Problem> refuse_size(std::string_view part, std::uint64_t bytes_max) {
    return refuse(413, fmt::format("The '{}' of this call may have {} bytes.", part, bytes_max));
}

}  // namespace

async::Task<void> drop_body(http::Request& request, std::uint64_t bytes_max) {
    request.body->set_limit(bytes_max + kDroppedBytesMax);
    std::vector<char> piece(kReadAtOnce);
    while (true) {
        const auto count = co_await request.body->read(piece);
        if (!count || *count == 0) co_return;
    }
}

async::Task<Checked<>> FileForm::read(http::Request& request) {
    const auto boundary = form_boundary(request.headers.find("content-type"));
    if (!boundary) co_return refuse(boundary.error());
    // Who asks first is spared the sending.
    const std::uint64_t announced = request.body->announced_bytes().value_or(0);
    if (announced > bytes_max_ + kFormBytesMax && request.headers.find("expect"))
        co_return refuse_size(file_part_, bytes_max_);
    request.body->set_limit(bytes_max_ + kDroppedBytesMax);
    FormParser parser(*boundary, {});
    std::vector<char> piece(kReadAtOnce);
    while (true) {
        const auto count = co_await request.body->read(piece);
        if (!count && count.error().code == ErrorCode::too_large)
            co_return refuse_size(file_part_, bytes_max_);
        if (!count) co_return refuse(count.error());
        if (*count == 0) break;
        parser.feed({piece.data(), *count});
        if (auto taken = co_await take(parser); !taken) {
            bytes_.reset();
            co_await drop_body(request, bytes_max_);
            co_return taken;
        }
    }
    if (!parser.complete()) co_return refuse("The form ends before its closing boundary.");
    if (!bytes_) co_return refuse_missing(file_part_);
    co_return Checked<>{};
}

async::Task<Checked<>> FileForm::take(FormParser& parser) {
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

async::Task<Checked<>> FileForm::begin_part(FormPart part) {
    const bool is_file = part.name == file_part_;
    if (is_file ? bytes_.has_value() : fields_.contains(part.name)) {
        co_return refuse(fmt::format("'{}' stands twice in the form.", part.name.substr(0, 64)),
                         part.name.substr(0, 64), code::kInvalidValue);
    }
    if (!is_file) {
        current_ = &fields_[std::move(part.name)];
        co_return Checked<>{};
    }
    current_ = nullptr;
    filename_ = std::move(part.filename).value_or("");
    if (filename_.empty()) filename_ = kUnnamed;
    if (filename_.size() > kFilenameBytesMax) {
        co_return refuse(fmt::format("The file's name is longer than {} bytes.", kFilenameBytesMax),
                         file_part_, code::kInvalidValue);
    }
    auto bytes = co_await new_bytes_();
    if (!bytes) co_return std::unexpected(bytes.error());
    bytes_.emplace(std::move(*bytes));
    co_return Checked<>{};
}

async::Task<Checked<>> FileForm::add_data(std::string_view data) {
    if (current_ != nullptr) {
        if (data.size() > kFieldBytesMax - current_->size())
            co_return refuse(fmt::format("A field of the form is longer than {} bytes.", kFieldBytesMax));
        current_->append(data);
        co_return Checked<>{};
    }
    const auto appended = co_await bytes_->append(data);
    if (!appended && appended.error().code == ErrorCode::too_large)
        co_return refuse_size(file_part_, bytes_max_);
    if (!appended) co_return refuse(appended.error());
    co_return Checked<>{};
}

std::optional<std::string_view> FileForm::field(std::string_view name) const {
    const auto found = fields_.find(name);
    if (found == fields_.end()) return std::nullopt;
    return found->second;
}

Checked<std::optional<std::chrono::seconds>> read_expires_after(const FileForm& form) {
    constexpr std::string_view kName = "expires_after";
    const auto anchor = form.field("expires_after[anchor]");
    const auto seconds = form.field("expires_after[seconds]");
    if (!anchor && !seconds) {
        const auto json = form.field(kName);
        if (!json) return std::nullopt;
        auto wrapped = parse_json(fmt::format("{{\"{}\":{}}}", kName, *json));
        if (!wrapped) return refuse_type(kName, "an object");
        return read_expires_after(wrapped->fields(), kName);
    }
    if (!anchor) return refuse_missing("expires_after.anchor");
    if (!seconds) return refuse_missing("expires_after.seconds");
    std::uint64_t number = 0;
    const char* const end = seconds->data() + seconds->size();
    const auto read = std::from_chars(seconds->data(), end, number);
    if (read.ec != std::errc{} || read.ptr != end)
        return refuse_type("expires_after.seconds", "a whole number");
    const auto checked = check_expires_after(*anchor, number, kName);
    if (!checked) return std::unexpected(checked.error());
    return *checked;
}

}  // namespace sheaf::dialect::openai
