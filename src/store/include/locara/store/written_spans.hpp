// Which bytes of a part were written and are perhaps not on the disk yet. Text form and back.
//
// A process that is killed leaves what it wrote to the kernel, which has it until the machine
// stops. So these notes count for as long as the machine runs that they were made on.
//
// Follows docs/formats/store.md, "What was written". No files in here. Threads: plain functions.
#pragma once

#include <locara/crypto/sha256.hpp>
#include <locara/store/spans.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace locara::store {

/// Slots follow the first line. Each holds one span and is written over in place.
inline constexpr std::size_t kWrittenSlots = 1024;
inline constexpr std::size_t kWrittenSlotBytes = 41;

struct WrittenSpans {
    crypto::Sha256Digest digest;
    std::uint64_t size = 0; ///< Of the whole file; at most kMaxFileBytes.
    std::string boot;       ///< The kernel's boot id, "" when it tells none.

    /// The first line, with its newline.
    std::string render_head() const;

    /// One slot. Asserts first < end <= size.
    std::string render_slot(Span span) const;

    /// Takes any bytes. Nothing unless the head is this one and `boot` is known; slots that are not
    /// valid are passed over, since each stands for itself.
    SpanSet parse(std::string_view text) const;
};

} // namespace locara::store
