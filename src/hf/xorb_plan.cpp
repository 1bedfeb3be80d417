#include "xorb_plan.hpp"

#include <locara/xet/xorb.hpp>

#include <algorithm>

namespace locara::hf {

std::uint32_t XorbPlan::number_of(const xet::XorbHash& xorb) {
    const auto [number, is_new] =
        numbers_.try_emplace(xorb, static_cast<std::uint32_t>(names_.size()));
    if (is_new) {
        names_.push_back(xorb);
    }
    return number->second;
}

xet::XorbHash XorbPlan::name_of(std::uint32_t number) const {
    return number >= kNew ? new_[number - kNew].hash : names_[number];
}

Result<std::optional<std::uint32_t>> XorbPlan::Known::number_of(const xet::ChunkHash& hash) const {
    return slots_.find(hash, [this](std::uint32_t i) -> Result<xet::ChunkHash> {
        LOCARA_TRY(const Entry entry, list_.get(i));
        return entry.hash;
    });
}

Result<std::optional<XorbPlan::Where>> XorbPlan::Known::find(const xet::ChunkHash& hash) const {
    LOCARA_TRY(const auto number, number_of(hash));
    if (!number) {
        return std::optional<Where>();
    }
    LOCARA_TRY(const Entry entry, list_.get(*number));
    return std::optional(entry.where);
}

Status XorbPlan::Known::add(const xet::ChunkHash& hash, const Where& where) {
    LOCARA_TRY(const auto number, number_of(hash));
    if (number) {
        return {};
    }
    LOCARA_CHECK(list_.add({hash, where}));
    return slots_.add(static_cast<std::uint32_t>(list_.size() - 1), hash);
}

bool XorbPlan::has_room() const {
    std::uint64_t count = known_.size();
    for (const Keyed& keyed : keyed_) {
        count += keyed.chunks.size();
    }
    return count < kMaxKnownChunks;
}

Status
XorbPlan::add_known(const xet::ChunkHash& hash, const xet::XorbHash& xorb, std::uint32_t index) {
    return has_room() ? known_.add(hash, {number_of(xorb), index}) : Status{};
}

Status XorbPlan::add_known(const xet::Shard& answer) {
    const xet::DedupKey key = answer.footer ? answer.footer->key : xet::DedupKey{};
    Known* known = &known_;
    if (!key.is_zero()) {
        const auto same = std::find_if(
            keyed_.begin(), keyed_.end(), [&](const Keyed& one) { return one.key == key; });
        if (same == keyed_.end() && keyed_.size() >= kMaxDedupKeys) {
            return {};
        }
        known = same != keyed_.end() ? &same->chunks
                                     : &keyed_.emplace_back(Keyed{key, Known(scratch_)}).chunks;
    }
    for (const xet::XorbBlock& xorb : answer.xorbs) {
        if (!has_room()) { // looked at once a xorb, which has 8192 chunks at most
            return {};
        }
        const std::uint32_t number = number_of(xorb.hash);
        for (std::uint32_t i = 0; i < xorb.chunks.size(); ++i) {
            LOCARA_CHECK(known->add(xorb.chunks[i].hash, {number, i}));
        }
    }
    return {};
}

Result<std::optional<XorbPlan::Where>> XorbPlan::find(const xet::ChunkHash& hash) const {
    LOCARA_TRY(auto known, known_.find(hash));
    if (known) {
        return known;
    }
    LOCARA_TRY(const auto number,
               new_chunks_.find(hash, [this](std::uint32_t i) -> Result<xet::ChunkHash> {
                   LOCARA_TRY(const xet::Chunk chunk, chunks_.get(i));
                   return chunk.hash;
               }));
    if (number) {
        LOCARA_TRY(known, places_.get(*number));
        return known;
    }
    for (const Keyed& keyed : keyed_) {
        LOCARA_TRY(known, keyed.chunks.find(xet::keyed_chunk_hash(hash, keyed.key)));
        if (known) {
            return known;
        }
    }
    return std::optional<Where>();
}

Result<XorbPlan::Where> XorbPlan::add_new(const Source& source, const xet::Chunk& chunk) {
    if (!open_.empty()) {
        const std::size_t count = open_.size() + 1;
        const std::uint64_t raw = new_.back().raw_bytes + chunk.length;
        // A chunk never grows by packing beyond its header, so the sum is a bound.
        const bool fits =
            count <= xet::kMaxXorbChunks && raw <= xorb_bytes_ &&
            raw + count * xet::kChunkHeaderBytes + xet::footer_bytes(count) <= xet::kMaxXorbBytes;
        if (!fits) {
            close();
        }
    }
    if (open_.empty()) {
        new_.push_back({{}, sources_.size(), 0, 0});
    }
    NewXorb& xorb = new_.back();
    const Where where{kNew + static_cast<std::uint32_t>(new_.size() - 1), xorb.count};
    LOCARA_CHECK(sources_.add(source));
    open_.push_back(chunk.info());
    ++xorb.count;
    xorb.raw_bytes += chunk.length;
    new_bytes_ += chunk.length;
    return where;
}

void XorbPlan::close() {
    if (!open_.empty()) {
        new_.back().hash = xet::xorb_hash(open_);
        open_.clear();
    }
}

Status XorbPlan::add_file(std::uint64_t chunks, const Ask& ask) {
    if (places_.size() + chunks >= kNew) {
        return Error(ErrorCode::TooLarge, "these files have too many chunks for one upload");
    }
    const auto file = static_cast<std::uint32_t>(files_.size());
    files_.push_back({places_.size(), places_.size() + chunks});
    SpillReader<xet::Chunk> reader(chunks_, files_.back().first, files_.back().end);
    for (bool is_first = true;; is_first = false) {
        LOCARA_TRY(const xet::Chunk* const chunk, reader.next());
        if (chunk == nullptr) {
            return {};
        }
        LOCARA_TRY(auto where, find(chunk->hash));
        const bool may_ask = is_first || xet::is_dedup_eligible(chunk->hash);
        if (!where && ask && may_ask && asked_.insert(chunk->hash).second) {
            LOCARA_TRY(const auto answer, ask(chunk->hash));
            if (answer) {
                LOCARA_CHECK(add_known(*answer));
                LOCARA_TRY(where, find(chunk->hash));
            }
        }
        if (where) {
            relies_on_server_ = relies_on_server_ || where->xorb < kNew;
            known_bytes_ += chunk->length;
            LOCARA_CHECK(places_.add(*where));
            continue;
        }
        const auto number = static_cast<std::uint32_t>(places_.size());
        LOCARA_TRY(const Where place, add_new({file, number}, *chunk));
        LOCARA_CHECK(places_.add(place));
        LOCARA_CHECK(new_chunks_.add(number, chunk->hash));
    }
}

void XorbPlan::finish() {
    close();
}

Result<xet::FileBlock> XorbPlan::file_block(std::size_t file) const {
    const auto [first, end] = files_[file];
    SpillReader<xet::Chunk> chunks(chunks_, first, end);
    SpillReader<Where> places(places_, first, end);
    xet::FileBlock block;
    std::vector<xet::ChunkInfo> infos; // of the last term
    std::optional<Where> next;         // where that goes on
    const auto end_term = [&] {
        if (next) {
            block.terms.back().chunks.end = next->index;
            block.verification.push_back(xet::range_hash(infos));
            infos.clear();
        }
    };
    for (std::uint64_t i = first; i < end; ++i) {
        LOCARA_TRY(const xet::Chunk* const chunk, chunks.next());
        LOCARA_TRY(const Where* const place, places.next());
        if (!next || next->xorb != place->xorb || next->index != place->index) {
            end_term();
            block.terms.push_back({name_of(place->xorb), {place->index, place->index}, 0});
        }
        block.terms.back().raw_bytes += chunk->length;
        infos.push_back(chunk->info());
        next = Where{place->xorb, place->index + 1};
    }
    end_term();
    return block;
}

Result<xet::XorbBlock> XorbPlan::xorb_block(const NewXorb& xorb, std::uint32_t packed_bytes) const {
    xet::XorbBlock block;
    block.hash = xorb.hash;
    block.raw_bytes = static_cast<std::uint32_t>(xorb.raw_bytes);
    block.packed_bytes = packed_bytes;
    block.chunks.reserve(xorb.count);
    std::uint32_t at = 0;
    for (std::uint32_t i = 0; i < xorb.count; ++i) {
        LOCARA_TRY(const Source from, source(xorb, i));
        LOCARA_TRY(const xet::Chunk one, chunk(from));
        const bool offered =
            from.chunk == files_[from.file].first || xet::is_dedup_eligible(one.hash);
        block.chunks.push_back(
            {one.hash, at, one.length, offered ? xet::Offer::Yes : xet::Offer::No});
        at += one.length;
    }
    return block;
}

} // namespace locara::hf
