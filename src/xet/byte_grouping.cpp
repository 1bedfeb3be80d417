#include "byte_grouping.hpp"

#include <array>

namespace locara::xet {

namespace {

/// Where each group begins, for n bytes.
std::array<std::size_t, 4> group_starts(std::size_t n) {
    std::array<std::size_t, 4> starts{};
    for (std::size_t group = 1; group < 4; ++group) {
        // Group g holds the positions g, g + 4, ... below n.
        const std::size_t previous = group - 1;
        starts[group] = starts[previous] + (n > previous ? (n - previous + 3) / 4 : 0);
    }
    return starts;
}

} // namespace

void bg4_split_reference(ByteView raw, std::span<std::byte> grouped) {
    LOCARA_ASSERT(raw.size() == grouped.size());
    const auto starts = group_starts(raw.size());
    for (std::size_t i = 0; i < raw.size(); ++i) {
        grouped[starts[i % 4] + i / 4] = raw[i];
    }
}

void bg4_regroup_reference(ByteView grouped, std::span<std::byte> raw) {
    LOCARA_ASSERT(raw.size() == grouped.size());
    const auto starts = group_starts(raw.size());
    for (std::size_t i = 0; i < raw.size(); ++i) {
        raw[i] = grouped[starts[i % 4] + i / 4];
    }
}

// Four bytes a step through plain pointers: compilers make vector code of it.
void bg4_split(ByteView raw, std::span<std::byte> grouped) {
    LOCARA_ASSERT(raw.size() == grouped.size());
    const auto starts = group_starts(raw.size());
    const std::byte* from = raw.data();
    std::byte* to = grouped.data();
    const std::size_t whole = raw.size() / 4;
    for (std::size_t i = 0; i < whole; ++i) {
        for (std::size_t group = 0; group < 4; ++group) {
            to[starts[group] + i] = from[4 * i + group];
        }
    }
    for (std::size_t i = 4 * whole; i < raw.size(); ++i) {
        to[starts[i % 4] + whole] = from[i];
    }
}

void bg4_regroup(ByteView grouped, std::span<std::byte> raw) {
    LOCARA_ASSERT(raw.size() == grouped.size());
    const auto starts = group_starts(raw.size());
    const std::byte* from = grouped.data();
    std::byte* to = raw.data();
    const std::size_t whole = raw.size() / 4;
    for (std::size_t i = 0; i < whole; ++i) {
        for (std::size_t group = 0; group < 4; ++group) {
            to[4 * i + group] = from[starts[group] + i];
        }
    }
    for (std::size_t i = 4 * whole; i < raw.size(); ++i) {
        to[i] = from[starts[i % 4] + whole];
    }
}

} // namespace locara::xet
