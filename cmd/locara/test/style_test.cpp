#include "context.hpp"
#include "style.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace locara::cli {
namespace {

class StyleTest : public ::testing::Test {
  protected:
    void SetUp() override {
        ::unsetenv("NO_COLOR");
        ::setenv("TERM", "xterm", 1);
    }

    static bool paints(std::string_view how, bool terminal) {
        return Style::choose(how, terminal).paint(Tone::Good, "x") != "x";
    }
};

TEST_F(StyleTest, auto_paints_on_a_terminal_that_wants_it) {
    EXPECT_TRUE(paints("auto", true));
    EXPECT_FALSE(paints("auto", false));
    ::setenv("NO_COLOR", "", 1); // empty does not count: no-color.org
    EXPECT_TRUE(paints("auto", true));
    ::setenv("NO_COLOR", "1", 1);
    EXPECT_FALSE(paints("auto", true));
    ::unsetenv("NO_COLOR");
    ::setenv("TERM", "dumb", 1);
    EXPECT_FALSE(paints("auto", true));
}

TEST_F(StyleTest, a_flag_beats_terminal_and_variables) {
    ::setenv("NO_COLOR", "1", 1);
    EXPECT_TRUE(paints("always", false));
    EXPECT_FALSE(paints("never", true));
}

TEST_F(StyleTest, a_table_is_aligned_as_without_colour_and_still_cannot_be_driven) {
    const auto style = Style::choose("always", false);
    const auto table = render_table({{"ok", "a\x1b[31m"}, {"problem", "b"}}, [&](const auto& cell) {
        return style.paint(cell == "ok" ? Tone::Good : Tone::Bad, cell);
    });
    EXPECT_EQ(table, "\x1b[32mok\x1b[0m       a?[31m\n\x1b[1;31mproblem\x1b[0m  b");
}

TEST_F(StyleTest, of_an_error_only_the_name_of_the_program_is_painted) {
    EXPECT_EQ(render_error(Error(ErrorCode::Io, "no"), 1, false, Style::choose("always", false)),
              "\x1b[1;31mlocara:\x1b[0m no\n");
    EXPECT_EQ(render_error(Error(ErrorCode::Io, "no"), 1, true, Style::choose("always", false))[0],
              '{');
}

} // namespace
} // namespace locara::cli
