// The steps of the aggregated hash tree that merkle.cpp and subtree.cpp share
// (docs/formats/xet-hashes.md).
#pragma once

#include <locara/xet/merkle.hpp>

#include <cstddef>
#include <span>
#include <string>

namespace locara::xet {

inline constexpr std::size_t kMinGroup = 3; ///< Nodes, unless the level ends.
inline constexpr std::size_t kMaxGroup = 9;

/// Whether a group may end after this node.
bool is_natural_cut(const ChunkInfo& node);

/// How many of the nodes, from the first, make the next group.
std::size_t next_group(std::span<const ChunkInfo> nodes);

/// The node over a group. `text` is work memory, kept between calls.
ChunkInfo join_group(std::span<const ChunkInfo> group, std::string& text);

} // namespace locara::xet
