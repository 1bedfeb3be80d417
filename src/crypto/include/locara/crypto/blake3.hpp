// BLAKE3 (the BLAKE3 paper, version 20211102120121), keyed: 32-byte key, 32-byte output.
//
// The official C implementation with its assembly, chosen at run time for the processor; for many
// inputs at once an own kernel beside it.
// Threads: a Blake3 belongs to one thread; everything else is plain functions.
#pragma once

#include <locara/base/bytes.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace locara::crypto {

using Blake3Key = std::array<std::byte, 32>;
using Blake3Digest = std::array<std::byte, 32>;

/// Hashes a stream under a key: update as often as wanted, then finish once.
class Blake3 {
  public:
    explicit Blake3(const Blake3Key& key);
    Blake3(Blake3&&) noexcept;
    Blake3& operator=(Blake3&&) noexcept;
    ~Blake3();

    void update(ByteView bytes);

    /// The digest of everything so far. The object is spent afterwards.
    Blake3Digest finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The keyed hash of one buffer. Allocates nothing.
Blake3Digest blake3_keyed(const Blake3Key& key, ByteView bytes);

/// The keyed hash of each input, into the digest of the same index; both lists must be of one
/// length. Inputs of a few ten KiB together in a processor's cache are what it is made for: with
/// AVX-512 it fills its lanes across the inputs, elsewhere it is blake3_keyed again and again.
/// Allocates a sixteenth of the inputs' size. Each input must be below 4 TiB.
void blake3_keyed_many(const Blake3Key& key,
                       std::span<const ByteView> inputs,
                       std::span<Blake3Digest> digests);

} // namespace locara::crypto
