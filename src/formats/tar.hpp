// Tar archives, read strictly from a stream. Source: POSIX.1-2017, pax, "ustar Interchange Format"
// and "pax Interchange Format"; GNU tar's long names (type L). Files and folders only.
#pragma once

#include "stream.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace locara::formats {

struct TarMember {
    std::string name;
    std::uint64_t size = 0;
    bool folder = false;
};

/// Calls `on_member` for each member while the stream stands at its first byte; the callback
/// consumes exactly `size` bytes (by read or skip). It answers a Finding to stop. The Finding's
/// rule starts with "tar." if the archive itself is at fault.
std::optional<Finding>
walk_tar(Stream& stream,
         const std::function<std::optional<Finding>(const TarMember& member)>& on_member);

/// Whether this block of 512 bytes is the header of a tar member, by its checksum.
bool is_tar_header(ByteView block);

} // namespace locara::formats
