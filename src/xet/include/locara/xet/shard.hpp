// Shards: which xorbs hold which chunks, and which chunks make which files.
//
// Follows the Xet protocol specification v1.1, "Shard"; docs/formats/shard.md. Two uses: a client
// uploads one to register files (file blocks with proofs, xorb blocks), and a server answers a
// dedup query with one (xorb blocks only, chunk hashes under a key, a footer).
//
// A parsed shard is well-formed, nothing more: whether its files are what it says is the question
// of verify_file and verify_xorb_block.
//
// Threads: plain values and functions.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/result.hpp>
#include <locara/base/spill.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/xet/hash.hpp>
#include <locara/xet/merkle.hpp>
#include <locara/xet/xorb.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace locara::xet {

/// The largest shard that is read or written; every count inside is bounded by it, since each
/// thing counted takes a record of 48 bytes.
inline constexpr std::size_t kMaxShardBytes = 64U << 20U;

/// A run of chunks of one xorb, as a part of a file.
struct FileTerm {
    XorbHash xorb;
    ChunkRange chunks;
    std::uint32_t raw_bytes = 0; ///< Of these chunks, unpacked.

    bool operator==(const FileTerm&) const = default;
};

/// A file as the terms that make it, in order.
struct FileBlock {
    FileHash hash;
    std::vector<FileTerm> terms;
    std::vector<RangeHash> verification;        ///< One a term, or none at all.
    std::optional<crypto::Sha256Digest> sha256; ///< In its usual byte order.

    /// Sum of the terms.
    std::uint64_t size() const;

    bool operator==(const FileBlock&) const = default;
};

/// Whether a client offers a chunk for global dedup.
enum class Offer : std::uint8_t { No, Yes };

struct ShardChunk {
    ChunkHash hash; ///< Under the shard's key, if it has one (see ShardFooter::key).
    std::uint32_t raw_begin = 0;
    std::uint32_t raw_bytes = 0;
    Offer offer = Offer::No;

    bool operator==(const ShardChunk&) const = default;
};

struct XorbBlock {
    XorbHash hash;
    std::uint32_t raw_bytes = 0;
    std::uint32_t packed_bytes = 0; ///< As uploaded. Some clients say 0.
    std::vector<ShardChunk> chunks;

    bool operator==(const XorbBlock&) const = default;
};

/// What a footer says beyond offsets. Times are seconds since 1970.
struct ShardFooter {
    DedupKey key; ///< Zero: chunk hashes are plain.
    std::uint64_t created = 0;
    std::uint64_t key_expiry = 0; ///< Clients drop the answer afterwards.

    bool operator==(const ShardFooter&) const = default;
};

struct Shard {
    std::vector<FileBlock> files;
    std::vector<XorbBlock> xorbs;
    std::optional<ShardFooter> footer;

    bool operator==(const Shard&) const = default;
};

/// Reads a shard by its bookends; offsets of a footer are held against them where they are not
/// zero, lookup tables only against the bounds (some clients write a footer whose lookup offsets
/// are zero). Unknown flags and reserved bytes are ignored.
/// TooLarge: more than kMaxShardBytes. Unsupported: another version of header or footer. Corrupt:
/// everything else that is not a shard, such as a wrong tag, a footer size that is neither 0 nor
/// 200, a count that leaves the file, a term without chunks or past 8192, a xorb whose chunks do
/// not lie end to end or are more than 8192, bytes that belong to nothing.
Result<Shard> parse_shard(ByteView bytes);

/// A shard that is read piece by piece from where it was spilled: for the shard of one file, which
/// grows with it. Memory: 56 bytes for each file and xorb.
class StoredShard {
  public:
    struct File {
        FileHash hash;
        std::uint32_t terms = 0;
        std::uint64_t size = 0; ///< Sum of the terms.
        std::uint64_t at = 0;   ///< Where its terms lie.
    };

    struct Xorb {
        XorbHash hash;
        std::uint32_t chunks = 0;
        std::uint64_t at = 0; ///< Where they lie.
    };

    /// Checks everything that parse_shard does, with the same answers; else NoSpace, Io.
    static Result<StoredShard> open(SpillBytes bytes);

    const std::vector<File>& files() const { return files_; }

    const std::vector<Xorb>& xorbs() const { return xorbs_; }

    const std::optional<ShardFooter>& footer() const { return footer_; }

    /// REQUIRES: the file is one of files() and has such a term.
    Result<FileTerm> term(const File& file, std::uint32_t number) const;

    /// REQUIRES: the xorb is one of xorbs() and has such chunks.
    Result<std::vector<ShardChunk>> chunks(const Xorb& xorb, ChunkRange range) const;

  private:
    StoredShard() = default;

    SpillBytes bytes_;
    std::vector<File> files_;
    std::vector<Xorb> xorbs_;
    std::optional<ShardFooter> footer_;
};

/// Whether lookup tables are written (a footer then names them). No client of today reads them from
/// a server; the Rust client writes them into its own cache.
enum class Lookups { Without, With };

/// The inverse of parse_shard. With a footer as `shard.footer` says; without one the header says 0,
/// as uploads of the Rust client do. InvalidArgument when the shard breaks a rule that parse_shard
/// asks for, lookups are asked for without a footer, or some file has neither as many proofs as
/// terms nor none; TooLarge past kMaxShardBytes.
Result<Bytes> render_shard(const Shard& shard, Lookups lookups = Lookups::Without);

/// The answer to a dedup query: the xorb blocks with every chunk hash under the key (plain for the
/// zero key), no files, and a footer with that key. Render it with lookups or without.
Shard make_dedup_answer(std::vector<XorbBlock> xorbs, const ShardFooter& footer);

/// A xorb's block from its table; chunks that may be asked for globally (is_dedup_eligible, and
/// those whose index is in `first_of_file`) are marked as offered.
XorbBlock make_xorb_block(const XorbHash& hash,
                          const XorbTable& table,
                          std::span<const std::uint32_t> first_of_file = {});

// --- Verification -------------------------------------------------------------------------------

/// Finds the table of a xorb, null if there is none. The table must stay where it is until the next
/// call.
using FindTable = std::function<const XorbTable*(const XorbHash&)>;

enum class Proofs {
    Optional, ///< Range hashes are checked where they are.
    Required, ///< A file without them is refused: who uploads must show that he has the chunks.
};

/// Checks a file block against the tables of its xorbs: each term lies in its xorb and has its raw
/// size, each proof is the range hash of its chunks, and the file hash is that of all chunks. The
/// SHA-256 cannot be checked without the bytes. NotFound: a xorb without a table (named in the
/// message). Corrupt: anything else. Memory: that of the largest term, not of the file.
Status verify_file(const FileBlock& file, const FindTable& find, Proofs proofs = Proofs::Optional);

/// Checks a xorb block against the xorb's table: same chunks, same sizes. Corrupt if not.
Status verify_xorb_block(const XorbBlock& block, const XorbTable& table);

} // namespace locara::xet
