// The journal of a part: which spans of an unfinished file are durable. Text form and back.
//
// Follows docs/formats/store.md, "The journal". No files in here: see store.hpp.
// Threads: plain functions.
#pragma once

#include <locara/crypto/sha256.hpp>
#include <locara/store/spans.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace locara::store {

inline constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 44U;
inline constexpr std::uint64_t kMaxJournalBytes = 1U << 20U;
/// A journal above this is written anew, merged, when its part is opened.
inline constexpr std::uint64_t kCompactJournalBytes = 64U << 10U;

struct PartJournal {
    crypto::Sha256Digest digest;
    std::uint64_t size = 0; ///< Of the whole file.
    SpanSet spans;

    /// Whether the text held nothing but whole, valid lines. If not, write it anew before
    /// appending.
    bool clean = true;

    /// Takes any bytes. nullopt when the first line is not valid: nothing can be said about the
    /// part. Spans count up to the first line that is not valid.
    static std::optional<PartJournal> parse(std::string_view text);

    /// The journal with one line for each merged span. parse(render()) gives the same spans.
    std::string render() const;

    /// The line that notes one more span, with its newline. Asserts first < end <= size.
    std::string render_line(Span span) const;
};

} // namespace locara::store
