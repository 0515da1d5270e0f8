#pragma once

#include <optional>
#include <string_view>

#include "core/webhook.h"

namespace sheaf::dialect::sail {

// Whom a request (`params` of an item, or the body of a single one) wants told of its end: its
// metadata.completion_webhook, with metadata.webhook_token. Nullopt when it names nobody. What is no URL is
// no error, by the vendor's contract: nobody is told then.
std::optional<core::WebhookTarget> completion_target(std::string_view params);

}  // namespace sheaf::dialect::sail
