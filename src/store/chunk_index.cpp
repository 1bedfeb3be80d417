#include <locara/base/file.hpp>
#include <locara/store/chunk_index.hpp>
#include <locara/store/part_journal.hpp>
#include <locara/xet/merkle.hpp>
#include <locara/xet/subtree.hpp>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>

namespace locara::store {

namespace {

// docs/formats/chunk-index.md, "Layout".
constexpr std::string_view kMagic = "locara-chunks 1\n";
constexpr std::size_t kHashBytes = xet::kHashBytes;
constexpr std::size_t kHeaderBytes = 104;
constexpr std::size_t kRecordBytes = 48;
constexpr std::size_t kNumberBytes = 4;

template <class Number> Number read_number(const std::byte* at) {
    Number value = 0;
    for (std::size_t i = sizeof(Number); i-- > 0;) {
        value = static_cast<Number>(value << 8U) | std::to_integer<Number>(at[i]);
    }
    return value;
}

/// Hands bytes on in pieces that are worth a call.
class Writer {
  public:
    explicit Writer(const ChunkIndex::Sink& sink) : sink_(sink) {}

    template <class Number> void number(Number value) {
        for (std::size_t i = 0; i < sizeof(Number); ++i) {
            bytes_.push_back(static_cast<std::byte>(value >> (8U * i)));
        }
    }

    void bytes(ByteView view) { bytes_.insert(bytes_.end(), view.begin(), view.end()); }

    /// Call it after each record.
    Status flush_if_due() { return bytes_.size() < kPieceBytes ? Status{} : flush(); }

    Status flush() {
        LOCARA_CHECK(sink_(bytes_));
        bytes_.clear();
        return {};
    }

  private:
    static constexpr std::size_t kPieceBytes = 64U << 10U;

    const ChunkIndex::Sink& sink_;
    Bytes bytes_;
};

/// What the two ordered lists are ordered by.
struct ByHash {
    xet::ChunkHash hash;
    std::uint32_t number = 0;

    auto operator<=>(const ByHash&) const = default;
};

struct ByPlace {
    std::uint32_t xorb = 0;
    std::uint32_t index = 0;
    std::uint32_t number = 0;

    auto operator<=>(const ByPlace&) const = default;
};

/// The numbers of what was sorted.
template <class Key> Status write_sorted(SpillSorter<Key>& sorter, Writer& writer) {
    LOCARA_CHECK(sorter.sort());
    while (true) {
        LOCARA_TRY(const std::optional<Key> next, sorter.next());
        if (!next) {
            return {};
        }
        writer.number(next->number);
        LOCARA_CHECK(writer.flush_if_due());
    }
}

Error corrupt(const std::string& what) {
    return Error(ErrorCode::Corrupt, "chunk index: " + what);
}

/// InvalidArgument unless the list can be an index.
Status check_list(const IndexedFile& file) {
    const auto bad = [](const std::string& what) {
        return Error(ErrorCode::InvalidArgument, "a list of chunks " + what);
    };
    if (file.chunks.size() >= IndexedFile::kNoXorb || file.xorbs.size() >= IndexedFile::kNoXorb) {
        return Error(ErrorCode::TooLarge, "a list of chunks has more than an index can count");
    }
    xet::FileHasher hasher;
    std::uint64_t size = 0;
    SpillReader<IndexedFile::Chunk> reader(file.chunks);
    while (true) {
        LOCARA_TRY(const IndexedFile::Chunk* const chunk, reader.next());
        if (chunk == nullptr) {
            break;
        }
        if (chunk->size == 0 || chunk->size > kMaxIndexedChunkBytes) {
            return bad("has one of " + std::to_string(chunk->size) + " bytes");
        }
        if (chunk->xorb == IndexedFile::kNoXorb ? chunk->index != 0
                                                : chunk->xorb >= file.xorbs.size()) {
            return bad("names a place in a xorb that is not in its table");
        }
        hasher.add({chunk->hash, chunk->size});
        size += chunk->size;
    }
    if (size > kMaxFileBytes) {
        return Error(ErrorCode::TooLarge, "a list of chunks has more bytes than a file may");
    }
    if (size != file.size) {
        return bad("has another size than it says");
    }
    return hasher.finish() == file.hash ? Status{} : bad("has another file hash than it says");
}

} // namespace

/// The bytes of an index and where its sections begin.
struct ChunkIndex::State {
    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    ~State() {
        if (mapped != nullptr) {
            ::munmap(mapped, bytes.size());
        }
    }

