#include "disk.hpp"

#include "layout.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace locara::store {

namespace fs = std::filesystem;

std::vector<Span> shared_blocks(const fs::path& path) {
    std::vector<Span> blocks;
    const auto fd = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fd) {
        return blocks;
    }
    constexpr std::uint32_t kExtents = 128;
    std::vector<std::byte> memory(sizeof(fiemap) + kExtents * sizeof(fiemap_extent));
    std::uint64_t at = 0;
    while (true) {
        std::fill(memory.begin(), memory.end(), std::byte{0});
        auto* const map = reinterpret_cast<fiemap*>(memory.data());
        map->fm_start = at;
        map->fm_length = FIEMAP_MAX_OFFSET - at;
        map->fm_flags = FIEMAP_FLAG_SYNC;
        map->fm_extent_count = kExtents;
        if (::ioctl(fd->get(), FS_IOC_FIEMAP, map) != 0 || map->fm_mapped_extents == 0) {
            return blocks;
        }
        for (std::uint32_t i = 0; i < map->fm_mapped_extents; ++i) {
            const fiemap_extent& extent = map->fm_extents[i];
            if ((extent.fe_flags & FIEMAP_EXTENT_SHARED) != 0) {
                blocks.push_back({extent.fe_physical, extent.fe_physical + extent.fe_length});
            }
            if ((extent.fe_flags & FIEMAP_EXTENT_LAST) != 0) {
                return blocks;
            }
            at = extent.fe_logical + extent.fe_length;
        }
    }
}

std::uint64_t shared_bytes(const fs::path& path) {
    std::uint64_t sum = 0;
    for (const Span& span : shared_blocks(path)) {
        sum += span.size();
    }
    return sum;
}

std::uint64_t removable_bytes(const fs::path& path) {
    struct stat info {};

    if (::lstat(path.c_str(), &info) != 0 || info.st_nlink > 1) {
        return 0;
    }
    const std::uint64_t all = allocated_bytes(path);
    return all - std::min(all, shared_bytes(path));
}

} // namespace locara::store
