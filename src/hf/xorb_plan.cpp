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

void XorbPlan::add_known(const xet::ChunkHash& hash,
                         const xet::XorbHash& xorb,
                         std::uint32_t index) {
    known_.try_emplace(hash, Where{number_of(xorb), index});
}

void XorbPlan::add_known(const xet::Shard& answer) {
    const xet::DedupKey key = answer.footer ? answer.footer->key : xet::DedupKey{};
    Keyed* keyed = nullptr;
    if (!key.is_zero()) {
        const auto same = std::find_if(
            keyed_.begin(), keyed_.end(), [&](const Keyed& one) { return one.key == key; });
        if (same == keyed_.end() && keyed_.size() >= kMaxDedupKeys) {
            return;
        }
        keyed = same != keyed_.end() ? &*same : &keyed_.emplace_back(Keyed{key, {}});
    }
    for (const xet::XorbBlock& xorb : answer.xorbs) {
        const std::uint32_t number = number_of(xorb.hash);
        for (std::uint32_t i = 0; i < xorb.chunks.size(); ++i) {
            (keyed != nullptr ? keyed->chunks : known_)
                .try_emplace(xorb.chunks[i].hash, Where{number, i});
        }
    }
}

std::optional<XorbPlan::Where> XorbPlan::find(const xet::ChunkHash& hash) {
    if (const auto known = known_.find(hash); known != known_.end()) {
        return known->second;
    }
    for (const Keyed& keyed : keyed_) {
        const auto known = keyed.chunks.find(xet::keyed_chunk_hash(hash, keyed.key));
        if (known != keyed.chunks.end()) {
            known_.emplace(hash, known->second);
            return known->second;
        }
    }
    return std::nullopt;
}

XorbPlan::Where XorbPlan::add_new(const Source& source, const xet::ChunkInfo& chunk, bool first) {
    if (open_) {
        const NewXorb& last = new_.back();
        const std::size_t count = last.chunks.size() + 1;
        const std::uint64_t raw = last.raw_bytes + chunk.size;
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
                      static_cast<std::uint32_t>(xorb.chunks.size())};
    xorb.sources.push_back(source);
    xorb.chunks.push_back(chunk);
    xorb.first_of_file.push_back(first);
    xorb.raw_bytes += chunk.size;
    new_bytes_ += chunk.size;
    known_.emplace(chunk.hash, where);
    return where;
}

void XorbPlan::close() {
    if (open_) {
        new_.back().hash = xet::xorb_hash(new_.back().chunks);
        open_ = false;
    }
}

Status XorbPlan::add_file(std::span<const xet::ChunkInfo> chunks, const Ask& ask) {
    const auto file = static_cast<std::uint32_t>(files_.size());
    std::vector<Where>& places = files_.emplace_back();
    places.reserve(chunks.size());
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        const xet::ChunkInfo& chunk = chunks[i];
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
            known_bytes_ += chunk.size;
        } else {
            where = add_new({file, static_cast<std::uint32_t>(i)}, chunk, i == 0);
        }
        places.push_back(*where);
    }
    return {};
}

void XorbPlan::finish() {
    close();
}

xet::FileBlock XorbPlan::file_block(std::size_t file,
                                    std::span<const xet::ChunkInfo> chunks) const {
    const std::vector<Where>& places = files_[file];
    xet::FileBlock block;
    block.hash = xet::file_hash(chunks);
    std::size_t i = 0;
    while (i < places.size()) {
        const Where start = places[i];
        std::size_t end = i;
        std::uint32_t bytes = 0;
        while (end < places.size() && places[end].xorb == start.xorb &&
               places[end].index == start.index + (end - i)) {
            bytes += static_cast<std::uint32_t>(chunks[end].size);
            ++end;
        }
        const auto count = static_cast<std::uint32_t>(end - i);
        block.terms.push_back({name_of(start.xorb), {start.index, start.index + count}, bytes});
        block.verification.push_back(xet::range_hash(chunks.subspan(i, count)));
        i = end;
    }
    return block;
}

xet::XorbBlock make_xorb_block(const XorbPlan::NewXorb& xorb, std::uint32_t packed_bytes) {
    xet::XorbBlock block;
    block.hash = xorb.hash;
    block.raw_bytes = static_cast<std::uint32_t>(xorb.raw_bytes);
    block.packed_bytes = packed_bytes;
    std::uint32_t at = 0;
    for (std::size_t i = 0; i < xorb.chunks.size(); ++i) {
        const auto size = static_cast<std::uint32_t>(xorb.chunks[i].size);
        const bool offered = xorb.first_of_file[i] || xet::is_dedup_eligible(xorb.chunks[i].hash);
        block.chunks.push_back(
            {xorb.chunks[i].hash, at, size, offered ? xet::Offer::Yes : xet::Offer::No});
        at += size;
    }
    return block;
}

} // namespace locara::hf
