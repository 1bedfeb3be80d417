#include "gear.hpp"

#include <locara/xet/chunker.hpp>

#include <algorithm>

namespace locara::xet {

namespace {

constexpr std::size_t kReadBytes = 1U << 20U;

} // namespace

struct Chunker::State {
    Bytes buffer; ///< The bytes of the chunk that has not ended yet.
    std::uint64_t offset = 0;
    std::uint64_t gear = 0;

    Status emit(const Sink& sink) {
        const Chunk chunk{offset, static_cast<std::uint32_t>(buffer.size()), chunk_hash(buffer)};
        LOCARA_CHECK(sink(chunk, buffer));
        offset += buffer.size();
        buffer.clear();
        gear = 0;
        return {};
    }
};

Chunker::Chunker() : state_(std::make_unique<State>()) {}

Chunker::Chunker(Chunker&&) noexcept = default;
Chunker& Chunker::operator=(Chunker&&) noexcept = default;
Chunker::~Chunker() = default;

Status Chunker::update(ByteView block, const Sink& sink) {
    for (const std::byte byte : block) {
        state_->buffer.push_back(byte);
        state_->gear = 2 * state_->gear + kGearTable[std::to_integer<std::size_t>(byte)];
        const std::size_t size = state_->buffer.size();
        if ((size >= kMinChunkBytes && state_->gear < kGearLimit) || size == kMaxChunkBytes) {
            LOCARA_CHECK(state_->emit(sink));
        }
    }
    return {};
}

Status Chunker::finish(const Sink& sink) {
    return state_->buffer.empty() ? Status() : state_->emit(sink);
}

std::vector<Chunk> chunk_bytes(ByteView bytes) {
    std::vector<Chunk> chunks;
    const auto keep = [&](const Chunk& chunk, ByteView) -> Status {
        chunks.push_back(chunk);
        return {};
    };
    Chunker chunker;
    chunker.update(bytes, keep).value();
    chunker.finish(keep).value();
    return chunks;
}

Result<FileIndex> index_file(const Fd& fd, const IndexOptions& options) {
    FileIndex index;
    LOCARA_TRY(index.size, regular_file_size(fd, "the file"));
    std::optional<crypto::Sha256> sha256;
    if (options.sha256 == WithSha256::Yes) {
        sha256.emplace();
    }
    const auto keep = [&](const Chunk& chunk, ByteView) -> Status {
        index.chunks.push_back(chunk);
        return {};
    };
    Chunker chunker;
    Bytes block(std::min<std::uint64_t>(index.size, kReadBytes));
    for (std::uint64_t offset = 0; offset < index.size; offset += block.size()) {
        if (options.stop.stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped while chunking");
        }
        block.resize(std::min<std::uint64_t>(block.size(), index.size - offset));
        LOCARA_CHECK(read_exactly_at(fd, offset, block));
        LOCARA_CHECK(chunker.update(block, keep));
        if (sha256) {
            sha256->update(block);
        }
        if (options.progress) {
            options.progress(block.size());
        }
    }
    LOCARA_CHECK(chunker.finish(keep));
    std::vector<ChunkInfo> infos;
    infos.reserve(index.chunks.size());
    for (const Chunk& chunk : index.chunks) {
        infos.push_back(chunk.info());
    }
    index.hash = file_hash(infos);
    if (sha256) {
        index.sha256 = sha256->finish();
    }
    return index;
}

} // namespace locara::xet
