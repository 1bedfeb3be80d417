// Where chunks end: candidates found in any order, and the walk that picks the cuts among them.
//
// The plain way goes byte by byte from each cut to the next. But whether an offset is a candidate
// depends on the kGearWindow bytes before it alone (gear.hpp), and a cut is at least kMinChunkBytes
// behind the one before it, so each accepted cut has a full window. So candidates may be looked for
// in several places at once, by lanes or threads that know nothing of each other; a walk over them
// then finds the very cuts of the plain way: the first candidate at least kMinChunkBytes behind the
// last cut, or the offset kMaxChunkBytes behind it.
//
// A lane guesses that each candidate it meets is a cut and leaves the next kMinChunkBytes out, as
// the plain way does. Where the guess was wrong the walk scans what it needs of the gap.
//
// Offsets are those of a buffer; "offset p" means between bytes p - 1 and p.
#pragma once

#include <locara/base/bytes.hpp>

#include <cstddef>
#include <optional>
#include <vector>

namespace locara::xet {

/// How candidates are looked for. Both find the same cuts; tests compare them.
enum class ScanPath {
    Plain, ///< One lane over every byte.
    Lanes, ///< Four lanes with gaps.
};

struct Candidate {
    std::size_t offset = 0;
    std::size_t resume = 0; ///< Offsets between the candidate and this one were not looked at.
};

/// A stretch of data in which candidates were looked for.
struct Scan {
    std::size_t first = 1; ///< The first offset that was looked at.
    std::size_t last = 0;  ///< The last one; below `first` if there was nothing to look at.
    std::vector<Candidate> candidates; ///< In order.
};

/// Looks for candidates at the offsets from `first` to `last`, ends included. The kGearWindow bytes
/// before `first` must be there.
void scan(const std::byte* data,
          std::size_t first,
          std::size_t last,
          Scan& result,
          ScanPath path = ScanPath::Lanes);

/// Picks cuts from a scan, in order.
class Walk {
  public:
    /// `start` is where the open chunk begins; no cut for it may lie before the scan.
    Walk(const std::byte* data, const Scan& scan, std::size_t start)
        : data_(data), scan_(scan), start_(start) {}

    /// The next cut, which becomes the start; nothing if it does not lie within the scan.
    std::optional<std::size_t> next();

    /// Where the open chunk begins.
    std::size_t start() const { return start_; }

  private:
    std::optional<std::size_t> find() const;

    const std::byte* data_;
    const Scan& scan_;
    std::size_t start_;
    std::size_t at_ = 0; ///< Candidates before this one are of no use any more.
};

} // namespace locara::xet
