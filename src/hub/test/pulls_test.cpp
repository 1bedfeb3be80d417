#include "../pulls.hpp"

#include <gtest/gtest.h>

namespace locara::hub {
namespace {

PullState state(std::size_t bytes) {
    PullState made;
    made.head = "head";
    made.conflicts = {std::string(bytes, 'x')};
    return made;
}

TEST(PullLooks, are_kept_until_they_are_many) {
    PullLooks looks;
    EXPECT_FALSE(looks.find("a"));
    looks.put("a", state(1000));
    ASSERT_TRUE(looks.find("a"));
    EXPECT_EQ(looks.find("a")->conflicts, state(1000).conflicts);
    EXPECT_FALSE(looks.find("b"));
    looks.put("huge", state(std::size_t{17} << 20U));
    EXPECT_FALSE(looks.find("huge"));
    EXPECT_TRUE(looks.find("a"));
    for (int i = 0; i < 20; ++i) {
        looks.put(std::to_string(i), state(std::size_t{1} << 20U));
        EXPECT_TRUE(looks.find(std::to_string(i)));
    }
    EXPECT_FALSE(looks.find("a"));
}

} // namespace
} // namespace locara::hub
