#pragma once

#include <string>
#include <unordered_map>

#include "dialect/twelvelabs/gate.h"
#include "dialect/twelvelabs/pagination.h"
#include "dialect/twelvelabs/task_json.h"
#include "http/router.h"
#include "service/assets.h"
#include "service/batches.h"
#include "service/live.h"
#include "service/webhooks.h"

namespace sheaf::dialect::twelvelabs {

// /analyze/tasks and below. A task is an item: of a batch, or of a batch of one that only tasks show.
// Outlives the router.
class TaskRoutes {
public:
    struct Parts {
        service::Batches* batches = nullptr;
        service::Assets* assets = nullptr;
        service::LiveRunner* live = nullptr;
        service::Webhooks* webhooks = nullptr;
        std::string default_model;
    };
    explicit TaskRoutes(Parts parts) : parts_(std::move(parts)) {}

    void add_to(http::Router& router, Gate& gate);

private:
    using Durations = std::unordered_map<AssetId, double>;

    async::Task<Reply> create(Call& call);
    async::Task<Reply> list(Call& call);
    async::Task<Reply> retrieve(Call& call);
    async::Task<Reply> remove(Call& call);

    async::Task<Checked<store::ItemOfBatch>> find(Call& call);
    // The request_params of a task, and its max_tokens.
    async::Task<Checked<TaskView>> describe(const store::ItemOfBatch& task);
    // Of each task, what was told of it.
    async::Task<Checked<std::vector<std::vector<service::Telling>>>> find_tellings(
        const std::vector<store::ItemOfBatch>& tasks);
    async::Task<Durations> find_durations(AccountId account, const std::vector<store::ItemOfBatch>& tasks);

    Parts parts_;
};

}  // namespace sheaf::dialect::twelvelabs
