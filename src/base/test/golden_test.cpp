#include <locara/base/file.hpp>
#include <locara/test_support/golden.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::test_support {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Mode = GoldenFolder::Mode;

class Golden : public ::testing::Test {
  protected:
    Golden() : temp_(*TempFolder::create("/tmp", "locara-golden-")) {
        EXPECT_TRUE(create_folders(temp_.path() / "sub"));
        EXPECT_TRUE(write_file_atomically(temp_.path() / "text", as_bytes("one\ntwo\nthree\n")));
        EXPECT_TRUE(write_file_atomically(temp_.path() / "sub/raw", as_bytes("a\x01z")));
    }

    TempFolder temp_;
};

TEST_F(Golden, the_same_bytes_pass_and_other_bytes_show_where_they_differ) {
    GoldenFolder golden(temp_.path(), Mode::Compare);
    EXPECT_TRUE(golden.compare("text", "one\ntwo\nthree\n"));
    const auto text = golden.compare("text", "one\n2\n2b\nthree\n");
    EXPECT_FALSE(text);
    EXPECT_THAT(text.message(),
                HasSubstr("line 2 (- golden, + found):\n  one\n- two\n+ 2\n+ 2b\n  three\n"));
    EXPECT_THAT(text.message(), HasSubstr("./dev test --accept"));
    EXPECT_THAT(golden.compare("text", "one\ntwo\nthree").message(),
                HasSubstr("- three\n+ three    (no newline)\n"));
    EXPECT_THAT(golden.compare("text", "").message(), HasSubstr("line 1"));
    EXPECT_THAT(golden.compare("sub/raw", "a\x02z").message(),
                HasSubstr("byte 1:\n- 017a (3 bytes in all)\n+ 027a (3 bytes in all)\n"));
}

TEST_F(Golden, a_missing_file_fails_and_a_stale_one_is_named) {
    GoldenFolder golden(temp_.path(), Mode::Compare);
    EXPECT_THAT(golden.compare("new", "bytes\n").message(), HasSubstr("found:\nbytes\n"));
    EXPECT_FALSE(std::filesystem::exists(temp_.path() / "new"));
    EXPECT_TRUE(golden.compare("text", "one\ntwo\nthree\n"));
    EXPECT_THAT(golden.take_unused(), ElementsAre("sub/raw"));
}

TEST_F(Golden, accepting_writes_what_was_found_and_removes_what_nothing_named) {
    GoldenFolder golden(temp_.path(), Mode::Accept);
    EXPECT_TRUE(golden.compare("deep/new", "bytes\n"));
    EXPECT_TRUE(golden.compare("text", "other\n"));
    EXPECT_THAT(golden.take_unused(), ElementsAre());
    EXPECT_EQ(*read_file(temp_.path() / "deep/new", 100), "bytes\n");
    EXPECT_EQ(*read_file(temp_.path() / "text", 100), "other\n");
    EXPECT_FALSE(std::filesystem::exists(temp_.path() / "sub/raw"));
}

} // namespace
} // namespace locara::test_support
