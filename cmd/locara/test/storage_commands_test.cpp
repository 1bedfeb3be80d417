#include "context.hpp"

#include <gtest/gtest.h>

namespace locara::cli {
namespace {

TEST(AgeTest, ages_have_a_number_and_a_unit) {
    EXPECT_EQ(parse_age("30d").value(), std::chrono::hours(720));
    EXPECT_EQ(parse_age("12h").value(), std::chrono::hours(12));
    EXPECT_EQ(parse_age("15m").value(), std::chrono::minutes(15));
    EXPECT_EQ(parse_age("0s").value(), std::chrono::seconds(0));
    EXPECT_EQ(parse_age("4294967295d").value(), std::chrono::hours(24) * 4294967295);
    for (const char* bad : {"", "30", "d", "-1d", "1w", "1d ", "99999999999d", "1.5h"}) {
        EXPECT_EQ(parse_age(bad).error().code(), ErrorCode::InvalidArgument) << bad;
    }
}

} // namespace
} // namespace locara::cli
