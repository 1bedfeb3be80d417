#include "scan.hpp"

#include "gear.hpp"

#include <locara/xet/chunker.hpp>

#include <algorithm>
#include <array>

namespace locara::xet {

namespace {

constexpr std::size_t kLanes = 4;
/// A stretch shorter than this is not worth sharing between two lanes, for each has to shift in a
/// window first.
constexpr std::size_t kMinShare = 1024;

std::uint64_t shift_in(std::uint64_t gear, std::byte byte) {
    return 2 * gear + kGearTable[std::to_integer<std::size_t>(byte)];
}

/// The state with all of the window before `offset` shifted in but its last byte.
std::uint64_t warm(const std::byte* data, std::size_t offset) {
    std::uint64_t gear = 0;
    for (std::size_t i = offset - kGearWindow; i + 1 < offset; ++i) {
        gear = shift_in(gear, data[i]);
    }
    return gear;
}

/// The first candidate from `first` to `last`, if any.
std::optional<std::size_t> find_plain(const std::byte* data, std::size_t first, std::size_t last) {
    std::uint64_t gear = first <= last ? warm(data, first) : 0;
    for (std::size_t offset = first; offset <= last; ++offset) {
        gear = shift_in(gear, data[offset - 1]);
        if (gear < kGearLimit) {
            return offset;
        }
    }
    return std::nullopt;
}

/// Whether the state says so. A branch of its own each time, which costs one instruction: the
/// compiler would rather compute several answers and join them, which costs three each. It cannot
/// do that with what it cannot look into.
[[gnu::always_inline]] inline bool is_candidate(std::uint64_t gear) {
    if (gear < kGearLimit) [[unlikely]] {
        __asm__ volatile("");
        return true;
    }
    return false;
}

struct Lane {
    std::size_t next = 1; ///< The offset to look at next.
    std::size_t last = 0;
    std::uint64_t gear = 0; ///< As `warm` makes it for `next`.

    std::size_t left() const { return last + 1 - next; }
};

using Lanes = std::array<Lane, kLanes>;

/// Moves all lanes on by at most `count` offsets, up to the first step in which one of them meets a
/// candidate. Returns the steps made.
[[gnu::noinline]] std::size_t step(const std::byte* data, Lanes& lanes, std::size_t count) {
    // Four lanes hide the latency of the two additions, and need 15 registers: more lanes lose.
    std::uint64_t gear0 = lanes[0].gear;
    std::uint64_t gear1 = lanes[1].gear;
    std::uint64_t gear2 = lanes[2].gear;
    std::uint64_t gear3 = lanes[3].gear;
    const std::byte* const bytes0 = data + lanes[0].next - 1;
    const std::byte* const bytes1 = data + lanes[1].next - 1;
    const std::byte* const bytes2 = data + lanes[2].next - 1;
    const std::byte* const bytes3 = data + lanes[3].next - 1;
    std::size_t i = 0;
    const auto once = [&] {
        gear0 = shift_in(gear0, bytes0[i]);
        gear1 = shift_in(gear1, bytes1[i]);
        gear2 = shift_in(gear2, bytes2[i]);
        gear3 = shift_in(gear3, bytes3[i]);
        ++i;
        return is_candidate(gear0) || is_candidate(gear1) || is_candidate(gear2) ||
               is_candidate(gear3);
    };
    // Four steps a turn, for the loop itself costs as much as one byte.
    while (i + 4 <= count) {
        if (once() || once() || once() || once()) [[unlikely]] {
            count = i;
            break;
        }
    }
    while (i < count) {
        if (once()) [[unlikely]] {
            break;
        }
    }
    lanes[0].gear = gear0;
    lanes[1].gear = gear1;
    lanes[2].gear = gear2;
    lanes[3].gear = gear3;
    for (Lane& lane : lanes) {
        lane.next += i;
    }
    return i;
}

/// Notes the candidate that the lane has just passed, and goes behind the gap after it.
void note(const std::byte* data, Lane& lane, std::vector<Candidate>& candidates) {
    const std::size_t offset = lane.next - 1;
    lane.next = std::min(offset + kMinChunkBytes, lane.last + 1);
    candidates.push_back({offset, lane.next});
    if (lane.left() > 0) {
        lane.gear = warm(data, lane.next);
    }
}

/// Looks at what is left to a lane.
void finish(const std::byte* data, Lane& lane, std::vector<Candidate>& candidates) {
    while (const auto offset = find_plain(data, lane.next, lane.last)) {
        lane.next = std::min(*offset + kMinChunkBytes, lane.last + 1);
        candidates.push_back({*offset, lane.next});
    }
    lane.next = lane.last + 1;
}

} // namespace

void scan(const std::byte* data, std::size_t first, std::size_t last, Scan& result, ScanPath path) {
    result.first = first;
    result.last = last;
    result.candidates.clear();
    if (first > last) {
        return;
    }
    if (path == ScanPath::Plain) {
        std::uint64_t gear = warm(data, first);
        for (std::size_t offset = first; offset <= last; ++offset) {
            gear = shift_in(gear, data[offset - 1]);
            if (gear < kGearLimit) {
                result.candidates.push_back({offset, offset + 1});
            }
        }
        return;
    }

    Lanes lanes;
    lanes[0] = {first, last, warm(data, first)};
    while (true) {
        // A lane that is done takes over the second half of what the busiest one has left.
        for (Lane& lane : lanes) {
            if (lane.left() > 0) {
                continue;
            }
            Lane& busiest =
                *std::max_element(lanes.begin(), lanes.end(), [](const Lane& a, const Lane& b) {
                    return a.left() < b.left();
                });
            if (busiest.left() < kMinShare) {
                for (Lane& rest : lanes) {
                    finish(data, rest, result.candidates);
                }
                std::sort(
                    result.candidates.begin(),
                    result.candidates.end(),
                    [](const Candidate& a, const Candidate& b) { return a.offset < b.offset; });
                return;
            }
            const std::size_t middle = busiest.next + busiest.left() / 2;
            lane = {middle, busiest.last, warm(data, middle)};
            busiest.last = middle - 1;
        }
        std::size_t count = lanes[0].left();
        for (const Lane& lane : lanes) {
            count = std::min(count, lane.left());
        }
        step(data, lanes, count);
        for (Lane& lane : lanes) {
            if (lane.gear < kGearLimit) {
                note(data, lane, result.candidates);
            }
        }
    }
}

std::optional<std::size_t> Walk::find() const {
    std::size_t from = std::max(start_ + kMinChunkBytes, scan_.first);
    const std::size_t to = std::min(start_ + kMaxChunkBytes, scan_.last);
    for (std::size_t i = at_; from <= to && i < scan_.candidates.size(); ++i) {
        const Candidate& candidate = scan_.candidates[i];
        if (candidate.offset >= from) {
            if (candidate.offset <= to) {
                return candidate.offset;
            }
            break;
        }
        if (candidate.resume > from) {
            const auto missed = find_plain(data_, from, std::min(candidate.resume - 1, to));
            if (missed) {
                return missed;
            }
            from = candidate.resume;
        }
    }
    if (start_ + kMaxChunkBytes <= scan_.last) {
        return start_ + kMaxChunkBytes;
    }
    return std::nullopt;
}

std::optional<std::size_t> Walk::next() {
    const auto cut = find();
    if (cut) {
        start_ = *cut;
        while (at_ < scan_.candidates.size() &&
               scan_.candidates[at_].resume <= start_ + kMinChunkBytes) {
            ++at_;
        }
    }
    return cut;
}

} // namespace locara::xet
