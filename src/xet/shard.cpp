#include "term.hpp"
#include "wire.hpp"

#include <locara/xet/shard.hpp>
#include <locara/xet/subtree.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace locara::xet {

namespace {

constexpr std::size_t kRecordBytes = 48; ///< Header, bookend and every record.
constexpr std::size_t kFooterBytes = 200;
constexpr std::uint64_t kHeaderVersion = 2;
constexpr std::uint64_t kFooterVersion = 1;

constexpr std::string_view kTagText = "HFRepoMetaData"; // then a zero byte and these:
constexpr std::array<unsigned char, 17> kTagMagic = {0x55,
                                                     0x69,
                                                     0x67,
                                                     0x45,
                                                     0x6a,
                                                     0x7b,
                                                     0x81,
                                                     0x57,
                                                     0x83,
                                                     0xa5,
                                                     0xbd,
                                                     0xd9,
                                                     0x5c,
                                                     0xcd,
                                                     0xd1,
                                                     0x4a,
                                                     0xa9};
constexpr std::size_t kTagBytes = 32;
static_assert(kTagText.size() + 1 + kTagMagic.size() == kTagBytes);

constexpr std::uint32_t kHasVerification = 1U << 31U; ///< Flags of a file.
constexpr std::uint32_t kHasSha256 = 1U << 30U;
constexpr std::uint32_t kOffered = 1U << 31U; ///< Flag of a chunk.

constexpr std::size_t kHashLookupBytes = 12; ///< An entry of the file or xorb lookup.
constexpr std::size_t kChunkLookupBytes = 16;

// Places in the footer.
constexpr std::size_t kFilesAt = 8;
constexpr std::size_t kXorbsAt = 16;
constexpr std::size_t kLookupsAt = 24; ///< Three times offset and count.
constexpr std::size_t kKeyAt = 72;
constexpr std::size_t kCreatedAt = 104;
constexpr std::size_t kExpiryAt = 112;
constexpr std::size_t kFooterOffsetAt = 192;
constexpr std::size_t kFooterFreeBytes = 48;

Error corrupt(std::string what) {
    return {ErrorCode::Corrupt, std::move(what)};
}

Bytes make_tag() {
    Bytes tag;
    wire::append(tag, as_bytes(kTagText));
    wire::append_zeros(tag, 1);
    for (const unsigned char byte : kTagMagic) {
        tag.push_back(static_cast<std::byte>(byte));
    }
    return tag;
}

bool is_bookend(ByteView record) {
    return std::all_of(record.begin(), record.begin() + kHashBytes, [](std::byte b) {
        return b == std::byte{0xff};
    });
}

void append_bookend(Bytes& out) {
    out.insert(out.end(), kHashBytes, std::byte{0xff});
    wire::append_zeros(out, kRecordBytes - kHashBytes);
}

// --- Rules that parsing and rendering share -----------------------------------------------------

Status check_xorb_block(const XorbBlock& block) {
    if (block.chunks.size() > kMaxXorbChunks) {
        return corrupt("a xorb of a shard has " + std::to_string(block.chunks.size()) + " chunks");
    }
    std::uint64_t raw = 0;
    for (const ShardChunk& chunk : block.chunks) {
        if (chunk.raw_begin != raw || chunk.raw_bytes == 0 || chunk.raw_bytes > kMaxChunkBytes) {
            return corrupt("the chunks of xorb " + block.hash.render() +
                           " do not lie end to end in a shard");
        }
        raw += chunk.raw_bytes;
    }
    if (raw != block.raw_bytes) {
        return corrupt("xorb " + block.hash.render() + " has " + std::to_string(block.raw_bytes) +
                       " bytes in a shard, its chunks " + std::to_string(raw));
    }
    return {};
}

bool is_bookend_hash(const std::array<std::byte, kHashBytes>& bytes) {
    return is_bookend(ByteView(bytes));
}

// --- Parsing ------------------------------------------------------------------------------------

/// The records between header and footer, taken off one by one: of bytes in memory, or of a file,
/// of which a window is in memory.
class Records {
  public:
    explicit Records(ByteView bytes) : window_(bytes) {}

