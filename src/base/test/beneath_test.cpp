#include <locara/base/beneath.hpp>

#include <gtest/gtest.h>

#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>

namespace locara {
namespace {

namespace fs = std::filesystem;

class BeneathTest : public testing::Test {
  protected:
    BeneathTest() : scratch_(*TempFolder::create(testing::TempDir(), "beneath-")) {
        write("outside/secret", "outside");
        write("here/sub/file", "inside");
        folder_ = open_folder(scratch_.path() / "here").value();
    }

    void write(const std::string& path, const std::string& text) {
        create_folders((scratch_.path() / path).parent_path()).value();
        write_file_atomically(scratch_.path() / path, as_bytes(text)).value();
    }

    ErrorCode refusal(const std::string& name) const {
        const auto fd = open_beneath(folder_, name);
        return fd ? ErrorCode::Internal : fd.error().code();
    }

    TempFolder scratch_;
    Fd folder_;
};

TEST_F(BeneathTest, opens_regular_files_below_the_folder) {
    const auto fd = open_beneath(folder_, "sub/file");
    ASSERT_TRUE(fd);
    EXPECT_EQ(*regular_file_size(*fd, "sub/file"), 6U);
    EXPECT_EQ(refusal("sub/other"), ErrorCode::NotFound);
}

TEST_F(BeneathTest, never_follows_a_parent_that_became_a_link_since_it_was_listed) {
    const fs::path here = scratch_.path() / "here";
    write("outside/file", "outside");
    fs::rename(here / "sub", here / "was"); // listed by now as sub/file
    fs::create_directory_symlink(scratch_.path() / "outside", here / "sub");
    ASSERT_TRUE(fs::is_regular_file(here / "sub/file")); // by its path it is there
    EXPECT_EQ(refusal("sub/file"), ErrorCode::InvalidArgument);
    EXPECT_FALSE(create_beneath(folder_, "sub/new"));
    EXPECT_FALSE(fs::exists(scratch_.path() / "outside/new"));
}

TEST_F(BeneathTest, refuses_links_ways_out_and_what_is_no_file) {
    const fs::path here = scratch_.path() / "here";
    fs::create_symlink("sub/file", here / "link");
    EXPECT_EQ(refusal("link"), ErrorCode::InvalidArgument);
    EXPECT_EQ(refusal("../outside/secret"), ErrorCode::InvalidArgument);
    EXPECT_EQ(refusal((scratch_.path() / "outside/secret").string()), ErrorCode::InvalidArgument);
    EXPECT_EQ(refusal("sub"), ErrorCode::InvalidArgument);
    ASSERT_EQ(::mkfifo((here / "fifo").c_str(), 0600), 0);
    EXPECT_EQ(refusal("fifo"), ErrorCode::InvalidArgument); // and does not wait
}

TEST_F(BeneathTest, makes_new_files_only) {
    ASSERT_TRUE(create_beneath(folder_, "sub/new"));
    const auto again = create_beneath(folder_, "sub/new");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), ErrorCode::Conflict);
}

} // namespace
} // namespace locara
