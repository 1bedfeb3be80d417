// Which chunks of an upload are where: known to the server, or in which new xorb. Private to the
// module.
//
// Files are walked in order. A chunk that is known becomes part of a term; one that is not goes
// into the xorb that is being filled. The same files and the same known chunks always give the same
// xorbs, so an upload that is started again makes what an earlier try may have sent.
//
// Memory: 8 bytes for each chunk of the files, 8 more and a slot for each new one, and some 50 for
// each that the server has, of which there are kMaxKnownChunks at most. The chunks themselves stay
// with the caller.
//
// Threads: one.
#pragma once

#include "chunk_slots.hpp"

#include <locara/xet/chunker.hpp>
#include <locara/xet/hash.hpp>
#include <locara/xet/merkle.hpp>
#include <locara/xet/shard.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace locara::hf {

/// Most keys of dedup answers that are kept: each costs a hash for every chunk that follows.
inline constexpr std::size_t kMaxDedupKeys = 64;
/// Most chunks that are kept of what the server says it has: it could say so for ever. Each file
/// asks about a thousandth of its chunks, so this is enough for 64 GiB; past it less is saved.
inline constexpr std::size_t kMaxKnownChunks = 1U << 20U;

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
        std::vector<Source> sources; ///< Its chunks, see chunk().
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

    /// Adds the next file; its chunks must stay where they are as long as the plan. Each that is
    /// not known and may be asked about is asked about with `ask` (may be null). Errors: those of
    /// `ask`; TooLarge past 2^31 chunks in all.
    Status add_file(std::span<const xet::Chunk> chunks, const Ask& ask);

    /// Ends it: the last xorb is closed. Terms may be asked for afterwards only.
    void finish();

    const std::vector<NewXorb>& new_xorbs() const { return new_; }

    const xet::Chunk& chunk(const Source& source) const {
        return files_[source.file].chunks[source.chunk];
    }

    /// A file as a shard registers it: terms with their proofs. Its hashes are the caller's to say.
    xet::FileBlock file_block(std::size_t file) const;

    /// A new xorb as a shard lists it. `packed_bytes` may be 0 if it was not made now.
    xet::XorbBlock xorb_block(const NewXorb& xorb, std::uint32_t packed_bytes) const;

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

    struct File {
        std::span<const xet::Chunk> chunks;
        std::uint32_t first = 0; ///< Number of its first chunk among those of all files.
    };

    /// Chunks by their hash, as the server names them.
    class Known {
      public:
        const Where* find(const xet::ChunkHash& hash) const;
        void add(const xet::ChunkHash& hash, const Where& where); ///< The first of a hash counts.

        std::size_t size() const { return list_.size(); }

      private:
        std::deque<std::pair<xet::ChunkHash, Where>> list_; // a vector would be copied to grow
        ChunkSlots slots_;
    };

    struct Keyed {
        xet::DedupKey key;
        Known chunks;
    };

    bool has_room() const;
    /// Of a chunk of any file, by its number among all.
    const xet::ChunkHash& hash_of(std::uint32_t number) const;
    std::optional<Where> find(const xet::ChunkHash& hash);
    Where add_new(const Source& source);
    void close();
    std::uint32_t number_of(const xet::XorbHash& xorb);
    xet::XorbHash name_of(std::uint32_t number) const;

    const std::uint64_t xorb_bytes_;
    Known known_;
    std::vector<Keyed> keyed_;
    std::vector<xet::XorbHash> names_;
    std::unordered_map<xet::XorbHash, std::uint32_t> numbers_;
    std::set<xet::ChunkHash> asked_;
    std::vector<NewXorb> new_;
    bool open_ = false; ///< The last of new_ takes more.
    std::vector<File> files_;
    std::deque<Where> places_; ///< Of the chunks of all files, in order.
    ChunkSlots new_chunks_;    ///< Numbers of those that are in new_.
    std::uint64_t known_bytes_ = 0;
    std::uint64_t new_bytes_ = 0;
    bool relies_on_server_ = false;
};

} // namespace locara::hf
