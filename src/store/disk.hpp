// What files take on disk, and what removing them gives back. Private to the module.
#pragma once

#include <locara/store/spans.hpp>

#include <cstdint>
#include <filesystem>
#include <vector>

namespace locara::store {

/// Of the blocks of a file, those that other files share (reflinks), as far as the file system
/// tells (FIEMAP), as spans of its device. Empty if it cannot.
std::vector<Span> shared_blocks(const std::filesystem::path& path);

/// Their bytes.
std::uint64_t shared_bytes(const std::filesystem::path& path);

/// What the file system gives back when this name is removed: nothing while another name leads to
/// the file, else its blocks without shared ones.
std::uint64_t removable_bytes(const std::filesystem::path& path);

} // namespace locara::store
