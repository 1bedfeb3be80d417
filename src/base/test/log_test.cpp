#include <locara/base/json_log.hpp>
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

TEST(Log, an_event_as_json_is_one_line_with_numbers_where_they_are_numbers) {
    EXPECT_EQ(render_json_log_line(*parse_time("2026-11-22T19:06:28Z"),
                                   LogLevel::Info,
                                   "http",
                                   "request",
                                   {{"request", "123"},
                                    {"path", "/a\n\"b\"\xff"},
                                    {"status", "200"},
                                    {"bytes_out", "18446744073709551615"},
                                    {"ms", "soon"}}),
              R"({"time":"2026-11-22T19:06:28Z","level":"info","module":"http","event":"request",)"
              R"("request":"123","path":"/a\n\"b\")"
              "\xEF\xBF\xBD"
              R"(","status":200,)"
              "\"bytes_out\":18446744073709551615,\"ms\":\"soon\"}");
}

} // namespace
} // namespace locara
