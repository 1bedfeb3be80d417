// Zip archives, read strictly: central directory and local headers must tell the same story, and
// the members must fill the file. Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.
#pragma once

#include <locara/formats/byte_source.hpp>
#include <locara/formats/verdict.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace locara::formats {

struct ZipMember {
    std::string name;
    std::uint16_t method = 0; ///< 0 stored, 8 deflated; others are refused
    std::uint32_t crc = 0;
    std::uint64_t packed = 0;
    std::uint64_t unpacked = 0;
    std::uint64_t data_offset = 0;
    bool folder = false;
};

/// The members in the order of the file. The Finding's rule starts with "zip.".
Checked<std::vector<ZipMember>> check_zip(const ByteSource& source, std::uint64_t max_members);

/// Whether the end of the source is that of a zip archive, which readers of zip find whatever
/// comes first. Io if a read fails.
Result<bool> ends_as_zip(const ByteSource& source);

/// The unpacked bytes of a member: at most `limit_bytes`, size and CRC checked.
Checked<Bytes> unpack(const ByteSource& source, const ZipMember& member, std::uint64_t limit_bytes);

/// The CRC-32 of a source, in blocks. `go_on` is asked between them; when it says no the answer is
/// a Finding "scan.time".
Checked<std::uint32_t> crc_of(const ByteSource& source, const std::function<bool()>& go_on);

} // namespace locara::formats
