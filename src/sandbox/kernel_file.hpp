// Reading files that the kernel makes up as they are read (/proc, /sys): their size says nothing.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace locara::sandbox {

/// The whole text, at most 64 KiB of it, or nothing if it cannot be read.
std::optional<std::string> read_kernel_file(const std::filesystem::path& path);

} // namespace locara::sandbox
