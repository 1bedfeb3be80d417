#include "broker_client.hpp"
#include "exit_codes.hpp"

#include <locara/base/json.hpp>

#include <gtest/gtest.h>

namespace locara::cli {
namespace {

// docs/cli.md, "Exit codes": stable, so every row is spelled out.
TEST(ExitCodes, are_the_documented_ones) {
    EXPECT_EQ(exit_code(ErrorCode::InvalidArgument), 2);
    EXPECT_EQ(exit_code(ErrorCode::NotFound), 3);
    EXPECT_EQ(exit_code(ErrorCode::Unauthorized), 4);
    EXPECT_EQ(exit_code(ErrorCode::Forbidden), 4);
    EXPECT_EQ(exit_code(ErrorCode::Unavailable), 5);
    EXPECT_EQ(exit_code(ErrorCode::Timeout), 5);
    EXPECT_EQ(exit_code(ErrorCode::Corrupt), 6);
    EXPECT_EQ(exit_code(ErrorCode::NoSpace), 7);
    EXPECT_EQ(exit_code(ErrorCode::Refused), 8);
    EXPECT_EQ(exit_code(ErrorCode::Busy), 9);
    EXPECT_EQ(exit_code(ErrorCode::Offline), 12);
    EXPECT_EQ(exit_code(ErrorCode::Cancelled), 130);
    for (const auto code : {ErrorCode::Conflict,
                            ErrorCode::TooLarge,
                            ErrorCode::Io,
                            ErrorCode::Unsupported,
                            ErrorCode::Internal}) {
        EXPECT_EQ(exit_code(code), 1);
    }
}

TEST(RenderError, is_one_line_that_cannot_drive_a_terminal) {
    const Error error(ErrorCode::NotFound, "no app \x1b[31mred\nline; try `locara search`");
    EXPECT_EQ(render_error(error, 3, false), "locara: no app ?[31mred?line; try `locara search`\n");
}

TEST(RenderError, as_json_has_code_message_hint_and_exit) {
    const Error error(ErrorCode::NotFound, "no such app; try `locara search`");
    const auto json = Json::parse(render_error(error, 3, true));
    EXPECT_EQ(json["schema"], "locara.error/1");
    EXPECT_EQ(json["code"], "not_found");
    EXPECT_EQ(json["hint"], "try `locara search`");
    EXPECT_EQ(json["exit"], 3);
    EXPECT_TRUE(Json::parse(render_error(Error(ErrorCode::Io, "x"), 1, true))["hint"].is_null());
}

TEST(RenderError, a_hint_is_never_a_piece_of_what_others_say) {
    EXPECT_EQ(hint_of("h refuses x (a: b; c (rule); d); `locara scan` shows it"),
              "`locara scan` shows it");
    EXPECT_EQ(hint_of("h answers 503 (down; try later)"), "");
    EXPECT_EQ(hint_of("h answers 503 (down (cut; here)"), "");
    EXPECT_EQ(hint_of("no such app; try `locara search`"), "try `locara search`");
}

TEST(Clean, keeps_text_and_shows_controls) {
    EXPECT_EQ(clean("caf\xC3\xA9"), "caf\xC3\xA9");
    EXPECT_EQ(clean("a\x7F\xC2\x9B"
                    "b"),
              "a??b");
    EXPECT_EQ(clean("gpj.\u202Eexe\u2066"), "gpj.?exe?");
    EXPECT_EQ(clean("\U0001F469\u200D\U0001F4BB \xE2\x80"), "\U0001F469\u200D\U0001F4BB \xE2\x80");
}

TEST(ErrorCodeNames, lead_back_to_their_codes) {
    for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
        EXPECT_EQ(parse_error_code(render(static_cast<ErrorCode>(i))), static_cast<ErrorCode>(i));
    }
    EXPECT_EQ(parse_error_code("something_new"), ErrorCode::Internal);
}

} // namespace
} // namespace locara::cli
