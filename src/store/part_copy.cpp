// Part::copy_chunks.
#include "part_state.hpp"

#include <locara/base/copy.hpp>
#include <locara/xet/merkle.hpp>

namespace locara::store {

namespace {

Status check_run(std::uint64_t offset, std::uint64_t size, std::span<const FoundChunk> run) {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < run.size(); ++i) {
        if (run[i].size == 0 || run[i].size > kMaxIndexedChunkBytes ||
            (i > 0 && !run[i - 1].is_before(run[i]))) {
            return Error(ErrorCode::InvalidArgument, "the chunks to copy are no run of one file");
        }
        bytes += run[i].size;
    }
    if (offset > size || bytes > size - offset) {
        return Error(ErrorCode::InvalidArgument,
                     std::to_string(bytes) + " bytes at " + std::to_string(offset) +
                         " do not fit into a file of " + std::to_string(size));
    }
    return {};
}

} // namespace

Status Part::State::copy_claimed(const Fd& source,
                                 std::uint64_t offset,
                                 std::span<const FoundChunk> run,
                                 Copied& copied) {
    std::uint64_t bytes = 0;
    for (const FoundChunk& chunk : run) {
        bytes += chunk.size;
    }
    const auto shared = copy_range(source, run.front().offset, data, offset, bytes);
    if (!shared && shared.error().code() == ErrorCode::NoSpace) {
        return full_disk(shared.error());
    }
    if (!shared && run.size() > 1) {
        // One bad block must not cost the whole run.
        for (const FoundChunk& chunk : run) {
            LOCARA_CHECK(copy_claimed(source, offset, std::span(&chunk, 1), copied));
            offset += chunk.size;
        }
        return {};
    }
    Bytes buffer(kMaxIndexedChunkBytes);
    std::uint64_t bad = 0;
    for (const FoundChunk& chunk : run) {
        // From the part and not from the source: what is hashed is what is stored.
        const auto view = std::span(buffer).first(chunk.size);
        const Span span{offset, offset + chunk.size};
        const bool good = shared && read_exactly_at(data, offset, view).has_value() &&
                          xet::chunk_hash(view) == chunk.hash;
        const std::lock_guard guard(mutex);
        if (good) {
            note_received(span);
            copied.bytes += chunk.size;
        } else {
            claimed.remove(span); // so that it is written by whoever fetches it
            bad += chunk.size;
        }
        offset += chunk.size;
    }
    copied.bad += bad;
    copied.shared += bad == 0 && shared ? *shared : 0;
    return {};
}

Result<Part::Copied>
Part::copy_chunks(std::uint64_t offset, const Store& store, std::span<const FoundChunk> run) {
    Copied copied;
    if (run.empty()) {
        return copied;
    }
    LOCARA_CHECK(check_run(offset, state_->size, run));
    LOCARA_TRY(const Fd source, store.open_file(run.front().file));
    for (std::size_t first = 0; first < run.size();) {
        // As many chunks as nobody else has or is writing.
        std::uint64_t end_offset = offset;
        std::size_t end = first;
        {
            const std::lock_guard guard(state_->mutex);
            while (end < run.size()) {
                const Span span{end_offset, end_offset + run[end].size};
                if (state_->claimed.touches(span)) {
                    break;
                }
                state_->claimed.add(span);
                end_offset = span.end;
                ++end;
            }
        }
        if (end == first) {
            offset += run[first].size;
            ++first;
            continue;
        }
        LOCARA_CHECK(state_->copy_claimed(source, offset, run.subspan(first, end - first), copied));
        offset = end_offset;
        first = end;
        LOCARA_CHECK(checkpoint_if_due());
    }
    return copied;
}

} // namespace locara::store
