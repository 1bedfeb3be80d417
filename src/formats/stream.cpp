#include "stream.hpp"

#include "cursor.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <vector>

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
        case Kind::Gzip:
            status = archive_read_support_filter_gzip(a);
            break;
        case Kind::Bzip2:
            status = archive_read_support_filter_bzip2(a);
            break;
        case Kind::Xz:
            status = archive_read_support_filter_xz(a);
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
                return tl::unexpected(damaged());
            }
            at_end_ = count == 0;
            done += static_cast<std::size_t>(count);
        }
        position_ += done;
        return done;
    }

  private:
    Finding damaged() const {
        if (io_error_) {
            return read_failure(*io_error_);
        }
        return Finding{"archive.damaged",
                       "the packed data is damaged or cut short and cannot be looked into",
                       offset_};
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
        stream.offset_ += count;
        *buffer = stream.block_.data();
        return static_cast<la_ssize_t>(count);
    }

    const ByteSource& source_;
    std::uint64_t offset_ = 0;
    std::array<std::byte, 64U << 10U> block_{};
    bool at_end_ = false;
    std::optional<Error> io_error_;
    std::unique_ptr<archive, int (*)(archive*)> archive_;
};

} // namespace

std::unique_ptr<Stream> open_plain(const ByteSource& source) {
    return std::make_unique<PlainStream>(source);
}

Checked<std::unique_ptr<Stream>> open_packed(const ByteSource& source, Kind kind) {
    auto stream = std::make_unique<PackedStream>(source);
    if (auto problem = stream->open(kind)) {
        return tl::unexpected(std::move(*problem));
    }
    return std::unique_ptr<Stream>(std::move(stream));
}

} // namespace locara::formats
