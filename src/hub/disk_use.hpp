// What files take on the disk.
#pragma once

#include <cstdint>
#include <filesystem>

namespace locara::hub {

/// What a file, or a folder with all below it, takes on the disk; 0 for what is not there. Files
/// that come and go meanwhile may be counted or not. Blocks: it looks at each file.
std::uint64_t allocated_bytes(const std::filesystem::path& path);

} // namespace locara::hub
