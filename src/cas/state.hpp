// What the parts of a Cas share, and the reading of its objects.
#pragma once

#include "cache.hpp"
#include "keys.hpp"
#include "lookup.hpp"

#include <locara/cas/cas.hpp>
#include <locara/xet/shard.hpp>
#include <locara/xet/xorb.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <utility>

namespace locara::cas {

/// The largest object that is believed to be a xorb.
inline constexpr std::uint64_t kMaxXorbObject = xet::kMaxUploadBytes;
/// What is read of an object at once.
inline constexpr std::size_t kWindowBytes = 1U << 20U;

struct Cas::State {
    State(Backend& backend, CasOptions options);

    Backend& backend;
    const CasOptions options;
    Cache<xet::XorbHash, xet::XorbTable> tables;
    Cache<xet::FileHash, xet::FileBlock> files;
    Lookup lookup;
    std::mutex refresh_mutex;           ///< Guards refreshed; held while the lookup is filled.
    std::optional<TimePoint> refreshed; ///< When the backend was last asked for new xorbs.

    /// The table of a stored xorb, from its footer. NotFound; Corrupt.
    Result<std::shared_ptr<const xet::XorbTable>> table(const xet::XorbHash& xorb);

    /// A stored file. NotFound; Corrupt. The empty file is known without an object.
    Result<std::shared_ptr<const xet::FileBlock>> file(const xet::FileHash& hash);

    /// The SHA-256 that was once computed from the bytes, if it was.
    Result<std::optional<Sha256>> verified_sha256(const xet::FileHash& file);
    Status remember_sha256(const xet::FileHash& file, const Sha256& digest);

    /// Reads the bytes that the block's terms name.
    Result<Sha256> compute_sha256(std::shared_ptr<const xet::FileBlock> block);

    /// Answers whether the object was here, and keeps it from gc for the grace time.
    Result<bool> touch_if_there(const Key& key);

    /// Cas::touch.
    Status touch_file(const xet::FileHash& hash);

    /// Stores a file whose block was verified and whose xorbs were touched: its dedup entries, then
    /// the file itself. Returns the bytes of the file's object if it was new. One that is here
    /// already is touched and stays, unless a xorb of its own is gone.
    Result<std::optional<std::uint64_t>> store_file(const xet::FileBlock& block);

    /// The object of a file.
    static Result<Bytes> render_file(const xet::FileBlock& block);

    /// The inverse of render_file. Corrupt unless it is the one file of that name.
    static Result<xet::FileBlock> parse_file(const xet::FileHash& hash, ByteView bytes);

    /// Lets the lookup know all xorbs of the backend, at most once a minute.
    Status refresh_lookup();
};

/// Reads bytes [begin, end) of the file that a block describes.
struct FileReader::State {
    State(Cas::State& cas_in,
          std::shared_ptr<const xet::FileBlock> block_in,
          xet::ByteRange range,
          RawChunks raw_in)
        : cas(cas_in), block(std::move(block_in)), begin(range.begin), end(range.end),
          size(range.size()), raw(raw_in) {}

    Cas::State& cas;
    std::shared_ptr<const xet::FileBlock> block; ///< Shared with the cache of the Cas.
    std::uint64_t begin;                         ///< Of what is left to hand out.
    const std::uint64_t end;
    const std::uint64_t size;
    const RawChunks raw;

    std::size_t term = 0;                        ///< The current one.
    std::uint64_t term_begin = 0;                ///< In the file.
    std::shared_ptr<const xet::XorbTable> table; ///< Of the current term; null: not yet. Shared
                                                 ///< with the cache of the Cas.
    std::shared_ptr<const Fd> object; ///< Of the current term, if it is open. Shared with pieces.
    std::uint32_t chunk = 0;          ///< Next of the term, counted in the xorb.

    Bytes window;           ///< Records that have been read.
    ByteView unread;        ///< Of the window.
    std::uint32_t last = 0; ///< The window ends before this chunk.
    Bytes unpacked;
    xet::Decompressor decompressor;

    Result<Piece> next();
    Status open_term();
    Result<std::optional<Piece>> next_named(std::uint64_t chunk_begin);
    Status fill_window(std::uint64_t chunk_begin);
};

/// Calls `take` for every object below the prefix.
Status each_object(const Backend& backend,
                   std::string_view prefix,
                   const std::function<Status(const ObjectInfo&)>& take);

/// The distinct xorbs of a file.
std::set<xet::XorbHash> xorbs_in(const xet::FileBlock& block);

/// The first chunk of a file; nothing for the empty one.
struct FirstChunk {
    xet::XorbHash xorb;
    std::uint32_t index = 0;
};

std::optional<FirstChunk> first_chunk_of(const xet::FileBlock& block);

} // namespace locara::cas
