// What this machine has: processors, memory, disk.
#pragma once

#include <locara/base/result.hpp>

#include <cstdint>
#include <filesystem>

namespace locara::runtime {

struct Device {
    unsigned processors = 1;
    std::uint64_t memory_total_bytes = 0;     ///< Of the machine, or of our cgroup if that is less.
    std::uint64_t memory_available_bytes = 0; ///< What can be had without swapping.
    std::uint64_t disk_free_bytes = 0;        ///< Where the store lies.
};

/// Reads /proc/meminfo, the cgroup's limit and the file system of `store` (or of its nearest parent
/// that exists). Io if /proc cannot be read.
Result<Device> probe_device(const std::filesystem::path& store);

} // namespace locara::runtime
