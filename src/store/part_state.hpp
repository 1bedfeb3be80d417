// The inside of a Part. Private to the module.
#pragma once

#include "layout.hpp"
#include "part_notes.hpp"

#include <locara/store/store.hpp>

#include <atomic>
#include <mutex>

namespace locara::store {

struct Part::State {
    using Clock = std::chrono::steady_clock;

    State(Layout where, DigestLock held, PartJournal start)
        : layout(std::move(where)), lock(std::move(held)), digest(start.digest), size(start.size),
          received(start.spans), claimed(start.spans), journal(std::move(start)) {}

    /// Takes the part up from what lies on disk, or starts it.
    static Result<std::unique_ptr<State>>
    open(const Layout& layout, DigestLock lock, const Digest& digest, std::uint64_t size);

    enum class OldBytes { Keep, Drop };
    Status open_files(OldBytes old);

    /// Goes on from what an earlier process wrote without making it durable, besides what stands in
    /// the journal: makes it durable.
    Status take_up(const SpanSet& written_before);
    Status checkpoint();

    /// Takes blocks for all that nobody has or is writing yet, once. NoSpace: nothing is taken.
    Status reserve();
    void give_back(); ///< What `reserve` took before it failed.
    Status write_journal();
    Status write_gap(std::uint64_t offset, ByteView bytes);
    Status note(const std::vector<Span>& spans); ///< In the journal. With `journal_mutex` held.
    Status check_room() const;                   ///< NoSpace when the rest does not fit any more.
    Error full_disk(const Error& cause) const;

    /// A span of data was written. Call it with `mutex` held.
    void note_received(Span span);

    /// Copies chunks whose spans are claimed, and hashes them in their new place.
    Status copy_claimed(const Fd& source,
                        std::uint64_t offset,
                        std::span<const FoundChunk> run,
                        Copied& copied);

    // Constant after opening.
    const Layout layout;
    DigestLock lock;
    const Digest digest;
    const std::uint64_t size;
    std::uint64_t reused = 0;
    Fd data;

    mutable std::mutex mutex; ///< Guards up to the next group.
    SpanSet received;
    SpanSet claimed; ///< Received or being written: no byte is ever written twice, so that what
                     ///< was hashed cannot change. A failed write leaves its claim.
    std::vector<Span> unsynced; ///< Received, and not yet in the journal.
    std::uint64_t unsynced_bytes = 0;
    WrittenNotes notes; ///< Of `unsynced`, and of what a checkpoint is syncing.
    Pace pace;
    Clock::time_point last_checkpoint = Clock::now();

    std::mutex reserve_mutex;           ///< Taken before the others: writers wait for who reserves.
    std::atomic<bool> reserved = false; ///< Tried, and the disk was not too small.
    std::atomic<bool> has_room = false; ///< The file system has put blocks aside for everything.

    std::mutex journal_mutex; ///< Guards the journal. Taken before `mutex`, never after.
    PartJournal journal;      ///< What stands in the file; its `clean` is false after a failure.
    Fd journal_fd;

    // The hashing thread's alone.
    crypto::Sha256 hash;
    std::optional<Digest> found;

    std::atomic<std::uint64_t> hashed = 0;
};

} // namespace locara::store
