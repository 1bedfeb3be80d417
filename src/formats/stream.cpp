#include "stream.hpp"

#include "cursor.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <vector>

#include <zlib.h>

namespace locara::formats {

namespace {

class PlainStream final : public Stream {
  public:
    explicit PlainStream(const ByteSource& source) : source_(source) {}

    Checked<std::size_t> read(std::span<std::byte> out) override {
        const auto count = static_cast<std::size_t>(
            std::min<std::uint64_t>(out.size(), source_.size() - position_));
        if (auto status = source_.read(position_, out.first(count)); !status) {
            return tl::unexpected(read_failure(status.error()));
        }
        position_ += count;
        return count;
    }

    const ByteSource* plain() const override { return &source_; }

    bool skip(std::uint64_t count) override {
        if (count > source_.size() - position_) {
            return false;
        }
        position_ += count;
        return true;
    }

  private:
    const ByteSource& source_;
};

/// Whether something other than zeros (the padding of tapes) follows.
std::optional<Finding> check_rest(const ByteSource& source, std::uint64_t offset) {
    Cursor cursor(source, offset);
    while (cursor.remaining() > 0) {
        const std::string_view ahead = cursor.ahead();
        if (ahead.empty()) {
            return read_failure(*cursor.io_error());
        }
        if (const auto at = ahead.find_first_not_of('\0'); at != std::string_view::npos) {
            return Finding{"archive.trailing",
                           "other bytes follow the end of what is packed",
                           cursor.offset() + at};
        }
        cursor.skip(ahead.size());
    }
    return std::nullopt;
}

Finding damaged_at(std::uint64_t offset) {
    return Finding{"archive.damaged",
                   "the packed data is damaged or cut short and cannot be looked into",
                   offset};
}

/// zlib and gzip, which zlib reads itself: unlike libarchive it gives what comes before damage. Of
/// gzip, members in a row are one stream (RFC 1952, 2.2).
class ZlibStream final : public Stream {
  public:
    ZlibStream(const ByteSource& source, Kind kind)
        : source_(source), gzip_(kind == Kind::Gzip),
          open_(inflateInit2(&stream_, gzip_ ? MAX_WBITS + 16 : MAX_WBITS) == Z_OK) {}

    ZlibStream(const ZlibStream&) = delete;
    ZlibStream& operator=(const ZlibStream&) = delete;

    ~ZlibStream() override { inflateEnd(&stream_); }

    Checked<std::size_t> read(std::span<std::byte> out) override {
        if (!open_) {
            return tl::unexpected(Finding{"scan.memory", "no memory to unpack the file", {}});
        }
        stream_.next_out = reinterpret_cast<Bytef*>(out.data());
        stream_.avail_out = static_cast<uInt>(out.size());
        while (stream_.avail_out > 0 && !at_end_) {
            if (auto failed = refill()) {
                return tl::unexpected(std::move(*failed));
            }
            const int status = inflate(&stream_, Z_NO_FLUSH);
            if (status == Z_STREAM_END) {
                if (auto failed = refill()) {
                    return tl::unexpected(std::move(*failed));
                }
                const bool more = gzip_ && stream_.avail_in > 0 && *stream_.next_in == 0x1F;
                at_end_ = !more || inflateReset(&stream_) != Z_OK;
                continue;
            }
            if (status != Z_OK) {
                damaged_ = true;
                at_end_ = true;
            }
        }
        const std::size_t done = out.size() - stream_.avail_out;
        position_ += done;
        if (done == 0 && damaged_ && !out.empty()) {
            return tl::unexpected(damaged_at(offset_ - stream_.avail_in));
        }
        return done;
    }

    std::optional<Finding> finish() override {
        const std::uint64_t taken = offset_ - stream_.avail_in;
        return damaged_ ? damaged_at(taken) : check_rest(source_, taken);
    }

  private:
    std::optional<Finding> refill() {
        if (stream_.avail_in > 0) {
            return std::nullopt;
        }
        const auto count = static_cast<std::size_t>(
            std::min<std::uint64_t>(block_.size(), source_.size() - offset_));
        if (auto status = source_.read(offset_, std::span(block_).first(count)); !status) {
            return read_failure(status.error());
        }
        offset_ += count;
        stream_.next_in = reinterpret_cast<Bytef*>(block_.data());
        stream_.avail_in = static_cast<uInt>(count);
        return std::nullopt;
    }

    const ByteSource& source_;
    std::uint64_t offset_ = 0;
    std::array<std::byte, 64U << 10U> block_{};
    z_stream stream_{};
    bool gzip_;
    bool open_;
    bool at_end_ = false;
    bool damaged_ = false;
};

class PackedStream final : public Stream {
  public:
    explicit PackedStream(const ByteSource& source)
        : source_(source), archive_(archive_read_new(), &archive_read_free) {}

