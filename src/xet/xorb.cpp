#include "wire.hpp"

#include <locara/xet/xorb.hpp>

#include <algorithm>
#include <string>

namespace locara::xet {

namespace {

constexpr std::string_view kFooterIdent = "XETBLOB";
constexpr std::string_view kHashesIdent = "XBLBHSH";
constexpr std::string_view kBoundariesIdent = "XBLBBND";
constexpr std::uint8_t kFooterVersion = 1;
constexpr std::uint8_t kHashesVersion = 0;
constexpr std::uint8_t kBoundariesVersion = 1;
constexpr std::size_t kIdentBytes = 8;    ///< Ident and version.
constexpr std::size_t kSectionBytes = 12; ///< Ident, version and count.
constexpr std::size_t kTrailerBytes = 28; ///< Count, two distances, free space.
constexpr std::size_t kLengthBytes = 4;   ///< After the footer proper.
constexpr std::size_t kFreeBytes = 16;
constexpr std::size_t kHeadBytes = kIdentBytes + kHashBytes;
constexpr std::size_t kMaxFooterBytes = footer_bytes(kMaxXorbChunks);

static_assert(kHeadBytes + 2 * kSectionBytes + kTrailerBytes + kLengthBytes == footer_bytes(0));

Error corrupt(std::string what) {
    return {ErrorCode::Corrupt, std::move(what)};
}

bool begins_footer(ByteView bytes) {
    return as_text(bytes).starts_with(kFooterIdent);
}

Status check_lengths(std::uint64_t packed, std::uint64_t raw) {
    if (raw == 0 || raw > kMaxChunkBytes) {
        return corrupt("a chunk has " + std::to_string(raw) + " raw bytes; 1 to " +
                       std::to_string(kMaxChunkBytes) + " are possible");
    }
    if (packed == 0 || packed > kMaxPackedBytes) {
        return corrupt("a chunk has " + std::to_string(packed) + " packed bytes; 1 to " +
                       std::to_string(kMaxPackedBytes) + " are possible");
    }
    return {};
}

} // namespace

std::array<std::byte, kChunkHeaderBytes> render(const ChunkHeader& header) {
    std::array<std::byte, kChunkHeaderBytes> out{}; // byte 0 is the version
    wire::store(std::span(out).subspan(1), header.packed, 3);
    out[4] = static_cast<std::byte>(header.scheme);
    wire::store(std::span(out).subspan(5), header.raw, 3);
    return out;
}

Result<ChunkHeader> parse_chunk_header(std::span<const std::byte, kChunkHeaderBytes> bytes) {
    if (bytes[0] != std::byte{0}) {
        return corrupt("a chunk header has version " +
                       std::to_string(std::to_integer<unsigned>(bytes[0])) + "; only 0 is known");
    }
    ChunkHeader header;
    header.packed = wire::load_u24(bytes, 1);
    header.raw = wire::load_u24(bytes, 5);
    LOCARA_TRY(header.scheme, parse_compression(std::to_integer<std::uint8_t>(bytes[4])));
    LOCARA_CHECK(check_lengths(header.packed, header.raw));
    if (header.scheme == Compression::None && header.packed != header.raw) {
        return corrupt("a stored chunk has " + std::to_string(header.packed) + " packed but " +
                       std::to_string(header.raw) + " raw bytes");
    }
    return header;
}

// --- XorbTable ----------------------------------------------------------------------------------

Status XorbTable::append(const ChunkHash& hash, const ChunkHeader& header) {
    LOCARA_CHECK(check_lengths(header.packed, header.raw));
    if (chunks_.size() == kMaxXorbChunks) {
        return Error(ErrorCode::TooLarge,
                     "a xorb has at most " + std::to_string(kMaxXorbChunks) + " chunks");
    }
    const std::uint64_t packed_end =
        std::uint64_t{packed_bytes()} + kChunkHeaderBytes + header.packed;
    if (packed_end > kMaxRecordBytes) {
        return Error(ErrorCode::TooLarge,
                     "the chunks of a xorb have at most " + std::to_string(kMaxRecordBytes) +
                         " bytes");
    }
    // Cannot overflow: 8192 chunks of 128 KiB are 1 GiB.
    chunks_.push_back({hash, static_cast<std::uint32_t>(packed_end), raw_bytes() + header.raw});
    return {};
}

Result<XorbTable> XorbTable::create(std::vector<TableChunk> chunks) {
    XorbTable table;
    table.chunks_.reserve(std::min(chunks.size(), kMaxXorbChunks));
    for (const TableChunk& chunk : chunks) {
        const std::uint64_t packed_begin = table.packed_bytes();
        const std::uint64_t raw_begin = table.raw_bytes();
        if (chunk.packed_end <= packed_begin + kChunkHeaderBytes || chunk.raw_end <= raw_begin) {
            return corrupt("chunk " + std::to_string(table.size()) +
                           " of a xorb ends before it begins");
        }
        const ChunkHeader header{
            Compression::None,
            static_cast<std::uint32_t>(chunk.packed_end - packed_begin - kChunkHeaderBytes),
            static_cast<std::uint32_t>(chunk.raw_end - raw_begin)};
        if (auto added = table.append(chunk.hash, header); !added) {
            return corrupt(added.error().message());
        }
    }
    return table;
}

ChunkInfo XorbTable::info(std::uint32_t i) const {
    LOCARA_ASSERT(i < size());
    return {chunks_[i].hash, chunks_[i].raw_end - (i == 0 ? 0 : chunks_[i - 1].raw_end)};
}

namespace {

Status check_range(ChunkRange range, std::uint32_t size) {
    if (range.begin > range.end || range.end > size) {
        return Error(ErrorCode::InvalidArgument,
                     "chunks " + std::to_string(range.begin) + " to " + std::to_string(range.end) +
                         " are not all in a xorb of " + std::to_string(size));
    }
    return {};
}

} // namespace

Result<std::vector<ChunkInfo>> XorbTable::infos(ChunkRange range) const {
    LOCARA_CHECK(check_range(range, size()));
    std::vector<ChunkInfo> infos;
    infos.reserve(range.size());
    for (std::uint32_t i = range.begin; i < range.end; ++i) {
        infos.push_back(info(i));
    }
    return infos;
}

Result<ByteRange> XorbTable::packed_range(ChunkRange range) const {
    LOCARA_CHECK(check_range(range, size()));
    const auto end_of = [this](std::uint32_t i) { return i == 0 ? 0 : chunks_[i - 1].packed_end; };
    return ByteRange{end_of(range.begin), end_of(range.end)};
}

Result<ByteRange> XorbTable::raw_range(ChunkRange range) const {
    LOCARA_CHECK(check_range(range, size()));
    const auto end_of = [this](std::uint32_t i) { return i == 0 ? 0 : chunks_[i - 1].raw_end; };
    return ByteRange{end_of(range.begin), end_of(range.end)};
}

XorbHash XorbTable::hash() const {
    return xorb_hash(infos({0, size()}).value());
}

// --- XorbBuilder --------------------------------------------------------------------------------

bool XorbBuilder::fits(std::size_t raw_bytes) const {
    return table_.size() < kMaxXorbChunks && raw_bytes <= kMaxChunkBytes &&
           // Other clients count raw bytes: what we make, they must be able to hold too.
           table_.raw_bytes() + raw_bytes <= kMaxXorbBytes &&
           bytes_.size() + kChunkHeaderBytes + raw_bytes + footer_bytes(table_.size() + 1) <=
               kMaxXorbBytes;
}

void XorbBuilder::reserve(std::size_t chunks, std::uint64_t raw_bytes) {
    bytes_.reserve(std::min<std::uint64_t>(raw_bytes + chunks * kChunkHeaderBytes, kMaxXorbBytes));
}

Status XorbBuilder::add(const ChunkHash& hash, ByteView raw) {
    if (raw.empty() || raw.size() > kMaxChunkBytes) {
        return Error(ErrorCode::InvalidArgument,
                     "a chunk has 1 to " + std::to_string(kMaxChunkBytes) + " bytes, not " +
                         std::to_string(raw.size()));
    }
    if (!fits(raw.size())) {
        return Error(ErrorCode::TooLarge, "the xorb is full");
    }
    const auto packed = compressor_.pack(raw);
    const ChunkHeader header{packed.scheme,
                             static_cast<std::uint32_t>(packed.bytes.size()),
                             static_cast<std::uint32_t>(raw.size())};
    LOCARA_CHECK(table_.append(hash, header));
    wire::append(bytes_, render(header));
    wire::append(bytes_, packed.bytes);
    return {};
}

Xorb XorbBuilder::finish(Footer footer) {
    Xorb xorb{table_.hash(), std::move(bytes_), std::move(table_)};
    if (footer == Footer::With) {
        wire::append(xorb.bytes, render_footer({xorb.hash, xorb.table}));
    }
    bytes_ = {};
    table_ = {};
    return xorb;
}

// --- Footer -------------------------------------------------------------------------------------

namespace {

void append_section(Bytes& out, std::string_view ident, std::uint8_t version) {
    wire::append(out, as_bytes(ident));
    wire::append_number(out, version, 1);
}

/// The number of chunks in a section that begins here, after its ident and version were checked.
Status check_section(ByteView bytes, std::size_t at, std::string_view ident, unsigned version) {
    if (as_text(bytes.subspan(at, ident.size())) != ident) {
        return corrupt("a xorb footer lacks its section " + std::string(ident));
    }
    const auto found = std::to_integer<unsigned>(bytes[at + ident.size()]);
    if (found != version) {
        return Error(ErrorCode::Unsupported,
                     "section " + std::string(ident) + " of a xorb footer has version " +
                         std::to_string(found) + "; only " + std::to_string(version) + " is known");
    }
    return {};
}

} // namespace

Bytes render_footer(const XorbFooter& footer) {
    const std::uint32_t count = footer.table.size();
    Bytes out;
    out.reserve(footer_bytes(count));
    append_section(out, kFooterIdent, kFooterVersion);
    wire::append(out, footer.hash.bytes);
    const std::size_t hashes = out.size();
    append_section(out, kHashesIdent, kHashesVersion);
    wire::append_u32(out, count);
    for (const TableChunk& chunk : footer.table.chunks()) {
        wire::append(out, chunk.hash.bytes);
    }
    const std::size_t boundaries = out.size();
    append_section(out, kBoundariesIdent, kBoundariesVersion);
    wire::append_u32(out, count);
    for (const TableChunk& chunk : footer.table.chunks()) {
        wire::append_u32(out, chunk.packed_end);
    }
    for (const TableChunk& chunk : footer.table.chunks()) {
        wire::append_u32(out, chunk.raw_end);
    }
    const std::size_t end = out.size() + kTrailerBytes;
    wire::append_u32(out, count);
    wire::append_u32(out, static_cast<std::uint32_t>(end - hashes));
    wire::append_u32(out, static_cast<std::uint32_t>(end - boundaries));
    wire::append_zeros(out, kFreeBytes);
    wire::append_u32(out, static_cast<std::uint32_t>(end));
    return out;
}

Result<XorbFooter> parse_footer(ByteView bytes) {
    if (bytes.size() < footer_bytes(0)) {
        return corrupt("a xorb footer is cut short");
    }
    if (bytes.size() > kMaxFooterBytes) {
        return corrupt("a xorb footer has " + std::to_string(bytes.size()) +
                       " bytes, more than 8192 chunks need");
    }
    LOCARA_CHECK(check_section(bytes, 0, kFooterIdent, kFooterVersion));
    LOCARA_CHECK(check_section(bytes, kHeadBytes, kHashesIdent, kHashesVersion));
    const std::uint32_t count = wire::load_u32(bytes, kHeadBytes + kIdentBytes);
    if (count > kMaxXorbChunks || bytes.size() != footer_bytes(count)) {
        return corrupt("a xorb footer of " + std::to_string(bytes.size()) + " bytes claims " +
                       std::to_string(count) + " chunks");
    }
    // From here on every offset follows from the count, and lies inside.
    const std::size_t hashes = kHeadBytes + kSectionBytes;
    const std::size_t boundaries = hashes + kHashBytes * count;
    const std::size_t packed = boundaries + kSectionBytes;
    const std::size_t raw = packed + 4UL * count;
    const std::size_t trailer = raw + 4UL * count;
    const std::size_t end = trailer + kTrailerBytes;
    LOCARA_CHECK(check_section(bytes, boundaries, kBoundariesIdent, kBoundariesVersion));
    if (wire::load_u32(bytes, boundaries + kIdentBytes) != count ||
        wire::load_u32(bytes, trailer) != count) {
        return corrupt("the sections of a xorb footer disagree on the number of chunks");
    }
    if (wire::load_u32(bytes, trailer + 4) != end - kHeadBytes ||
        wire::load_u32(bytes, trailer + 8) != end - boundaries ||
        wire::load_u32(bytes, end) != end) {
        return corrupt("a xorb footer says that its sections lie elsewhere");
    }
    std::vector<TableChunk> chunks;
    chunks.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        chunks.push_back({wire::load_hash<ChunkHash>(bytes, hashes + kHashBytes * i),
                          wire::load_u32(bytes, packed + 4 * i),
                          wire::load_u32(bytes, raw + 4 * i)});
    }
    XorbFooter footer;
    footer.hash = wire::load_hash<XorbHash>(bytes, kIdentBytes);
    LOCARA_TRY(footer.table, XorbTable::create(std::move(chunks)).context("in a xorb footer"));
    if (footer.table.hash() != footer.hash) {
        return corrupt("a xorb footer's hash is not that of the chunks it names");
    }
    return footer;
}

