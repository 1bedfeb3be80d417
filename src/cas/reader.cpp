// Files out of xorbs: plans for clients, bytes for everybody else.
#include "state.hpp"

#include <algorithm>
#include <utility>

namespace locara::cas {

namespace {

/// Bytes [begin, end) of a file of this size, cut to its end.
Result<xet::ByteRange> cut_range(const std::optional<xet::ByteRange>& wanted, std::uint64_t size) {
    if (!wanted) {
        return xet::ByteRange{0, size};
    }
    if (wanted->begin >= wanted->end || wanted->begin >= size) {
        return Error(ErrorCode::InvalidArgument,
                     "bytes " + std::to_string(wanted->begin) + " to " +
                         std::to_string(wanted->end) + " are no part of a file of " +
                         std::to_string(size) + " bytes");
    }
    return xet::ByteRange{wanted->begin, std::min(wanted->end, size)};
}

} // namespace

Status FileReader::State::open_term() {
    const xet::FileTerm& now = block->terms[term];
    LOCARA_TRY(table, cas.table(now.xorb));
    LOCARA_TRY(const auto raw_range, table->raw_range(now.chunks));
    if (raw_range.size() != now.raw_bytes) {
        return Error(ErrorCode::Corrupt,
                     "the file " + block->hash.render() + " does not fit its xorb " +
                         now.xorb.render());
    }
    const auto same_xorb = [&] { return term > 0 && block->terms[term - 1].xorb == now.xorb; };
    if (raw == RawChunks::Named && (object == nullptr || !same_xorb())) {
        object = nullptr;
        LOCARA_TRY(auto opened, cas.backend.open(key_of(now.xorb)));
        if (opened) {
            object = std::make_shared<const Fd>(std::move(*opened));
        }
    }
    // The first chunk that holds a wanted byte.
    const std::uint64_t skip = raw_range.begin + (begin - term_begin);
    const auto chunks = table->chunks();
    const auto it = std::partition_point(
        chunks.begin(), chunks.end(), [&](const auto& c) { return c.raw_end <= skip; });
    chunk = static_cast<std::uint32_t>(it - chunks.begin());
    unread = {};
    return {};
}

Status FileReader::State::fill_window(std::uint64_t chunk_begin) {
    const xet::FileTerm& now = block->terms[term];
    last = chunk;
    xet::ByteRange packed{};
    std::uint64_t raw_end = chunk_begin;
    while (last < now.chunks.end && raw_end < end) {
        LOCARA_TRY(const auto more, table->packed_range({chunk, last + 1}));
        // One at a time where the next may leave as it lies.
        const std::size_t limit = object != nullptr ? 0 : kWindowBytes;
        if (last > chunk && more.size() > limit) {
            break;
        }
        packed = more;
        raw_end += table->info(last).size;
        ++last;
    }
    window.resize(packed.size());
    LOCARA_CHECK(cas.backend.read(key_of(now.xorb), packed.begin, window));
    unread = window;
    return {};
}

Result<std::optional<Piece>> FileReader::State::next_named(std::uint64_t chunk_begin) {
    LOCARA_TRY(const auto packed, table->packed_range({chunk, chunk + 1}));
    std::array<std::byte, xet::kChunkHeaderBytes> bytes{};
    LOCARA_CHECK(read_exactly_at(*object, packed.begin, bytes));
    LOCARA_TRY(const auto header, xet::parse_chunk_header(bytes));
    const std::uint64_t raw_size = table->info(chunk).size;
    if (header.scheme != xet::Compression::None || header.raw != raw_size ||
        header.packed + bytes.size() != packed.size()) {
        return std::optional<Piece>();
    }
    Piece piece;
    piece.file = object;
    piece.offset = packed.begin + bytes.size() + (begin - chunk_begin);
    piece.length = std::min(chunk_begin + raw_size, end) - begin;
    return std::optional(std::move(piece));
}

Result<Piece> FileReader::State::next() {
    if (begin >= end) {
        return Piece();
    }
    while (table == nullptr || begin >= term_begin + block->terms[term].raw_bytes) {
        if (begin >= term_begin + block->terms[term].raw_bytes) {
            term_begin += block->terms[term].raw_bytes;
            ++term;
            table = nullptr;
            continue;
        }
        LOCARA_CHECK(open_term());
    }
    const xet::FileTerm& now = block->terms[term];
    LOCARA_TRY(const auto before, table->raw_range({now.chunks.begin, chunk}));
    const std::uint64_t chunk_begin = term_begin + before.size();
    if (object != nullptr && unread.empty()) {
        LOCARA_TRY(auto named, next_named(chunk_begin));
        if (named) {
            ++chunk;
            begin += named->length;
            return std::move(*named);
        }
    }
    if (unread.empty()) {
        LOCARA_CHECK(fill_window(chunk_begin));
    }
    const auto damaged = [&] {
        return Error(ErrorCode::Corrupt,
                     "chunk " + std::to_string(chunk) + " of the object " +
                         key_of(now.xorb).render() + " is damaged");
    };
    const auto record = xet::next_record(unread);
    const auto info = table->info(chunk);
    if (!record || !*record || (*record)->header.raw != info.size) {
        return damaged();
    }
    const xet::ChunkRecord& found = **record;
    ByteView bytes = found.packed;
    if (found.header.scheme != xet::Compression::None) {
        unpacked.resize(info.size);
        if (!decompressor.unpack(found.header.scheme, found.packed, unpacked)) {
            return damaged();
        }
        bytes = unpacked;
    }
    if (xet::chunk_hash(bytes) != info.hash) {
        return damaged();
    }
    Piece piece;
    const std::uint64_t stop = std::min(chunk_begin + info.size, end);
    piece.bytes = bytes.subspan(begin - chunk_begin, stop - begin);
    begin = stop;
    ++chunk;
    return piece;
}

FileReader::FileReader(std::unique_ptr<State> state) : state_(std::move(state)) {}

FileReader::FileReader(FileReader&&) noexcept = default;
FileReader& FileReader::operator=(FileReader&&) noexcept = default;
FileReader::~FileReader() = default;

std::uint64_t FileReader::size() const {
    return state_->size;
}

Result<Piece> FileReader::next() {
    return state_->next();
}

Result<FileReader> Cas::open_file(const xet::FileHash& file,
                                  std::optional<xet::ByteRange> range,
                                  RawChunks raw) const {
    LOCARA_TRY(auto block, state_->file(file));
    LOCARA_TRY(const auto bytes, cut_range(range, block->size()));
    return FileReader(std::make_unique<FileReader::State>(*state_, std::move(block), bytes, raw));
}

Status
Cas::read(const xet::FileHash& file, std::optional<xet::ByteRange> range, const Sink& sink) const {
    LOCARA_TRY(FileReader reader, open_file(file, range));
    while (true) {
        LOCARA_TRY(const Piece piece, reader.next());
        if (piece.size() == 0) {
            return {};
        }
        LOCARA_CHECK(sink(piece.bytes));
    }
}

Result<xet::Plan> Cas::plan(const xet::FileHash& file,
                            std::optional<xet::ByteRange> range,
                            const xet::MakeUrl& make_url) const {
    LOCARA_TRY(const auto block, state_->file(file));
    if (block->terms.empty() && !range) {
        return xet::Plan();
    }
    std::shared_ptr<const xet::XorbTable> held;
    std::optional<Error> error;
    const auto find = [&](const xet::XorbHash& xorb) -> const xet::XorbTable* {
        auto table = state_->table(xorb);
        if (!table) {
            error = std::move(table).error();
            return nullptr;
        }
        held = std::move(*table);
        return held.get();
    };
    auto plan = xet::make_plan(*block, range, find, make_url);
    if (!plan && error) { // says more than that there is no table
        return std::move(*error);
    }
    return plan;
}

} // namespace locara::cas