    /// Bytes [begin, end) of `file`, which must outlive it.
    Records(const SpillBytes& file, std::uint64_t begin, std::uint64_t end)
        : file_(&file), next_(begin), end_(end) {}

    std::uint64_t left() const { return window_.size() + (end_ - next_); }

    /// Corrupt unless `count` more records are there.
    Status need(std::uint64_t count) const {
        if (count > left() / kRecordBytes) {
            return corrupt("a shard ends where " + std::to_string(count) +
                           " more records should be");
        }
        return {};
    }

    /// The next one, which stays until the next call. REQUIRES: need(1).
    Result<ByteView> take() {
        if (window_.size() < kRecordBytes) {
            const auto more = std::min<std::uint64_t>(kWindowBytes, end_ - next_);
            read_.resize(more);
            LOCARA_CHECK(file_->read(next_, read_));
            next_ += more;
            window_ = read_;
        }
        const ByteView record = window_.first(kRecordBytes);
        window_ = window_.subspan(kRecordBytes);
        return record;
    }

  private:
    static constexpr std::size_t kWindowBytes = 512 * kRecordBytes; // whole records

    ByteView window_; ///< Of the bytes, or of `read_`.
    const SpillBytes* file_ = nullptr;
    std::uint64_t next_ = 0; ///< In the file, after the window.
    std::uint64_t end_ = 0;
    Bytes read_;
};

/// What a file block begins with; terms follow, then proofs, then the SHA-256.
struct FileHead {
    FileHash hash;
    std::uint32_t terms = 0;
    bool verified = false;
    bool hashed = false;
};

/// Nothing at the bookend. Everything that belongs to the file is there.
Result<std::optional<FileHead>> parse_file_head(Records& records) {
    LOCARA_CHECK(records.need(1));
    LOCARA_TRY(const ByteView head, records.take());
    if (is_bookend(head)) {
        return std::optional<FileHead>{};
    }
    const std::uint32_t flags = wire::load_u32(head, 32);
    const FileHead file{wire::load_hash<FileHash>(head, 0),
                        wire::load_u32(head, 36),
                        (flags & kHasVerification) != 0,
                        (flags & kHasSha256) != 0};
    LOCARA_CHECK(
        records.need(std::uint64_t{file.terms} * (file.verified ? 2 : 1) + (file.hashed ? 1 : 0)));
    return std::optional(file);
}

FileTerm parse_term(ByteView record) {
    return {wire::load_hash<XorbHash>(record, 0),
            {wire::load_u32(record, 40), wire::load_u32(record, 44)},
            wire::load_u32(record, 36)};
}

/// Gives each term to `take`.
template <class Take> Status parse_terms(Records& records, const FileHead& file, const Take& take) {
    for (std::uint32_t i = 0; i < file.terms; ++i) {
        LOCARA_TRY(const ByteView record, records.take());
        const FileTerm term = parse_term(record);
        LOCARA_CHECK(check_term(term).context("file " + file.hash.render()));
        take(term);
    }
    return {};
}

Result<std::optional<crypto::Sha256Digest>> parse_sha256(Records& records, const FileHead& file) {
    std::optional<crypto::Sha256Digest> digest;
    if (file.hashed) {
        // Stored with its words turned round, like the string form of a hash.
        LOCARA_TRY(const ByteView record, records.take());
        LOCARA_TRY(digest,
                   crypto::Sha256Digest::parse(wire::load_hash<FileHash>(record, 0).render()));
    }
    return digest;
}

/// A file block, or nothing at the bookend.
Result<std::optional<FileBlock>> parse_file(Records& records) {
    LOCARA_TRY(const auto head, parse_file_head(records));
    if (!head) {
        return std::optional<FileBlock>{};
    }
    FileBlock file;
    file.hash = head->hash;
    file.terms.reserve(head->terms);
    LOCARA_CHECK(
        parse_terms(records, *head, [&](const FileTerm& term) { file.terms.push_back(term); }));
    if (head->verified) {
        file.verification.reserve(head->terms);
        for (std::uint32_t i = 0; i < head->terms; ++i) {
            LOCARA_TRY(const ByteView record, records.take());
            file.verification.push_back(wire::load_hash<RangeHash>(record, 0));
        }
    }
    LOCARA_TRY(file.sha256, parse_sha256(records, *head));
    return std::optional(std::move(file));
}

ShardChunk parse_chunk(ByteView record) {
    const bool offered = (wire::load_u32(record, 40) & kOffered) != 0;
    return {wire::load_hash<ChunkHash>(record, 0),
            wire::load_u32(record, 32),
            wire::load_u32(record, 36),
            offered ? Offer::Yes : Offer::No};
}

Result<std::optional<XorbBlock>> parse_xorb(Records& records) {
    LOCARA_CHECK(records.need(1));
    LOCARA_TRY(const ByteView head, records.take());
    if (is_bookend(head)) {
        return std::optional<XorbBlock>{};
    }
    XorbBlock block;
    block.hash = wire::load_hash<XorbHash>(head, 0);
    const std::uint32_t count = wire::load_u32(head, 36);
    block.raw_bytes = wire::load_u32(head, 40);
    block.packed_bytes = wire::load_u32(head, 44);
    if (count > kMaxXorbChunks) {
        return corrupt("a xorb of a shard has " + std::to_string(count) + " chunks");
    }
    LOCARA_CHECK(records.need(count));
    block.chunks.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        LOCARA_TRY(const ByteView record, records.take());
        block.chunks.push_back(parse_chunk(record));
    }
    LOCARA_CHECK(check_xorb_block(block));
    return std::optional(std::move(block));
}

