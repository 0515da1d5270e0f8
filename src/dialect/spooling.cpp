#include "dialect/spooling.h"

#include <vector>

#include "base/hash.h"

namespace sheaf::dialect {
namespace {

constexpr std::size_t kReadAtOnce = 256 * 1024;
constexpr std::size_t kHashedAtOnce = std::size_t{1} << 20;

std::string_view as_text(const Sha256& hash) {
    return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

}  // namespace

async::Task<Result<service::Spool>> spool_body(http::Request& request, service::Batches& batches,
                                               std::uint64_t bytes_max) {
    request.body->set_limit(bytes_max);
    auto spool = co_await batches.new_body();
    if (!spool) co_return std::unexpected(spool.error());
    std::vector<char> piece(kReadAtOnce);
    while (true) {
        const auto count = co_await request.body->read(piece);
        if (!count) co_return std::unexpected(count.error());
        if (*count == 0) co_return std::move(*spool);
        const auto appended = co_await spool->append({piece.data(), *count});
        if (!appended) co_return std::unexpected(appended.error());
    }
}

async::Task<std::string> fingerprint_of(std::string_view body) {
    Sha256 chained = sha256(body.substr(0, kHashedAtOnce));
    for (std::size_t at = kHashedAtOnce; at < body.size(); at += kHashedAtOnce) {
        co_await async::yield_to_others();
        const Sha256 piece = sha256(body.substr(at, kHashedAtOnce));
        chained = sha256(std::string(as_text(chained)).append(as_text(piece)));
    }
    co_return to_hex(chained);
}

}  // namespace sheaf::dialect
