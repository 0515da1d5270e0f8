#pragma once

#include "store/keys.h"
#include "store/postgres/engine.h"

namespace sheaf::store::postgres {

class PostgresKeys final : public Keys {
public:
    explicit PostgresKeys(Engine& engine) : engine_(&engine) {}

    Result<> insert(const ApiKey& key) override;
    Result<std::optional<ApiKey>> find(std::string_view id) override;
    Result<std::vector<ApiKey>> list() override;
    Result<> revoke(std::string_view id, Timestamp now) override;

private:
    Engine* engine_;
};

}  // namespace sheaf::store::postgres
