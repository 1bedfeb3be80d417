#include "chunk_list.hpp"

#include <locara/xet/subtree.hpp>

#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace locara::hf {

namespace {

Error bad_shard(const xet::FileHash& file, const std::string& why) {
    return Error(ErrorCode::Corrupt, "the shard of Xet file " + file.render() + " " + why);
}

} // namespace

std::uint64_t ChunkList::most_chunks(std::uint64_t size, std::size_t terms) {
    return size / kShortestCut + terms + 1;
}

Result<ChunkList>
ChunkList::create(const xet::Shard& shard, const xet::FileHash& file, std::uint64_t size) {
    const auto block = std::find_if(
        shard.files.begin(), shard.files.end(), [&](const auto& one) { return one.hash == file; });
    if (block == shard.files.end()) {
        return bad_shard(file, "does not describe it");
    }
    if (shard.footer && !shard.footer->key.is_zero()) {
        return bad_shard(file, "hides its chunk hashes");
    }
    if (block->size() != size) {
        return bad_shard(file,
                         "describes " + std::to_string(block->size()) + " bytes, expected " +
                             std::to_string(size));
    }

    struct Known {
        const xet::XorbBlock* block = nullptr;
        std::optional<std::uint32_t> number; ///< In xorbs_, once a term names it.
    };

    std::unordered_map<xet::XorbHash, Known> known;
    for (const xet::XorbBlock& xorb : shard.xorbs) {
        known[xorb.hash].block = &xorb;
    }
    // Counted before anything is made of them: terms may name the same chunks again and again, so a
    // small shard can ask for a very long list.
    const std::uint64_t most = most_chunks(size, block->terms.size());
    std::uint64_t count = 0;
    for (const xet::FileTerm& term : block->terms) {
        const auto found = known.find(term.xorb);
        if (found == known.end()) {
            return bad_shard(file, "lacks xorb " + term.xorb.render());
        }
        if (term.chunks.begin >= term.chunks.end ||
            term.chunks.end > found->second.block->chunks.size()) {
            return bad_shard(file, "has a term past the end of xorb " + term.xorb.render());
        }
        count += term.chunks.size();
        if (count > most) {
            return bad_shard(
                file, "has more than the " + std::to_string(most) + " chunks that its size allows");
        }
    }
    ChunkList list;
    list.chunks_.reserve(count);
    xet::FileHasher hasher;
    std::uint64_t at = 0;
    for (const xet::FileTerm& term : block->terms) {
        Known& xorb = known[term.xorb];
        if (!xorb.number) {
            xorb.number = static_cast<std::uint32_t>(list.xorbs_.size());
            list.xorbs_.push_back(term.xorb);
        }
        const std::uint64_t start = at;
        for (std::uint32_t i = term.chunks.begin; i < term.chunks.end; ++i) {
            const xet::ShardChunk& chunk = xorb.block->chunks[i];
            if (chunk.raw_bytes == 0 || chunk.raw_bytes > xet::kMaxChunkBytes ||
                chunk.raw_bytes > size - at) {
                return bad_shard(file, "has a chunk of a size that it cannot have");
            }
            list.chunks_.push_back({chunk.hash, at, chunk.raw_bytes, *xorb.number, i});
            hasher.add({chunk.hash, chunk.raw_bytes});
            at += chunk.raw_bytes;
        }
        if (at - start != term.raw_bytes) {
            return bad_shard(file, "has a term whose chunks do not have its size");
        }
    }
    if (const xet::FileHash found = hasher.finish(); found != file) {
        return bad_shard(file, "describes another file, " + found.render());
    }
    return list;
}

std::optional<std::size_t> ChunkList::find(std::uint64_t offset) const {
    const auto at = first_from(offset);
    if (at == chunks_.end() || at->offset != offset) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(at - chunks_.begin());
}

std::span<const ChunkList::Chunk> ChunkList::inside(const store::Span& run) const {
    const auto first = first_from(run.first);
    auto end = std::max(first, first_from(run.end));
    if (end != first && std::prev(end)->offset + std::prev(end)->size > run.end) {
        --end;
    }
    return {first, end};
}

std::vector<ChunkList::Chunk>::const_iterator ChunkList::first_from(std::uint64_t offset) const {
    return std::lower_bound(
        chunks_.begin(), chunks_.end(), offset, [](const Chunk& chunk, std::uint64_t wanted) {
            return chunk.offset < wanted;
        });
}

store::IndexedFile ChunkList::indexed(const crypto::Sha256Digest& sha256,
                                      const xet::FileHash& file) const {
    store::IndexedFile result;
    result.sha256 = sha256;
    result.hash = file;
    result.xorbs = xorbs_;
    result.chunks.reserve(chunks_.size());
    for (const Chunk& chunk : chunks_) {
        result.chunks.push_back({chunk.hash, chunk.size, chunk.xorb, chunk.index});
    }
    return result;
}

} // namespace locara::hf
