#include "chunk_list.hpp"

#include <locara/xet/subtree.hpp>

#include <algorithm>
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

Result<ChunkList> ChunkList::create(const xet::StoredShard& shard,
                                    const xet::FileHash& file,
                                    std::uint64_t size,
                                    const std::filesystem::path& scratch) {
    const auto block = std::find_if(shard.files().begin(),
                                    shard.files().end(),
                                    [&](const auto& one) { return one.hash == file; });
    if (block == shard.files().end()) {
        return bad_shard(file, "does not describe it");
    }
    if (shard.footer() && !shard.footer()->key.is_zero()) {
        return bad_shard(file, "hides its chunk hashes");
    }
    if (block->size != size) {
        return bad_shard(file,
                         "describes " + std::to_string(block->size) + " bytes, expected " +
                             std::to_string(size));
    }

    struct Known {
        const xet::StoredShard::Xorb* block = nullptr;
        std::optional<std::uint32_t> number; ///< In xorbs_, once a term names it.
    };

    std::unordered_map<xet::XorbHash, Known> known;
    for (const xet::StoredShard::Xorb& xorb : shard.xorbs()) {
        known[xorb.hash].block = &xorb;
    }
    // Counted before anything is made of them: terms may name the same chunks again and again, so a
    // small shard can ask for a very long list.
    const std::uint64_t most = most_chunks(size, block->terms);
    std::uint64_t count = 0;
    for (std::uint32_t i = 0; i < block->terms; ++i) {
        LOCARA_TRY(const xet::FileTerm term, shard.term(*block, i));
        const auto found = known.find(term.xorb);
        if (found == known.end()) {
            return bad_shard(file, "lacks xorb " + term.xorb.render());
        }
        if (term.chunks.begin >= term.chunks.end || term.chunks.end > found->second.block->chunks) {
            return bad_shard(file, "has a term past the end of xorb " + term.xorb.render());
        }
        count += term.chunks.size();
        if (count > most) {
            return bad_shard(
                file, "has more than the " + std::to_string(most) + " chunks that its size allows");
        }
    }
    ChunkList list(scratch);
    xet::FileHasher hasher;
    std::uint64_t at = 0;
    for (std::uint32_t i = 0; i < block->terms; ++i) {
        LOCARA_TRY(const xet::FileTerm term, shard.term(*block, i));
        Known& xorb = known[term.xorb];
        if (!xorb.number) {
            xorb.number = static_cast<std::uint32_t>(list.xorbs_.size());
            list.xorbs_.push_back(term.xorb);
        }
        const std::uint64_t start = at;
        std::uint32_t index = term.chunks.begin;
        LOCARA_TRY(const auto chunks, shard.chunks(*xorb.block, term.chunks));
        for (const xet::ShardChunk& chunk : chunks) {
            if (chunk.raw_bytes == 0 || chunk.raw_bytes > xet::kMaxChunkBytes ||
                chunk.raw_bytes > size - at) {
                return bad_shard(file, "has a chunk of a size that it cannot have");
            }
            LOCARA_CHECK(
                list.chunks_.add({chunk.hash, at, chunk.raw_bytes, *xorb.number, index++}));
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

Result<std::optional<std::uint64_t>> ChunkList::find(std::uint64_t offset) const {
    LOCARA_TRY(const std::uint64_t number, first_from(offset));
    if (number == chunks_.size()) {
        return std::optional<std::uint64_t>();
    }
    LOCARA_TRY(const Chunk chunk, chunks_.get(number));
    return chunk.offset == offset ? std::optional(number) : std::nullopt;
}

Result<SpillReader<ChunkList::Chunk>> ChunkList::inside(const store::Span& run) const {
    LOCARA_TRY(const std::uint64_t first, first_from(run.first));
    LOCARA_TRY(std::uint64_t end, first_from(run.end));
    if (end > first) {
        LOCARA_TRY(const Chunk last, chunks_.get(end - 1));
        end -= last.offset + last.size > run.end ? 1 : 0;
    }
    return SpillReader<Chunk>(chunks_, first, std::max(first, end));
}

Result<std::uint64_t> ChunkList::first_from(std::uint64_t offset) const {
    std::uint64_t first = 0;
    std::uint64_t end = chunks_.size();
    while (first < end) {
        const std::uint64_t middle = first + (end - first) / 2;
        LOCARA_TRY(const Chunk chunk, chunks_.get(middle));
        if (chunk.offset < offset) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first;
}

Result<store::IndexedFile> ChunkList::indexed(const crypto::Sha256Digest& sha256,
                                              const xet::FileHash& file) const {
    store::IndexedFile result(chunks_.folder());
    result.sha256 = sha256;
    result.hash = file;
    result.xorbs = xorbs_;
    SpillReader<Chunk> reader(chunks_);
    while (true) {
        LOCARA_TRY(const Chunk* const chunk, reader.next());
        if (chunk == nullptr) {
            return result;
        }
        LOCARA_CHECK(result.add({chunk->hash, chunk->size, chunk->xorb, chunk->index}));
    }
}

} // namespace locara::hf
