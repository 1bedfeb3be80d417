// ByteSource: where the parsers of this module read from.
//
// The seam between a parser and the file it looks at: an open file, a block of memory (tests,
// fuzzing, members of archives) or a window of another source. A source has a size that is fixed
// when it is made; a file that shrinks afterwards gives read errors, never other bytes than asked.
// Threads: read() may be called from any thread at once; nothing here changes after construction.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/file.hpp>
#include <locara/base/result.hpp>

#include <cstdint>
#include <filesystem>
#include <span>

namespace locara::formats {

class ByteSource {
  public:
    virtual ~ByteSource() = default;

    /// Size in bytes, the same for the life of the source.
    virtual std::uint64_t size() const = 0;

    /// Fills `out` from `offset`. Corrupt if that range is not inside the source, Io if the
    /// operating system fails the read.
    virtual Status read(std::uint64_t offset, std::span<std::byte> out) const = 0;
};

/// Bytes in memory. Borrows them: they must outlive the source.
class MemorySource final : public ByteSource {
  public:
    explicit MemorySource(ByteView bytes) : bytes_(bytes) {}

    std::uint64_t size() const override { return bytes_.size(); }

    Status read(std::uint64_t offset, std::span<std::byte> out) const override;

  private:
    ByteView bytes_; // a view in a member: the source is a cursor over the caller's bytes
};

/// An open regular file, read with pread: the position of the descriptor does not matter and does
/// not move. Borrows the descriptor.
class FileSource final : public ByteSource {
  public:
    /// Takes the size once, by fstat. InvalidArgument if `fd` is not a regular file.
    static Result<FileSource> create(const Fd& fd, const std::filesystem::path& path);

    std::uint64_t size() const override { return size_; }

    Status read(std::uint64_t offset, std::span<std::byte> out) const override;

  private:
    FileSource(const Fd& fd, std::uint64_t size) : fd_(&fd), size_(size) {}

    const Fd* fd_;
    std::uint64_t size_;
};

/// A window of another source, which it borrows. The window must lie inside (asserted).
class SliceSource final : public ByteSource {
  public:
    SliceSource(const ByteSource& whole, std::uint64_t begin, std::uint64_t size);

    std::uint64_t size() const override { return size_; }

    Status read(std::uint64_t offset, std::span<std::byte> out) const override;

  private:
    const ByteSource* whole_;
    std::uint64_t begin_;
    std::uint64_t size_;
};

} // namespace locara::formats
