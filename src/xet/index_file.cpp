// index_file: one file, read once, by one or more threads.
//
// The file is cut into blocks, taken in order by whoever is free. Of a block its worker reads the
// bytes, scans them for candidates, waits for its turn, picks the cuts (which needs the last cut of
// the block before), passes the turn on, and hashes the chunks that end in it. The beginning of the
// first of these lies in the block before; it is copied in front. A SHA-256, which has to go from
// the first to the last byte, runs on a thread of its own behind the workers.
#include "scan.hpp"

#include <locara/xet/chunker.hpp>
#include <locara/xet/subtree.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <thread>

#include <sys/mman.h>

namespace locara::xet {

namespace {

/// Blocks are larger than chunks, so that the open chunk never begins before the last block. A
/// block and what a scan and a hash need of it fit in the second-level cache.
constexpr std::size_t kBlockBytes = 512U << 10U;
static_assert(kBlockBytes > kMaxChunkBytes);

/// How far reading may be ahead of the SHA-256: 8 MiB. Who has to wait for it waits until half of
/// that is free: to wake a sleeping thread costs the SHA-256 a tenth of a block's time.
constexpr std::size_t kAheadBlocks = 16;
constexpr std::size_t kWakeEvery = 4; // blocks of SHA-256

constexpr std::size_t kMaxThreads = 64; // of which each holds a block: 40 MiB

/// A place for a block, with room for the beginning of a chunk before it.
struct Slot {
    static constexpr std::size_t kBytes = kMaxChunkBytes + kBlockBytes;

    std::span<std::byte> bytes; ///< Of the memory of all slots.
    std::size_t block = 0;      ///< Which one is or was here last.
    std::size_t length = 0;     ///< Of that block.
    unsigned users = 0;         ///< Who still needs the bytes.
    bool loaded = false;

    ByteView content() const { return ByteView(bytes).subspan(kMaxChunkBytes, length); }
};

/// Memory for slots, aligned as the pages of the file are (the kernel copies half as fast again
/// between equally aligned places), in large pages where there are any, and not cleared.
class SlotMemory {
  public:
    explicit SlotMemory(std::size_t slots)
        : start_(static_cast<std::byte*>(
              ::operator new(slots* Slot::kBytes, std::align_val_t(kAlignment)))) {
        ::madvise(start_.get(), slots * Slot::kBytes, MADV_HUGEPAGE); // a wish
    }

    std::span<std::byte> slot(std::size_t i) const {
        return {start_.get() + i * Slot::kBytes, Slot::kBytes};
    }

  private:
    static constexpr std::size_t kAlignment = 2U << 20U;
    static_assert(Slot::kBytes % 4096 == 0);

    struct Free {
        void operator()(std::byte* start) const {
            ::operator delete(start, std::align_val_t(kAlignment));
        }
    };

    std::unique_ptr<std::byte, Free> start_;
};

class Indexer {
  public:
    Indexer(const Fd& fd, std::uint64_t size, const IndexOptions& options)
        : fd_(fd), options_(options),
          blocks_((size + kBlockBytes - 1) / kBlockBytes), index_{size,
                                                                  Spill<Chunk>(options.scratch),
                                                                  {},
                                                                  {}} {}

    Result<FileIndex> run();

  private:
    enum class Hashing { Inline, Beside, None };

    /// Works on blocks until there are none. Fails as index_file does.
    Status work();
    Status work_on(std::size_t block, Slot& slot, Scan& scan);
    /// Hashes the whole file in the order of its blocks, behind the workers.
    void digest();

    /// Notes the first failure and wakes everybody.
    void fail(Error error);
    void release(Slot& slot);
    /// Puts what is hashed up to the first block that is not into the list.
    Status settle();

    /// False after a failure.
    template <class Ready> bool wait(std::unique_lock<std::mutex>& lock, Ready ready) {
        changed_.wait(lock, [&] { return failure_ || ready(); });
        return !failure_;
    }

