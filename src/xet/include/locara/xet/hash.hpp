// The hashes of the Xet protocol: 32 bytes each, one type per kind.
//
// Follows the Xet protocol specification v1.1, "Hashing methods". Binary formats hold the plain
// bytes; everywhere else stands the string form, which reads the bytes as four little-endian
// 64-bit words and prints each as 16 hex digits (so within each eight bytes the order is
// reversed). How each kind is computed: merkle.hpp.
//
// Threads: plain values.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/result.hpp>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace locara::xet {

inline constexpr std::size_t kHashBytes = 32;

/// The string form of 32 bytes, and back. parse: InvalidArgument unless it is exactly 64
/// lower-case hex digits.
std::string render_hash(const std::array<std::byte, kHashBytes>& bytes);
Result<std::array<std::byte, kHashBytes>> parse_hash(std::string_view text);

/// A hash of one kind. Kinds do not mix; `Hash<Other>{hash.bytes}` says so where a format stores
/// one as another.
template <class Kind> struct Hash {
    std::array<std::byte, kHashBytes> bytes{};

    static Result<Hash> parse(std::string_view text) {
        LOCARA_TRY(const auto bytes, parse_hash(text));
        return Hash{bytes};
    }

    std::string render() const { return render_hash(bytes); }

    /// The i-th little-endian 64-bit word, i from 0 to 3.
    std::uint64_t word(std::size_t i) const {
        std::uint64_t value = 0;
        for (std::size_t k = 8; k-- > 0;) {
            value = value << 8U | std::to_integer<std::uint64_t>(bytes[i * 8 + k]);
        }
        return value;
    }

    /// All bytes zero: the file hash of the empty file, and "none" in formats.
    bool is_zero() const { return *this == Hash{}; }

    auto operator<=>(const Hash&) const = default;
};

/// Of a chunk's bytes.
using ChunkHash = Hash<struct ChunkKind>;
/// Of a list of chunks: names a xorb.
using XorbHash = Hash<struct XorbKind>;
/// Of a file's chunks: names a file.
using FileHash = Hash<struct FileKind>;
/// Of a run of chunk hashes: proves a term of a file to a server that holds the xorb.
using RangeHash = Hash<struct RangeKind>;

} // namespace locara::xet

template <class Kind> struct std::hash<locara::xet::Hash<Kind>> {
    std::size_t operator()(const locara::xet::Hash<Kind>& value) const noexcept {
        std::size_t first = 0;
        std::memcpy(&first, value.bytes.data(), sizeof(first)); // it is a hash already
        return first;
    }
};
