#pragma once

#include <string>
#include <string_view>

#include "store/batches.h"
#include "store/mapped_body.h"
#include "store/postgres/engine.h"

namespace sheaf::store::postgres {

// A body in memory while it is small, in a file without a name from then on.
class TemporarySpool final : public BodySpool {
public:
    static constexpr std::size_t kMemoryMax = std::size_t{64} << 10;

    explicit TemporarySpool(const Engine& engine) : engine_(&engine) {}

    Result<> append(std::string_view bytes) override;
    Result<std::string_view> bytes() override;

    // Takes the bytes of an open file in place of append(). Nobody may change it.
    Result<> share(int fd, std::uint64_t bytes);

private:
    const Engine* engine_;
    std::string memory_;
    SharedDescriptor file_;
    std::uint64_t size_ = 0;
    MappedBody mapped_;
};

// Writes all of `bytes` at `offset`. no_space: the disk is full.
Result<> write_at(int fd, std::string_view bytes, std::uint64_t offset);

}  // namespace sheaf::store::postgres
