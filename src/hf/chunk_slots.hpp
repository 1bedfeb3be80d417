// Numbers of chunks, found by hash. Private to the module.
//
// The hashes lie with the caller, who gives them by number; so a chunk costs some 5 to 11 bytes
// here, where a hash map would copy its hash and allocate a node. Open addressing; the chunk hash
// is its own hash value.
//
// Threads: one, or any number that only find.
#pragma once

#include <locara/xet/hash.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace locara::hf {

class ChunkSlots {
  public:
    /// The number that was added with this hash. `hash_of(number)` gives the hash of any that was.
    template <class HashOf>
    std::optional<std::uint32_t> find(const xet::ChunkHash& hash, const HashOf& hash_of) const {
        if (slots_.empty()) {
            return std::nullopt;
        }
        for (std::size_t at = start_of(hash); slots_[at] != kFree; at = after(at)) {
            if (hash_of(slots_[at]) == hash) {
                return slots_[at];
            }
        }
        return std::nullopt;
    }

    /// REQUIRES: none with its hash is in; `number` is below 2^32 - 1.
    template <class HashOf> void add(std::uint32_t number, const HashOf& hash_of) {
        if (4 * (count_ + 1) > 3 * slots_.size()) { // so that there always is a free one
            const auto old = std::exchange(
                slots_, std::vector<std::uint32_t>(slots_.empty() ? 64 : 2 * slots_.size(), kFree));
            for (const std::uint32_t one : old) {
                if (one != kFree) {
                    put(one, hash_of(one));
                }
            }
        }
        put(number, hash_of(number));
        ++count_;
    }

  private:
    static constexpr std::uint32_t kFree = 0xffffffff;

    std::size_t start_of(const xet::ChunkHash& hash) const {
        return hash.word(0) & (slots_.size() - 1); // a power of two
    }

    std::size_t after(std::size_t at) const { return (at + 1) & (slots_.size() - 1); }

    void put(std::uint32_t number, const xet::ChunkHash& hash) {
        std::size_t at = start_of(hash);
        while (slots_[at] != kFree) {
            at = after(at);
        }
        slots_[at] = number;
    }

    std::vector<std::uint32_t> slots_;
    std::size_t count_ = 0;
};

} // namespace locara::hf
