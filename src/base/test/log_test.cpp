#include <locara/base/log.hpp>

#include <gtest/gtest.h>

namespace locara {
namespace {

TEST(Log, one_event_is_one_line_whatever_its_values_hold) {
    EXPECT_EQ(
        render_log_line(
            LogLevel::Info, "hub", "pulled", {{"file", "a.gguf"}, {"why", "two words\n\"x\""}}),
        "info hub pulled file=a.gguf why=\"two words\\n\\\"x\\\"\"");
    EXPECT_EQ(render_log_line(LogLevel::Error, "m", "e", {{"empty", ""}}), "error m e empty=\"\"");
}

} // namespace
} // namespace locara
