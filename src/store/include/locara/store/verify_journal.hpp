// The notes of a verification of the whole store: what was found good when. Text form and back.
//
// Follows docs/formats/store.md, "The journal of verification". Threads: plain values.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/crypto/sha256.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace locara::store {

struct VerifyJournal {
    TimePoint started{};
    std::map<crypto::Sha256Digest, TimePoint> good;
    std::optional<TimePoint> ended; ///< The run came to its end.
    std::size_t valid_bytes = 0;    ///< Up to the end of the last valid line: append there.

    /// Takes any bytes. nullopt when the first line is not valid. Lines count up to the first that
    /// is not valid.
    static std::optional<VerifyJournal> parse(std::string_view text);

    static std::string render_start(TimePoint started);
    static std::string render_good(const crypto::Sha256Digest& digest, TimePoint when);
    static std::string render_end(TimePoint when);
};

inline constexpr std::uint64_t kMaxVerifyJournalBytes = 64U << 20U;

} // namespace locara::store