/// Holds the footer against where the sections were found; that many bytes of lookups lie before
/// it.
Result<ShardFooter> parse_footer(ByteView footer,
                                 std::uint64_t xorbs_at,
                                 std::uint64_t lookups_at,
                                 std::uint64_t lookup_bytes) {
    const std::uint64_t version = wire::load_u64(footer, 0);
    if (version != kFooterVersion) {
        return Error(ErrorCode::Unsupported,
                     "a shard's footer has version " + std::to_string(version) +
                         "; only 1 is known");
    }
    const std::uint64_t footer_at = lookups_at + lookup_bytes;
    const auto is = [&](std::size_t at, std::uint64_t expected) {
        const std::uint64_t found = wire::load_u64(footer, at);
        return found == 0 || found == expected;
    };
    if (!is(kFilesAt, kRecordBytes) || !is(kXorbsAt, xorbs_at) || !is(kFooterOffsetAt, footer_at)) {
        return corrupt("a shard's footer says that its sections lie elsewhere");
    }
    std::uint64_t known = 0;
    constexpr std::array<std::size_t, 3> kSizes = {
        kHashLookupBytes, kHashLookupBytes, kChunkLookupBytes};
    for (std::size_t i = 0; i < kSizes.size(); ++i) {
        const std::uint64_t offset = wire::load_u64(footer, kLookupsAt + 16 * i);
        const std::uint64_t count = wire::load_u64(footer, kLookupsAt + 16 * i + 8);
        if (count == 0) {
            continue;
        }
        if (offset < lookups_at || offset > footer_at || count > (footer_at - offset) / kSizes[i]) {
            return corrupt("a lookup table of a shard does not lie before its footer");
        }
        known += count * kSizes[i];
    }
    if (known != lookup_bytes) {
        return corrupt("the lookup tables of a shard have " + std::to_string(lookup_bytes) +
                       " bytes, its footer knows " + std::to_string(known));
    }
    return ShardFooter{wire::load_hash<DedupKey>(footer, kKeyAt),
                       wire::load_u64(footer, kCreatedAt),
                       wire::load_u64(footer, kExpiryAt)};
}

} // namespace

Status check_term(const FileTerm& term) {
    if (term.chunks.begin >= term.chunks.end || term.chunks.end > kMaxXorbChunks) {
        return corrupt("a term of a file names the chunks " + std::to_string(term.chunks.begin) +
                       " to " + std::to_string(term.chunks.end));
    }
    const std::uint64_t chunks = term.chunks.size();
    if (term.raw_bytes < chunks || term.raw_bytes > chunks * kMaxChunkBytes) {
        return corrupt("a term of " + std::to_string(chunks) + " chunks cannot have " +
                       std::to_string(term.raw_bytes) + " bytes");
    }
    return {};
}

