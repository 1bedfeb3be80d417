// The client store: whole, verified, read-only files by SHA-256, and resumable parts of them.
//
// Follows docs/formats/store.md, which says what holds when a process is killed. The store knows
// nothing of networks or formats: whoever fetches writes into a Part, and the format gate is a
// function that the caller hands to publish.
//
// Threads and processes: a Store may be used from any number of threads, and any number of
// processes may work on one folder. Everything that changes is durable when its function returns.
// Errors of the operating system come back as Io, NoSpace, Forbidden with the path in the message.
#pragma once

#include <locara/base/file.hpp>
#include <locara/base/progress.hpp>
#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/store/chunk_index.hpp>
#include <locara/store/part_journal.hpp>
#include <locara/store/spans.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

namespace locara::store {

using Digest = crypto::Sha256Digest;

/// A file of the store.
struct FileInfo {
    Digest digest;
    std::uint64_t size = 0;
};

/// A file that is not whole yet.
struct PartInfo {
    Digest digest;
    std::uint64_t size = 0;           ///< Of the whole file.
    std::uint64_t received_bytes = 0; ///< What its journal holds.
};

/// What lies in the store. Bytes are what the disk holds (parts are sparse).
struct Usage {
    std::uint64_t files = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t parts = 0;
    std::uint64_t part_bytes = 0;
    std::uint64_t quarantined = 0;
    std::uint64_t quarantined_bytes = 0;
};

/// A file that did not pass verification.
struct BadFile {
    Digest digest;
    std::optional<Digest> found;    ///< What its bytes have instead; absent if it cannot be read.
    std::filesystem::path moved_to; ///< In quarantine; empty if it could not be moved.
    std::string reason;
};

struct VerifyReport {
    std::uint64_t files = 0; ///< Looked at, good and bad.
    std::uint64_t bytes = 0; ///< Of the good ones.
    std::vector<BadFile> bad;
};

/// Looks at a complete part before it is published, through a read-only descriptor. An error keeps
/// the part out of the store and is returned by publish.
using Gate = std::function<Status(const Fd& file)>;

class Store;

/// A file on its way in. Holds the lock of its digest for as long as it lives. What a checkpoint
/// has noted stays for the next pull when it is destroyed. Made by Store::open_part.
///
/// Threads: write, copy_chunks, missing, received_bytes, hashed_bytes and checkpoint may be called
/// from many threads at once; advance_hash by one thread at a time beside them. The others need the
/// part for themselves.
class Part {
  public:
    /// When received bytes are made durable and noted: as soon as one of the two is passed.
    struct Pace {
        std::uint64_t bytes = 32U << 20U;
        std::chrono::milliseconds time = std::chrono::seconds(1);
    };

    Part(Part&&) noexcept;
    Part& operator=(Part&&) noexcept;
    ~Part();

    const Digest& digest() const;
    std::uint64_t size() const;

    /// Bytes that were here when the part was opened.
    std::uint64_t reused_bytes() const;

    /// Bytes that are here now, journaled or not.
    std::uint64_t received_bytes() const;

    /// What is not here yet, in order.
    std::vector<Span> missing() const;

    /// Writes bytes at their offset. Those that are here already, or that another thread is just
    /// writing, are skipped: no byte is written twice. InvalidArgument past the end, NoSpace (with
    /// numbers) when the disk is full; what had arrived before stays. After a failed write the part
    /// is good for checkpoint, reset and discard only.
    Status write(std::uint64_t offset, ByteView bytes);

    /// What copy_chunks did.
    struct Copied {
        std::uint64_t bytes = 0;  ///< Verified and here now.
        std::uint64_t shared = 0; ///< Of these, shared with their source on disk, not doubled.
        std::uint64_t bad = 0;    ///< Did not match their hash or could not be read: still missing.
    };

    /// Takes a run of chunks, each of which ends where the next begins in one file of the store,
    /// and puts them at `offset`: by sharing blocks where the file system can, else by copying.
    /// Every chunk is hashed as it lies in the part before it counts as received; a bad one is
    /// left out, as are chunks of which bytes are here already or on their way. Errors:
    /// InvalidArgument (not a run, or past the end), NotFound (the file is no longer in the store),
    /// those of write.
    Result<Copied>
    copy_chunks(std::uint64_t offset, const Store& store, std::span<const FoundChunk> run);

    void set_pace(Pace pace);

    /// Makes all received bytes durable and notes them in the journal.
    Status checkpoint();

    /// Hashes up to `limit_bytes` more of the bytes that are here without a gap from the start.
    /// Returns how many were hashed; 0 when there is nothing to do now. Reads them back from the
    /// part, so what is hashed is what is stored.
    Result<std::uint64_t> advance_hash(std::uint64_t limit_bytes);

