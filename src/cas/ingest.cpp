// Plain bytes into chunks, known ones found, new ones packed.
#include "packer.hpp"
#include "state.hpp"

#include <locara/xet/chunker.hpp>
#include <locara/xet/subtree.hpp>

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>

namespace locara::cas {

namespace {

/// Xorbs whose tables are at hand because the file has used them last.
constexpr std::size_t kActiveXorbs = 8;
/// Chunks hashed into the tree at once.
constexpr std::size_t kTreeBatch = 1024;

} // namespace

struct Ingest::State {
    explicit State(Cas::State& cas_in) : cas(cas_in), packer(cas_in, cas_in.options.threads) {}

    /// A run of chunks of a stored or a coming xorb.
    struct Term {
        std::optional<std::uint32_t> coming; ///< Number in the packer; else `xorb`.
        xet::XorbHash xorb;
        xet::ChunkRange chunks;
        std::uint32_t raw_bytes = 0;
        xet::RangeHash proof;
    };

    /// A stored xorb that the file uses.
    struct Active {
        xet::XorbHash xorb;
        std::shared_ptr<const xet::XorbTable> table; ///< Shared with the cache of the Cas.
        std::unordered_map<std::uint64_t, std::uint32_t> by_word;
    };

    Cas::State& cas;
    xet::Chunker chunker;
    crypto::Sha256 sha256;
    Packer packer;
    Ingested result;

    std::vector<Term> terms;
    std::vector<xet::ChunkInfo> run; ///< Chunks of the last term, for its proof.

    xet::HashSubtree tree;
    std::vector<xet::ChunkInfo> batch; ///< Chunks that are not in the tree yet.
    bool at_start = true;              ///< The tree is empty.

    /// Chunks of xorbs that are not put yet, and how many of those xorbs have been.
    std::unordered_map<xet::ChunkHash, NewPlace> coming;
    std::deque<std::pair<std::uint32_t, xet::ChunkHash>> coming_order;
    std::deque<Active> active; ///< Used last comes first.

