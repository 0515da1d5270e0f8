#include "dialect/openai/batch_create.h"

#include <fmt/format.h>

#include "dialect/openai/batch_object.h"
#include "dialect/openai/ids.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::openai {
namespace {

// Others get their turn after so much of a file was checked.
constexpr std::size_t kCheckedAtOnce = 256 * 1024;
// Result files are named when they are laid out, which may be this much later than the last item ended.
constexpr std::chrono::hours kLayoutTime{1};
constexpr std::string_view kBatchPurpose = "batch";

std::string render_string(std::string_view text) {
    jsonl::Writer json;
    return json.value(text).take();
}

store::BatchDraft make_draft(const AccountId& account, const BatchRequest& request, Timestamp now,
                             const Limits& limits) {
    store::BatchDraft draft;
    core::Batch& batch = draft.batch;
    batch.id = make_batch_id(now);
    batch.account = account;
    batch.dialect = kDialectName;
    batch.tag = request.endpoint->path;
    batch.created_at = now;
    batch.expires_at = now + limits.batch_time;
    batch.keep_for = limits.batch_kept;
    batch.purge_at = batch.expires_at + limits.batch_kept;
    if (request.output_expires_after)
        batch.archive_at = batch.expires_at + *request.output_expires_after + kLayoutTime;
    return draft;
}

void reject(core::Batch& batch) {
    batch.state = core::BatchState::ended;
    batch.end_reason = core::EndReason::rejected;
    batch.ended_at = batch.created_at;
    batch.purge_at = batch.created_at + batch.keep_for;
}

}  // namespace

async::Task<Reply> BatchCreator::create(Call& call, service::Spool& body) {
    const auto bytes = co_await body.bytes();
    if (!bytes) co_return refuse(bytes.error());
    if (bytes->size() > kSmallBodyMax) co_return refuse(413, "The body is too large.");
    auto repeatable = co_await read_repeatable(call, *bytes, parts_.limits);
    if (!repeatable) co_return std::unexpected(repeatable.error());
    auto earlier = co_await find_earlier(*parts_.batches, *repeatable);
    if (!earlier) co_return std::unexpected(earlier.error());
    if (*earlier) co_return json_response(std::move(**earlier));
    const auto json = parse_json(std::string(*bytes));
    if (!json) co_return std::unexpected(json.error());
    const auto request = read_batch_request(json->fields());
    if (!request) co_return std::unexpected(request.error());
    auto input = co_await open_input(call.account, *request);
    if (!input) co_return std::unexpected(input.error());
    auto draft = co_await read_input(call.account, *request, *input);
    if (!draft) co_return std::unexpected(draft.error());
    // A batch without items needs no bytes; the call's own are at hand.
    service::Spool& kept = draft->items.empty() ? body : *input->bytes;
    co_return co_await submit(std::move(*draft), std::move(kept), std::move(*repeatable));
}

async::Task<Checked<BatchCreator::Input>> BatchCreator::open_input(const AccountId& account,
                                                                   const BatchRequest& request) {
    const auto wrong = [](std::string_view code, std::string message, std::string_view param = {}) {
        Input input;
        input.errors.push_back({std::string(code), std::move(message), std::string(param)});
        return input;
    };
    const auto missing = [&] {
        return wrong("invalid_request",
                     fmt::format("There is no file '{}', or it cannot be accessed.",
                                 request.input_file_id.substr(0, 128)),
                     "file_id");
    };
    const auto id = parse_file(request.input_file_id);
    if (!id) co_return missing();
    const auto file = co_await parts_.files->find(account, *id);
    if (!file && file.error().code == ErrorCode::not_found) co_return missing();
    if (!file) co_return refuse(file.error());
    if (file->purpose != kBatchPurpose) {
        co_return wrong("invalid_request", "The purpose of the input file is not 'batch'.", "input_file_id");
    }
    if (file->bytes > parts_.limits.batch_file_bytes_max) {
        co_return wrong("file_too_large", fmt::format("The batch input file is larger than {} bytes.",
                                                      parts_.limits.batch_file_bytes_max));
    }
    const auto opened = co_await parts_.files->open(*file);
    // Removed since it was found.
    if (!opened && opened.error().code == ErrorCode::not_found) co_return missing();
    if (!opened) co_return refuse(opened.error());
    auto bytes = co_await parts_.batches->body_of(opened->file, opened->bytes);
    if (!bytes) co_return refuse(bytes.error());
    Input input;
    input.bytes = std::move(*bytes);
    co_return input;
}

async::Task<Checked<store::BatchDraft>> BatchCreator::read_input(const AccountId& account,
                                                                 const BatchRequest& request, Input& input) {
    BatchTerms terms{.input_file_id = render_string(request.input_file_id),
                     .metadata = request.metadata,
                     .output_expires_after = request.output_expires_after};
    store::BatchDraft draft = make_draft(account, request, parts_.batches->now(), parts_.limits);
    if (input.bytes) {
        const auto bytes = co_await input.bytes->bytes();
        if (!bytes) co_return refuse(bytes.error());
        InputReader reader(*bytes, {request.endpoint, parts_.limits, [this](std::string_view model) {
                                        return parts_.live->knows_model(model);
                                    }});
        while (reader.read_some(kCheckedAtOnce)) co_await async::yield_to_others();
        draft.items = reader.take_items();
        draft.batch.model = reader.model();
        input.errors = reader.take_errors();
    }
    if (!input.errors.empty()) {
        terms.errors = render_errors(input.errors);
        draft.items.clear();
        draft.batch.model.clear();
        reject(draft.batch);
    }
    draft.batch.shared = render_terms(terms);
    co_return draft;
}

async::Task<Reply> BatchCreator::submit(store::BatchDraft draft, service::Spool body,
                                        RepeatableCall repeatable) {
    const std::string answer = render_created(draft.batch);
    draft.idempotency = repeatable.record(answer, draft.batch.created_at);
    draft.idempotency_replaces = !repeatable.may_be_repeat;
    const auto batch = co_await parts_.batches->submit(std::move(draft), std::move(body));
    if (batch) co_return json_response(answer);
    if (batch.error().code != ErrorCode::conflict) co_return refuse(batch.error());
    // Two such calls at once: the other one won.
    auto earlier = co_await find_earlier(*parts_.batches, repeatable);
    if (!earlier) co_return std::unexpected(earlier.error());
    if (*earlier) co_return json_response(std::move(**earlier));
    co_return refuse(batch.error());
}

}  // namespace sheaf::dialect::openai
