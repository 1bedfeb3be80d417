#include <locara/base/ascii.hpp>

#include <gtest/gtest.h>

namespace locara {
namespace {

TEST(Ascii, letters_lose_their_case_and_nothing_else_changes) {
    EXPECT_EQ(ascii_lower("AZaz09@[`{ \xC3\x84"), "azaz09@[`{ \xC3\x84");
    EXPECT_TRUE(equals_ignoring_case("Content-Type", "content-TYPE"));
    EXPECT_FALSE(equals_ignoring_case("content", "content-type"));
    EXPECT_FALSE(equals_ignoring_case("\xC3\x84", "\xC3\xA4")); // U+00C4, U+00E4
}

} // namespace
} // namespace locara
