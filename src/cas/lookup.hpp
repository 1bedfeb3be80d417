// Which stored xorb holds a chunk: what ingest finds known chunks with.
//
// Derived data in memory, filled from the footers of stored xorbs; a restart fills it anew. It
// only ever proposes: a place it names is checked against the xorb's table, whole hash against
// whole hash, before it is used.
#pragma once

#include <locara/xet/hash.hpp>
#include <locara/xet/xorb.hpp>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

namespace locara::cas {

/// A chunk of a stored xorb.
struct Place {
    xet::XorbHash xorb;
    std::uint32_t index = 0;
};

/// Thread-safe. Memory: at most the limit, and some 60 bytes a xorb.
class Lookup {
  public:
    explicit Lookup(std::size_t limit_bytes);

    bool knows(const xet::XorbHash& xorb) const;
    void add(const xet::XorbHash& xorb, const xet::XorbTable& table);

    /// Never proposes this xorb again.
    void forget(const xet::XorbHash& xorb);

    std::optional<Place> find(const xet::ChunkHash& chunk) const;

    /// Whether chunks had to be left out to stay within the limit.
    bool is_sampled() const;

  private:
    /// 16 bytes a slot, open addressing. Chunks with an equal first word share one: the first wins.
    struct Slot {
        std::uint64_t word = 0;
        std::uint32_t xorb = 0; ///< Its number + 1; 0 is an empty slot.
        std::uint32_t index = 0;
    };

    bool is_sample(std::uint64_t word) const;
    void insert(const Slot& slot);
    void make_room();

    mutable std::mutex mutex_; ///< Guards the rest.
    const std::size_t max_slots_;
    std::vector<Slot> slots_; ///< A power of two.
    std::size_t used_ = 0;
    std::uint64_t stride_ = 1; ///< A power of two; of so many chunks about one is kept.
    std::vector<std::optional<xet::XorbHash>> xorbs_; ///< By number; nothing: forgotten.
    std::unordered_map<xet::XorbHash, std::uint32_t> numbers_;
};

} // namespace locara::cas
