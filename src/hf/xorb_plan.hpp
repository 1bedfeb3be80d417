// Which chunks of an upload are where: known to the server, or in which new xorb. Private to the
// module.
//
// Files are walked in order. A chunk that is known becomes part of a term; one that is not goes
// into the xorb that is being filled. The same files and the same known chunks always give the same
// xorbs, so an upload that is started again makes what an earlier try may have sent.
//
// Threads: one.
#pragma once

#include <locara/xet/hash.hpp>
#include <locara/xet/merkle.hpp>
#include <locara/xet/shard.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

namespace locara::hf {

/// Most keys of dedup answers that are kept: each costs a hash for every chunk that follows.
inline constexpr std::size_t kMaxDedupKeys = 64;

class XorbPlan {
  public:
    /// A chunk of a file of the upload.
    struct Source {
        std::uint32_t file = 0;  ///< Number of the file, as added.
        std::uint32_t chunk = 0; ///< Number of the chunk in it.
    };

    /// A xorb to be made.
    struct NewXorb {
        xet::XorbHash hash;
        std::vector<Source> sources;        ///< Where its chunks come from.
        std::vector<xet::ChunkInfo> chunks; ///< The same, hashed.
        std::vector<bool> first_of_file;
        std::uint64_t raw_bytes = 0;
    };

    /// Asks the server about a chunk that it may be asked about. Nothing: not known.
    using Ask = std::function<Result<std::optional<xet::Shard>>(const xet::ChunkHash&)>;

    /// No new xorb gets more than `xorb_bytes` raw bytes.
    explicit XorbPlan(std::uint64_t xorb_bytes) : xorb_bytes_(xorb_bytes) {}

    /// The server has this chunk there.
    void add_known(const xet::ChunkHash& hash, const xet::XorbHash& xorb, std::uint32_t index);

    /// The server has these: an answer of its, with chunk hashes plain or under a key.
    void add_known(const xet::Shard& answer);

    /// Adds the next file. Each chunk that is not known and may be asked about is asked about with
    /// `ask` (may be null). Errors: those of `ask`.
    Status add_file(std::span<const xet::ChunkInfo> chunks, const Ask& ask);

    /// Ends it: the last xorb is closed. Terms may be asked for afterwards only.
    void finish();

    const std::vector<NewXorb>& new_xorbs() const { return new_; }

    /// A file as a shard registers it: terms with their proofs. `chunks` as they were added.
    xet::FileBlock file_block(std::size_t file, std::span<const xet::ChunkInfo> chunks) const;

    std::uint64_t known_bytes() const { return known_bytes_; }

    std::uint64_t new_bytes() const { return new_bytes_; }

    /// Whether anything was left out because the server said that it has it.
    bool relies_on_server() const { return relies_on_server_; }

  private:
    struct Where {
        std::uint32_t xorb = 0; ///< Number in names_; those of new xorbs come from kNew on.
        std::uint32_t index = 0;
    };

    static constexpr std::uint32_t kNew = 1U << 31U;

    struct Keyed {
        xet::DedupKey key;
        std::unordered_map<xet::ChunkHash, Where> chunks;
    };

    std::optional<Where> find(const xet::ChunkHash& hash);
    Where add_new(const Source& source, const xet::ChunkInfo& chunk, bool first);
    void close();
    std::uint32_t number_of(const xet::XorbHash& xorb);
    xet::XorbHash name_of(std::uint32_t number) const;

    const std::uint64_t xorb_bytes_;
    std::unordered_map<xet::ChunkHash, Where> known_;
    std::vector<Keyed> keyed_;
    std::vector<xet::XorbHash> names_;
    std::unordered_map<xet::XorbHash, std::uint32_t> numbers_;
    std::set<xet::ChunkHash> asked_;
    std::vector<NewXorb> new_;
    bool open_ = false; ///< The last of new_ takes more.
    std::vector<std::vector<Where>> files_;
    std::uint64_t known_bytes_ = 0;
    std::uint64_t new_bytes_ = 0;
    bool relies_on_server_ = false;
};

/// A new xorb as a shard lists it. `packed_bytes` may be 0 if it was not made now.
xet::XorbBlock make_xorb_block(const XorbPlan::NewXorb& xorb, std::uint32_t packed_bytes);

} // namespace locara::hf
