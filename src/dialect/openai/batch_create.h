#pragma once

#include <string_view>
#include <vector>

#include "dialect/openai/batch_input.h"
#include "dialect/openai/batch_request.h"
#include "dialect/openai/gate.h"
#include "dialect/openai/openai.h"
#include "dialect/openai/repeated_calls.h"
#include "service/batches.h"
#include "service/files.h"
#include "service/live.h"

namespace sheaf::dialect::openai {

// POST /v1/batches: a wrong call is refused; a wrong input file makes a batch that has failed. Either way
// what is answered is durable (docs/adr/0008-openai-validation.md).
class BatchCreator {
public:
    struct Parts {
        service::Batches* batches = nullptr;
        service::Files* files = nullptr;
        service::LiveRunner* live = nullptr;
        Limits limits;
    };
    explicit BatchCreator(Parts parts) : parts_(std::move(parts)) {}

    // `body` is the request's; taken when it is kept.
    async::Task<Reply> create(Call& call, service::Spool& body);

private:
    // The input file's bytes, or what is wrong with the file.
    struct Input {
        std::optional<service::Spool> bytes;
        std::vector<InputError> errors;
    };
    async::Task<Checked<Input>> open_input(const AccountId& account, const BatchRequest& request);
    // What the batch becomes. Its items are slices of the input.
    async::Task<Checked<store::BatchDraft>> read_input(const AccountId& account, const BatchRequest& request,
                                                       Input& input);
    async::Task<Reply> submit(store::BatchDraft draft, service::Spool body, RepeatableCall repeatable);

    Parts parts_;
};

}  // namespace sheaf::dialect::openai
