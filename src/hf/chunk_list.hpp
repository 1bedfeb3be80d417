// All chunks of one file, in order, proven against its Xet file hash. Private to the module.
//
// Made from the file's own shard: with it every chunk can be verified as it lands, and found on
// this machine by its hash. The list lies in a temporary file (locara/base/spill.hpp), so memory
// does not grow with it; what returns a Result may fail with NoSpace (create, indexed) or Io.
//
// Threads: read-only once made.
#pragma once

#include <locara/base/spill.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/store/chunk_index.hpp>
#include <locara/store/spans.hpp>
#include <locara/xet/hash.hpp>
#include <locara/xet/merkle.hpp>
#include <locara/xet/shard.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace locara::hf {

class ChunkList {
  public:
    struct Chunk {
        xet::ChunkHash hash;
        std::uint64_t offset = 0; ///< In the file.
        std::uint32_t size = 0;
        std::uint32_t xorb = 0;  ///< Number in xorbs(). A hint, unlike what stands above.
        std::uint32_t index = 0; ///< Which chunk of that xorb. A hint.
    };

    /// The shortest chunk that is cut anywhere but at an end. By the protocol it has 8 KiB; a
    /// chunker that was published once cuts a little earlier (src/xet/test/data/README.md).
    static constexpr std::uint64_t kShortestCut = 8128;

    /// Most chunks of a file of `size` bytes in so many terms: each term may end in a chunk of any
    /// size, where something was cut off or put in. So memory is bounded by a size that the caller
    /// knows, not by what a server says.
    static std::uint64_t most_chunks(std::uint64_t size, std::size_t terms);

    /// Takes the file's block and the xorb blocks that it names, and proves hashes and sizes of the
    /// chunks: they give `file`. Corrupt when the shard has no such file, lacks a xorb, hides its
    /// chunk hashes under a key, has a term past its xorb, more than most_chunks, gives another
    /// hash or size. The list lies in `scratch`.
    static Result<ChunkList> create(const xet::StoredShard& shard,
                                    const xet::FileHash& file,
                                    std::uint64_t size,
                                    const std::filesystem::path& scratch);

    const Spill<Chunk>& chunks() const { return chunks_; }

    const std::vector<xet::XorbHash>& xorbs() const { return xorbs_; }

    /// The number of the chunk that begins at this byte; nothing if none does.
    Result<std::optional<std::uint64_t>> find(std::uint64_t offset) const;

    /// The chunks that lie in this run of the file as a whole.
    Result<SpillReader<Chunk>> inside(const store::Span& run) const;

    /// As the store keeps it.
    Result<store::IndexedFile> indexed(const crypto::Sha256Digest& sha256,
                                       const xet::FileHash& file) const;

  private:
    explicit ChunkList(const std::filesystem::path& scratch) : chunks_(scratch) {}

    /// The number of the first chunk that begins at this byte or later.
    Result<std::uint64_t> first_from(std::uint64_t offset) const;

    std::vector<xet::XorbHash> xorbs_;
    Spill<Chunk> chunks_;
};

} // namespace locara::hf
