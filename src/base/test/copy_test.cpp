#include <locara/base/copy.hpp>

#include <gtest/gtest.h>

#include <string>

#include <fcntl.h>
#include <sys/mman.h>

namespace locara {
namespace {

/// A file without a name, on a file system of its own kind: the kernel copies nothing across.
Fd make_memory_file() {
    return Fd(::memfd_create("locara", MFD_CLOEXEC));
}

std::string read_all(const Fd& file, std::size_t size) {
    std::string text(size, '\0');
    EXPECT_TRUE(read_exactly_at(file, 0, std::as_writable_bytes(std::span(text))));
    return text;
}

TEST(Copy, goes_through_memory_from_one_file_system_to_another) {
    const auto folder = TempFolder::create("/var/tmp", "copy-").value();
    const auto on_disk = open_file(folder.path() / "a", O_RDWR | O_CREAT, 0600).value();
    std::string text(3'000'001, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) {
        text[i] = static_cast<char>(i * i >> 8U);
    }
    ASSERT_TRUE(write_all_at(on_disk, 0, as_bytes(text)));
    const Fd there = make_memory_file();
    ASSERT_EQ(copy_range(on_disk, 0, there, 0, text.size()).value(), 0U);
    EXPECT_EQ(read_all(there, text.size()), text);
    const auto back = open_file(folder.path() / "b", O_RDWR | O_CREAT, 0600).value();
    ASSERT_TRUE(copy_range(there, 1000, back, 0, 2'000'000));
    EXPECT_EQ(read_all(back, 2'000'000), text.substr(1000, 2'000'000));
}

TEST(Copy, tells_of_a_source_that_ends_too_early) {
    const Fd from = make_memory_file();
    const Fd to = make_memory_file();
    ASSERT_TRUE(write_all_at(from, 0, as_bytes("short")));
    EXPECT_EQ(copy_range(from, 0, to, 0, 6).error().code(), ErrorCode::Corrupt);
}

} // namespace
} // namespace locara
