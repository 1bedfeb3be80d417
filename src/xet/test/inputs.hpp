// The inputs of the chunking vectors and others like them, made by the rules of
// test/data/README.md.
#pragma once

#include <locara/base/bytes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace locara::xet {

/// The splitmix64 generator, as the vectors use it.
class SplitMix {
  public:
    explicit SplitMix(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
        return z ^ (z >> 31U);
    }

    /// From 0 to below `bound`; even enough for tests.
    std::size_t below(std::size_t bound) { return next() % bound; }

  private:
    std::uint64_t state_;
};

/// The first `size` bytes of splitmix64(seed), each output in little-endian order.
inline Bytes random_bytes(std::uint64_t seed, std::size_t size) {
    SplitMix random(seed);
    Bytes bytes;
    bytes.reserve(size + 8);
    while (bytes.size() < size) {
        std::uint64_t word = random.next();
        for (int i = 0; i < 8; ++i, word >>= 8U) {
            bytes.push_back(static_cast<std::byte>(word));
        }
    }
    bytes.resize(size);
    return bytes;
}

/// The pattern and `padding` zero bytes, then copies of all so far until there are `size` bytes.
inline Bytes tiled(ByteView pattern, std::size_t padding, std::size_t size) {
    Bytes bytes(pattern.begin(), pattern.end());
    bytes.resize(bytes.size() + padding);
    bytes.reserve(size);
    while (bytes.size() < size) {
        const std::size_t more = std::min(bytes.size(), size - bytes.size());
        bytes.resize(bytes.size() + more);
        std::copy_n(bytes.begin(), more, bytes.end() - static_cast<std::ptrdiff_t>(more));
    }
    bytes.resize(size);
    return bytes;
}

} // namespace locara::xet
