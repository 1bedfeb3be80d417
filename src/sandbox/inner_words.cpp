#include "inner_words.hpp"

#include <system_error>

namespace locara::sandbox {

namespace {

namespace fs = std::filesystem;

constexpr const char* kLoaders[] = {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"};

} // namespace

void append_limits(std::vector<std::string>& words, const Limits& limits) {
    const auto limit = [&words](const char* name, std::uint64_t value) {
        if (value != 0) {
            words.insert(words.end(), {"--limit", std::string(name) + "=" + std::to_string(value)});
        }
    };
    words.insert(words.end(), {"--limit", "core=0"});
    limit("address_space", limits.address_space_bytes);
    limit("file_size", limits.file_bytes);
    limit("open_files", limits.open_files);
    limit("tasks", limits.tasks);
    limit("cpu_seconds", limits.cpu_seconds);
}

void append_executables(std::vector<std::string>& words, const std::vector<fs::path>& paths) {
    for (const fs::path& path : paths) {
        words.insert(words.end(), {"--exec", path.string()});
    }
    for (const char* loader : kLoaders) {
        std::error_code error;
        if (fs::exists(loader, error)) {
            words.insert(words.end(), {"--exec", loader});
        }
    }
}

} // namespace locara::sandbox
