// Part::unnoted and Part::keep_chunk: bytes that a killed process left without a note.
#include "part_state.hpp"

#include <locara/xet/merkle.hpp>

#include <algorithm>

#include <unistd.h>

namespace locara::store {

std::vector<Span> Part::unnoted() const {
    std::vector<Span> spans;
    for (const Span& gap : missing()) {
        for (std::uint64_t at = gap.first; at < gap.end;) {
            // Blocks that are only reserved count as holes. Who knows no holes says all is data.
            const off_t data = ::lseek(state_->data.get(), static_cast<off_t>(at), SEEK_DATA);
            if (data < 0 || static_cast<std::uint64_t>(data) >= gap.end) {
                break;
            }
            const off_t hole = ::lseek(state_->data.get(), data, SEEK_HOLE);
            at = hole < 0 ? gap.end : std::min(gap.end, static_cast<std::uint64_t>(hole));
            spans.push_back({static_cast<std::uint64_t>(data), at});
        }
    }
    return spans;
}

Result<bool>
Part::keep_chunk(std::uint64_t offset, std::uint32_t size, const xet::ChunkHash& hash) {
    if (size == 0 || size > kMaxIndexedChunkBytes || offset > state_->size ||
        size > state_->size - offset) {
        return Error(ErrorCode::InvalidArgument,
                     std::to_string(size) + " bytes at " + std::to_string(offset) +
                         " are no chunk of a file of " + std::to_string(state_->size));
    }
    const Span span{offset, offset + size};
    {
        const std::lock_guard guard(state_->mutex);
        if (state_->claimed.touches(span)) {
            return false;
        }
        state_->claimed.add(span);
    }
    Bytes bytes(size);
    const bool good =
        read_exactly_at(state_->data, offset, bytes).has_value() && xet::chunk_hash(bytes) == hash;
    {
        const std::lock_guard guard(state_->mutex);
        if (!good) {
            state_->claimed.remove(span); // so that it is written by whoever fetches it
            return false;
        }
        state_->note_received(span);
    }
    LOCARA_CHECK(checkpoint_if_due());
    return true;
}

} // namespace locara::store
