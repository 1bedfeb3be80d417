#include <locara/crypto/sha256.hpp>

#include <gtest/gtest.h>

#include <fcntl.h>

namespace locara::crypto {
namespace {

TEST(Sha256, follows_the_examples_of_fips_180_4) {
    EXPECT_EQ(sha256(as_bytes("")).render(),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256(as_bytes("abc")).render(),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, a_stream_equals_the_whole) {
    Sha256 hasher;
    hasher.update(as_bytes("a"));
    hasher.update(as_bytes("bc"));
    EXPECT_EQ(hasher.finish(), sha256(as_bytes("abc")));
}

TEST(Sha256, parse_takes_one_spelling_only) {
    const std::string text = sha256(as_bytes("abc")).render();
    EXPECT_EQ(Sha256Digest::parse(text)->render(), text);
    EXPECT_FALSE(Sha256Digest::parse(text.substr(1)));
    EXPECT_FALSE(Sha256Digest::parse("../" + text.substr(3)));
    std::string upper = text;
    upper[0] = 'B';
    EXPECT_FALSE(Sha256Digest::parse(upper));
}

TEST(Sha256, hashes_files_in_blocks_and_can_be_stopped) {
    const auto folder =
        TempFolder::create(std::filesystem::temp_directory_path(), "locara-").value();
    const std::string content(1'000'000, 'x');
    ASSERT_TRUE(write_file_atomically(folder.path() / "f", as_bytes(content)));
    const Fd fd = open_file(folder.path() / "f", O_RDONLY).value();
    EXPECT_EQ(*sha256_file(fd), sha256(as_bytes(content)));
    EXPECT_EQ(sha256_file(fd, [](std::size_t) { return false; }).error().code(),
              ErrorCode::Cancelled);
}

} // namespace
} // namespace locara::crypto