std::uint64_t FileBlock::size() const {
    std::uint64_t sum = 0;
    for (const FileTerm& term : terms) {
        sum += term.raw_bytes;
    }
    return sum;
}

namespace {

/// Checks what a shard of `size` bytes begins with; the size of its footer.
Result<std::uint64_t> parse_header(ByteView header, std::uint64_t size) {
    if (size > kMaxShardBytes) {
        return Error(ErrorCode::TooLarge,
                     "a shard has at most " + std::to_string(kMaxShardBytes) + " bytes, not " +
                         std::to_string(size));
    }
    if (header.size() < kRecordBytes || !std::ranges::equal(header.first(kTagBytes), make_tag())) {
        return corrupt("this is no shard: its first bytes are others");
    }
    const std::uint64_t version = wire::load_u64(header, kTagBytes);
    if (version != kHeaderVersion) {
        return Error(ErrorCode::Unsupported,
                     "the shard has version " + std::to_string(version) + "; only 2 is known");
    }
    const std::uint64_t footer_size = wire::load_u64(header, kTagBytes + 8);
    if (footer_size != 0 && footer_size != kFooterBytes) {
        return corrupt("a shard's footer has 200 bytes or none, not " +
                       std::to_string(footer_size));
    }
    if (size < kRecordBytes + footer_size) {
        return corrupt("a shard is cut short");
    }
    return footer_size;
}

/// What follows the xorbs, which begin at `xorbs_at`: `left` bytes of lookups, then the footer.
Result<std::optional<ShardFooter>>
parse_end(ByteView footer, std::uint64_t xorbs_at, std::uint64_t lookups_at, std::uint64_t left) {
    if (!footer.empty()) {
        LOCARA_TRY(const ShardFooter parsed, parse_footer(footer, xorbs_at, lookups_at, left));
        return std::optional(parsed);
    }
    if (left != 0) {
        return corrupt(std::to_string(left) + " bytes follow the end of a shard without footer");
    }
    return std::optional<ShardFooter>();
}

} // namespace

Result<Shard> parse_shard(ByteView bytes) {
    LOCARA_TRY(const std::uint64_t footer_size,
               parse_header(bytes.first(std::min(bytes.size(), kRecordBytes)), bytes.size()));
    const std::uint64_t end = bytes.size() - footer_size;
    Records records(bytes.subspan(kRecordBytes, end - kRecordBytes));
    Shard shard;
    for (;;) {
        LOCARA_TRY(auto file, parse_file(records));
        if (!file) {
            break;
        }
        shard.files.push_back(std::move(*file));
    }
    const std::uint64_t xorbs_at = end - records.left();
    for (;;) {
        LOCARA_TRY(auto xorb, parse_xorb(records));
        if (!xorb) {
            break;
        }
        shard.xorbs.push_back(std::move(*xorb));
    }
    const std::uint64_t left = records.left();
    LOCARA_TRY(shard.footer, parse_end(bytes.last(footer_size), xorbs_at, end - left, left));
    return shard;
}

Result<StoredShard> StoredShard::open(SpillBytes bytes) {
    StoredShard shard;
    shard.bytes_ = std::move(bytes);
    const std::uint64_t size = shard.bytes_.size();
    Bytes header(std::min<std::uint64_t>(size, kRecordBytes));
    LOCARA_CHECK(shard.bytes_.read(0, header));
    LOCARA_TRY(const std::uint64_t footer_size, parse_header(header, size));
    const std::uint64_t end = size - footer_size;
    Records records(shard.bytes_, kRecordBytes, end);
    for (;;) {
        LOCARA_TRY(const auto head, parse_file_head(records));
        if (!head) {
            break;
        }
        File file{head->hash, head->terms, 0, end - records.left()};
        LOCARA_CHECK(parse_terms(
            records, *head, [&](const FileTerm& term) { file.size += term.raw_bytes; }));
        for (std::uint32_t i = 0; head->verified && i < head->terms; ++i) {
            LOCARA_CHECK(records.take());
        }
        LOCARA_CHECK(parse_sha256(records, *head));
        shard.files_.push_back(file);
    }
    const std::uint64_t xorbs_at = end - records.left();
    for (;;) {
        const std::uint64_t at = end - records.left();
        LOCARA_TRY(const auto xorb, parse_xorb(records));
        if (!xorb) {
            break;
        }
        shard.xorbs_.push_back(
            {xorb->hash, static_cast<std::uint32_t>(xorb->chunks.size()), at + kRecordBytes});
    }
    const std::uint64_t left = records.left();
    Bytes footer(footer_size);
    LOCARA_CHECK(shard.bytes_.read(end, footer));
    LOCARA_TRY(shard.footer_, parse_end(footer, xorbs_at, end - left, left));
    return shard;
}

