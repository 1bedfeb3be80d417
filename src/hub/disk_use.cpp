#include "disk_use.hpp"

#include <system_error>

#include <sys/stat.h>

namespace locara::hub {

namespace fs = std::filesystem;

std::uint64_t allocated_bytes(const fs::path& path) {
    std::uint64_t bytes = 0;
    std::error_code error;
    const auto add = [&bytes](const fs::path& one) {
        struct stat found {};

        if (::lstat(one.c_str(), &found) == 0) {
            bytes += static_cast<std::uint64_t>(found.st_blocks) * 512U;
        }
    };
    if (!fs::is_directory(path, error)) {
        add(path);
        return bytes;
    }
    for (fs::recursive_directory_iterator at(path, error), end; !error && at != end;
         at.increment(error)) {
        add(at->path());
    }
    return bytes;
}

} // namespace locara::hub
