#include "xorb_plan.hpp"

#include <locara/xet/xorb.hpp>

#include <algorithm>
#include <iterator>

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

const XorbPlan::Where* XorbPlan::Known::find(const xet::ChunkHash& hash) const {
    const auto found = slots_.find(
        hash, [this](std::uint32_t i) -> const xet::ChunkHash& { return list_[i].first; });
    return found ? &list_[*found].second : nullptr;
}

void XorbPlan::Known::add(const xet::ChunkHash& hash, const Where& where) {
    if (find(hash) != nullptr) {
        return;
    }
    list_.emplace_back(hash, where);
    slots_.add(static_cast<std::uint32_t>(list_.size() - 1),
               [this](std::uint32_t i) -> const xet::ChunkHash& { return list_[i].first; });
}

bool XorbPlan::has_room() const {
    std::size_t count = known_.size();
    for (const Keyed& keyed : keyed_) {
        count += keyed.chunks.size();
    }
    return count < kMaxKnownChunks;
}

void XorbPlan::add_known(const xet::ChunkHash& hash,
                         const xet::XorbHash& xorb,
                         std::uint32_t index) {
    if (has_room()) {
        known_.add(hash, {number_of(xorb), index});
    }
}

void XorbPlan::add_known(const xet::Shard& answer) {
    const xet::DedupKey key = answer.footer ? answer.footer->key : xet::DedupKey{};
    Known* known = &known_;
    if (!key.is_zero()) {
        const auto same = std::find_if(
            keyed_.begin(), keyed_.end(), [&](const Keyed& one) { return one.key == key; });
        if (same == keyed_.end() && keyed_.size() >= kMaxDedupKeys) {
            return;
        }
        known = same != keyed_.end() ? &same->chunks : &keyed_.emplace_back(Keyed{key, {}}).chunks;
    }
    for (const xet::XorbBlock& xorb : answer.xorbs) {
        if (!has_room()) { // looked at once a xorb, which has 8192 chunks at most
            return;
        }
        const std::uint32_t number = number_of(xorb.hash);
        for (std::uint32_t i = 0; i < xorb.chunks.size(); ++i) {
            known->add(xorb.chunks[i].hash, {number, i});
        }
    }
}

const xet::ChunkHash& XorbPlan::hash_of(std::uint32_t number) const {
    const auto after = std::upper_bound(
        files_.begin(), files_.end(), number, [](std::uint32_t wanted, const File& file) {
            return wanted < file.first;
        });
    const File& file = *std::prev(after);
    return file.chunks[number - file.first].hash;
}

std::optional<XorbPlan::Where> XorbPlan::find(const xet::ChunkHash& hash) {
    if (const Where* known = known_.find(hash)) {
        return *known;
    }
    const auto number = new_chunks_.find(
        hash, [this](std::uint32_t i) -> auto& { return hash_of(i); });
    if (number) {
        return places_[*number];
    }
    for (const Keyed& keyed : keyed_) {
        if (const Where* known = keyed.chunks.find(xet::keyed_chunk_hash(hash, keyed.key))) {
            return *known;
        }
    }
    return std::nullopt;
}

XorbPlan::Where XorbPlan::add_new(const Source& source) {
    const std::uint32_t size = chunk(source).length;
    if (open_) {
        const NewXorb& last = new_.back();
        const std::size_t count = last.sources.size() + 1;
        const std::uint64_t raw = last.raw_bytes + size;
        // A chunk never grows by packing beyond its header, so the sum is a bound.
        const bool fits =
            count <= xet::kMaxXorbChunks && raw <= xorb_bytes_ &&
            raw + count * xet::kChunkHeaderBytes + xet::footer_bytes(count) <= xet::kMaxXorbBytes;
        if (!fits) {
            close();
        }
    }
    if (!open_) {
        new_.emplace_back();
        open_ = true;
    }
    NewXorb& xorb = new_.back();
    const Where where{kNew + static_cast<std::uint32_t>(new_.size() - 1),
                      static_cast<std::uint32_t>(xorb.sources.size())};
    xorb.sources.push_back(source);
    xorb.raw_bytes += size;
    new_bytes_ += size;
    return where;
}

void XorbPlan::close() {
    if (open_) {
        NewXorb& xorb = new_.back();
        xorb.sources.shrink_to_fit();
        std::vector<xet::ChunkInfo> infos;
        infos.reserve(xorb.sources.size());
        for (const Source& source : xorb.sources) {
            infos.push_back(chunk(source).info());
        }
        xorb.hash = xet::xorb_hash(infos);
        open_ = false;
    }
}

Status XorbPlan::add_file(std::span<const xet::Chunk> chunks, const Ask& ask) {
    if (places_.size() + chunks.size() >= kNew) {
        return Error(ErrorCode::TooLarge, "these files have too many chunks for one upload");
    }
    const auto file = static_cast<std::uint32_t>(files_.size());
    files_.push_back({chunks, static_cast<std::uint32_t>(places_.size())});
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        const xet::Chunk& chunk = chunks[i];
        auto where = find(chunk.hash);
        const bool may_ask = i == 0 || xet::is_dedup_eligible(chunk.hash);
        if (!where && ask && may_ask && asked_.insert(chunk.hash).second) {
            LOCARA_TRY(const auto answer, ask(chunk.hash));
            if (answer) {
                add_known(*answer);
                where = find(chunk.hash);
            }
        }
        if (where) {
            relies_on_server_ = relies_on_server_ || where->xorb < kNew;
            known_bytes_ += chunk.length;
            places_.push_back(*where);
            continue;
        }
        const auto number = static_cast<std::uint32_t>(places_.size());
        places_.push_back(add_new({file, static_cast<std::uint32_t>(i)}));
        new_chunks_.add(
            number, [this](std::uint32_t one) -> auto& { return hash_of(one); });
    }
    return {};
}

void XorbPlan::finish() {
    close();
}

xet::FileBlock XorbPlan::file_block(std::size_t file) const {
    const std::span<const xet::Chunk> chunks = files_[file].chunks;
    const auto place = [&](std::size_t i) { return places_[files_[file].first + i]; };
    xet::FileBlock block;
    std::vector<xet::ChunkInfo> infos; // of one term
    std::size_t i = 0;
    while (i < chunks.size()) {
        const Where start = place(i);
        std::size_t end = i;
        std::uint32_t bytes = 0;
        infos.clear();
        while (end < chunks.size() && place(end).xorb == start.xorb &&
               place(end).index == start.index + (end - i)) {
            bytes += chunks[end].length;
            infos.push_back(chunks[end].info());
            ++end;
        }
        const auto count = static_cast<std::uint32_t>(end - i);
        block.terms.push_back({name_of(start.xorb), {start.index, start.index + count}, bytes});
        block.verification.push_back(xet::range_hash(infos));
        i = end;
    }
    return block;
}

xet::XorbBlock XorbPlan::xorb_block(const NewXorb& xorb, std::uint32_t packed_bytes) const {
    xet::XorbBlock block;
    block.hash = xorb.hash;
    block.raw_bytes = static_cast<std::uint32_t>(xorb.raw_bytes);
    block.packed_bytes = packed_bytes;
    block.chunks.reserve(xorb.sources.size());
    std::uint32_t at = 0;
    for (const Source& source : xorb.sources) {
        const xet::Chunk& one = chunk(source);
        const bool offered = source.chunk == 0 || xet::is_dedup_eligible(one.hash);
        block.chunks.push_back(
            {one.hash, at, one.length, offered ? xet::Offer::Yes : xet::Offer::No});
        at += one.length;
    }
    return block;
}

} // namespace locara::hf
