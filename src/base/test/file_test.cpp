#include <locara/base/file.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>

namespace locara {
namespace {

class FileTest : public testing::Test {
  protected:
    TempFolder folder =
        TempFolder::create(std::filesystem::temp_directory_path(), "locara-file-").value();
    std::filesystem::path path = folder.path() / "f";
};

TEST_F(FileTest, atomic_write_replaces_content_and_leaves_no_temporary) {
    ASSERT_TRUE(write_file_atomically(path, as_bytes("one")));
    ASSERT_TRUE(write_file_atomically(path, as_bytes("two"), 0600));
    EXPECT_EQ(*read_file(path, 100), "two");

    struct stat info {};

    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST_F(FileTest, only_old_leftovers_of_its_own_are_removed) {
    const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::hours(2);
    const auto put = [&](const char* name, bool is_old) {
        ASSERT_TRUE(write_file_atomically(folder.path() / name, as_bytes("x")));
        if (is_old) {
            std::filesystem::last_write_time(folder.path() / name, old);
        }
    };
    put("a.pem.tmp-AbC123", true);
    put("b.pem.tmp-AbC123", false);
    put("c.tmp-file", true);
    put(".tmp-AbC123", true);
    remove_stale_temporaries(folder.path());
    std::set<std::string> left;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
        left.insert(entry.path().filename().string());
    }
    EXPECT_EQ(left, (std::set<std::string>{".tmp-AbC123", "b.pem.tmp-AbC123", "c.tmp-file"}));
    remove_stale_temporaries(folder.path() / "nowhere");
}

TEST_F(FileTest, read_file_bounds_size_and_refuses_what_is_not_a_file) {
    ASSERT_TRUE(write_file_atomically(path, as_bytes("four")));
    EXPECT_EQ(read_file(path, 3).error().code(), ErrorCode::TooLarge);
    EXPECT_EQ(read_file(folder.path() / "absent", 3).error().code(), ErrorCode::NotFound);
    ASSERT_EQ(::mkfifo((folder.path() / "fifo").c_str(), 0600), 0);
    EXPECT_EQ(read_file(folder.path() / "fifo", 3).error().code(), ErrorCode::InvalidArgument);
}

TEST_F(FileTest, read_file_reads_proc_files_though_they_say_they_are_empty) {
    EXPECT_NE(read_file("/proc/self/status", 1U << 20U)->find("Pid:"), std::string::npos);
    EXPECT_EQ(read_file("/proc/self/status", 10).error().code(), ErrorCode::TooLarge);
}

TEST_F(FileTest, read_exactly_reports_an_early_end) {
    ASSERT_TRUE(write_file_atomically(path, as_bytes("abc")));
    const Fd fd = open_file(path, O_RDONLY).value();
    Bytes buffer(4);
    EXPECT_EQ(read_exactly_at(fd, 0, buffer).error().code(), ErrorCode::Corrupt);
}

TEST_F(FileTest, rename_without_replace_keeps_what_is_there) {
    ASSERT_TRUE(write_file_atomically(path, as_bytes("old")));
    ASSERT_TRUE(write_file_atomically(folder.path() / "g", as_bytes("new")));
    EXPECT_EQ(rename_file(folder.path() / "g", path, Replace::No).error().code(),
              ErrorCode::Conflict);
    EXPECT_EQ(*read_file(path, 9), "old");
    EXPECT_TRUE(rename_file(folder.path() / "g", path, Replace::Yes));
    EXPECT_EQ(*read_file(path, 9), "new");
}

TEST_F(FileTest, a_lock_is_held_by_one) {
    {
        const auto held = FileLock::try_acquire(path);
        ASSERT_TRUE(held);
        EXPECT_EQ(FileLock::try_acquire(path).error().code(), ErrorCode::Busy);
        EXPECT_EQ(FileLock::acquire(path, [] { return true; }).error().code(),
                  ErrorCode::Cancelled);
    }
    EXPECT_TRUE(FileLock::try_acquire(path));
}

TEST_F(FileTest, create_folders_makes_the_whole_way_and_accepts_what_exists) {
    EXPECT_TRUE(create_folders(folder.path() / "a/b/c", 0700));
    EXPECT_TRUE(create_folders(folder.path() / "a/b/c", 0700));
    EXPECT_TRUE(std::filesystem::is_directory(folder.path() / "a/b/c"));
}

} // namespace
} // namespace locara
