// The Cas itself: its caches, and how its objects are read and written.
#include "state.hpp"

#include <algorithm>
#include <utility>

namespace locara::cas {

namespace {

constexpr std::size_t kFileCacheBytes = 8U << 20U;
constexpr std::chrono::seconds kRefreshPace{60};

/// The table of a xorb from the footer at the end of its object.
Result<xet::XorbTable>
read_table(const Backend& backend, const xet::XorbHash& xorb, std::uint64_t size) {
    const Key key = key_of(xorb);
    const auto corrupt = [&](std::string_view why) {
        return Error(ErrorCode::Corrupt, "the object " + key.render() + " " + std::string(why));
    };
    constexpr std::size_t kLengthBytes = 4;
    if (size < kLengthBytes || size > kMaxXorbObject) {
        return corrupt("has the size of no xorb");
    }
    std::array<std::byte, kLengthBytes> length_bytes{};
    LOCARA_CHECK(backend.read(key, size - kLengthBytes, length_bytes));
    std::uint64_t length = 0;
    for (std::size_t i = kLengthBytes; i-- > 0;) {
        length = length << 8U | std::to_integer<std::uint64_t>(length_bytes[i]);
    }
    length += kLengthBytes;
    if (length > size || length > xet::footer_bytes(xet::kMaxXorbChunks)) {
        return corrupt("has no footer");
    }
    Bytes bytes(length);
    LOCARA_CHECK(backend.read(key, size - length, bytes));
    LOCARA_TRY(auto footer, xet::parse_footer(bytes).context("reading " + key.render()));
    if (footer.hash != xorb) {
        return corrupt("holds another xorb");
    }
    if (footer.table.packed_bytes() != size - length) {
        return corrupt("has not the size that its footer says");
    }
    return std::move(footer.table);
}

std::size_t memory_of(const xet::XorbTable& table) {
    return sizeof(table) + table.size() * sizeof(xet::TableChunk);
}

std::size_t memory_of(const xet::FileBlock& block) {
    return sizeof(block) + block.terms.size() * (sizeof(xet::FileTerm) + sizeof(xet::RangeHash));
}

} // namespace

Cas::State::State(Backend& backend_in, CasOptions options_in)
    : backend(backend_in), options(options_in), tables(options_in.table_cache_bytes),
      files(kFileCacheBytes), lookup(options_in.lookup_bytes) {}

Result<std::shared_ptr<const xet::XorbTable>> Cas::State::table(const xet::XorbHash& xorb) {
    if (auto cached = tables.find(xorb)) {
        return cached;
    }
    LOCARA_TRY(const auto info, backend.find(key_of(xorb)));
    if (!info) {
        return Error(ErrorCode::NotFound, "there is no xorb " + xorb.render());
    }
    LOCARA_TRY(auto read, read_table(backend, xorb, info->size));
    auto table = std::make_shared<const xet::XorbTable>(std::move(read));
    tables.put(xorb, table, memory_of(*table));
    return table;
}

Result<std::shared_ptr<const xet::FileBlock>> Cas::State::file(const xet::FileHash& hash) {
    if (auto cached = files.find(hash)) {
        return cached;
    }
    if (hash.is_zero()) {
        return std::make_shared<const xet::FileBlock>();
    }
    auto bytes = read_object(backend, key_of(hash), xet::kMaxShardBytes);
    if (!bytes && bytes.error().code() == ErrorCode::NotFound) {
        return Error(ErrorCode::NotFound, "there is no file " + hash.render());
    }
    if (!bytes) {
        return std::move(bytes).error();
    }
    LOCARA_TRY(auto parsed, parse_file(hash, *bytes));
    auto block = std::make_shared<const xet::FileBlock>(std::move(parsed));
    files.put(hash, block, memory_of(*block));
    return block;
}

Result<Bytes> Cas::State::render_file(const xet::FileBlock& block) {
    xet::Shard shard;
    shard.files.push_back(block);
    return xet::render_shard(shard);
}

Result<xet::FileBlock> Cas::State::parse_file(const xet::FileHash& hash, ByteView bytes) {
    const std::string name = key_of(hash).render();
    LOCARA_TRY(auto shard, xet::parse_shard(bytes).context("reading " + name));
    if (shard.files.size() != 1 || !shard.xorbs.empty() || shard.files.front().hash != hash) {
        return Error(ErrorCode::Corrupt, "the object " + name + " holds another file");
    }
    return std::move(shard.files.front());
}

Result<std::optional<Sha256>> Cas::State::verified_sha256(const xet::FileHash& file) {
    if (file.is_zero()) {
        return std::optional(crypto::sha256({}));
    }
    const Key key = digest_key_of(file);
    Sha256 digest;
    const auto read = backend.read(key, 0, digest.bytes);
    if (!read && read.error().code() == ErrorCode::NotFound) {
        return std::optional<Sha256>();
    }
    LOCARA_CHECK(read);
    return std::optional(digest);
}

Status Cas::State::remember_sha256(const xet::FileHash& file, const Sha256& digest) {
    LOCARA_CHECK(backend.put_if_absent(digest_key_of(file), digest.bytes));
    return {};
}

Result<Sha256> Cas::State::compute_sha256(std::shared_ptr<const xet::FileBlock> block) {
    const std::uint64_t size = block->size();
    FileReader::State reader(*this, std::move(block), {0, size}, RawChunks::Copied);
    crypto::Sha256 hash;
    while (true) {
        LOCARA_TRY(const Piece piece, reader.next());
        if (piece.size() == 0) {
            return hash.finish();
        }
        hash.update(piece.bytes);
    }
}

Result<bool> Cas::State::touch_if_there(const Key& key) {
    const auto touched = backend.touch(key);
    if (!touched && touched.error().code() == ErrorCode::NotFound) {
        return false;
    }
    LOCARA_CHECK(touched);
    return true;
}

Status Cas::State::touch_file(const xet::FileHash& hash) {
    if (hash.is_zero()) {
        return {};
    }
    LOCARA_TRY(const auto block, this->file(hash));
    // The xorbs first: when the file is still there afterwards, so are they.
    for (const xet::XorbHash& xorb : xorbs_in(*block)) {
        LOCARA_CHECK(backend.touch(key_of(xorb)));
    }
    return backend.touch(key_of(hash));
}

Result<std::optional<std::uint64_t>> Cas::State::store_file(const xet::FileBlock& block) {
    if (block.hash.is_zero()) {
        return std::optional<std::uint64_t>();
    }
    const Key key = key_of(block.hash);
    LOCARA_TRY(const bool there, touch_if_there(key));
    if (there) {
        auto touched = touch_file(block.hash);
        if (touched) {
            return std::optional<std::uint64_t>();
        }
        if (touched.error().code() != ErrorCode::NotFound) {
            return std::move(touched).error();
        }
        // A xorb of it is gone (set aside, say). This block's are here, so it takes the place.
        files.erase(block.hash);
        const auto removed = backend.remove(key);
        if (!removed && removed.error().code() != ErrorCode::NotFound) {
            return removed.error();
        }
    }
    const auto offer = [&](const Entry& entry) -> Status {
        // Looked for first: a put costs a file and its syncs even when the entry exists.
        LOCARA_TRY(const auto known, backend.find(key_of(entry)));
        if (!known) {
            LOCARA_CHECK(backend.put_if_absent(key_of(entry), ByteView()));
        }
        return {};
    };
    for (const xet::XorbHash& xorb : xorbs_in(block)) {
        LOCARA_TRY(const auto found, table(xorb));
        for (const xet::TableChunk& chunk : found->chunks()) {
            if (xet::is_dedup_eligible(chunk.hash)) {
                LOCARA_CHECK(offer({chunk.hash, xorb}));
            }
        }
    }
    if (const auto first = first_chunk_of(block)) {
        LOCARA_TRY(const auto found, table(first->xorb));
        LOCARA_CHECK(offer({found->info(first->index).hash, first->xorb}));
    }
    LOCARA_TRY(const Bytes bytes, render_file(block));
    LOCARA_TRY(const Put put, backend.put_if_absent(key, bytes));
    return put == Put::Stored ? std::optional<std::uint64_t>(bytes.size()) : std::nullopt;
}

Status Cas::State::refresh_lookup() {
    const std::lock_guard guard(refresh_mutex);
    const TimePoint now = options.clock->now();
    if (refreshed && now - *refreshed < kRefreshPace) {
        return {};
    }
    LOCARA_CHECK(each_object(backend, kXorbs, [&](const ObjectInfo& object) -> Status {
        const auto xorb = parse_xorb_key(object.key.render());
        if (!xorb || lookup.knows(*xorb)) {
            return {};
        }
        // Not through the cache, where the tables that are in use lie. One that is damaged or goes
        // away just now is no reason to fail: its chunks are simply not known.
        const auto table = read_table(backend, *xorb, object.size);
        if (table) {
            lookup.add(*xorb, *table);
        }
        return {};
    }));
    refreshed = now;
    return {};
}

Status each_object(const Backend& backend,
                   std::string_view prefix,
                   const std::function<Status(const ObjectInfo&)>& take) {
    std::optional<std::string> after = "";
    while (after) {
        LOCARA_TRY(Page page, backend.list(prefix, *after));
        for (const ObjectInfo& object : page.objects) {
            LOCARA_CHECK(take(object));
        }
        after = std::move(page.next);
    }
    return {};
}

std::set<xet::XorbHash> xorbs_in(const xet::FileBlock& block) {
    std::set<xet::XorbHash> xorbs;
    for (const xet::FileTerm& term : block.terms) {
        xorbs.insert(term.xorb);
    }
    return xorbs;
}

std::optional<FirstChunk> first_chunk_of(const xet::FileBlock& block) {
    if (block.terms.empty()) {
        return std::nullopt;
    }
    return FirstChunk{block.terms.front().xorb, block.terms.front().chunks.begin};
}

Cas::Cas(Backend& backend, CasOptions options)
    : state_(std::make_unique<State>(backend, options)) {}

Cas::~Cas() = default;

Result<FileInfo> Cas::file_info(const xet::FileHash& file) const {
    LOCARA_TRY(const auto block, state_->file(file));
    LOCARA_TRY(const auto verified, state_->verified_sha256(file));
    FileInfo info{file, block->size(), verified ? verified : block->sha256};
    if (info.sha256) {
        info.proof = verified ? FileInfo::Proof::Verified : FileInfo::Proof::Claimed;
    }
    return info;
}

Result<Sha256> Cas::verify_sha256(const xet::FileHash& file) {
    LOCARA_TRY(const auto block, state_->file(file));
    LOCARA_TRY(auto digest, state_->verified_sha256(file));
    if (!digest) {
        LOCARA_TRY(digest, state_->compute_sha256(block));
        LOCARA_CHECK(state_->remember_sha256(file, *digest));
    }
    if (block->sha256 && *block->sha256 != *digest) {
        return Error(ErrorCode::Conflict,
                     "the file " + file.render() + " was uploaded with the SHA-256 " +
                         block->sha256->render() + ", but it has " + digest->render());
    }
    return *digest;
}

Result<std::vector<xet::XorbHash>> Cas::xorbs_of(const xet::FileHash& file) const {
    LOCARA_TRY(const auto block, state_->file(file));
    const auto xorbs = xorbs_in(*block);
    return std::vector(xorbs.begin(), xorbs.end());
}

Status Cas::touch(const xet::FileHash& file) {
    return state_->touch_file(file);
}

Result<bool> Cas::has_xorb(const xet::XorbHash& hash) {
    return state_->touch_if_there(key_of(hash));
}

Result<std::uint64_t> Cas::xorb_size(const xet::XorbHash& xorb) const {
    LOCARA_TRY(const auto info, state_->backend.find(key_of(xorb)));
    if (!info) {
        return Error(ErrorCode::NotFound, "there is no xorb " + xorb.render());
    }
    return info->size;
}

Status
Cas::read_xorb(const xet::XorbHash& xorb, std::uint64_t offset, std::span<std::byte> buffer) const {
    return state_->backend.read(key_of(xorb), offset, buffer);
}

Result<std::optional<Fd>> Cas::open_xorb(const xet::XorbHash& xorb) const {
    return state_->backend.open(key_of(xorb));
}

} // namespace locara::cas
