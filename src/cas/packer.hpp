// New chunks into xorbs: packed on several threads, written in order, in bounded memory.
#pragma once

#include "state.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace locara::cas {

/// Where a new chunk will be: its xorb's hash is known when that is full.
struct NewPlace {
    std::uint32_t xorb = 0; ///< Number of the xorb, from 0 in each Packer.
    std::uint32_t index = 0;
};

/// Belongs to one thread, which packs too when the others cannot keep up.
///
/// A chunk's place is decided before it is packed, by raw sizes: a xorb is full when its chunks,
/// left raw, and its footer would pass 64 MiB. That is how clients count, too.
class Packer {
  public:
    /// `threads` pack, the caller's included.
    Packer(Cas::State& cas, unsigned threads);
    ~Packer();
    Packer(const Packer&) = delete;
    Packer& operator=(const Packer&) = delete;

    /// Takes a chunk. Waits while 8 MiB of chunks are in work.
    Result<NewPlace> add(const xet::ChunkHash& hash, ByteView raw);

    /// Writes and puts what is left.
    Status finish();

    /// The xorbs that have been put so far, by their number.
    const std::vector<xet::XorbHash>& xorbs() const { return xorbs_; }

    /// Bytes of the objects that were new.
    std::uint64_t stored_bytes() const { return stored_bytes_; }

  private:
    struct Job {
        xet::ChunkHash hash;
        std::uint32_t xorb = 0;
        Bytes raw;
        Bytes packed; ///< Empty when the chunk stays raw.
        xet::Compression scheme = xet::Compression::None;
        enum class Stage { Waiting, Taken, Done } stage = Stage::Waiting; ///< By mutex_.
    };

    static void pack(Job& job, xet::Compressor& compressor);
    Job* take_job(); ///< REQUIRES: mutex_ is held.
    void work();
    Status drain(std::size_t limit_bytes);
    Status write(const Job& job);
    Status put_xorb();

    Cas::State& cas_;
    xet::Compressor compressor_;
    std::uint64_t stored_bytes_ = 0;
    std::vector<xet::XorbHash> xorbs_;

    // The xorb that chunks are given places in.
    std::uint32_t next_xorb_ = 0;
    std::uint32_t next_index_ = 0;
    std::size_t next_raw_bytes_ = 0;

    // The xorb that is being written.
    std::optional<Staged> staged_;
    xet::XorbTable table_;
    Bytes buffer_;

    std::size_t in_work_ = 0; ///< Raw bytes of jobs_.
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::unique_ptr<Job>> jobs_; ///< In order. The deque and stages by mutex_.
    bool stopping_ = false;                 ///< By mutex_.
    std::vector<std::thread> threads_;
};

} // namespace locara::cas
