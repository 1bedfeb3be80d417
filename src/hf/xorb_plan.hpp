// Which chunks of an upload are where: known to the server, or in which new xorb. Private to the
// module.
//
// Files are walked in order. A chunk that is known becomes part of a term; one that is not goes
// into the xorb that is being filled. The same files and the same known chunks always give the same
// xorbs, so an upload that is started again makes what an earlier try may have sent.
//
// Memory: a hundred bytes for each xorb, new or named by the server. What there is to say of each
// chunk lies in temporary files (locara/base/spill.hpp): some 30 bytes for one of a file, besides
// the list, and some 60 for one that the server has, of which there are kMaxKnownChunks at most.
//
// Errors of everything that returns any: NoSpace, Io of these files, and those that are named.
//
// Threads: one; any number once it is finished.
#pragma once

#include "chunk_slots.hpp"

#include <locara/base/spill.hpp>
#include <locara/xet/chunker.hpp>
#include <locara/xet/hash.hpp>
#include <locara/xet/merkle.hpp>
#include <locara/xet/shard.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
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
        std::uint32_t chunk = 0; ///< Number of the chunk in the list.
    };

    /// A xorb to be made.
    struct NewXorb {
        xet::XorbHash hash;
        std::uint64_t first = 0; ///< Of its chunks, among those of all new xorbs: see source().
        std::uint32_t count = 0;
        std::uint64_t raw_bytes = 0;
    };

    /// Asks the server about a chunk that it may be asked about. Nothing: not known.
    using Ask = std::function<Result<std::optional<xet::Shard>>(const xet::ChunkHash&)>;

    /// For files whose chunks are in `chunks`, one file after another; it must outlive the plan. No
    /// new xorb gets more than `xorb_bytes` raw bytes. Temporary files lie in `scratch`.
    XorbPlan(const Spill<xet::Chunk>& chunks,
             std::uint64_t xorb_bytes,
             std::filesystem::path scratch = scratch_folder())
        : chunks_(chunks), xorb_bytes_(xorb_bytes), scratch_(std::move(scratch)) {}

    /// The server has this chunk there.
    Status add_known(const xet::ChunkHash& hash, const xet::XorbHash& xorb, std::uint32_t index);

    /// The server has these: an answer of its, with chunk hashes plain or under a key.
    Status add_known(const xet::Shard& answer);

    /// Adds the next file: that many chunks, after those of the files before. Each that is not
    /// known and may be asked about is asked about with `ask` (may be null). Errors: those of
    /// `ask`; TooLarge past 2^31 chunks in all.
    Status add_file(std::uint64_t chunks, const Ask& ask);

    /// Ends it: the last xorb is closed. Terms may be asked for afterwards only.
    void finish();

    const std::vector<NewXorb>& new_xorbs() const { return new_; }

    /// A chunk of a new xorb. REQUIRES: `number` < xorb.count.
    Result<Source> source(const NewXorb& xorb, std::uint32_t number) const {
        return sources_.get(xorb.first + number);
    }

    Result<xet::Chunk> chunk(const Source& source) const { return chunks_.get(source.chunk); }

    /// A file as a shard registers it: terms with their proofs. Its hashes are the caller's to say.
    Result<xet::FileBlock> file_block(std::size_t file) const;

    /// A new xorb as a shard lists it. `packed_bytes` may be 0 if it was not made now.
    Result<xet::XorbBlock> xorb_block(const NewXorb& xorb, std::uint32_t packed_bytes) const;

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

    /// Chunks [first, end) of the list.
    struct File {
        std::uint64_t first = 0;
        std::uint64_t end = 0;
    };

    /// Chunks by their hash, as the server names them.
    class Known {
      public:
        explicit Known(const std::filesystem::path& scratch) : list_(scratch), slots_(scratch) {}

        Result<std::optional<Where>> find(const xet::ChunkHash& hash) const;
        Status add(const xet::ChunkHash& hash, const Where& where); ///< The first of a hash counts.

        std::uint64_t size() const { return list_.size(); }

      private:
        struct Entry {
            xet::ChunkHash hash;
            Where where;
        };

        Result<std::optional<std::uint32_t>> number_of(const xet::ChunkHash& hash) const;

        Spill<Entry> list_;
        ChunkSlots slots_;
    };

    struct Keyed {
        xet::DedupKey key;
        Known chunks;
    };

    bool has_room() const;
    Result<std::optional<Where>> find(const xet::ChunkHash& hash) const;
    Result<Where> add_new(const Source& source, const xet::Chunk& chunk);
    void close();
    std::uint32_t number_of(const xet::XorbHash& xorb);
    xet::XorbHash name_of(std::uint32_t number) const;

    const Spill<xet::Chunk>& chunks_;
    const std::uint64_t xorb_bytes_;
    const std::filesystem::path scratch_;
    Known known_ = Known(scratch_);
    std::vector<Keyed> keyed_;
    std::vector<xet::XorbHash> names_;
    std::unordered_map<xet::XorbHash, std::uint32_t> numbers_;
    std::set<xet::ChunkHash> asked_;
    std::vector<NewXorb> new_;
    Spill<Source> sources_ = Spill<Source>(scratch_); ///< The chunks of all of new_, in order.
    std::vector<xet::ChunkInfo> open_; ///< The chunks of the last of new_, while it takes more.
    std::vector<File> files_;
    Spill<Where> places_ = Spill<Where>(scratch_); ///< Of the chunks of all files, in order.
    ChunkSlots new_chunks_ = ChunkSlots(scratch_); ///< Numbers of those that are in new_.
    std::uint64_t known_bytes_ = 0;
    std::uint64_t new_bytes_ = 0;
    bool relies_on_server_ = false;
};

} // namespace locara::hf
