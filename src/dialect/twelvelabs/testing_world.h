#pragma once

#include "dialect/dialect_world.h"
#include "dialect/twelvelabs/twelvelabs.h"

// What the tests of this dialect share: its routes over real services, whose ports are in memory.
namespace sheaf::dialect::twelvelabs {

class TwelveLabsWorld : public DialectWorld {
protected:
    TwelveLabsWorld() { build(); }
    ~TwelveLabsWorld() override {
        live.held = false;
        turn_until([&] { return live.running == 0; });
        run(dialect->stop());
    }

    // Again, with the limits as they are now.
    void build() {
        if (dialect) run(dialect->stop());
        render = render_details;
        restart();
        build_batches();
        dialect = make_twelvelabs_dialect({io.get_executor(), *accounts, *batches, *assets, live, webhooks,
                                           public_url, "pegasus1.5", per_minute});
        router.emplace();
        dialect->add_routes(*router);
    }

    // Targets are below /v1.3.
    Answered call(Asked asked) {
        asked.target.insert(0, "/v1.3");
        return DialectWorld::call(std::move(asked));
    }
    Answered get(std::string target) { return call({.target = std::move(target)}); }
    Answered post(std::string target, std::string body) {
        return call({.method = "POST", .target = std::move(target), .body = std::move(body)});
    }

    // An asset of the account that is ready; `bytes` begins with the word that says what it is.
    std::string ready_asset(std::string_view bytes) {
        const auto asset = create(bytes);
        EXPECT_TRUE(asset);
        turn_until([&] { return find(asset->id)->state != core::AssetState::processing; });
        return to_string(asset->id);
    }

    // What the lists show, to tell whether a refused call left anything.
    std::string stored() {
        std::string text;
        for (const char* const list :
             {"/analyze/batches", "/analyze/tasks", "/assets", "/assets/multipart-uploads"}) {
            const std::string body = get(list).body;
            text += body.substr(body.rfind("\"total_results\""));
        }
        return text;
    }

    void work(const std::string& batch_id, std::uint32_t count, const core::Ending& ending) {
        DialectWorld::work(*parse_batch_id(batch_id), count, ending, dialect->codec());
    }
    void publish(const std::string& batch_id) {
        DialectWorld::publish(*parse_batch_id(batch_id), dialect->codec());
    }

    std::string public_url;
    std::uint32_t per_minute = 0;
    std::unique_ptr<Dialect> dialect;
};

}  // namespace sheaf::dialect::twelvelabs
