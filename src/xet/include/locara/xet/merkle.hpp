// How chunk, xorb, file and range hashes are computed: keyed BLAKE3 and the aggregated hash tree.
//
// Follows the Xet protocol specification v1.1, "Hashing methods": a chunk hash is the keyed hash
// of its bytes; nodes are grouped from the left (a group ends after the third or a later node whose
// last word is a multiple of 4, at nine nodes at most) and each group becomes one node, the keyed
// hash of the lines "<string form> : <size>\n" of its members, until one is left.
//
// Threads: plain functions and values.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/xet/hash.hpp>

#include <cstdint>
#include <span>

namespace locara::xet {

/// A chunk as lists and trees know it.
struct ChunkInfo {
    ChunkHash hash;
    std::uint64_t size = 0; ///< Raw bytes.

    bool operator==(const ChunkInfo&) const = default;
};

/// Keyed BLAKE3 of the chunk's raw bytes.
ChunkHash chunk_hash(ByteView bytes);

/// The root over the chunks. Zero for no chunks.
XorbHash xorb_hash(std::span<const ChunkInfo> chunks);

/// The root over all chunks of a file, hashed once more under 32 zero bytes. Zero for no chunks.
FileHash file_hash(std::span<const ChunkInfo> chunks);

/// Keyed BLAKE3 over the raw chunk hashes in their order.
RangeHash range_hash(std::span<const ChunkInfo> chunks);

/// Whether a server answers global dedup queries about a chunk that is not the first of its file:
/// the last word is a multiple of 1024. (The first of a file always may be asked for.)
bool is_dedup_eligible(const ChunkHash& hash);

} // namespace locara::xet
