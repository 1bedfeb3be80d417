// A store in a temporary folder, and bytes that are easy to tell apart.
#pragma once

#include <locara/store/store.hpp>

#include <gtest/gtest.h>

#include <random>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

namespace locara::store {

inline std::string random_text(std::size_t size, unsigned seed = 1) {
    std::mt19937_64 random(seed);
    std::string text(size, '\0');
    for (char& c : text) {
        c = static_cast<char>(random());
    }
    return text;
}

inline Digest digest_of(std::string_view text) {
    return crypto::sha256(as_bytes(text));
}

/// Where an image of a file system is quick to sync: memory, if there is such a place.
inline std::filesystem::path image_folder() {
    const std::filesystem::path memory = "/dev/shm";
    return ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
}

class StoreFolder : public testing::Test {
  protected:
    TempFolder folder =
        TempFolder::create(std::filesystem::temp_directory_path(), "locara-store-").value();
    std::filesystem::path root = folder.path() / "store";
    Store store = Store::open(root).value();

    /// Opens a part that must not be in the store yet.
    Part part_of(const Digest& digest, std::uint64_t size) {
        auto opened = store.open_part(digest, size);
        EXPECT_TRUE(opened) << opened.error().describe();
        return std::get<Part>(std::move(*opened));
    }

    static std::string content(const Store& where, const Digest& digest) {
        return read_file(where.path_of(digest).value(), 1U << 30U).value();
    }

    static std::size_t entries(const std::filesystem::path& path) {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(path), {}));
    }

    static mode_t mode_of(const std::filesystem::path& path) {
        struct stat info {};

        return ::lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
    }
};

} // namespace locara::store