Result<FileTerm> StoredShard::term(const File& file, std::uint32_t number) const {
    LOCARA_ASSERT(number < file.terms);
    std::array<std::byte, kRecordBytes> record{};
    LOCARA_CHECK(bytes_.read(file.at + std::uint64_t{number} * kRecordBytes, record));
    return parse_term(record);
}

Result<std::vector<ShardChunk>> StoredShard::chunks(const Xorb& xorb, ChunkRange range) const {
    LOCARA_ASSERT(range.begin <= range.end && range.end <= xorb.chunks);
    Bytes records(std::size_t{range.size()} * kRecordBytes);
    LOCARA_CHECK(bytes_.read(xorb.at + std::uint64_t{range.begin} * kRecordBytes, records));
    std::vector<ShardChunk> chunks;
    chunks.reserve(range.size());
    for (std::uint32_t i = 0; i < range.size(); ++i) {
        chunks.push_back(parse_chunk(ByteView(records).subspan(i * kRecordBytes, kRecordBytes)));
    }
    return chunks;
}

// --- Rendering ----------------------------------------------------------------------------------

namespace {

/// A row of a lookup table: the hash's first word, and what stands behind it.
struct LookupRow {
    std::uint64_t word = 0;
    std::uint32_t record = 0;
    std::uint32_t chunk = 0;

    auto operator<=>(const LookupRow&) const = default;
};

Status append_file(Bytes& out, const FileBlock& file) {
    if (!file.verification.empty() && file.verification.size() != file.terms.size()) {
        return Error(ErrorCode::InvalidArgument,
                     "file " + file.hash.render() + " has " + std::to_string(file.terms.size()) +
                         " terms but " + std::to_string(file.verification.size()) +
                         " range hashes");
    }
    if (is_bookend_hash(file.hash.bytes)) {
        return Error(ErrorCode::InvalidArgument, "a file hash of all ones ends the list of files");
    }
    wire::append(out, file.hash.bytes);
    wire::append_u32(
        out, (file.verification.empty() ? 0 : kHasVerification) | (file.sha256 ? kHasSha256 : 0));
    wire::append_u32(out, static_cast<std::uint32_t>(file.terms.size()));
    wire::append_u64(out, 0);
    for (const FileTerm& term : file.terms) {
        if (const auto good = check_term(term); !good) {
            return Error(ErrorCode::InvalidArgument, good.error().message());
        }
        wire::append(out, term.xorb.bytes);
        wire::append_u32(out, 0);
        wire::append_u32(out, term.raw_bytes);
        wire::append_u32(out, term.chunks.begin);
        wire::append_u32(out, term.chunks.end);
    }
    for (const RangeHash& proof : file.verification) {
        wire::append(out, proof.bytes);
        wire::append_zeros(out, kRecordBytes - kHashBytes);
    }
    if (file.sha256) {
        LOCARA_TRY(const auto turned, parse_hash(file.sha256->render()));
        wire::append(out, turned);
        wire::append_zeros(out, kRecordBytes - kHashBytes);
    }
    return {};
}

Status append_xorb(Bytes& out, const XorbBlock& block) {
    if (is_bookend_hash(block.hash.bytes)) {
        return Error(ErrorCode::InvalidArgument, "a xorb hash of all ones ends the list of xorbs");
    }
    if (const auto good = check_xorb_block(block); !good) {
        return Error(ErrorCode::InvalidArgument, good.error().message());
    }
    wire::append(out, block.hash.bytes);
    wire::append_u32(out, 0);
    wire::append_u32(out, static_cast<std::uint32_t>(block.chunks.size()));
    wire::append_u32(out, block.raw_bytes);
    wire::append_u32(out, block.packed_bytes);
    for (const ShardChunk& chunk : block.chunks) {
        wire::append(out, chunk.hash.bytes);
        wire::append_u32(out, chunk.raw_begin);
        wire::append_u32(out, chunk.raw_bytes);
        wire::append_u32(out, chunk.offer == Offer::Yes ? kOffered : 0);
        wire::append_u32(out, 0);
    }
    return {};
}

/// How large the shard becomes without lookups.
std::size_t most_bytes(const Shard& shard) {
    std::size_t records = 3; // header and bookends
    for (const FileBlock& file : shard.files) {
        records += 2 + file.terms.size() + file.verification.size();
    }
    for (const XorbBlock& block : shard.xorbs) {
        records += 1 + block.chunks.size();
    }
    return records * kRecordBytes + kFooterBytes;
}

/// The number of the record that is written next, in its section.
std::uint32_t record_index(const Bytes& out, std::size_t section) {
    return static_cast<std::uint32_t>((out.size() - section) / kRecordBytes);
}

} // namespace

