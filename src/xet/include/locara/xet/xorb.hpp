// Xorbs: up to 8192 packed chunks in one object, named by the hash tree over its chunks.
//
// Follows the Xet protocol specification v1.1, "Xorb"; docs/formats/xorb.md. A xorb is chunk
// records one after another and, optionally, a footer that repeats what the records say. Clients
// of today upload no footer, older ones do, and both are read here.
//
// To make one: XorbBuilder. To check one while it arrives, in constant memory: XorbReader. To read
// chunks at any place: XorbTable says where their records lie, next_record takes them apart.
//
// Threads: a builder, reader or splitter belongs to one thread; the rest are plain values and
// functions.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/result.hpp>
#include <locara/xet/compression.hpp>
#include <locara/xet/hash.hpp>
#include <locara/xet/merkle.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace locara::xet {

/// The size of a xorb, and so the most that a builder writes, footer included.
inline constexpr std::size_t kMaxXorbBytes = 64U << 20U;
inline constexpr std::size_t kMaxXorbChunks = 8192;
inline constexpr std::size_t kChunkHeaderBytes = 8;

/// The most that is read: clients count the 64 MiB in raw bytes, and incompressible chunks grow by
/// their headers; a footer comes on top.
inline constexpr std::size_t kMaxRecordBytes = kMaxXorbBytes + kMaxXorbChunks * kChunkHeaderBytes;

/// Bytes of a footer over n chunks, with its trailing length.
constexpr std::size_t footer_bytes(std::size_t chunks) {
    return 96 + 40 * chunks;
}

/// The largest xorb that is accepted: what a server allows as the body of an upload.
inline constexpr std::size_t kMaxUploadBytes = kMaxRecordBytes + footer_bytes(kMaxXorbChunks);

/// The 8 bytes before a chunk's packed bytes.
struct ChunkHeader {
    Compression scheme = Compression::None;
    std::uint32_t packed = 0; ///< Bytes, without this header.
    std::uint32_t raw = 0;    ///< Bytes.

    bool operator==(const ChunkHeader&) const = default;
};

std::array<std::byte, kChunkHeaderBytes> render(const ChunkHeader& header);

/// The inverse of render. Corrupt: unknown version or scheme, no raw bytes, more than
/// kMaxChunkBytes raw or kMaxPackedBytes packed, or a stored chunk whose two lengths differ.
Result<ChunkHeader> parse_chunk_header(std::span<const std::byte, kChunkHeaderBytes> bytes);

/// Where a chunk ends, counted from the start of the xorb.
struct TableChunk {
    ChunkHash hash;
    std::uint32_t packed_end = 0; ///< End of its record, header included.
    std::uint32_t raw_end = 0;    ///< End of its raw bytes, all chunks unpacked and joined.

    bool operator==(const TableChunk&) const = default;
};

/// The chunks of a xorb: hashes and offsets. What a server keeps of each xorb.
class XorbTable {
  public:
    /// Corrupt unless every record has room for its header and a byte, every chunk 1 to
    /// kMaxChunkBytes raw bytes, and all is inside the limits of a xorb.
    static Result<XorbTable> create(std::vector<TableChunk> chunks);

    /// Adds a chunk at the end. TooLarge when the xorb would pass a limit, Corrupt for lengths that
    /// no chunk has; nothing is added then.
    Status append(const ChunkHash& hash, const ChunkHeader& header);

    std::span<const TableChunk> chunks() const { return chunks_; }

    std::uint32_t size() const { return static_cast<std::uint32_t>(chunks_.size()); }

    std::uint32_t packed_bytes() const { return chunks_.empty() ? 0 : chunks_.back().packed_end; }

    std::uint32_t raw_bytes() const { return chunks_.empty() ? 0 : chunks_.back().raw_end; }

    /// Hash and raw size of chunk i. REQUIRES: i < size().
    ChunkInfo info(std::uint32_t i) const;

    /// The same for a run of chunks. InvalidArgument if the range is backwards or leaves the xorb.
    Result<std::vector<ChunkInfo>> infos(ChunkRange range) const;

    /// The bytes of the records of a run of chunks, and its raw bytes. Errors: as infos.
    Result<ByteRange> packed_range(ChunkRange range) const;
    Result<ByteRange> raw_range(ChunkRange range) const;

    /// The xorb's name, computed from the hashes. Zero for no chunks.
    XorbHash hash() const;

    bool operator==(const XorbTable&) const = default;

  private:
    std::vector<TableChunk> chunks_;
};

// --- Making one ---------------------------------------------------------------------------------

enum class Footer { Without, With };

struct Xorb {
    XorbHash hash;
    Bytes bytes;
    XorbTable table;
};

/// Gathers chunks into a xorb. Holds its packed bytes in memory.
class XorbBuilder {
  public:
    /// Whether one more chunk of this many raw bytes fits for sure, footer included.
    bool fits(std::size_t raw_bytes) const;