Result<std::optional<XorbFooter>> find_footer(ByteView xorb) {
    const std::size_t whole = xorb.size();
    std::vector<ChunkHeader> headers;
    for (;;) {
        LOCARA_TRY(const auto record, next_record(xorb));
        if (!record) {
            break;
        }
        if (headers.size() == kMaxXorbChunks) {
            return Error(ErrorCode::TooLarge, "a xorb has more than 8192 chunks");
        }
        headers.push_back(record->header);
    }
    if (xorb.empty()) {
        return std::optional<XorbFooter>{};
    }
    LOCARA_TRY(auto footer, parse_footer(xorb));
    bool agrees =
        footer.table.size() == headers.size() && footer.table.packed_bytes() == whole - xorb.size();
    std::uint32_t packed_end = 0;
    for (std::uint32_t i = 0; agrees && i < footer.table.size(); ++i) {
        packed_end += static_cast<std::uint32_t>(kChunkHeaderBytes) + headers[i].packed;
        agrees = footer.table.chunks()[i].packed_end == packed_end &&
                 footer.table.info(i).size == headers[i].raw;
    }
    if (!agrees) {
        return corrupt("a xorb's footer says something else than its records");
    }
    return std::optional(std::move(footer));
}

// --- Reading ------------------------------------------------------------------------------------