Result<Bytes> render_shard(const Shard& shard, Lookups lookups) {
    if (lookups == Lookups::With && !shard.footer) {
        return Error(ErrorCode::InvalidArgument, "lookup tables need a footer that names them");
    }
    std::array<std::vector<LookupRow>, 3> tables; // files, xorbs, chunks
    Bytes out = make_tag();
    out.reserve(most_bytes(shard)); // else it is there twice while it grows
    wire::append_u64(out, kHeaderVersion);
    wire::append_u64(out, shard.footer ? kFooterBytes : 0);
    const std::size_t files_at = out.size();
    std::uint64_t file_bytes = 0;
    for (const FileBlock& file : shard.files) {
        tables[0].push_back({file.hash.word(0), record_index(out, files_at)});
        LOCARA_CHECK(append_file(out, file));
        file_bytes += file.size();
    }
    append_bookend(out);
    const std::size_t xorbs_at = out.size();
    std::uint64_t packed_bytes = 0;
    std::uint64_t raw_bytes = 0;
    for (const XorbBlock& block : shard.xorbs) {
        const std::uint32_t record = record_index(out, xorbs_at);
        tables[1].push_back({block.hash.word(0), record});
        for (std::size_t i = 0; i < block.chunks.size(); ++i) {
            tables[2].push_back(
                {block.chunks[i].hash.word(0), record, static_cast<std::uint32_t>(i)});
        }
        LOCARA_CHECK(append_xorb(out, block));
        packed_bytes += block.packed_bytes;
        raw_bytes += block.raw_bytes;
    }
    append_bookend(out);
    if (shard.footer) {
        Bytes footer;
        wire::append_u64(footer, kFooterVersion);
        wire::append_u64(footer, files_at);
        wire::append_u64(footer, xorbs_at);
        for (std::size_t i = 0; i < tables.size(); ++i) {
            auto& rows = tables[i];
            if (lookups == Lookups::Without) {
                rows.clear();
            }
            std::ranges::sort(rows);
            // Set even for an empty table: one known client reads xorbs up to the first of them.
            wire::append_u64(footer, out.size());
            wire::append_u64(footer, rows.size());
            for (const LookupRow& row : rows) {
                wire::append_u64(out, row.word);
                wire::append_u32(out, row.record);
                if (i == 2) {
                    wire::append_u32(out, row.chunk);
                }
            }
        }
        wire::append(footer, shard.footer->key.bytes);
        wire::append_u64(footer, shard.footer->created);
        wire::append_u64(footer, shard.footer->key_expiry);
        wire::append_zeros(footer, kFooterFreeBytes);
        wire::append_u64(footer, packed_bytes);
        wire::append_u64(footer, file_bytes);
        wire::append_u64(footer, raw_bytes);
        wire::append_u64(footer, out.size());
        LOCARA_ASSERT(footer.size() == kFooterBytes);
        wire::append(out, footer);
    }
    if (out.size() > kMaxShardBytes) {
        return Error(ErrorCode::TooLarge,
                     "a shard has at most " + std::to_string(kMaxShardBytes) + " bytes, this one " +
                         std::to_string(out.size()));
    }
    return out;
}