    std::uint64_t hashed_bytes() const;

    /// The SHA-256 of the complete part: hashes what is left. InvalidArgument while bytes are
    /// missing; Cancelled.
    Result<Digest> finish_hash(std::stop_token stop = {});

    /// Makes the part a file of the store, see docs/formats/store.md. Errors: InvalidArgument
    /// (bytes are missing), Corrupt (SHA-256 differs; the part is left as it is), the gate's own.
    /// After success the part is spent: only destroying it is allowed.
    Result<FileInfo> publish(const Gate& gate = nullptr);

    /// Forgets all bytes, to start over.
    Status reset();

    /// Removes the part from disk. Only destroying it is allowed afterwards.
    Status discard();

  private:
    friend class Store;
    struct State;
    explicit Part(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

class Store {
  public:
    /// Opens the store at `root`, making its folders (0755) if they are not there, and removes
    /// temporaries that nobody uses. Unsupported when the folder was written by a newer layout.
    static Result<Store> open(const std::filesystem::path& root);

    const std::filesystem::path& root() const { return root_; }

    bool has(const Digest& digest) const;

    /// The file's digest and size. nullopt if it is not here.
    std::optional<FileInfo> find(const Digest& digest) const;

    /// Where the file is, for an engine to map. NotFound. The path stays valid until removed.
    Result<std::filesystem::path> path_of(const Digest& digest) const;

    /// Opens the file for reading. NotFound.
    Result<Fd> open_file(const Digest& digest) const;

    /// All files, ordered by digest.
    Result<std::vector<FileInfo>> list() const;
    Result<std::vector<PartInfo>> list_parts() const;
    Result<Usage> usage() const;

    /// Starts or continues a file of this digest and size. Waits while another process (or thread)
    /// works on the same digest, calling `waiting` about every 100 ms. Gives FileInfo when the
    /// file is here. Errors: NoSpace (with numbers) when what is missing does not fit on the disk,
    /// Cancelled, TooLarge above kMaxFileBytes, Corrupt when this digest is here and intact but has
    /// another size than the caller was told.
    Result<std::variant<FileInfo, Part>> open_part(const Digest& digest,
                                                   std::uint64_t size,
                                                   std::stop_token stop = {},
                                                   const std::function<void()>& waiting = nullptr);

    /// Copies bytes or a regular file in. Putting what is here already changes nothing. NoSpace.
    Result<FileInfo> put_bytes(ByteView bytes);
    Result<FileInfo> put_file(const std::filesystem::path& path);

    /// Hashes the file again. Corrupt when it differs, or Io when it cannot be read: it is then in
    /// quarantine and no longer in the store. NotFound, Cancelled. Progress: task "verify".
    Status verify(const Digest& digest,
                  ProgressSink& progress = null_progress(),
                  std::stop_token stop = {});

    /// verify for every file; bad files are in the report, not an error. Cancelled.
    Result<VerifyReport> verify_all(ProgressSink& progress = null_progress(),
                                    std::stop_token stop = {});

    /// Makes the chunk index of a file if it has none, and opens it. Hashes the whole file on
    /// `threads` threads; when its SHA-256 is no longer the right one the answer is Corrupt and
    /// there is no index. NotFound, Cancelled, NoSpace. Progress: task "index".
    Result<ChunkIndex> make_index(const Digest& digest,
                                  unsigned threads = 1,
                                  ProgressSink& progress = null_progress(),
                                  std::stop_token stop = {});

    /// Keeps an index whose chunks the caller has proven (a Xet pull knows them), in place of what
    /// is there. NotFound unless the file is here; InvalidArgument if the sizes differ or as
    /// ChunkIndex::render.
    Status put_index(const IndexedFile& file);

    /// Opens the index of a file. NotFound if there is none; one that is Corrupt is removed first.
    Result<ChunkIndex> open_index(const Digest& digest) const;

    /// For finding chunks in all files that have an index now.
    Result<ChunkFinder> open_finder() const;

    /// The bytes of a chunk, hashed again. Corrupt when they differ, NotFound when its file is
    /// gone.
    Result<Bytes> read_chunk(const FoundChunk& chunk) const;

    /// Removes a file, or a part. NotFound; Busy while somebody pulls it. Programs that have the
    /// file mapped keep it until they let go.
    Status remove(const Digest& digest);
    Status remove_part(const Digest& digest);

    /// NoSpace, with numbers and what to do, unless `bytes` more fit on the disk of the store.
    Status check_space(std::uint64_t bytes) const;

  private:
    explicit Store(std::filesystem::path root) : root_(std::move(root)) {}

    std::filesystem::path root_;
};

} // namespace locara::store