    /// Takes memory for chunks of this many raw bytes at once; without it, it grows by doubling.
    void reserve(std::size_t chunks, std::uint64_t raw_bytes);

    /// Packs the chunk and adds it. The caller has hashed it (chunk_hash); it is not hashed again.
    /// InvalidArgument for an empty or too large chunk; TooLarge when it does not fit.
    Status add(const ChunkHash& hash, ByteView raw);

    const XorbTable& table() const { return table_; }

    bool empty() const { return table_.size() == 0; }

    /// The xorb; the builder is empty afterwards and can be used again. Without any chunk the
    /// answer has no bytes (or an empty footer) and the zero hash.
    Xorb finish(Footer footer = Footer::Without);

  private:
    Compressor compressor_;
    Bytes bytes_;
    XorbTable table_;
};

// --- Footer -------------------------------------------------------------------------------------

/// What a footer claims. Nobody may believe it who has not seen the chunks or verified them before.
struct XorbFooter {
    XorbHash hash;
    XorbTable table;

    bool operator==(const XorbFooter&) const = default;
};

/// From "XETBLOB" to the trailing length.
Bytes render_footer(const XorbFooter& footer);

/// The inverse of render_footer, over exactly the bytes of the footer. Corrupt when it contradicts
/// itself (idents, counts, section offsets, lengths, limits, or a hash that is not that of its
/// chunks); Unsupported for other versions. The 16 bytes of free space are ignored.
Result<XorbFooter> parse_footer(ByteView bytes);

/// The footer at the end of a whole xorb; nothing if its records run to the end. Reads only chunk
/// headers and the footer: the claim is compared with the record lengths, not with their content.
Result<std::optional<XorbFooter>> find_footer(ByteView xorb);

// --- Reading ------------------------------------------------------------------------------------

/// One chunk as it lies in a xorb. `packed` is a view of the caller's bytes.
struct ChunkRecord {
    ChunkHeader header;
    ByteView packed;
};

/// Takes the record at the front of `bytes` off. Nothing at the end of the bytes or where a footer
/// begins (the footer's bytes are then left in `bytes`). Corrupt if a header is malformed or a
/// record is cut short.
Result<std::optional<ChunkRecord>> next_record(ByteView& bytes);

/// Cuts a stream of bytes into records, wherever its pieces end. Holds at most one record.
class RecordSplitter {
  public:
    /// The views inside are valid during the call only. An error ends the stream with it.
    using Sink = std::function<Status(const ChunkRecord&)>;

    /// Takes the next piece and hands on each record that is whole. Corrupt for a malformed header,
    /// bytes after a footer's end or a footer that is too long; TooLarge past the limits of a xorb;
    /// else what the sink said. After an error only more errors come.
    Status update(ByteView piece, const Sink& sink);

    /// Ends the stream: the footer's bytes, empty if there was none. Corrupt when the stream ended
    /// inside a record. (A footer that is cut short is found by parse_footer.)
    Result<Bytes> finish();

  private:
    Status hand_on(const ChunkRecord& record, const Sink& sink);

    Bytes buffer_; ///< The start of a record, or all of the footer so far.
    std::uint64_t records_ = 0;
    std::uint64_t bytes_ = 0; ///< Of whole records.
    bool in_footer_ = false;
    bool failed_ = false;
};

/// Reads a xorb, or any run of its records, piece by piece: unpacks each chunk, hashes it and hands
/// it on. Memory: one packed and one raw chunk, and 40 bytes a chunk for the table.
class XorbReader {
  public:
    struct Chunk {
        std::uint32_t index = 0; ///< From 0 at the first record seen.
        ChunkHash hash;          ///< Computed from the raw bytes.
        ChunkHeader header;
        ByteView packed; ///< Views are valid during the call only.
        ByteView raw;
    };

    /// An error ends the reading with it. May be null.
    using Sink = std::function<Status(const Chunk&)>;

    explicit XorbReader(Sink sink);

    /// Takes the next piece. Errors: those of RecordSplitter::update, Corrupt for a chunk that does
    /// not unpack, the sink's own.
    Status update(ByteView piece);

    struct Summary {
        XorbTable table;                  ///< Of what was seen, from the computed hashes.
        std::optional<XorbFooter> footer; ///< Agrees with the table, else finish had failed.
    };

    /// Ends the reading. Corrupt when the last record is cut short or a footer is malformed or says
    /// anything else than the chunks did. Whether the table's hash is the wanted one is the
    /// caller's question.
    Result<Summary> finish();

  private:
    Status take(const ChunkRecord& record);

    Sink sink_;
    RecordSplitter splitter_;
    Decompressor decompressor_;
    Bytes raw_;
    XorbTable table_;
};

/// Checks a whole xorb in memory: every chunk unpacks, the footer, if any, agrees, and its
/// chunks, at least one, hash to `expected`. Corrupt otherwise, TooLarge past a limit.
Result<XorbTable> verify_xorb(ByteView xorb, const XorbHash& expected);

} // namespace locara::xet
