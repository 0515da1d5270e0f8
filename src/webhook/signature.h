#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "core/webhook.h"

// How a receiver knows that a delivery is ours and is new.
namespace sheaf::webhook {

// What is signed. `event` names it, the same at every attempt; the time is of this attempt.
struct Signed {
    core::WebhookForm form;
    const Secret& secret;
    std::string_view event;
    std::string_view body;
    Timestamp at;
};

// The headers of the delivery, "Name: value".
//
// TL-Signature (docs.twelvelabs.io, "Webhooks"): t and a hex HMAC-SHA256 over "<t>.<body>", by the secret's
// own bytes. Standard Webhooks (standardwebhooks.com), as OpenAI: id, timestamp, and "v1," with the base64
// HMAC-SHA256 over "<id>.<timestamp>.<body>", by what "whsec_…" encodes. Bearer: the token, if there is one.
std::vector<std::string> headers_of(const Signed& message);

// A new secret for webhooks of this form: 32 random bytes, as its receivers write them.
Secret make_secret(core::WebhookForm form);

}  // namespace sheaf::webhook
