// Many BLAKE3 compressions side by side, one a lane. Private: blake3_many.cpp drives it.
#pragma once

#include <locara/crypto/blake3.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace locara::crypto {

/// How blake3_keyed_many works. All give the same digests; tests compare them.
enum class Blake3Path {
    Library, ///< The official implementation, one input after the other.
    Avx512,  ///< Own kernel, 16 leaves or nodes of any of the inputs at once.
};

/// The fastest path of this processor.
Blake3Path best_blake3_path();

void blake3_keyed_many(const Blake3Key& key,
                       std::span<const ByteView> inputs,
                       std::span<Blake3Digest> digests,
                       Blake3Path path);

/// Eight words in the order of the paper.
using ChainingValue = std::array<std::uint32_t, 8>;

/// What up to 16 lanes do: each compresses one leaf, or one parent node, from the key to a chaining
/// value. Lanes may differ in length. Unused lanes have no blocks, but readable bytes.
struct LaneBatch {
    static constexpr std::size_t kLanes = 16;

    std::array<const std::byte*, kLanes> bytes{}; ///< `blocks` times 64, the last one padded.
    std::array<ChainingValue*, kLanes> out{};
    alignas(64) std::array<std::uint32_t, kLanes> counter{};
    alignas(64) std::array<std::uint32_t, kLanes> blocks{};      ///< 0 to 16.
    alignas(64) std::array<std::uint32_t, kLanes> last_length{}; ///< Of the last block, unpadded.
    alignas(64) std::array<std::uint32_t, kLanes> flags{};       ///< In every block.
    alignas(64) std::array<std::uint32_t, kLanes> first_flags{}; ///< Also in the first.
    alignas(64) std::array<std::uint32_t, kLanes> last_flags{};  ///< Also in the last.
};

/// Runs the lanes for `blocks` blocks, the most that any of them has. Needs AVX-512 F.
void run_lanes_avx512(const ChainingValue& key, const LaneBatch& batch, std::uint32_t blocks);

} // namespace locara::crypto