    Bytes owned;            ///< Or:
    void* mapped = nullptr; ///< From mmap, of bytes.size().
    ByteView bytes;

    crypto::Sha256Digest sha256;
    xet::FileHash file_hash;
    std::uint64_t file_size = 0;
    std::uint32_t chunks = 0;
    std::uint32_t xorbs = 0;
    std::uint32_t placed = 0;
    const std::byte* xorb_table = nullptr;
    const std::byte* records = nullptr;
    const std::byte* by_hash = nullptr;
    const std::byte* by_place = nullptr;

    const std::byte* record(std::uint32_t number) const {
        return records + std::size_t{number} * kRecordBytes;
    }

    ByteView hash_of(std::uint32_t number) const { return {record(number), kHashBytes}; }

    std::uint64_t offset_of(std::uint32_t number) const {
        return number == chunks ? file_size
                                : read_number<std::uint64_t>(record(number) + kHashBytes);
    }

    std::uint32_t xorb_of(std::uint32_t number) const {
        return read_number<std::uint32_t>(record(number) + 40);
    }

    std::uint32_t index_of(std::uint32_t number) const {
        return read_number<std::uint32_t>(record(number) + 44);
    }

    ByteView xorb(std::uint32_t number) const {
        return {xorb_table + std::size_t{number} * kHashBytes, kHashBytes};
    }

    static std::uint32_t entry(const std::byte* list, std::uint32_t at) {
        return read_number<std::uint32_t>(list + std::size_t{at} * kNumberBytes);
    }

    /// The first entry of an ordered list of chunk numbers of which `is_less` does not hold. A list
    /// that is out of order gives any number, or nullopt.
    template <class IsLess>
    std::optional<std::uint32_t>
    lower_bound(const std::byte* list, std::uint32_t count, IsLess is_less) const {
        std::uint32_t first = 0;
        while (count > 0) {
            const std::uint32_t half = count / 2;
            const std::uint32_t number = entry(list, first + half);
            if (number >= chunks) {
                return std::nullopt;
            }
            if (is_less(number)) {
                first += half + 1;
                count -= half + 1;
            } else {
                count = half;
            }
        }
        return first;
    }

    std::optional<std::uint32_t> find_xorb(const xet::XorbHash& hash) const {
        std::uint32_t first = 0;
        std::uint32_t count = xorbs;
        while (count > 0) {
            const std::uint32_t half = count / 2;
            if (std::memcmp(xorb(first + half).data(), hash.bytes.data(), kHashBytes) < 0) {
                first += half + 1;
                count -= half + 1;
            } else {
                count = half;
            }
        }
        return first < xorbs && std::memcmp(xorb(first).data(), hash.bytes.data(), kHashBytes) == 0
                   ? std::optional(first)
                   : std::nullopt;
    }
};

Status ChunkIndex::render(const IndexedFile& file, const Sink& sink) {
    LOCARA_CHECK(check_list(file));
    // The table is written in order, so numbers change.
    std::vector<std::uint32_t> order(file.xorbs.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return file.xorbs[a] < file.xorbs[b];
    });
    std::vector<std::uint32_t> renumbered(order.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) {
        if (i > 0 && file.xorbs[order[i - 1]] == file.xorbs[order[i]]) {
            return Error(ErrorCode::InvalidArgument, "a list of chunks names a xorb twice");
        }
        renumbered[order[i]] = i;
    }