Result<std::optional<ChunkRecord>> next_record(ByteView& bytes) {
    if (bytes.empty() || begins_footer(bytes)) {
        return std::optional<ChunkRecord>{};
    }
    if (bytes.size() < kChunkHeaderBytes) {
        return corrupt("a chunk header is cut short");
    }
    LOCARA_TRY(const auto header, parse_chunk_header(bytes.first<kChunkHeaderBytes>()));
    const ByteView rest = bytes.subspan(kChunkHeaderBytes);
    if (rest.size() < header.packed) {
        return corrupt("a chunk is cut short: " + std::to_string(rest.size()) + " of " +
                       std::to_string(header.packed) + " bytes are there");
    }
    bytes = rest.subspan(header.packed);
    return std::optional(ChunkRecord{header, rest.first(header.packed)});
}

Status RecordSplitter::update(ByteView piece, const Sink& sink) {
    if (failed_) {
        return corrupt("the stream of chunks has failed before");
    }
    failed_ = true; // until this piece went through
    while (!piece.empty()) {
        if (in_footer_) {
            if (piece.size() > kMaxFooterBytes - buffer_.size()) {
                return corrupt("a xorb footer is longer than 8192 chunks need");
            }
            wire::append(buffer_, piece);
            break;
        }
        // The header: from the buffer, topped up, or straight from the piece.
        if (buffer_.size() < kChunkHeaderBytes) {
            if (buffer_.empty() && piece.size() >= kChunkHeaderBytes && !begins_footer(piece)) {
                LOCARA_TRY(const auto header, parse_chunk_header(piece.first<kChunkHeaderBytes>()));
                const std::size_t record = kChunkHeaderBytes + header.packed;
                if (piece.size() >= record) { // whole records are not copied
                    LOCARA_CHECK(
                        hand_on({header, piece.subspan(kChunkHeaderBytes, header.packed)}, sink));
                    piece = piece.subspan(record);
                    continue;
                }
            }
            const std::size_t take = std::min(piece.size(), kChunkHeaderBytes - buffer_.size());
            wire::append(buffer_, piece.first(take));
            piece = piece.subspan(take);
            if (buffer_.size() < kChunkHeaderBytes) {
                break;
            }
            in_footer_ = begins_footer(buffer_);
            continue;
        }
        LOCARA_TRY(const auto header,
                   parse_chunk_header(ByteView(buffer_).first<kChunkHeaderBytes>()));
        const std::size_t record = kChunkHeaderBytes + header.packed;
        const std::size_t take = std::min(piece.size(), record - buffer_.size());
        wire::append(buffer_, piece.first(take));
        piece = piece.subspan(take);
        if (buffer_.size() == record) {
            LOCARA_CHECK(hand_on({header, ByteView(buffer_).subspan(kChunkHeaderBytes)}, sink));
            buffer_.clear();
        }
    }
    failed_ = false;
    return {};
}