    std::optional<Finding> open(Kind kind) {
        archive* a = archive_.get();
        if (a == nullptr) {
            return Finding{"scan.memory", "no memory to unpack the file", {}};
        }
        int status = ARCHIVE_FATAL;
        switch (kind) {
        case Kind::Bzip2:
            status = archive_read_support_filter_bzip2(a);
            break;
        case Kind::Xz:
            status = archive_read_support_filter_xz(a);
            break;
        case Kind::Lzma:
            lzma_ = true;
            status = archive_read_support_filter_lzma(a);
            break;
        case Kind::Zstd:
            status = archive_read_support_filter_zstd(a);
            break;
        default:
            break;
        }
        // ARCHIVE_WARN would mean that an external program does the work: not for hostile bytes.
        if (status != ARCHIVE_OK || archive_read_support_format_raw(a) != ARCHIVE_OK ||
            archive_read_support_format_empty(a) != ARCHIVE_OK ||
            archive_read_open(a, this, nullptr, &PackedStream::on_read, nullptr) != ARCHIVE_OK) {
            return damaged();
        }
        archive_entry* entry = nullptr;
        const int next = archive_read_next_header(a, &entry);
        if (next == ARCHIVE_EOF) {
            at_end_ = true;
            return std::nullopt;
        }
        return next == ARCHIVE_OK ? std::nullopt : std::optional(damaged());
    }

    Checked<std::size_t> read(std::span<std::byte> out) override {
        std::size_t done = 0;
        while (done < out.size() && !at_end_) {
            const la_ssize_t count =
                archive_read_data(archive_.get(), out.data() + done, out.size() - done);
            if (count < 0) {
                damaged_ = true;
                at_end_ = true;
                break;
            }
            at_end_ = count == 0;
            done += static_cast<std::size_t>(count);
        }
        position_ += done;
        if (done == 0 && damaged_ && !out.empty()) {
            return tl::unexpected(damaged());
        }
        return done;
    }

    std::optional<Finding> finish() override {
        if (damaged_) {
            return damaged();
        }
        const auto taken = static_cast<std::uint64_t>(archive_filter_bytes(archive_.get(), -1));
        return check_rest(source_, taken);
    }

  private:
    /// LZMA_Alone may state a dictionary of any size, libarchive takes powers of two only. A larger
    /// one unpacks to the same.
    static void widen_dictionary(std::span<std::byte> head) {
        if (head.size() < 5) {
            return;
        }
        std::uint64_t stated = 0;
        for (std::size_t i = 4; i > 0; --i) {
            stated = (stated << 8U) | std::to_integer<std::uint64_t>(head[i]);
        }
        std::uint64_t size = 4096;
        while (size < stated) {
            size *= 2;
        }
        for (std::size_t i = 1; i <= 4; ++i, size >>= 8U) {
            head[i] = static_cast<std::byte>(size & 0xFFU);
        }
    }

    Finding damaged() const {
        if (io_error_) {
            return read_failure(*io_error_);
        }
        return damaged_at(offset_);
    }

    static la_ssize_t on_read(archive*, void* self, const void** buffer) {
        auto& stream = *static_cast<PackedStream*>(self);
        const auto count = static_cast<std::size_t>(
            std::min<std::uint64_t>(stream.block_.size(), stream.source_.size() - stream.offset_));
        const auto part = std::span(stream.block_).first(count);
        if (auto status = stream.source_.read(stream.offset_, part); !status) {
            stream.io_error_ = status.error();
            return -1;
        }
        if (stream.lzma_ && stream.offset_ == 0) {
            widen_dictionary(part);
        }
        stream.offset_ += count;
        *buffer = stream.block_.data();
        return static_cast<la_ssize_t>(count);
    }

    const ByteSource& source_;
    std::uint64_t offset_ = 0;
    std::array<std::byte, 64U << 10U> block_{};
    bool at_end_ = false;
    bool damaged_ = false;
    bool lzma_ = false;
    std::optional<Error> io_error_;
    std::unique_ptr<archive, int (*)(archive*)> archive_;
};

} // namespace

std::unique_ptr<Stream> open_plain(const ByteSource& source) {
    return std::make_unique<PlainStream>(source);
}

Checked<std::unique_ptr<Stream>> open_packed(const ByteSource& source, Kind kind) {
    if (kind == Kind::Zlib || kind == Kind::Gzip) {
        return std::unique_ptr<Stream>(std::make_unique<ZlibStream>(source, kind));
    }
    auto stream = std::make_unique<PackedStream>(source);
    if (auto problem = stream->open(kind)) {
        return tl::unexpected(std::move(*problem));
    }
    return std::unique_ptr<Stream>(std::move(stream));
}

} // namespace locara::formats
