#include "backend/managed/command.h"

#include <array>

#include <gtest/gtest.h>

#include "backend/backends.h"

namespace sheaf::backend::managed {
namespace {

using Words = std::vector<std::string>;

TEST(ManagedCommand, IsSplitAtBlanksOutsideQuotes) {
    EXPECT_EQ(*split_command("vllm serve  m --port {port}"),
              (Words{"vllm", "serve", "m", "--port", "{port}"}));
    EXPECT_EQ(*split_command(R"(a "b c" 'd "e"' f"g h"i "")"), (Words{"a", "b c", "d \"e\"", "fg hi", ""}));
    EXPECT_EQ(*split_command("a $(b) `c` \\d;e|f"), (Words{"a", "$(b)", "`c`", "\\d;e|f"})) << "no shell";
    for (const auto* bad : {"", "  ", "a \"b", "a 'b", "\"\""}) EXPECT_FALSE(split_command(bad)) << bad;
}

TEST(ManagedCommand, ThePortStandsWhereverItIsAskedFor) {
    EXPECT_EQ(with_port({"a", "--port={port}", "{port}:{port}", "{host}"}, 81),
              (Words{"a", "--port=81", "81:81", "{host}"}));
}

TEST(ManagedCommand, OurSettingsAreNotInherited) {
    const std::array<const char*, 4> environment{"PATH=/bin", "SHEAF_API_KEY=secret", "MY_SHEAF_X=1",
                                                 nullptr};
    EXPECT_EQ(without_our_settings(environment.data()), (Words{"PATH=/bin", "MY_SHEAF_X=1"}));
}

}  // namespace
}  // namespace sheaf::backend::managed
