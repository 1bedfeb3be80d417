#include "scan.hpp"

#include <locara/xet/chunker.hpp>

#include <algorithm>

namespace locara::xet {

namespace {

/// So much is scanned, then hashed while it is still in the second-level cache.
constexpr std::size_t kWindowBytes = 256U << 10U;

static_assert(Chunker::kBufferBytes >= kWindowBytes + kMaxChunkBytes);

/// An open chunk: the bytes from its start on, as far as they have been looked through for its end.
struct Open {
    std::uint64_t offset = 0; ///< Of its start in the stream.
    std::size_t scanned = 0;  ///< It does not end at or before this many bytes.
};

/// Scratch space of `consume`, kept from call to call.
struct Scratch {
    Scan scan;
    std::vector<ByteView> pieces;
    std::vector<ChunkHash> hashes;
};

/// Hands out the chunks that end within `bytes`, which begin with the open chunk. Returns how many
/// bytes they are; the rest is the new open chunk.
Result<std::size_t>
consume(ByteView bytes, Open& open, Scratch& scratch, const Chunker::Sink& sink) {
    std::size_t start = 0;
    while (open.scanned < bytes.size() - start) {
        const std::size_t first = std::max(start + kMinChunkBytes, start + open.scanned + 1);
        const std::size_t last = std::min(bytes.size(), first - 1 + kWindowBytes);
        scan(bytes.data(), first, last, scratch.scan);
        Walk walk(bytes.data(), scratch.scan, start);
        scratch.pieces.clear();
        while (const auto cut = walk.next()) {
            scratch.pieces.push_back(bytes.subspan(start, *cut - start));
            start = *cut;
        }
        open.scanned = last - start;
        scratch.hashes.resize(scratch.pieces.size());
        chunk_hashes(scratch.pieces, scratch.hashes);
        for (std::size_t i = 0; i < scratch.pieces.size(); ++i) {
            const ByteView piece = scratch.pieces[i];
            const Chunk chunk{
                open.offset, static_cast<std::uint32_t>(piece.size()), scratch.hashes[i]};
            open.offset += piece.size();
            LOCARA_CHECK(sink(chunk, piece));
        }
    }
    return start;
}

} // namespace

struct Chunker::State {
    Open open;
    Bytes buffer; ///< What is here of the open chunk and after it.
    Scratch scratch;

    /// Adds bytes to the buffer, and hands out chunks when there is enough to scan. Returns how
    /// many of the bytes are settled; the others, if any, begin with the open chunk and the buffer
    /// is empty.
    Result<std::size_t> fill(ByteView bytes, const Sink& sink);
};

Result<std::size_t> Chunker::State::fill(ByteView bytes, const Sink& sink) {
    const std::size_t before = buffer.size();
    const std::size_t taken = std::min(bytes.size(), kBufferBytes - before);
    if (buffer.capacity() < kBufferBytes) {
        buffer.reserve(kBufferBytes);
    }
    buffer.insert(buffer.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
    if (buffer.size() < kWindowBytes) {
        return taken;
    }
    LOCARA_TRY(const std::size_t used, consume(buffer, open, scratch, sink));
    if (used >= before) {
        buffer.clear();
        return used - before;
    }
    buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(used));
    return taken;
}

Chunker::Chunker() : state_(std::make_unique<State>()) {}

Chunker::Chunker(Chunker&&) noexcept = default;
Chunker& Chunker::operator=(Chunker&&) noexcept = default;
Chunker::~Chunker() = default;

Status Chunker::update(ByteView block, const Sink& sink) {
    State& state = *state_;
    while (!block.empty()) {
        std::size_t settled = 0;
        if (state.buffer.empty() && block.size() >= kWindowBytes) {
            LOCARA_TRY(settled, consume(block, state.open, state.scratch, sink));
            const ByteView rest = block.subspan(settled);
            state.buffer.assign(rest.begin(), rest.end());
            return {};
        }
        LOCARA_TRY(settled, state.fill(block, sink));
        block = block.subspan(settled);
    }
    return {};
}

Status Chunker::finish(const Sink& sink) {
    State& state = *state_;
    LOCARA_TRY(const std::size_t used, consume(state.buffer, state.open, state.scratch, sink));
    const ByteView rest = ByteView(state.buffer).subspan(used);
    if (rest.empty()) {
        return {};
    }
    const Chunk last{state.open.offset, static_cast<std::uint32_t>(rest.size()), chunk_hash(rest)};
    return sink(last, rest);
}

std::vector<Chunk> chunk_bytes(ByteView bytes) {
    std::vector<Chunk> chunks;
    const auto keep = [&](const Chunk& chunk, ByteView) -> Status {
        chunks.push_back(chunk);
        return {};
    };
    Open open;
    Scratch scratch;
    const std::size_t used = consume(bytes, open, scratch, keep).value();
    if (const ByteView rest = bytes.subspan(used); !rest.empty()) {
        chunks.push_back({used, static_cast<std::uint32_t>(rest.size()), chunk_hash(rest)});
    }
    return chunks;
}

} // namespace locara::xet
