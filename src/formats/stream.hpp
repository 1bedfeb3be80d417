// Streams: bytes from front to back, of a source as it is or unpacked by gzip, bzip2, xz, lzma,
// zstd (libarchive's filters) or zlib. Used for tar and for single packed files.
#pragma once

#include <locara/formats/byte_source.hpp>
#include <locara/formats/sniff.hpp>
#include <locara/formats/verdict.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace locara::formats {

class Stream {
  public:
    virtual ~Stream() = default;

    /// Fills as much of `out` as there is; less only at the end, or before damage, so that what
    /// comes before it can be judged. The Finding's rule is "io.read" or "archive.damaged".
    virtual Checked<std::size_t> read(std::span<std::byte> out) = 0;

    /// To be asked when everything was read: "archive.damaged" if the end was none,
    /// "archive.trailing" if other bytes than zeros follow it.
    virtual std::optional<Finding> finish() { return std::nullopt; }

    /// The source that lies under an unpacked stream, or nullptr: then members can be looked at
    /// in place, at position(), and skipped.
    virtual const ByteSource* plain() const { return nullptr; }

    virtual bool skip(std::uint64_t) { return false; }

    std::uint64_t position() const { return position_; }

  protected:
    std::uint64_t position_ = 0;
};

/// The source as it is.
std::unique_ptr<Stream> open_plain(const ByteSource& source);

/// The source unpacked. `kind` is Gzip, Bzip2, Xz, Zstd, Zlib or Lzma.
Checked<std::unique_ptr<Stream>> open_packed(const ByteSource& source, Kind kind);

} // namespace locara::formats