    /// Whether a slot is free for a block whose worker has to wait.
    bool has_room(const Slot& slot, std::size_t block) const {
        return slot.users == 0 &&
               (hashing_ != Hashing::Beside || block <= digested_ + kAheadBlocks / 2);
    }

    Slot& slot_of(std::size_t block) { return slots_[block % slots_.size()]; }

    // Constant while threads run.
    const Fd& fd_;
    const IndexOptions& options_;
    const std::size_t blocks_;
    Hashing hashing_ = Hashing::None;

    std::mutex mutex_;
    std::condition_variable changed_;
    // Guarded by mutex_; the bytes of a slot belong to its worker until it is loaded, and are
    // read-only afterwards but for the room before them.
    std::optional<SlotMemory> memory_;
    std::vector<Slot> slots_;
    std::optional<Error> failure_;
    std::size_t next_ = 0;     ///< The block to take next.
    std::size_t digested_ = 0; ///< Blocks that the SHA-256 is through with.
    std::size_t turn_ = 0;     ///< The block whose cuts are to be picked next.
    std::uint64_t start_ = 0;  ///< Where the open chunk begins. Belongs to the worker of the turn.

    /// Chunks of blocks whose cuts are picked, while they or some before them are being hashed: of
    /// no more blocks than there are slots.
    struct Pending {
        std::vector<Chunk> chunks;
        bool hashed = false;
    };

    std::deque<Pending> pending_;
    std::size_t settled_ = 0; ///< Blocks before the pending ones.
    FileHasher hasher_;
    FileIndex index_;

