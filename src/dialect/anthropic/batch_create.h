#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/anthropic/anthropic.h"
#include "dialect/anthropic/gate.h"
#include "service/batches.h"

namespace sheaf::dialect::anthropic {

// POST /v1/messages/batches: all of it is stored before the answer, or nothing is.
//
// Clients repeat a call that got no answer, without a key that would tell. So a call that says it is a
// repetition gets the batch that the same bytes made by the same API key and version a little before.
class BatchCreator {
public:
    struct Parts {
        service::Batches* batches = nullptr;
        Limits limits;
        bool refuses_sampling = false;
    };
    explicit BatchCreator(Parts parts) : parts_(std::move(parts)) {}

    // The batch that the call made, now or before.
    async::Task<Checked<core::Batch>> create(Call& call);

private:
    async::Task<Checked<std::optional<core::Batch>>> find_earlier(const Call& call,
                                                                  const std::string& fingerprint);
    async::Task<Checked<std::vector<store::ItemDraft>>> read_items(std::string_view body);
    store::BatchDraft make_draft(const Call& call, std::vector<store::ItemDraft> items,
                                 std::string fingerprint) const;

    Parts parts_;
};

}  // namespace sheaf::dialect::anthropic
