#include "blob/local/ending.h"

#include <cstring>

#include "base/check.h"

namespace sheaf::blob {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kMagic = "\xb5sheaf\r\n"sv;

template <class Number>
void append(std::string& bytes, Number number) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

template <class Number>
Number number_at(std::string_view bytes, std::size_t at) {
    Number number = 0;
    std::memcpy(&number, bytes.data() + at, sizeof number);
    return number;
}

}  // namespace

std::string pack(const Ending& ending) {
    std::string bytes(kMagic);
    append(bytes, ending.bytes);
    append(bytes, ending.sum);
    return bytes;
}

Result<std::optional<Ending>> parse_ending(std::string_view last, std::uint64_t file_bytes) {
    CHECK(last.size() == kEndingBytes, "the last bytes of a file are as many as an ending has");
    const Ending ending{.bytes = number_at<std::uint64_t>(last, kMagic.size()),
                        .sum = number_at<std::uint32_t>(last, kMagic.size() + sizeof(std::uint64_t))};
    const bool has_magic = last.starts_with(kMagic);
    const bool has_size = ending.bytes == file_bytes - kEndingBytes;
    if (!has_magic && !has_size) return std::nullopt;
    if (has_magic && has_size) return ending;
    return fail(ErrorCode::corrupt, "The end of the stored file is damaged.");
}

}  // namespace sheaf::blob
