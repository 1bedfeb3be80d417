// The part of Store that deals with chunk indexes.
#include "index.hpp"

#include "folders.hpp"
#include "locate.hpp"

#include <locara/store/store.hpp>
#include <locara/xet/chunker.hpp>
#include <locara/xet/merkle.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace locara::store {

namespace fs = std::filesystem;

Result<IndexedFile> make_indexed(const crypto::Sha256Digest& digest, const xet::FileIndex& found) {
    IndexedFile file(found.chunks.folder());
    file.sha256 = digest;
    file.hash = found.hash;
    SpillReader<xet::Chunk> reader(found.chunks);
    while (true) {
        LOCARA_TRY(const xet::Chunk* const chunk, reader.next());
        if (chunk == nullptr) {
            return file;
        }
        LOCARA_CHECK(file.add({chunk->hash, chunk->length, IndexedFile::kNoXorb, 0}));
    }
}

Status write_index(const Layout& layout, const IndexedFile& file) {
    const fs::path path = layout.index(file.sha256);
    LOCARA_CHECK(create_folders(path.parent_path()));
    constexpr mode_t kReadOnly = 0444;
    const auto write = [&](const Fd& fd) {
        return ChunkIndex::render(file, [&](ByteView piece) { return write_all(fd, piece); });
    };
    return write_file_atomically(path, write, kReadOnly)
        .context("keeping the chunk index of " + file.sha256.render());
}

fs::path Store::scratch() const {
    return Layout{root_}.tmp();
}

Result<ChunkIndex> Store::make_index(const Digest& digest,
                                     unsigned threads,
                                     ProgressSink& progress,
                                     std::stop_token stop) {
    if (auto here = open_index(digest)) {
        return here;
    }
    LOCARA_TRY(const Fd fd, open_file(digest, stop));
    Progress state{"index", digest.render(), 0, 0, 0, "already on disk", 0};
    LOCARA_TRY(state.total_bytes, regular_file_size(fd, digest.render()));
    xet::IndexOptions options;
    options.threads = threads;
    options.sha256 = xet::WithSha256::Yes;
    options.stop = stop;
    options.scratch = scratch();
    options.progress = [&](std::size_t bytes) {
        state.done_bytes += bytes;
        state.received_bytes = state.done_bytes;
        progress.report(state);
    };
    LOCARA_TRY(const auto found,
               xet::index_file(fd, options).context("indexing " + digest.render()));
    if (found.sha256 != digest) {
        return Error(ErrorCode::Corrupt,
                     "the stored file " + digest.render() + " is damaged (SHA-256 is " +
                         found.sha256->render() + "); `locara verify --repair` mends it");
    }
    LOCARA_TRY(const IndexedFile indexed, make_indexed(digest, found));
    LOCARA_CHECK(write_index(Layout{root_}, indexed));
    return open_index(digest);
}

Status Store::put_index(const IndexedFile& file) {
    const auto here = find(file.sha256);
    if (!here) {
        return Error(ErrorCode::NotFound, file.sha256.render() + " is not in the store");
    }
    if (here->size != file.size) {
        return Error(ErrorCode::InvalidArgument,
                     "the chunks of " + file.sha256.render() + " have " +
                         std::to_string(file.size) + " bytes, the file has " +
                         std::to_string(here->size));
    }
    return write_index(Layout{root_}, file);
}

Result<ChunkIndex> Store::open_index(const Digest& digest) const {
    const Layout layout{root_};
    const fs::path path = layout.index(digest);
    auto index = ChunkIndex::open(path, digest);
    if (!index && index.error().code() == ErrorCode::Corrupt) {
        ::unlink(path.c_str()); // it is made anew from the file
        return Error(ErrorCode::NotFound,
                     "the chunk index of " + digest.render() +
                         " was damaged and is removed: " + index.error().describe());
    }
    return index;
}

Result<ChunkFinder> Store::open_finder() const {
    const Layout layout{root_};
    // An index is a mapping, and the kernel counts those (vm.max_map_count is 65530).
    constexpr std::size_t kMaxIndexes = 16384;
    std::vector<ChunkIndex> indexes;
    LOCARA_CHECK(each_stored(layout.chunks(), [&](const Digest& digest, const fs::path&) {
        // An index may outlive its file: when that was damaged, it tells which chunks are good.
        const auto here = locate(layout, digest);
        if (!here || indexes.size() >= kMaxIndexes) {
            return Status{};
        }
        if (auto index = open_index(digest); index && index->file_size() == here->stamp.size) {
            indexes.push_back(std::move(*index));
        }
        return Status{};
    }));
    return ChunkFinder(std::move(indexes));
}

Result<Bytes> Store::read_chunk(const FoundChunk& chunk) const {
    if (chunk.size == 0 || chunk.size > kMaxIndexedChunkBytes) {
        return Error(ErrorCode::InvalidArgument, "no chunk has that many bytes");
    }
    LOCARA_TRY(const Fd fd, open_file(chunk.file));
    Bytes bytes(chunk.size);
    LOCARA_CHECK(read_exactly_at(fd, chunk.offset, bytes));
    if (xet::chunk_hash(bytes) != chunk.hash) {
        return Error(ErrorCode::Corrupt,
                     "the chunk at " + std::to_string(chunk.offset) + " of " + chunk.file.render() +
                         " is not " + chunk.hash.render());
    }
    return bytes;
}

} // namespace locara::store
