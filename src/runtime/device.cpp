#include <locara/base/file.hpp>
#include <locara/runtime/device.hpp>

#include <algorithm>
#include <charconv>
#include <string>

#include <unistd.h>

namespace locara::runtime {

namespace fs = std::filesystem;

namespace {

std::uint64_t leading_number(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_of("0123456789"), text.size()));
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// A line such as "MemAvailable:   1234 kB", in bytes.
std::uint64_t find_meminfo(std::string_view meminfo, std::string_view name) {
    const auto at = meminfo.find(name);
    if (at == std::string_view::npos) {
        return 0;
    }
    const auto line = meminfo.substr(at, meminfo.find('\n', at) - at);
    return leading_number(line.substr(name.size())) * 1024;
}

/// The first of the files that holds a number; 0 if none ("max" is none).
std::uint64_t read_number(std::initializer_list<const char*> paths) {
    for (const auto* path : paths) {
        if (const auto text = read_file(path, 4096); text && !text->empty() && (*text)[0] != 'm') {
            return leading_number(*text);
        }
    }
    return 0;
}

} // namespace

Result<Device> probe_device(const fs::path& store) {
    Device device;
    device.processors = static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    LOCARA_TRY(const auto meminfo, read_file("/proc/meminfo", 1U << 20U));
    device.memory_total_bytes = find_meminfo(meminfo, "MemTotal:");
    device.memory_available_bytes = find_meminfo(meminfo, "MemAvailable:");
    // In a container the machine's memory is not ours; both cgroup versions say what is.
    const auto limit =
        read_number({"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"});
    if (limit > 0 && limit < device.memory_total_bytes) {
        const auto used = read_number(
            {"/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes"});
        device.memory_total_bytes = limit;
        device.memory_available_bytes =
            std::min(device.memory_available_bytes, limit - std::min(limit, used));
    }
    auto existing = store;
    std::error_code ignored;
    while (!fs::exists(existing, ignored) && existing.has_relative_path()) {
        existing = existing.parent_path();
    }
    LOCARA_TRY(device.disk_free_bytes, free_disk_bytes(existing));
    return device;
}

} // namespace locara::runtime
