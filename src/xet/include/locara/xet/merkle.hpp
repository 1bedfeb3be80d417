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

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

namespace locara::xet {

/// The largest chunk, raw. There is no smallest (the last chunk of a file has any size).
inline constexpr std::size_t kMaxChunkBytes = 128U << 10U;

/// A run of chunks of a xorb, by index; the end is open.
struct ChunkRange {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;

    std::uint32_t size() const { return end - begin; }

    auto operator<=>(const ChunkRange&) const = default;
};

/// A run of bytes; the end is open. (In JSON and HTTP byte ranges have a closed end: whoever
/// renders or parses one converts.)
struct ByteRange {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;

    std::uint64_t size() const { return end - begin; }

    auto operator<=>(const ByteRange&) const = default;
};

/// A chunk as lists and trees know it.
struct ChunkInfo {
    ChunkHash hash;
    std::uint64_t size = 0; ///< Raw bytes.

    bool operator==(const ChunkInfo&) const = default;
};

/// Keyed BLAKE3 of the chunk's raw bytes.
ChunkHash chunk_hash(ByteView bytes);

/// The hash of each chunk, into the place of the same index; both lists must be of one length.
/// Faster than one by one, by up to a third, where several are in the processor's cache.
void chunk_hashes(std::span<const ByteView> chunks, std::span<ChunkHash> hashes);

/// The root over the chunks. Zero for no chunks.
XorbHash xorb_hash(std::span<const ChunkInfo> chunks);

/// What a file's root is hashed under. Servers that keep to the protocol use the zero salt.
using FileSalt = Hash<struct FileSaltKind>;

/// The root over all chunks of a file, hashed once more under the salt. Zero for no chunks.
FileHash file_hash(std::span<const ChunkInfo> chunks, const FileSalt& salt = {});

/// The same when the root is known already (subtree.hpp). REQUIRES: the file is not empty; the hash
/// of the empty file is zero.
FileHash file_hash_of_root(const XorbHash& root, const FileSalt& salt = {});

/// Keyed BLAKE3 over the raw chunk hashes in their order.
RangeHash range_hash(std::span<const ChunkInfo> chunks);

/// The key under which a dedup answer hides its chunk hashes; zero means that they are plain.
using DedupKey = Hash<struct DedupKeyKind>;

/// Keyed BLAKE3 of the hash under the key: how a chunk is named in a dedup answer (shard.hpp).
/// Under the zero key it is the hash itself.
ChunkHash keyed_chunk_hash(const ChunkHash& hash, const DedupKey& key);

/// Whether a server answers global dedup queries about a chunk that is not the first of its file:
/// the last word is a multiple of 1024. (The first of a file always may be asked for.)
bool is_dedup_eligible(const ChunkHash& hash);

} // namespace locara::xet
