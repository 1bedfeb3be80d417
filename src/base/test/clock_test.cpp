#include <locara/base/clock.hpp>

#include <gtest/gtest.h>

namespace locara {
namespace {

TEST(Time, parse_and_render_are_inverse) {
    for (const char* text :
         {"1970-01-01T00:00:00Z", "2026-11-22T19:06:28Z", "2028-02-29T23:59:59Z"}) {
        EXPECT_EQ(render_time(*parse_time(text)), text);
    }
}

TEST(Time, parse_refuses_other_forms_and_impossible_dates) {
    for (const char* text : {"",
                             "2026-11-22",
                             "2026-02-30T00:00:00Z",
                             "2026-11-22T24:00:00Z",
                             "2026-11-22T19:06:28+00:00",
                             "2026-11-22 19:06:28Z",
                             "x026-11-22T19:06:28Z"}) {
        EXPECT_FALSE(parse_time(text)) << text;
    }
}

} // namespace
} // namespace locara
