#include "webhook/signature.h"

#include <array>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/hash.h"

namespace sheaf::webhook {
namespace {

constexpr std::string_view kStandardPrefix = "whsec_";

std::int64_t seconds_of(Timestamp time) {
    return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

std::string_view as_text(const Sha256& hash) {
    return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

std::string key_of(const Secret& secret) {
    const std::string_view text = secret.reveal();
    if (!text.starts_with(kStandardPrefix)) return std::string(text);
    return from_base64(text.substr(kStandardPrefix.size())).value_or(std::string(text));
}

void sign_as_twelvelabs(const Signed& message, std::vector<std::string>& headers) {
    const std::int64_t at = seconds_of(message.at);
    const Sha256 hash = hmac_sha256(message.secret.reveal(), fmt::format("{}.{}", at, message.body));
    headers.push_back(fmt::format("TL-Signature: t={},v1={}", at, to_hex(hash)));
}

void sign_as_standard(const Signed& message, std::vector<std::string>& headers) {
    const std::int64_t at = seconds_of(message.at);
    const Sha256 hash =
        hmac_sha256(key_of(message.secret), fmt::format("{}.{}.{}", message.event, at, message.body));
    headers.push_back(fmt::format("webhook-id: {}", message.event));
    headers.push_back(fmt::format("webhook-timestamp: {}", at));
    headers.push_back(fmt::format("webhook-signature: v1,{}", to_base64(as_text(hash))));
}

}  // namespace

std::vector<std::string> headers_of(const Signed& message) {
    std::vector<std::string> headers{"Content-Type: application/json"};
    switch (message.form) {
        case core::WebhookForm::tl_signature:
            sign_as_twelvelabs(message, headers);
            break;
        case core::WebhookForm::standard:
            sign_as_standard(message, headers);
            break;
        case core::WebhookForm::bearer:
            if (!message.secret.empty())
                headers.push_back("Authorization: Bearer " + message.secret.reveal());
            break;
    }
    return headers;
}

Secret make_secret(core::WebhookForm form) {
    std::array<unsigned char, 32> bytes{};
    fill_random(bytes.data(), bytes.size());
    if (form != core::WebhookForm::standard) return Secret(to_hex(bytes));
    return Secret(std::string(kStandardPrefix) + to_base64(as_text(bytes)));
}

}  // namespace sheaf::webhook
