#pragma once

#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "dialect/dialect_world.h"
#include "dialect/sail/sail.h"
#include "dialect/sheaf/sheaf.h"
#include "dialect/twelvelabs/twelvelabs.h"

namespace sheaf::dialect::native {

class SheafApi : public DialectWorld {
protected:
    SheafApi() {
        build_batches();
        api.emplace(Options{.accounts = *accounts,
                            .batches = *batches,
                            .followers = followers,
                            .codecs = {{"sail", &*sail_codec}, {"twelvelabs", &*twelvelabs_codec}},
                            .batch_ids = {sail::parse_batch_id}});
        router.emplace();
        api->add_routes(*router);
    }

    BatchId stored(const std::string& dialect, std::size_t items, const std::string& model = "",
                   Timestamp expires_at = core::kNever) {
        store::BatchDraft draft;
        draft.batch.account = kTeam;
        draft.batch.dialect = dialect;
        draft.batch.model = model;
        draft.batch.expires_at = expires_at;
        draft.batch.purge_at = core::kNever;
        const std::string body = R"({"model":"local","input":"x"})";
        auto spool = run(batches->new_body());
        EXPECT_TRUE(run(spool->append(body)));
        for (std::size_t i = 0; i < items; ++i)
            draft.items.push_back(
                {.custom_id = fmt::format("c{}", i), .subject = {}, .body_bytes = body.size()});
        const auto batch = run(batches->submit(std::move(draft), std::move(*spool)));
        EXPECT_TRUE(batch);
        return batch->id;
    }
    static std::string path(const BatchId& id, const std::string& below = "") {
        return "/sheaf/v1/batches/" + to_string(id) + below;
    }

    std::unique_ptr<core::ItemCodec> sail_codec = sail::make_codec();
    std::unique_ptr<core::ItemCodec> twelvelabs_codec = twelvelabs::make_codec({});
    std::optional<BatchApi> api;
};

inline long count_lines(const std::string& text) {
    return std::ranges::count(text, '\n');
}

}  // namespace sheaf::dialect::native