    // Gone through again and again: what is in memory is the more dear.
    const auto each = [&](const auto& take) -> Status {
        SpillReader<IndexedFile::Chunk> reader(file.chunks);
        for (std::uint32_t i = 0;; ++i) {
            LOCARA_TRY(const IndexedFile::Chunk* const chunk, reader.next());
            if (chunk == nullptr) {
                return {};
            }
            const bool placed = chunk->xorb != IndexedFile::kNoXorb;
            LOCARA_CHECK(take(i, *chunk, placed ? renumbered[chunk->xorb] : chunk->xorb));
        }
    };
    std::uint32_t placed = 0;
    const auto count =
        [&](std::uint32_t /*i*/, const IndexedFile::Chunk& /*chunk*/, std::uint32_t xorb) {
            placed += xorb == IndexedFile::kNoXorb ? 0 : 1;
            return Status{};
        };
    LOCARA_CHECK(each(count));

    Writer writer(sink);
    writer.bytes(as_bytes(kMagic));
    writer.bytes(file.sha256.bytes);
    writer.bytes(file.hash.bytes);
    writer.number(file.size);
    writer.number(static_cast<std::uint32_t>(file.chunks.size()));
    writer.number(static_cast<std::uint32_t>(order.size()));
    writer.number(placed);
    writer.number(std::uint32_t{0});
    for (const std::uint32_t number : order) {
        writer.bytes(file.xorbs[number].bytes);
    }
    std::uint64_t offset = 0;
    const auto write =
        [&](std::uint32_t /*i*/, const IndexedFile::Chunk& chunk, std::uint32_t xorb) {
            writer.bytes(chunk.hash.bytes);
            writer.number(offset);
            writer.number(xorb);
            writer.number(chunk.index);
            offset += chunk.size;
            return writer.flush_if_due();
        };
    LOCARA_CHECK(each(write));
    {
        SpillSorter<ByHash> sorter(file.chunks.folder());
        const auto add = [&](std::uint32_t i, const IndexedFile::Chunk& chunk, std::uint32_t) {
            return sorter.add({chunk.hash, i});
        };
        LOCARA_CHECK(each(add));
        LOCARA_CHECK(write_sorted(sorter, writer));
    }
    SpillSorter<ByPlace> sorter(file.chunks.folder());
    const auto add = [&](std::uint32_t i, const IndexedFile::Chunk& chunk, std::uint32_t xorb) {
        return xorb == IndexedFile::kNoXorb ? Status{} : sorter.add({xorb, chunk.index, i});
    };
    LOCARA_CHECK(each(add));
    LOCARA_CHECK(write_sorted(sorter, writer));
    return writer.flush();
}

Result<ChunkIndex> ChunkIndex::check(std::shared_ptr<State> state,
                                     const crypto::Sha256Digest& sha256) {
    State& s = *state;
    if (s.bytes.size() < kHeaderBytes || !as_text(s.bytes).starts_with(kMagic)) {
        return corrupt("it does not begin as one");
    }
    const std::byte* const at = s.bytes.data();
    std::memcpy(s.sha256.bytes.data(), at + 16, kHashBytes);
    std::memcpy(s.file_hash.bytes.data(), at + 48, kHashBytes);
    s.file_size = read_number<std::uint64_t>(at + 80);
    s.chunks = read_number<std::uint32_t>(at + 88);
    s.xorbs = read_number<std::uint32_t>(at + 92);
    s.placed = read_number<std::uint32_t>(at + 96);
    if (s.sha256 != sha256) {
        return corrupt("it is of another file");
    }
    const std::uint64_t length = kHeaderBytes + kHashBytes * std::uint64_t{s.xorbs} +
                                 (kRecordBytes + kNumberBytes) * std::uint64_t{s.chunks} +
                                 kNumberBytes * std::uint64_t{s.placed};
    if (length != s.bytes.size() || read_number<std::uint32_t>(at + 100) != 0) {
        return corrupt("it is cut short or damaged");
    }
    // A chunk has 1 to kMaxIndexedChunkBytes.
    if (s.file_size > kMaxFileBytes || s.placed > s.chunks || s.chunks > s.file_size ||
        s.file_size > std::uint64_t{s.chunks} * kMaxIndexedChunkBytes) {
        return corrupt("its counts cannot be");
    }
    s.xorb_table = at + kHeaderBytes;
    s.records = s.xorb_table + kHashBytes * std::size_t{s.xorbs};
    s.by_hash = s.records + kRecordBytes * std::size_t{s.chunks};
    s.by_place = s.by_hash + kNumberBytes * std::size_t{s.chunks};
    for (std::uint32_t i = 1; i < s.xorbs; ++i) {
        if (std::memcmp(s.xorb(i - 1).data(), s.xorb(i).data(), kHashBytes) >= 0) {
            return corrupt("its xorbs are out of order");
        }
    }
    return ChunkIndex(std::move(state));
}