Status RecordSplitter::hand_on(const ChunkRecord& record, const Sink& sink) {
    bytes_ += kChunkHeaderBytes + record.header.packed;
    if (++records_ > kMaxXorbChunks || bytes_ > kMaxRecordBytes) {
        return Error(ErrorCode::TooLarge,
                     "a xorb has at most " + std::to_string(kMaxXorbChunks) + " chunks and " +
                         std::to_string(kMaxRecordBytes) + " bytes of them");
    }
    return sink(record);
}

Result<Bytes> RecordSplitter::finish() {
    if (failed_) {
        return corrupt("the stream of chunks has failed before");
    }
    failed_ = true; // it is over
    if (!in_footer_ && !buffer_.empty()) {
        return corrupt("the stream of chunks ends inside a record");
    }
    return std::move(buffer_);
}

XorbReader::XorbReader(Sink sink) : sink_(std::move(sink)) {}

Status XorbReader::update(ByteView piece) {
    return splitter_.update(piece, [this](const ChunkRecord& record) { return take(record); });
}

Status XorbReader::take(const ChunkRecord& record) {
    ByteView raw = record.packed;
    if (record.header.scheme != Compression::None) {
        raw_.resize(record.header.raw);
        LOCARA_CHECK(decompressor_.unpack(record.header.scheme, record.packed, raw_)
                         .context("chunk " + std::to_string(table_.size()) + " of a xorb"));
        raw = raw_;
    }
    const Chunk chunk{table_.size(), chunk_hash(raw), record.header, record.packed, raw};
    LOCARA_CHECK(table_.append(chunk.hash, record.header));
    return sink_ ? sink_(chunk) : Status{};
}

Result<XorbReader::Summary> XorbReader::finish() {
    LOCARA_TRY(const auto footer_bytes, splitter_.finish());
    Summary summary;
    summary.table = std::move(table_);
    if (!footer_bytes.empty()) {
        LOCARA_TRY(auto footer, parse_footer(footer_bytes));
        if (footer.table != summary.table) {
            return corrupt("a xorb's footer says something else than its chunks");
        }
        summary.footer = std::move(footer);
    }
    return summary;
}

Result<XorbTable> verify_xorb(ByteView xorb, const XorbHash& expected) {
    XorbReader reader(nullptr);
    LOCARA_CHECK(reader.update(xorb));
    LOCARA_TRY(auto summary, reader.finish());
    if (summary.table.size() == 0) {
        return corrupt("a xorb has no chunks");
    }
    const XorbHash found = summary.table.hash();
    if (found != expected) {
        return corrupt("the xorb is " + found.render() + ", not " + expected.render());
    }
    return std::move(summary.table);
}

} // namespace locara::xet
