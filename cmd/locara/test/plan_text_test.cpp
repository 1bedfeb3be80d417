#include "context.hpp"
#include "plan_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::cli {
namespace {

TEST(Touches, says_nothing_where_nothing_is_touched) {
    EXPECT_EQ(describe_touches({}), "nothing but what you type | network: none");
}

TEST(Touches, names_every_grant) {
    manifest::Capabilities can;
    can.net = {"a.example.org", "b.example.org"};
    can.files = manifest::Capabilities::Files::Picker;
    can.devices = {"microphone"};
    can.save = true;
    EXPECT_EQ(describe_touches(can),
              "files you pick | microphone: asks first | saves files when you say so | network: "
              "a.example.org, b.example.org");
}

TEST(Count, knows_one) {
    EXPECT_EQ(count(1, "app"), "1 app");
    EXPECT_EQ(count(0, "app"), "0 apps");
}

TEST(Table, pads_by_characters_and_leaves_the_last_column) {
    EXPECT_EQ(render_table({{"a", "bb", "c"}, {"caf\xC3\xA9", "b", "long text"}}),
              "a     bb  c\ncaf\xC3\xA9  b   long text");
}

} // namespace
} // namespace locara::cli
