// Small changes of clean files, the same for the same seed: for the tests of this module and for
// the campaign against the loaders (weights_mutants.cpp).
#pragma once

#include "test/support.hpp"

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>

namespace locara::formats::test {

/// One to four small changes before `end` (all of the file if it is longer than that), leaning to
/// the ends of the integers where parsers go wrong.
inline std::string
mutate(std::string bytes, std::mt19937_64& random, std::size_t end = std::string::npos) {
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    for (std::size_t i = 0, n = 1 + below(4); i < n && !bytes.empty(); ++i) {
        const std::size_t at = below(std::min(end, bytes.size()));
        switch (below(8)) {
        case 0:
            bytes[at] = static_cast<char>(random());
            break;
        case 1:
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
            break;
        case 2:
            bytes[at] = static_cast<char>(bytes[at] + (below(2) == 0 ? 1 : -1));
            break;
        case 3:
            bytes.erase(at, 1 + below(16));
            break;
        case 4:
            bytes.insert(at, bytes.substr(below(bytes.size()), below(32)));
            break;
        case 5:
            bytes.resize(at);
            break;
        case 6: {
            constexpr std::uint64_t kEdges[] = {0,
                                                1,
                                                0x7F,
                                                0xFF,
                                                0xFFFF,
                                                0x7FFFFFFF,
                                                0xFFFFFFFF,
                                                1ULL << 32U,
                                                (1ULL << 63U) - 1,
                                                1ULL << 63U,
                                                ~0ULL};
            const std::string edge = u64(kEdges[below(std::size(kEdges))]);
            const std::size_t width = below(2) == 0 ? 4 : 8;
            bytes.replace(at, width, edge.substr(0, width));
            break;
        }
        default:
            bytes += std::string(below(40), static_cast<char>(random()));
            break;
        }
    }
    return bytes;
}

} // namespace locara::formats::test
