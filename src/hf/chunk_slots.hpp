// Numbers of chunks, found by hash. Private to the module.
//
// A table with open addressing: a slot holds a number and 32 bits of the chunk's hash, which say
// where it stands and mostly whether it is the right one; the hashes themselves lie with the
// caller. A large table lies in a temporary file (locara/base/spill.hpp), and a search reads some
// hundred bytes of it.
//
// It may forget: hashes that somebody chose so that they fall on one place are not all kept.
//
// Threads: one, or any number that only find.
#pragma once

#include <locara/base/spill.hpp>
#include <locara/xet/hash.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace locara::hf {

class ChunkSlots {
  public:
    explicit ChunkSlots(std::filesystem::path folder) : folder_(std::move(folder)) {}

    /// The number that was added with this hash. `hash_of(number)`, a Result, gives the hash of any
    /// that was. Errors: those of it; Io.
    template <class HashOf>
    Result<std::optional<std::uint32_t>> find(const xet::ChunkHash& hash,
                                              const HashOf& hash_of) const {
        const std::uint32_t tag = tag_of(hash);
        Group group{};
        for (std::size_t step = 0; step < std::min(kMostGroups, table_.groups); ++step) {
            LOCARA_CHECK(table_.read(group_of(table_, tag, step), group));
            for (const Slot& slot : group) {
                if (slot.number == 0) {
                    return std::optional<std::uint32_t>();
                }
                if (slot.tag != tag) {
                    continue;
                }
                LOCARA_TRY(const xet::ChunkHash its, hash_of(slot.number - 1));
                if (its == hash) {
                    return std::optional(slot.number - 1);
                }
            }
        }
        return std::optional<std::uint32_t>();
    }

    /// REQUIRES: none with its hash is in; `number` is below 2^32 - 1. Errors: NoSpace, Io.
    Status add(std::uint32_t number, const xet::ChunkHash& hash) {
        if (4 * (count_ + 1) > 3 * table_.groups * kGroupSlots) { // so that there are free ones
            LOCARA_CHECK(grow());
        }
        ++count_;
        return put(table_, {number + 1, tag_of(hash)});
    }

  private:
    struct Slot {
        std::uint32_t number = 0; ///< Plus one; 0: free.
        std::uint32_t tag = 0;
    };

    /// Slots that are filled from the first on and read at once.
    static constexpr std::size_t kGroupSlots = 32;
    using Group = std::array<Slot, kGroupSlots>;

    /// How many groups a search looks into.
    static constexpr std::size_t kMostGroups = 8;
    /// What is in memory, before there is a file.
    static constexpr std::size_t kMemoryGroups = SpillBytes::kMemoryBytes / sizeof(Group);

    struct Table {
        std::size_t groups = 0; ///< A power of two.
        std::vector<Group> memory;
        Fd file; ///< If that is not all.

        Status read(std::size_t number, Group& group) const {
            if (!file.valid()) {
                group = memory[number];
                return {};
            }
            return read_exactly_at(
                file, number * sizeof(Group), std::as_writable_bytes(std::span(group)));
        }
    };

    static std::uint32_t tag_of(const xet::ChunkHash& hash) {
        return static_cast<std::uint32_t>(hash.word(0));
    }

    static std::size_t group_of(const Table& table, std::uint32_t tag, std::size_t step) {
        return (tag + step) & (table.groups - 1);
    }

    static Status put(Table& table, const Slot& slot) {
        Group group{};
        for (std::size_t step = 0; step < std::min(kMostGroups, table.groups); ++step) {
            const std::size_t number = group_of(table, slot.tag, step);
            LOCARA_CHECK(table.read(number, group));
            for (std::size_t i = 0; i < kGroupSlots; ++i) {
                if (group[i].number != 0) {
                    continue;
                }
                if (!table.file.valid()) {
                    table.memory[number][i] = slot;
                    return {};
                }
                return write_all_at(table.file,
                                    number * sizeof(Group) + i * sizeof(Slot),
                                    std::as_bytes(std::span(&slot, 1)));
            }
        }
        return {}; // forgotten
    }

    Status grow() {
        Table larger;
        larger.groups = std::max<std::size_t>(1, 2 * table_.groups);
        if (larger.groups <= kMemoryGroups) {
            larger.memory.resize(larger.groups);
        } else {
            LOCARA_TRY(larger.file, open_scratch_file(folder_));
            const Group free{}; // the last; what was not written before it reads as the same
            LOCARA_CHECK(write_all_at(
                larger.file, (larger.groups - 1) * sizeof(Group), std::as_bytes(std::span(free))));
        }
        Group group{};
        for (std::size_t i = 0; i < table_.groups; ++i) {
            LOCARA_CHECK(table_.read(i, group));
            for (const Slot& slot : group) {
                if (slot.number != 0) {
                    LOCARA_CHECK(put(larger, slot));
                }
            }
        }
        table_ = std::move(larger);
        return {};
    }

    std::filesystem::path folder_;
    Table table_;
    std::size_t count_ = 0;
};

} // namespace locara::hf
