#include "store/postgres/engine.h"
#include "store/postgres/postgres_assets.h"
#include "store/postgres/postgres_batches.h"
#include "store/postgres/postgres_files.h"
#include "store/postgres/postgres_items.h"
#include "store/postgres/postgres_keys.h"
#include "store/postgres/postgres_outbox.h"
#include "store/stores.h"

namespace sheaf::store {
namespace postgres {
namespace {

class PostgresStore final : public Store {
public:
    explicit PostgresStore(std::unique_ptr<Engine> engine)
        : engine_(std::move(engine)),
          batches_(*engine_),
          items_(*engine_),
          assets_(*engine_),
          files_(*engine_),
          outbox_(*engine_),
          keys_(*engine_) {}

    Batches& batches() override { return batches_; }
    ItemQueue& items() override { return items_; }
    Assets& assets() override { return assets_; }
    Files& files() override { return files_; }
    Outbox& outbox() override { return outbox_; }
    Keys& keys() override { return keys_; }
    // A connection that is lost may come back: until it does, calls say that they failed.
    Result<> health() override { return {}; }
    void on_change(std::function<void()> changed) override {
        if (engine_->listener) engine_->listener->set(std::move(changed));
    }

private:
    std::unique_ptr<Engine> engine_;
    PostgresBatches batches_;
    PostgresItems items_;
    PostgresAssets assets_;
    PostgresFiles files_;
    PostgresOutbox outbox_;
    PostgresKeys keys_;
};

}  // namespace
}  // namespace postgres

Result<std::unique_ptr<Store>> open_postgres_store(const PostgresOptions& options) {
    auto engine = postgres::Engine::open(options);
    if (!engine) return std::unexpected(engine.error());
    return std::make_unique<postgres::PostgresStore>(std::move(*engine));
}

}  // namespace sheaf::store
