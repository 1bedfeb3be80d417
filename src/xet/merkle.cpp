#include "hash_tree.hpp"

#include <locara/crypto/blake3.hpp>
#include <locara/xet/merkle.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace locara::xet {

namespace {

constexpr crypto::Blake3Key key(std::string_view hex) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    crypto::Blake3Key bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::byte>(digit(hex[2 * i]) * 16 + digit(hex[2 * i + 1]));
    }
    return bytes;
}

// The keys of the specification, plain byte order.
constexpr auto kDataKey = key("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229");
constexpr auto kNodeKey = key("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f");
constexpr auto kRangeKey = key("7f1857d6ce56ed66127ff913e7a5c3f3a4cd26d5b5db49e64124987f28fb94c3");

constexpr std::uint64_t kGroupMask = 4; ///< A group ends where the last word divides by this.
constexpr std::uint64_t kDedupMask = 1024;

} // namespace

bool is_natural_cut(const ChunkInfo& node) {
    return node.hash.word(3) % kGroupMask == 0;
}

std::size_t next_group(std::span<const ChunkInfo> nodes) {
    const std::size_t end = std::min(nodes.size(), kMaxGroup);
    for (std::size_t count = kMinGroup; count < end; ++count) {
        if (is_natural_cut(nodes[count - 1])) {
            return count;
        }
    }
    return end;
}

ChunkInfo join_group(std::span<const ChunkInfo> group, std::string& text) {
    text.clear();
    std::uint64_t size = 0;
    for (const ChunkInfo& node : group) {
        text += node.hash.render();
        text += " : ";
        text += std::to_string(node.size);
        text += '\n';
        size += node.size;
    }
    return {ChunkHash{crypto::blake3_keyed(kNodeKey, as_bytes(text))}, size};
}

ChunkHash chunk_hash(ByteView bytes) {
    return ChunkHash{crypto::blake3_keyed(kDataKey, bytes)};
}

void chunk_hashes(std::span<const ByteView> chunks, std::span<ChunkHash> hashes) {
    LOCARA_ASSERT(chunks.size() == hashes.size());
    std::vector<crypto::Blake3Digest> digests(chunks.size());
    crypto::blake3_keyed_many(kDataKey, chunks, digests);
    for (std::size_t i = 0; i < digests.size(); ++i) {
        hashes[i].bytes = digests[i];
    }
}

XorbHash xorb_hash(std::span<const ChunkInfo> chunks) {
    if (chunks.empty()) {
        return {};
    }
    std::vector<ChunkInfo> level(chunks.begin(), chunks.end());
    std::string text;
    while (level.size() > 1) {
        std::size_t nodes = 0; // of the next level, which overwrites this one from the left
        for (std::size_t first = 0; first < level.size();) {
            const std::size_t count = next_group(std::span(level).subspan(first));
            level[nodes++] = join_group(std::span(level).subspan(first, count), text);
            first += count;
        }
        level.resize(nodes);
    }
    return XorbHash{level.front().hash.bytes};
}

FileHash file_hash(std::span<const ChunkInfo> chunks, const FileSalt& salt) {
    return chunks.empty() ? FileHash{} : file_hash_of_root(xorb_hash(chunks), salt);
}

FileHash file_hash_of_root(const XorbHash& root, const FileSalt& salt) {
    return FileHash{crypto::blake3_keyed(salt.bytes, root.bytes)};
}

RangeHash range_hash(std::span<const ChunkInfo> chunks) {
    crypto::Blake3 hasher(kRangeKey);
    for (const ChunkInfo& chunk : chunks) {
        hasher.update(chunk.hash.bytes);
    }
    return RangeHash{hasher.finish()};
}

ChunkHash keyed_chunk_hash(const ChunkHash& hash, const DedupKey& key) {
    return key.is_zero() ? hash : ChunkHash{crypto::blake3_keyed(key.bytes, hash.bytes)};
}

bool is_dedup_eligible(const ChunkHash& hash) {
    return hash.word(3) % kDedupMask == 0;
}

} // namespace locara::xet
