#include "../reading_pace.hpp"

#include <gtest/gtest.h>

namespace locara::hub {
namespace {

constexpr ReadingPace::Limits kLimits{};

using std::chrono::hours;
using std::chrono::seconds;

TEST(ReadingPaceTest, a_client_may_be_as_slow_as_the_slowest_pace_for_ever) {
    ReadingPace pace(kLimits);
    for (int i = 0; i < 10'000; ++i) {
        ASSERT_TRUE(pace.took(kLimits.slowest, seconds(1)));
    }
    EXPECT_EQ(pace.bytes(), 10'000 * kLimits.slowest);
}

TEST(ReadingPaceTest, a_slower_one_is_ended_when_its_patience_is_used_up) {
    ReadingPace pace(kLimits);
    int turns = 0;
    while (pace.took(kLimits.slowest / 2, seconds(1))) {
        ++turns;
    }
    EXPECT_EQ(turns, kLimits.patience / std::chrono::milliseconds(500));
}

TEST(ReadingPaceTest, one_that_takes_nothing_is_ended_after_its_patience) {
    ReadingPace pace(kLimits);
    EXPECT_TRUE(pace.took(0, kLimits.patience));
    EXPECT_FALSE(pace.took(0, seconds(1)));
}

TEST(ReadingPaceTest, what_was_read_quickly_before_counts) {
    ReadingPace pace(kLimits);
    EXPECT_TRUE(pace.took(4'000 * kLimits.slowest, seconds(1)));
    EXPECT_TRUE(pace.took(1, hours(1)));
    EXPECT_FALSE(pace.took(1, hours(1)));
}

} // namespace
} // namespace locara::hub
