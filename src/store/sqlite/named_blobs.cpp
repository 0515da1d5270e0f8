#include "store/sqlite/named_blobs.h"

#include "core/asset.h"
#include "store/sqlite/statements.h"
#include "store/stored_id.h"

namespace sheaf::store {
namespace {

using Visit = std::function<Result<>(const NamedBlob&)>;

Result<> each_of(Connection& db, const char* sql, NamedBlob::Kind kind, const Visit& visit) {
    auto rows = db.query(sql);
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return {};
        NamedBlob blob{.kind = kind,
                       .id = raw_id(rows->bytes(0)),
                       .account = {},
                       .filename = {},
                       .key = {},
                       .index = 0,
                       .etag = {},
                       .bytes = {}};
        switch (kind) {
            case NamedBlob::Kind::asset:
            case NamedBlob::Kind::file:
                blob.account.name = rows->text(1);
                blob.filename = rows->text(2);
                blob.key = rows->text(3);
                // Of an asset that is looked into, it is not known yet.
                if (kind == NamedBlob::Kind::file || rows->as<core::AssetState>(5) == core::AssetState::ready)
                    blob.bytes = rows->as<std::uint64_t>(4);
                break;
            case NamedBlob::Kind::part:
                blob.key = rows->text(1);
                blob.bytes = rows->as<std::uint64_t>(2);
                break;
            case NamedBlob::Kind::chunk:
                blob.index = rows->as<std::uint32_t>(1);
                blob.etag = rows->text(2);
                blob.bytes = rows->as<std::uint64_t>(3);
                break;
        }
        if (const auto visited = visit(blob); !visited) return visited;
    }
}

}  // namespace

Result<> each_named_blob(Connection& db, const Visit& visit) {
    using Kind = NamedBlob::Kind;
    auto done = each_of(db, sql::kBlobsOfAssets, Kind::asset, visit);
    if (done) done = each_of(db, sql::kBlobsOfFiles, Kind::file, visit);
    if (done) done = each_of(db, sql::kBlobsOfParts, Kind::part, visit);
    if (done) done = each_of(db, sql::kBlobsOfChunks, Kind::chunk, visit);
    return done;
}

}  // namespace sheaf::store
