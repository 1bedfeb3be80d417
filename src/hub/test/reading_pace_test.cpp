#include "../reading_pace.hpp"

#include <gtest/gtest.h>

namespace locara::hub {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(ReadingPaceTest, a_client_may_be_as_slow_as_the_slowest_pace_for_ever) {
    ReadingPace pace;
    for (int i = 0; i < 10'000; ++i) {
        ASSERT_TRUE(pace.took(ReadingPace::kSlowest, seconds(1)));
    }
    EXPECT_EQ(pace.bytes(), 10'000 * ReadingPace::kSlowest);
}

TEST(ReadingPaceTest, a_slower_one_is_ended_when_its_patience_is_used_up) {
    ReadingPace pace;
    int turns = 0;
    while (pace.took(ReadingPace::kSlowest / 2, seconds(1))) {
        ++turns;
    }
    EXPECT_EQ(turns, 2 * ReadingPace::kPatience.count());
}

TEST(ReadingPaceTest, one_that_takes_nothing_is_ended_after_its_patience) {
    ReadingPace pace;
    EXPECT_TRUE(pace.took(0, ReadingPace::kPatience));
    EXPECT_FALSE(pace.took(0, seconds(1)));
}

TEST(ReadingPaceTest, what_was_read_quickly_before_counts) {
    ReadingPace pace;
    EXPECT_TRUE(pace.took(4'000 * ReadingPace::kSlowest, seconds(1)));
    EXPECT_TRUE(pace.took(1, hours(1)));
    EXPECT_FALSE(pace.took(1, hours(1)));
}

} // namespace
} // namespace locara::hub
