#include "store/postgres/parameters.h"

#include <bit>

namespace sheaf::store::postgres {
namespace {

// The head of a one-dimensional array without nulls.
void append_array_head(std::string& bytes, unsigned int element_type, std::size_t count) {
    append_number(bytes, std::int32_t{1});
    append_number(bytes, std::int32_t{0});
    append_number(bytes, static_cast<std::int32_t>(element_type));
    append_number(bytes, static_cast<std::int32_t>(count));
    append_number(bytes, std::int32_t{1});
}

}  // namespace

void Parameters::refer(unsigned int type, std::string_view bytes) {
    types_.push_back(type);
    // A null pointer would be NULL.
    values_.push_back(bytes.data() == nullptr ? "" : bytes.data());
    lengths_.push_back(static_cast<int>(bytes.size()));
    formats_.push_back(1);
}

void Parameters::add(double value) {
    std::string bytes;
    append_number(bytes, std::bit_cast<std::int64_t>(value));
    keep(kFloat8, std::move(bytes));
}

void Parameters::add(std::span<const std::int64_t> values) {
    std::string bytes;
    append_array_head(bytes, kInt8, values.size());
    for (const std::int64_t value : values) {
        append_number(bytes, std::int32_t{8});
        append_number(bytes, value);
    }
    keep(kInt8Array, std::move(bytes));
}

void Parameters::add(std::span<const std::string_view> values) {
    std::size_t size = 20;
    for (const std::string_view value : values) size += 4 + value.size();
    std::string bytes;
    bytes.reserve(size);
    append_array_head(bytes, kBytea, values.size());
    for (const std::string_view value : values) {
        append_number(bytes, static_cast<std::int32_t>(value.size()));
        bytes += value;
    }
    keep(kByteaArray, std::move(bytes));
}

CopyRows::CopyRows(std::int16_t columns) : columns_(columns) {
    bytes_.assign("PGCOPY\n\377\r\n\0", 11);
    append_number(bytes_, std::int32_t{0});
    append_number(bytes_, std::int32_t{0});
}

}  // namespace sheaf::store::postgres
