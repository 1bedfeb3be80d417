#include "lookup.hpp"

#include <algorithm>
#include <bit>

namespace locara::cas {

namespace {

constexpr std::size_t kFirstSlots = 256;

/// The bits of a word that choose samples: above those that choose the slot.
constexpr unsigned kSampleShift = 40;

} // namespace

Lookup::Lookup(std::size_t limit_bytes)
    : max_slots_(std::bit_floor(std::max(limit_bytes / sizeof(Slot), kFirstSlots))),
      slots_(kFirstSlots) {}

bool Lookup::knows(const xet::XorbHash& xorb) const {
    const std::lock_guard guard(mutex_);
    return numbers_.contains(xorb);
}

void Lookup::add(const xet::XorbHash& xorb, const xet::XorbTable& table) {
    const std::lock_guard guard(mutex_);
    const auto number = static_cast<std::uint32_t>(xorbs_.size());
    if (!numbers_.try_emplace(xorb, number).second) {
        return;
    }
    xorbs_.emplace_back(xorb);
    const auto chunks = table.chunks();
    for (std::uint32_t i = 0; i < chunks.size(); ++i) {
        const std::uint64_t word = chunks[i].hash.word(0);
        if (!is_sample(word)) {
            continue;
        }
        make_room();
        if (is_sample(word)) { // making room may have thinned the samples
            insert({word, number + 1, i});
        }
    }
}

void Lookup::forget(const xet::XorbHash& xorb) {
    const std::lock_guard guard(mutex_);
    const auto it = numbers_.find(xorb);
    if (it != numbers_.end()) {
        xorbs_[it->second].reset(); // its slots are taken over by the next with their word
        numbers_.erase(it);
    }
}

std::optional<Place> Lookup::find(const xet::ChunkHash& chunk) const {
    const std::lock_guard guard(mutex_);
    const std::uint64_t word = chunk.word(0);
    for (std::size_t i = word & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
        const Slot& slot = slots_[i];
        if (slot.xorb == 0) {
            return std::nullopt;
        }
        if (slot.word == word) {
            const auto& xorb = xorbs_[slot.xorb - 1];
            return xorb ? std::optional(Place{*xorb, slot.index}) : std::nullopt;
        }
    }
}

bool Lookup::is_sampled() const {
    const std::lock_guard guard(mutex_);
    return stride_ > 1;
}

bool Lookup::is_sample(std::uint64_t word) const {
    return (word >> kSampleShift) % stride_ == 0;
}

void Lookup::insert(const Slot& slot) {
    for (std::size_t i = slot.word & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
        Slot& there = slots_[i];
        if (there.xorb == 0) {
            there = slot;
            ++used_;
            return;
        }
        if (there.word == slot.word) {
            if (!xorbs_[there.xorb - 1]) {
                there = slot;
            }
            return;
        }
    }
}

void Lookup::make_room() {
    // At most three of four slots are taken, so that a search soon meets an empty one.
    while (used_ + 1 > slots_.size() / 4 * 3) {
        std::vector<Slot> old;
        const bool grow = slots_.size() < max_slots_;
        old.swap(slots_);
        slots_.resize(grow ? old.size() * 2 : old.size());
        if (!grow) {
            stride_ *= 2;
        }
        used_ = 0;
        for (const Slot& slot : old) {
            if (slot.xorb != 0 && xorbs_[slot.xorb - 1] && is_sample(slot.word)) {
                insert(slot);
            }
        }
    }
}

} // namespace locara::cas
