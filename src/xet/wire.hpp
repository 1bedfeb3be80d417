// Little-endian numbers and hashes in the binary formats of this module.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/xet/hash.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace locara::xet::wire {

/// The number in the first `Count` bytes at `at`. REQUIRES: they are there.
template <class Number, std::size_t Count = sizeof(Number)>
Number load(ByteView bytes, std::size_t at) {
    LOCARA_ASSERT(at <= bytes.size() && bytes.size() - at >= Count);
    Number value = 0;
    for (std::size_t i = Count; i-- > 0;) {
        value = static_cast<Number>(value << 8U | std::to_integer<Number>(bytes[at + i]));
    }
    return value;
}

inline std::uint32_t load_u24(ByteView bytes, std::size_t at) {
    return load<std::uint32_t, 3>(bytes, at);
}

inline std::uint32_t load_u32(ByteView bytes, std::size_t at) {
    return load<std::uint32_t>(bytes, at);
}

inline std::uint64_t load_u64(ByteView bytes, std::size_t at) {
    return load<std::uint64_t>(bytes, at);
}

template <class HashType> HashType load_hash(ByteView bytes, std::size_t at) {
    LOCARA_ASSERT(at <= bytes.size() && bytes.size() - at >= kHashBytes);
    HashType hash;
    std::memcpy(hash.bytes.data(), bytes.data() + at, kHashBytes);
    return hash;
}

/// Writes the lowest `count` bytes of the number at `out`.
inline void store(std::span<std::byte> out, std::uint64_t value, std::size_t count) {
    LOCARA_ASSERT(out.size() >= count);
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = static_cast<std::byte>(value >> (8 * i) & 0xFFU);
    }
}

inline void append(Bytes& out, ByteView bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

inline void append_number(Bytes& out, std::uint64_t value, std::size_t count) {
    out.resize(out.size() + count);
    store(std::span(out).last(count), value, count);
}

inline void append_u32(Bytes& out, std::uint32_t value) {
    append_number(out, value, 4);
}

inline void append_u64(Bytes& out, std::uint64_t value) {
    append_number(out, value, 8);
}

inline void append_zeros(Bytes& out, std::size_t count) {
    out.resize(out.size() + count);
}

} // namespace locara::xet::wire