    Status take(const xet::Chunk& chunk, ByteView raw);
    Status place(const xet::ChunkInfo& chunk, ByteView raw);
    void forget_put_xorbs();
    Result<std::optional<Place>> find(const xet::ChunkHash& chunk);
    Result<Active*> activate(const xet::XorbHash& xorb);
    void extend(std::optional<std::uint32_t> number,
                const xet::XorbHash& xorb,
                std::uint32_t index,
                const xet::ChunkInfo& chunk);
    void close_term();
    Status grow_tree(xet::AtEnd at_end);
    Result<xet::FileBlock> block(const Sha256& digest);
    Result<Ingested> finish(const std::optional<Sha256>& expected);
};

Status Ingest::State::take(const xet::Chunk& chunk, ByteView raw) {
    if (result.chunks == kMaxFileChunks) {
        return Error(ErrorCode::TooLarge,
                     "the file has more than the " + std::to_string(kMaxFileChunks) +
                         " chunks that a file may have");
    }
    ++result.chunks;
    result.info.size += raw.size();
    batch.push_back(chunk.info());
    // One is kept back: only the end of the file tells whether it is the last.
    if (batch.size() > kTreeBatch) {
        LOCARA_CHECK(grow_tree(xet::AtEnd::No));
    }
    return place(chunk.info(), raw);
}

/// Decides where the chunk is read from: where the run goes on, if the same chunk follows there;
/// else where it is known; else it is new.
Status Ingest::State::place(const xet::ChunkInfo& chunk, ByteView raw) {
    LOCARA_TRY(const auto known, find(chunk.hash));
    if (known) {
        extend(std::nullopt, known->xorb, known->index, chunk);
        return {};
    }
    if (const auto it = coming.find(chunk.hash); it != coming.end()) {
        extend(it->second.xorb, {}, it->second.index, chunk);
        return {};
    }
    LOCARA_TRY(const NewPlace place, packer.add(chunk.hash, raw));
    ++result.new_chunks;
    result.new_raw_bytes += raw.size();
    coming.emplace(chunk.hash, place);
    coming_order.emplace_back(place.xorb, chunk.hash);
    forget_put_xorbs();
    extend(place.xorb, {}, place.index, chunk);
    return {};
}

/// Those are in the lookup now.
void Ingest::State::forget_put_xorbs() {
    while (!coming_order.empty() && coming_order.front().first < packer.xorbs().size()) {
        coming.erase(coming_order.front().second);
        coming_order.pop_front();
    }
}

Result<std::optional<Place>> Ingest::State::find(const xet::ChunkHash& chunk) {
    // Where the last term goes on.
    if (!terms.empty() && !terms.back().coming && !active.empty() &&
        active.front().xorb == terms.back().xorb) {
        const std::uint32_t next = terms.back().chunks.end;
        const auto chunks = active.front().table->chunks();
        if (next < chunks.size() && chunks[next].hash == chunk) {
            return std::optional(Place{terms.back().xorb, next});
        }
    }
    // In the neighbourhood of earlier hits: with a sampled lookup this is where most are found.
    if (cas.lookup.is_sampled()) {
        for (std::size_t i = 0; i < active.size(); ++i) {
            const auto it = active[i].by_word.find(chunk.word(0));
            if (it != active[i].by_word.end() &&
                active[i].table->chunks()[it->second].hash == chunk) {
                const Place place{active[i].xorb, it->second};
                std::rotate(active.begin(),
                            active.begin() + static_cast<std::ptrdiff_t>(i),
                            active.begin() + static_cast<std::ptrdiff_t>(i) + 1);
                return std::optional(place);
            }
        }
    }
    const auto proposed = cas.lookup.find(chunk);
    if (!proposed) {
        return std::optional<Place>();
    }
    LOCARA_TRY(Active* const xorb, activate(proposed->xorb));
    const bool holds = xorb != nullptr && proposed->index < xorb->table->size() &&
                       xorb->table->chunks()[proposed->index].hash == chunk;
    return holds ? proposed : std::nullopt;
}

/// The xorb, brought to the front of those in use; null when it is gone or not what it says.
Result<Ingest::State::Active*> Ingest::State::activate(const xet::XorbHash& xorb) {
    const auto at =
        std::find_if(active.begin(), active.end(), [&](const Active& a) { return a.xorb == xorb; });
    if (at != active.end()) {
        std::rotate(active.begin(), at, at + 1);
        return &active.front();
    }
    // From here on it stays until gc's grace time is over.
    LOCARA_TRY(const bool there, cas.touch_if_there(key_of(xorb)));
    auto table = there ? cas.table(xorb)
                       : Result<std::shared_ptr<const xet::XorbTable>>(
                             Error(ErrorCode::NotFound, "there is no xorb " + xorb.render()));
    if (!table) {
        const ErrorCode code = table.error().code();
        if (code != ErrorCode::NotFound && code != ErrorCode::Corrupt) {
            return std::move(table).error();
        }
        cas.lookup.forget(xorb);
        return nullptr;
    }
    active.push_front({xorb, std::move(*table), {}});
    if (cas.lookup.is_sampled()) {
        const auto chunks = active.front().table->chunks();
        for (std::uint32_t i = 0; i < chunks.size(); ++i) {
            active.front().by_word.try_emplace(chunks[i].hash.word(0), i);
        }
    }
    if (active.size() > kActiveXorbs) {
        active.pop_back();
    }
    return &active.front();
}

void Ingest::State::extend(std::optional<std::uint32_t> number,
                           const xet::XorbHash& xorb,
                           std::uint32_t index,
                           const xet::ChunkInfo& chunk) {
    const bool goes_on = !terms.empty() && terms.back().coming == number &&
                         terms.back().xorb == xorb && terms.back().chunks.end == index;
    if (!goes_on) {
        close_term();
        terms.push_back({number, xorb, {index, index}, 0, {}});
    }
    ++terms.back().chunks.end;
    terms.back().raw_bytes += static_cast<std::uint32_t>(chunk.size);
    run.push_back(chunk);
}

void Ingest::State::close_term() {
    if (!terms.empty()) {
        terms.back().proof = xet::range_hash(run);
        run.clear();
    }
}

/// Hashes all chunks of the batch but one into the tree; at the end all of them.
Status Ingest::State::grow_tree(xet::AtEnd at_end) {
    const std::size_t count = at_end == xet::AtEnd::Yes ? batch.size() : batch.size() - 1;
    const auto next = xet::HashSubtree::from_chunks(
        at_start ? xet::AtStart::Yes : xet::AtStart::No, std::span(batch).first(count), at_end);
    if (at_start) {
        tree = next;
        at_start = false;
    } else {
        LOCARA_CHECK(tree.merge(next));
    }
    batch.erase(batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(count));
    return {};
}

/// The file as it will be stored. REQUIRES: the packer has finished; the file is not empty.
Result<xet::FileBlock> Ingest::State::block(const Sha256& digest) {
    LOCARA_CHECK(grow_tree(xet::AtEnd::Yes));
    const auto root = tree.root();
    if (!root) {
        return Error(ErrorCode::Internal, "the hash tree of the file is not whole");
    }
    xet::FileBlock block;
    block.hash = xet::file_hash_of_root(*root);
    block.sha256 = digest;
    for (const Term& term : terms) {
        const xet::XorbHash& xorb = term.coming ? packer.xorbs()[*term.coming] : term.xorb;
        block.terms.push_back({xorb, term.chunks, term.raw_bytes});
        block.verification.push_back(term.proof);
    }
    return block;
}

Result<Ingested> Ingest::State::finish(const std::optional<Sha256>& expected) {
    LOCARA_CHECK(
        chunker.finish([this](const xet::Chunk& chunk, ByteView raw) { return take(chunk, raw); }));
    const Sha256 digest = sha256.finish();
    if (expected && *expected != digest) {
        return Error(ErrorCode::Corrupt,
                     "the bytes have the SHA-256 " + digest.render() + " and not " +
                         expected->render());
    }
    close_term();
    LOCARA_CHECK(packer.finish());
    result.info.sha256 = digest;
    result.info.proof = FileInfo::Proof::Verified;
    if (result.chunks == 0) { // the empty file needs no object
        return std::move(result);
    }
    LOCARA_TRY(const auto file, block(digest));
    result.info.hash = file.hash;
    result.new_stored_bytes = packer.stored_bytes();

    // A gc may have taken an old xorb if all this took longer than its grace time.
    for (const xet::XorbHash& xorb : xorbs_in(file)) {
        LOCARA_TRY(const bool there, cas.touch_if_there(key_of(xorb)));
        if (!there) {
            return Error(ErrorCode::Conflict,
                         "the xorb " + xorb.render() +
                             " was removed while the file came in; send the file again");
        }
    }
    std::shared_ptr<const xet::XorbTable> held;
    const auto table = [&](const xet::XorbHash& xorb) -> const xet::XorbTable* {
        auto found = cas.table(xorb);
        held = found ? std::move(*found) : nullptr;
        return held.get();
    };
    LOCARA_CHECK(xet::verify_file(file, table, xet::Proofs::Required)
                     .context("checking what was made of the file"));
    LOCARA_CHECK(cas.remember_sha256(file.hash, digest));
    LOCARA_TRY(const auto stored, cas.store_file(file));
    if (stored) {
        result.inserted = Inserted::Yes;
        result.new_stored_bytes += *stored + digest.bytes.size();
    }
    return std::move(result);
}

Ingest::Ingest(std::unique_ptr<State> state) : state_(std::move(state)) {}

Ingest::Ingest(Ingest&&) noexcept = default;
Ingest& Ingest::operator=(Ingest&&) noexcept = default;
Ingest::~Ingest() = default;

Status Ingest::write(ByteView piece) {
    State& s = *state_;
    s.sha256.update(piece);
    return s.chunker.update(
        piece, [&s](const xet::Chunk& chunk, ByteView raw) { return s.take(chunk, raw); });
}

Result<Ingested> Ingest::finish(const std::optional<Sha256>& expected) {
    return state_->finish(expected);
}

Result<Ingest> Cas::begin_ingest() {
    LOCARA_CHECK(state_->refresh_lookup());
    return Ingest(std::make_unique<Ingest::State>(*state_));
}

Result<Ingested> Cas::ingest(const Fd& file, const std::optional<Sha256>& expected) {
    LOCARA_TRY(Ingest ingest, begin_ingest());
    LOCARA_TRY(const std::uint64_t size, regular_file_size(file, "the file"));
    Bytes buffer(kWindowBytes);
    for (std::uint64_t offset = 0; offset < size;) {
        const auto piece = std::span(buffer).first(
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - offset)));
        LOCARA_CHECK(read_exactly_at(file, offset, piece));
        LOCARA_CHECK(ingest.write(piece));
        offset += piece.size();
    }
    return ingest.finish(expected);
}

} // namespace locara::cas
