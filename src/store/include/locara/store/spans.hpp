// Spans: sets of byte ranges, for knowing which bytes of a file are there.
//
// Threads: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace locara::store {

/// Bytes [first, end) of a file.
struct Span {
    std::uint64_t first = 0;
    std::uint64_t end = 0;

    std::uint64_t size() const { return end - first; }

    bool operator==(const Span&) const = default;
};

/// A set of bytes as spans that neither touch nor overlap.
class SpanSet {
  public:
    /// Adds the bytes of a span. An empty span adds nothing.
    void add(Span span);

    /// Takes the bytes of a span out.
    void remove(Span span);

    /// Whether any byte of the span is in the set.
    bool touches(Span span) const;

    /// Whether every byte of the span is in the set.
    bool covers(Span span) const;

    /// What of `within` is not in the set, in order.
    std::vector<Span> gaps(Span within) const;

    /// Everything in the set, in order.
    std::vector<Span> spans() const;

    /// How many bytes from 0 on are in the set without a gap.
    std::uint64_t front() const;

    /// How many bytes are in the set.
    std::uint64_t bytes() const { return bytes_; }

    void clear();

  private:
    std::map<std::uint64_t, std::uint64_t> spans_; ///< first -> end
    std::uint64_t bytes_ = 0;
};

} // namespace locara::store