    std::optional<crypto::Sha256> sha256_; ///< Belongs to one thread.
};

void Indexer::fail(Error error) {
    const std::lock_guard lock(mutex_);
    if (!failure_) {
        failure_ = std::move(error);
    }
    changed_.notify_all();
}

void Indexer::release(Slot& slot) {
    const std::lock_guard lock(mutex_);
    --slot.users;
    changed_.notify_all();
}

Status Indexer::work() {
    Scan scan;
    while (true) {
        std::size_t block = 0;
        {
            std::unique_lock lock(mutex_);
            if (failure_ || next_ == blocks_) {
                return {};
            }
            block = next_++;
            Slot& taken = slot_of(block);
            if (taken.users != 0 && !wait(lock, [&] { return has_room(taken, block); })) {
                return {};
            }
            taken.block = block;
            taken.loaded = false;
            // This worker, the worker of the next block, and the SHA-256.
            taken.users =
                1U + (block + 1 < blocks_ ? 1U : 0U) + (hashing_ == Hashing::Beside ? 1U : 0U);
        }
        if (options_.stop.stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped while chunking");
        }
        LOCARA_CHECK(work_on(block, slot_of(block), scan));
    }
}

Status Indexer::work_on(std::size_t block, Slot& slot, Scan& scan_result) {
    constexpr std::size_t base = kMaxChunkBytes; // where the block stands in its slot
    const std::uint64_t begin = std::uint64_t{block} * kBlockBytes;
    slot.length = std::min<std::uint64_t>(kBlockBytes, index_.size - begin);
    // The scan needs the last bytes of the block before.
    const std::size_t history = block == 0 ? 0 : 64;
    LOCARA_CHECK(read_exactly_at(
        fd_, begin - history, slot.bytes.subspan(base - history, history + slot.length)));
    {
        const std::lock_guard lock(mutex_);
        slot.loaded = true;
        changed_.notify_all();
    }
    if (hashing_ == Hashing::Inline) {
        sha256_->update(slot.content());
    }
    scan(slot.bytes.data(),
         base + (block == 0 ? kMinChunkBytes : 1),
         base + slot.length,
         scan_result);

    {
        std::unique_lock lock(mutex_);
        if (!wait(lock, [&] { return turn_ == block; })) {
            return {};
        }
    }
    const std::size_t before = begin - start_; // bytes of the open chunk in the block before
    if (block > 0) {
        Slot& previous = slot_of(block - 1);
        const ByteView tail = previous.content().last(before);
        std::copy(tail.begin(),
                  tail.end(),
                  slot.bytes.begin() + static_cast<std::ptrdiff_t>(base - before));
        release(previous);
    }
    const std::size_t open = base - before;
    std::vector<ByteView> pieces;
    std::size_t start = open;
    Walk walk(slot.bytes.data(), scan_result, start);
    while (const auto cut = walk.next()) {
        pieces.push_back(ByteView(slot.bytes).subspan(start, *cut - start));
        start = *cut;
    }
    if (block + 1 == blocks_ && start < base + slot.length) {
        pieces.push_back(ByteView(slot.bytes).subspan(start, base + slot.length - start));
        start = base + slot.length;
    }
    {
        const std::lock_guard lock(mutex_);
        Pending& added = pending_.emplace_back(); // blocks come in their order
        for (const ByteView piece : pieces) {
            added.chunks.push_back({start_, static_cast<std::uint32_t>(piece.size()), {}});
            start_ += piece.size();
        }
        ++turn_;
        changed_.notify_all();
    }

    std::vector<ChunkHash> hashes(pieces.size());
    chunk_hashes(pieces, hashes);
    const std::lock_guard lock(mutex_);
    Pending& mine = pending_[block - settled_];
    for (std::size_t i = 0; i < hashes.size(); ++i) {
        mine.chunks[i].hash = hashes[i];
    }
    mine.hashed = true;
    LOCARA_CHECK(settle());
    if (options_.progress) {
        options_.progress(slot.length);
    }
    --slot.users;
    changed_.notify_all();
    return {};
}

Status Indexer::settle() {
    for (; !pending_.empty() && pending_.front().hashed; pending_.pop_front(), ++settled_) {
        for (const Chunk& chunk : pending_.front().chunks) {
            LOCARA_CHECK(index_.chunks.add(chunk));
            hasher_.add(chunk.info());
        }
    }
    return {};
}

void Indexer::digest() {
    for (std::size_t block = 0; block < blocks_; ++block) {
        Slot& next = slot_of(block);
        {
            std::unique_lock lock(mutex_);
            if (!wait(lock, [&] { return next.loaded && next.block == block; })) {
                return;
            }
        }
        sha256_->update(next.content());
        const std::lock_guard lock(mutex_);
        --next.users;
        ++digested_;
        if (digested_ % kWakeEvery == 0) {
            changed_.notify_all();
        }
    }
}

Result<FileIndex> Indexer::run() {
    std::size_t workers = std::clamp<std::size_t>(options_.threads, 1, kMaxThreads);
    if (options_.sha256 == WithSha256::Yes) {
        sha256_.emplace();
        hashing_ = workers > 1 ? Hashing::Beside : Hashing::Inline;
        workers -= workers > 1 ? 1 : 0;
    }
    workers = std::clamp<std::size_t>(workers, 1, std::max<std::size_t>(blocks_, 1));
    // The worker of a block needs the one before; one more keeps its neighbours from waiting.
    const std::size_t ahead = hashing_ == Hashing::Beside ? kAheadBlocks : 1;
    slots_.resize(std::min(workers + ahead, std::max<std::size_t>(blocks_, 1)));
    memory_.emplace(slots_.size());
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        slots_[i].bytes = memory_->slot(i);
    }
    {
        const auto work_and_report = [this] {
            if (auto status = work(); !status) {
                fail(std::move(status).error());
            }
        };
        std::vector<std::jthread> threads;
        if (hashing_ == Hashing::Beside) {
            threads.emplace_back([this] { digest(); });
        }
        for (std::size_t i = 1; i < workers; ++i) {
            threads.emplace_back(work_and_report);
        }
        work_and_report();
    }
    if (failure_) {
        return *std::move(failure_);
    }
    index_.hash = hasher_.finish();
    if (sha256_) {
        index_.sha256 = sha256_->finish();
    }
    return std::move(index_);
}

} // namespace

Result<FileIndex> index_file(const Fd& fd, const IndexOptions& options) {
    LOCARA_TRY(const std::uint64_t size, regular_file_size(fd, "the file"));
    return Indexer(fd, size, options).run();
}

} // namespace locara::xet
