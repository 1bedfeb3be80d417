#include "../slots.hpp"

#include <gtest/gtest.h>

namespace locara::hub {
namespace {

TEST(Slots, are_given_until_all_are_taken_or_a_client_has_its_share) {
    const auto slots = std::make_shared<Slots>(Slots::Limits{3, 2});
    auto first = slots->try_take("ana");
    ASSERT_TRUE(first);
    EXPECT_FALSE(slots->has_share("ana"));
    auto second = slots->try_take("ana");
    ASSERT_TRUE(second);
    EXPECT_TRUE(slots->has_share("ana"));
    EXPECT_FALSE(slots->try_take("ana"));
    auto third = slots->try_take("ben");
    ASSERT_TRUE(third);
    EXPECT_FALSE(slots->try_take("eve"));
    EXPECT_FALSE(slots->has_share("eve"));
    first.reset();
    EXPECT_FALSE(slots->has_share("ana"));
    EXPECT_TRUE(slots->try_take("eve")); // Given back at once.
    EXPECT_TRUE(slots->try_take("ana"));
}

} // namespace
} // namespace locara::hub
