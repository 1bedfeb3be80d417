// The chunk index of a stored file: which chunks it is made of, found by chunk hash or by place in
// a xorb. And the finder over the indexes of a whole store.
//
// Follows docs/formats/chunk-index.md. An index is a hint that may be wrong: whoever reads a chunk
// by it hashes the bytes again (Store::read_chunk and Part::copy_chunks do).
//
// Threads: everything here is read-only once made and may be used from any number of threads.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/result.hpp>
#include <locara/base/spill.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/xet/hash.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace locara::store {

/// The largest chunk of the Xet protocol.
inline constexpr std::uint32_t kMaxIndexedChunkBytes = 128U << 10U;

/// A file as a list of chunks, which lies in a temporary file if it is long: what an index is made
/// from.
struct IndexedFile {
    explicit IndexedFile(std::filesystem::path scratch = scratch_folder())
        : chunks(std::move(scratch)) {}

    /// "In no xorb that we know of."
    static constexpr std::uint32_t kNoXorb = 0xffffffff;

    struct Chunk {
        xet::ChunkHash hash;
        std::uint32_t size = 0;       ///< Raw bytes, 1 to kMaxIndexedChunkBytes.
        std::uint32_t xorb = kNoXorb; ///< Number in `xorbs`.
        std::uint32_t index = 0;      ///< Which chunk of that xorb; 0 if there is none.
    };

    crypto::Sha256Digest sha256;
    xet::FileHash hash;
    std::vector<xet::XorbHash> xorbs; ///< In any order; each once.
    Spill<Chunk> chunks;              ///< In the order of the file.
    std::uint64_t size = 0;           ///< Sum of the chunks.

    /// The next one. Errors: NoSpace, Io.
    Status add(const Chunk& chunk) {
        size += chunk.size;
        return chunks.add(chunk);
    }
};

/// An open index. Copies share the mapping.
class ChunkIndex {
  public:
    struct Chunk {
        xet::ChunkHash hash;
        std::uint64_t offset = 0; ///< In the file.
        std::uint32_t size = 0;
    };

    /// Takes the bytes of an index, in order, in pieces that are valid during the call only.
    using Sink = std::function<Status(ByteView)>;

    /// Gives the bytes of an index to `sink`, whose errors end it. What it needs of the disk
    /// lies where the list is. InvalidArgument when the list contradicts itself: a chunk size out
    /// of range, sizes that have another sum than it says, a xorb number past the table or a xorb
    /// twice, a file hash that is not the root over the chunks. NoSpace, Io. Memory: that of the
    /// xorbs, and some MiB.
    static Status render(const IndexedFile& file, const Sink& sink);

    /// Maps an index file. NotFound; Corrupt when it is not an index of `sha256` (the checks on
    /// opening that the format names). Removes nothing.
    static Result<ChunkIndex> open(const std::filesystem::path& path,
                                   const crypto::Sha256Digest& sha256);

    /// The same over bytes in memory, which are copied.
    static Result<ChunkIndex> parse(ByteView bytes, const crypto::Sha256Digest& sha256);

    const crypto::Sha256Digest& sha256() const;
    const xet::FileHash& file_hash() const;
    std::uint64_t file_size() const;
    std::uint32_t chunk_count() const;

    /// A chunk by number. Corrupt if what stands there breaks the format. REQUIRES: `number` <
    /// chunk_count().
    Result<Chunk> chunk(std::uint32_t number) const;

    /// The number of the first chunk that has this hash, or this place in a xorb.
    std::optional<std::uint32_t> find(const xet::ChunkHash& hash) const;
    std::optional<std::uint32_t> find(const xet::XorbHash& xorb, std::uint32_t index) const;

    /// Whether chunk `number` has this hash, or this place. False past the end.
    bool is_at(std::uint32_t number, const xet::ChunkHash& hash) const;
    bool is_at(std::uint32_t number, const xet::XorbHash& xorb, std::uint32_t index) const;

    /// See ChunkFinder::drop_pages.
    void drop_pages() const;

    /// The whole check of the format, in little more time than the chunks take to be read. Corrupt;
    /// NoSpace and Io as load.
    Status verify(const std::filesystem::path& scratch = scratch_folder()) const;

    /// Everything, as it was given to render (xorbs in the order of the table), with its list in
    /// `scratch`. Corrupt as verify.
    Result<IndexedFile> load(const std::filesystem::path& scratch = scratch_folder()) const;

  private:
    struct State;

    explicit ChunkIndex(std::shared_ptr<const State> state) : state_(std::move(state)) {}

    static Result<ChunkIndex> check(std::shared_ptr<State> state,
                                    const crypto::Sha256Digest& sha256);

    std::shared_ptr<const State> state_; ///< Shared by copies: the mapping is read-only.
};

/// A chunk in a file of the store, as an index has it: not proven yet.
struct FoundChunk {
    crypto::Sha256Digest file;
    std::uint64_t offset = 0; ///< In that file.
    std::uint32_t size = 0;
    xet::ChunkHash hash;

    // Where the finder got it; for `after` below.
    std::uint32_t index_number = 0;
    std::uint32_t chunk_number = 0;

    /// Whether `next` begins where this ends, in the same file.
    bool is_before(const FoundChunk& next) const {
        return file == next.file && offset + size == next.offset;
    }
};

/// Looks chunks up in all files of a store that have an index. Made by Store::open_finder, which
/// sees the files of that moment; those that come later are not found, those that go are noticed
/// when they are read.
///
/// Memory: one mapping an index, nothing per chunk but the pages that were looked at.
class ChunkFinder {
  public:
    /// Nothing to look in.
    ChunkFinder() = default;

    explicit ChunkFinder(std::vector<ChunkIndex> indexes) : indexes_(std::move(indexes)) {}

    /// Some place that has the chunk. Give the chunk found before as `after`: the one that follows
    /// it is then preferred (and found at once), so that runs of adjacent chunks come out.
    std::optional<FoundChunk> find(const xet::ChunkHash& hash,
                                   const FoundChunk* after = nullptr) const;

    /// The same by place. What hash the chunk has is the index's word: only the file hash and the
    /// SHA-256 of the finished file prove that it was the wanted one.
    std::optional<FoundChunk>
    find(const xet::XorbHash& xorb, std::uint32_t index, const FoundChunk* after = nullptr) const;

    /// Lets go of the pages of the indexes that were looked at, which else count as memory of this
    /// program. They stay in the page cache. Call it now and then.
    void drop_pages() const;

    /// How many files are looked in.
    std::size_t files() const { return indexes_.size(); }

  private:
    template <class... Name>
    std::optional<FoundChunk> find_by(const FoundChunk* after, const Name&... name) const;

    std::optional<FoundChunk> found_at(std::size_t index_number, std::uint32_t chunk_number) const;

    std::vector<ChunkIndex> indexes_;
};

} // namespace locara::store
