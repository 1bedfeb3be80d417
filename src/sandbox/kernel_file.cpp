#include "kernel_file.hpp"

#include <locara/base/file.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace locara::sandbox {

std::optional<std::string> read_kernel_file(const std::filesystem::path& path) {
    const auto fd = open_file(path, O_RDONLY);
    if (!fd) {
        return std::nullopt;
    }
    std::string text(64 << 10, '\0');
    std::size_t filled = 0;
    while (filled < text.size()) {
        const ssize_t count = ::read(fd->get(), text.data() + filled, text.size() - filled);
        if (count < 0) {
            return std::nullopt;
        }
        if (count == 0) {
            break;
        }
        filled += static_cast<std::size_t>(count);
    }
    text.resize(filled);
    return text;
}

} // namespace locara::sandbox
