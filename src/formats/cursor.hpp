// Cursor: reads a ByteSource from front to back through one small window.
//
// Calls answer false at the end of the bytes or when a read fails; io_error() tells which. A
// cursor never allocates more than its window, whatever the bytes say.
#pragma once

#include <locara/formats/byte_source.hpp>
#include <locara/formats/verdict.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace locara::formats {

class Cursor {
  public:
    explicit Cursor(const ByteSource& source,
                    std::uint64_t offset = 0,
                    std::size_t window_bytes = 64U << 10U)
        : source_(&source), size_(source.size()), offset_(std::min(offset, size_)),
          window_limit_(window_bytes) {}

    std::uint64_t offset() const { return offset_; }

    std::uint64_t remaining() const { return size_ - offset_; }

    /// The error of a read that failed; nullopt while all went well.
    const std::optional<Error>& io_error() const { return io_error_; }

    /// The next byte, which stays where it is.
    bool peek(std::uint8_t& out) {
        if (offset_ - window_begin_ >= window_.size() || offset_ < window_begin_) {
            if (!fill()) {
                return false;
            }
        }
        out = static_cast<std::uint8_t>(window_[static_cast<std::size_t>(offset_ - window_begin_)]);
        return true;
    }

    bool next(std::uint8_t& out) {
        if (!peek(out)) {
            return false;
        }
        ++offset_;
        return true;
    }

    /// Some of the bytes that come next, at least one; empty at the end or when a read fails.
    /// Valid until the next call.
    std::string_view ahead() {
        std::uint8_t ignored = 0;
        if (!peek(ignored)) {
            return {};
        }
        return as_text(window_).substr(static_cast<std::size_t>(offset_ - window_begin_));
    }

    /// Whether these bytes come next, which stay where they are.
    bool starts_with(std::string_view bytes) {
        const std::uint64_t begin = offset_;
        const bool found = std::all_of(bytes.begin(), bytes.end(), [this](char c) {
            std::uint8_t byte = 0;
            return next(byte) && byte == static_cast<std::uint8_t>(c);
        });
        offset_ = begin;
        return found;
    }

    bool skip(std::uint64_t count) {
        if (count > remaining()) {
            offset_ = size_;
            return false;
        }
        offset_ += count;
        return true;
    }

    bool take(std::span<std::byte> out) {
        if (out.size() > remaining()) {
            offset_ = size_;
            return false;
        }
        std::size_t done = 0;
        while (done < out.size()) {
            std::uint8_t ignored = 0;
            if (!peek(ignored)) {
                return false;
            }
            const auto begin = static_cast<std::size_t>(offset_ - window_begin_);
            const std::size_t count = std::min(window_.size() - begin, out.size() - done);
            std::memcpy(out.data() + done, window_.data() + begin, count);
            done += count;
            offset_ += count;
        }
        return true;
    }

    /// Reads `count` bytes as text; the caller has checked `count` against its limit.
    bool take_text(std::uint64_t count, std::string& out) {
        if (count > remaining()) {
            return false;
        }
        out.resize(static_cast<std::size_t>(count));
        return take(std::as_writable_bytes(std::span(out.data(), out.size())));
    }

    /// An unsigned integer, little-endian.
    template <class T> bool take_le(T& out) {
        static_assert(std::is_unsigned_v<T>);
        std::byte bytes[sizeof(T)];
        if (!take(bytes)) {
            return false;
        }
        T value = 0;
        for (std::size_t i = sizeof(T); i > 0; --i) {
            value = static_cast<T>((static_cast<std::uint64_t>(value) << 8U) |
                                   std::to_integer<std::uint64_t>(bytes[i - 1]));
        }
        out = value;
        return true;
    }

    /// An unsigned integer, big-endian.
    template <class T> bool take_be(T& out) {
        T swapped = 0;
        if (!take_le(swapped)) {
            return false;
        }
        out = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i) {
            out = static_cast<T>((static_cast<std::uint64_t>(out) << 8U) | (swapped & 0xFFU));
            swapped = static_cast<T>(static_cast<std::uint64_t>(swapped) >> 8U);
        }
        return true;
    }

  private:
    bool fill() {
        if (io_error_ || offset_ >= size_) {
            return false;
        }
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(window_limit_, size_ - offset_));
        window_.resize(count);
        window_begin_ = offset_;
        if (auto status = source_->read(offset_, window_); !status) {
            io_error_ = status.error();
            window_.clear();
            return false;
        }
        return true;
    }

    const ByteSource* source_;
    std::uint64_t size_;
    std::uint64_t offset_;
    std::uint64_t window_begin_ = 0;
    std::size_t window_limit_;
    std::vector<std::byte> window_;
    std::optional<Error> io_error_;
};

/// The Finding for a failed read.
inline Finding read_failure(const Error& error) {
    return Finding{std::string(kRuleRead), "the file could not be read: " + error.describe(), {}};
}

/// Unsigned multiplication and addition that tell of overflow (true = fits).
inline bool checked_multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& out) {
    return !__builtin_mul_overflow(a, b, &out);
}

inline bool checked_add(std::uint64_t a, std::uint64_t b, std::uint64_t& out) {
    return !__builtin_add_overflow(a, b, &out);
}

/// Text from a file made fit for a message: at most 80 bytes, unprintable bytes as \xNN.
std::string quote_for_message(std::string_view text);

/// A number from hexadecimal digits in either case; false if one of them is none.
bool parse_hex_digits(std::string_view digits, std::uint32_t& value);

/// One code point of the Basic Multilingual Plane (a lone surrogate too) as UTF-8 has it.
void append_utf8(std::string& out, std::uint32_t code);

} // namespace locara::formats