Result<ChunkIndex> ChunkIndex::open(const std::filesystem::path& path,
                                    const crypto::Sha256Digest& sha256) {
    LOCARA_TRY(const Fd fd, open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    LOCARA_TRY(const std::uint64_t size, regular_file_size(fd, path));
    if (size < kHeaderBytes) { // mmap takes no empty file
        return corrupt("it does not begin as one").add_context("opening " + path.string());
    }
    void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (mapped == MAP_FAILED) {
        const int saved = errno;
        return Error::from_errno("cannot map " + path.string(), saved);
    }
    auto state = std::make_shared<State>();
    state->mapped = mapped;
    state->bytes = {static_cast<const std::byte*>(mapped), size};
    return check(std::move(state), sha256).context("opening " + path.string());
}

Result<ChunkIndex> ChunkIndex::parse(ByteView bytes, const crypto::Sha256Digest& sha256) {
    auto state = std::make_shared<State>();
    state->owned.assign(bytes.begin(), bytes.end());
    state->bytes = state->owned;
    return check(std::move(state), sha256);
}

const crypto::Sha256Digest& ChunkIndex::sha256() const {
    return state_->sha256;
}

const xet::FileHash& ChunkIndex::file_hash() const {
    return state_->file_hash;
}

std::uint64_t ChunkIndex::file_size() const {
    return state_->file_size;
}

std::uint32_t ChunkIndex::chunk_count() const {
    return state_->chunks;
}

Result<ChunkIndex::Chunk> ChunkIndex::chunk(std::uint32_t number) const {
    LOCARA_ASSERT(number < state_->chunks);
    Chunk chunk;
    std::memcpy(chunk.hash.bytes.data(), state_->record(number), kHashBytes);
    chunk.offset = state_->offset_of(number);
    const std::uint64_t end = state_->offset_of(number + 1);
    if (end > state_->file_size || chunk.offset >= end ||
        end - chunk.offset > kMaxIndexedChunkBytes) {
        return corrupt("chunk " + std::to_string(number) + " lies where none can");
    }
    chunk.size = static_cast<std::uint32_t>(end - chunk.offset);
    return chunk;
}

bool ChunkIndex::is_at(std::uint32_t number, const xet::ChunkHash& hash) const {
    return number < state_->chunks &&
           std::memcmp(state_->record(number), hash.bytes.data(), kHashBytes) == 0;
}

bool ChunkIndex::is_at(std::uint32_t number, const xet::XorbHash& xorb, std::uint32_t index) const {
    if (number >= state_->chunks || state_->index_of(number) != index) {
        return false;
    }
    const std::uint32_t its = state_->xorb_of(number);
    return its < state_->xorbs &&
           std::memcmp(state_->xorb(its).data(), xorb.bytes.data(), kHashBytes) == 0;
}

std::optional<std::uint32_t> ChunkIndex::find(const xet::ChunkHash& hash) const {
    const State& s = *state_;
    const auto at = s.lower_bound(s.by_hash, s.chunks, [&](std::uint32_t number) {
        return std::memcmp(s.record(number), hash.bytes.data(), kHashBytes) < 0;
    });
    if (!at || *at >= s.chunks) {
        return std::nullopt;
    }
    const std::uint32_t number = State::entry(s.by_hash, *at);
    return is_at(number, hash) ? std::optional(number) : std::nullopt;
}

std::optional<std::uint32_t> ChunkIndex::find(const xet::XorbHash& xorb,
                                              std::uint32_t index) const {
    const State& s = *state_;
    const auto wanted = s.find_xorb(xorb);
    if (!wanted) {
        return std::nullopt;
    }
    const auto at = s.lower_bound(s.by_place, s.placed, [&](std::uint32_t number) {
        return std::pair(s.xorb_of(number), s.index_of(number)) < std::pair(*wanted, index);
    });
    if (!at || *at >= s.placed) {
        return std::nullopt;
    }
    const std::uint32_t number = State::entry(s.by_place, *at);
    return is_at(number, xorb, index) ? std::optional(number) : std::nullopt;
}

void ChunkIndex::drop_pages() const {
    if (state_->mapped != nullptr) {
        (void)::madvise(state_->mapped, state_->bytes.size(), MADV_DONTNEED); // a wish
    }
}

void ChunkFinder::drop_pages() const {
    for (const ChunkIndex& index : indexes_) {
        index.drop_pages();
    }
}

Result<IndexedFile> ChunkIndex::load(const std::filesystem::path& scratch) const {
    IndexedFile file(scratch);
    file.sha256 = state_->sha256;
    file.hash = state_->file_hash;
    for (std::uint32_t i = 0; i < state_->xorbs; ++i) {
        std::memcpy(file.xorbs.emplace_back().bytes.data(), state_->xorb(i).data(), kHashBytes);
    }
    for (std::uint32_t i = 0; i < state_->chunks; ++i) {
        LOCARA_TRY(const Chunk one, chunk(i));
        LOCARA_CHECK(file.add({one.hash, one.size, state_->xorb_of(i), state_->index_of(i)}));
    }
    // One list has one right form: what differs anywhere is damaged.
    const Error differs = corrupt("its lists do not agree with its chunks");
    ByteView rest = state_->bytes;
    const Status same = render(file, [&](ByteView piece) -> Status {
        if (piece.size() > rest.size() || !std::equal(piece.begin(), piece.end(), rest.begin())) {
            return differs;
        }
        rest = rest.subspan(piece.size());
        return {};
    });
    if (!same) {
        const ErrorCode code = same.error().code();
        return code == ErrorCode::NoSpace || code == ErrorCode::Io ? same.error() : differs;
    }
    if (!rest.empty()) {
        return differs;
    }
    return file;
}

Status ChunkIndex::verify(const std::filesystem::path& scratch) const {
    LOCARA_TRY(const auto file, load(scratch));
    (void)file;
    return {};
}

std::optional<FoundChunk> ChunkFinder::found_at(std::size_t index_number,
                                                std::uint32_t chunk_number) const {
    const ChunkIndex& index = indexes_[index_number];
    const auto chunk = index.chunk(chunk_number);
    if (!chunk) {
        return std::nullopt;
    }
    return FoundChunk{index.sha256(),
                      chunk->offset,
                      chunk->size,
                      chunk->hash,
                      static_cast<std::uint32_t>(index_number),
                      chunk_number};
}

template <class... Name>
std::optional<FoundChunk> ChunkFinder::find_by(const FoundChunk* after, const Name&... name) const {
    if (after != nullptr && after->index_number < indexes_.size() &&
        indexes_[after->index_number].is_at(after->chunk_number + 1, name...)) {
        if (auto next = found_at(after->index_number, after->chunk_number + 1)) {
            return next;
        }
    }
    for (std::size_t i = 0; i < indexes_.size(); ++i) {
        const auto number = indexes_[i].find(name...);
        if (number) {
            if (auto chunk = found_at(i, *number)) {
                return chunk;
            }
        }
    }
    return std::nullopt;
}

std::optional<FoundChunk> ChunkFinder::find(const xet::ChunkHash& hash,
                                            const FoundChunk* after) const {
    return find_by(after, hash);
}

std::optional<FoundChunk>
ChunkFinder::find(const xet::XorbHash& xorb, std::uint32_t index, const FoundChunk* after) const {
    return find_by(after, xorb, index);
}

} // namespace locara::store