Shard make_dedup_answer(std::vector<XorbBlock> xorbs, const ShardFooter& footer) {
    for (XorbBlock& block : xorbs) {
        for (ShardChunk& chunk : block.chunks) {
            chunk.hash = keyed_chunk_hash(chunk.hash, footer.key);
        }
    }
    return {{}, std::move(xorbs), footer};
}

XorbBlock make_xorb_block(const XorbHash& hash,
                          const XorbTable& table,
                          std::span<const std::uint32_t> first_of_file) {
    XorbBlock block{hash, table.raw_bytes(), table.packed_bytes(), {}};
    block.chunks.reserve(table.size());
    std::uint32_t raw = 0;
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        const ChunkInfo info = table.info(i);
        const bool first = std::ranges::find(first_of_file, i) != first_of_file.end();
        const auto bytes = static_cast<std::uint32_t>(info.size);
        block.chunks.push_back({info.hash,
                                raw,
                                bytes,
                                first || is_dedup_eligible(info.hash) ? Offer::Yes : Offer::No});
        raw += bytes;
    }
    return block;
}

// --- Verification -------------------------------------------------------------------------------

Status verify_file(const FileBlock& file, const FindTable& find, Proofs proofs) {
    const std::size_t count = file.terms.size();
    if (file.verification.size() != count &&
        (proofs == Proofs::Required || !file.verification.empty())) {
        return corrupt("file " + file.hash.render() + " has " + std::to_string(count) +
                       " terms but " + std::to_string(file.verification.size()) + " range hashes");
    }
    auto whole = HashSubtree::from_chunks(AtStart::Yes, {}, AtEnd::No);
    for (std::size_t i = 0; i < count; ++i) {
        const FileTerm& term = file.terms[i];
        const auto where = [&] {
            return "term " + std::to_string(i) + " of file " + file.hash.render();
        };
        const XorbTable* table = find(term.xorb);
        if (table == nullptr) {
            return Error(ErrorCode::NotFound, "xorb " + term.xorb.render() + " is not known")
                .add_context(where());
        }
        if (term.chunks.begin >= term.chunks.end || term.chunks.end > table->size()) {
            return corrupt("chunks " + std::to_string(term.chunks.begin) + " to " +
                           std::to_string(term.chunks.end) + " are not in xorb " +
                           term.xorb.render() + " of " + std::to_string(table->size()))
                .add_context(where());
        }
        LOCARA_TRY(const auto chunks, table->infos(term.chunks));
        LOCARA_TRY(const auto raw, table->raw_range(term.chunks));
        if (raw.size() != term.raw_bytes) {
            return corrupt("its chunks have " + std::to_string(raw.size()) + " bytes, not " +
                           std::to_string(term.raw_bytes))
                .add_context(where());
        }
        if (!file.verification.empty() && range_hash(chunks) != file.verification[i]) {
            return corrupt("its range hash is not that of its chunks").add_context(where());
        }
        LOCARA_CHECK(whole.merge(HashSubtree::from_chunks(AtStart::No, chunks, AtEnd::No)));
    }
    LOCARA_CHECK(whole.merge(HashSubtree::from_chunks(AtStart::No, {}, AtEnd::Yes)));
    const FileHash found = count == 0 ? FileHash{} : file_hash_of_root(whole.root().value());
    if (found != file.hash) {
        return corrupt("the chunks of file " + file.hash.render() + " make " + found.render());
    }
    return {};
}

Status verify_xorb_block(const XorbBlock& block, const XorbTable& table) {
    const auto differs = [&block](const std::string& what) {
        return corrupt("a shard and xorb " + block.hash.render() + " disagree on " + what);
    };
    if (block.chunks.size() != table.size() || block.raw_bytes != table.raw_bytes()) {
        return differs("its size");
    }
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        const ChunkInfo info = table.info(i);
        if (block.chunks[i].hash != info.hash || block.chunks[i].raw_bytes != info.size) {
            return differs("chunk " + std::to_string(i));
        }
    }
    return {};
}

} // namespace locara::xet
