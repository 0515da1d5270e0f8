#include "store/sqlite/sqlite_store.h"

#include "store/sqlite/engine.h"
#include "store/sqlite/sqlite_assets.h"
#include "store/sqlite/sqlite_batches.h"
#include "store/sqlite/sqlite_files.h"
#include "store/sqlite/sqlite_items.h"
#include "store/sqlite/sqlite_keys.h"
#include "store/sqlite/sqlite_outbox.h"

namespace sheaf::store {
namespace {

class SqliteStore final : public Store {
public:
    explicit SqliteStore(std::unique_ptr<Engine> engine)
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
    Result<> health() override { return engine_->disk->usable(); }

private:
    std::unique_ptr<Engine> engine_;
    SqliteBatches batches_;
    SqliteItems items_;
    SqliteAssets assets_;
    SqliteFiles files_;
    SqliteOutbox outbox_;
    SqliteKeys keys_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteOptions& options, std::unique_ptr<Disk> disk) {
    auto engine = Engine::open(options, std::move(disk));
    if (!engine) return std::unexpected(engine.error());
    return std::make_unique<SqliteStore>(std::move(*engine));
}

Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteOptions& options) {
    return open_sqlite_store(options, std::make_unique<Disk>());
}

}  // namespace sheaf::store
