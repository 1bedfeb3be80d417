#include <locara/base/nearest_word.hpp>

#include <algorithm>

namespace locara {
namespace {

constexpr std::size_t kLongest = 64;

/// Edit distance.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] =
                std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

} // namespace

std::string nearest_word(std::string_view found, const std::vector<std::string>& known) {
    if (found.size() > kLongest) {
        return "";
    }
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(2, found.size() / 3) + 1;
    for (const auto& candidate : known) {
        std::size_t d = distance(found, candidate);
        if (candidate.size() >= 3 && found.starts_with(candidate)) {
            d = std::min<std::size_t>(d, 1); // "network" for "net"
        }
        if (d < best_distance) {
            best = candidate;
            best_distance = d;
        }
    }
    return best;
}

} // namespace locara
