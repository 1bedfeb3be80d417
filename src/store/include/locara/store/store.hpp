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
#include <locara/store/adopted.hpp>
#include <locara/store/chunk_index.hpp>
#include <locara/store/part_journal.hpp>
#include <locara/store/spans.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace locara::store {

using Digest = crypto::Sha256Digest;

/// Looks at a complete file before it becomes one of the store, through a read-only descriptor. An
/// error keeps it out and is the answer.
using Gate = std::function<Status(const Fd& file)>;

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
    std::uint64_t disk_bytes = 0;     ///< What the disk holds for it: reserved blocks, too.
};

/// How a file of another program becomes one of the store.
struct AdoptOptions {
    /// nullopt: the first of Reflink, Hardlink, Reference that the file systems and our rights
    /// allow.
    std::optional<LinkKind> link;
    Gate gate; ///< As for Part::publish, before anything else is read.
    /// Asked once the digest is known; an error keeps the file out and is the answer.
    std::function<Status(const Digest&)> admit;
    unsigned threads = 1;
    const Clock* clock = &system_clock();
    std::stop_token stop;
};

struct AdoptOutcome {
    FileInfo file;
    std::optional<LinkKind> link; ///< nullopt: the store had these bytes before.
};

/// Keeps garbage collection away while it lives: whoever puts files in and names them (in a
/// lockfile, as a pin) only afterwards holds one from before the first file to after the naming.
class StoreUse {
  private:
    friend class Store;

    explicit StoreUse(Fd fd) : fd_(std::move(fd)) {}

    Fd fd_;
};

struct GcOptions {
    /// What must stay. Asked once nobody uses the store; an error of it ends the collection.
    std::function<Result<std::set<Digest>>()> roots;
    /// Younger things stay, by the time their inode last changed (parts: their content).
    std::chrono::seconds min_age = std::chrono::hours(1);
    std::chrono::seconds min_part_age = std::chrono::hours(24 * 7);
    /// Whether adopted files that are no roots go, too. The other programs' files stay in any case.
    enum class Adopted { Keep, Collect } adopted = Adopted::Keep;
    enum class DryRun { No, Yes } dry_run = DryRun::No;
    const Clock* clock = &system_clock();
    std::stop_token stop;
};

/// One thing that goes, or would.
struct GcItem {
    enum class Kind { File, Adopted, Index, Part, Quarantine, Temporary };

    Kind kind = Kind::File;
    std::optional<Digest> digest;
    std::filesystem::path path;
    std::uint64_t size = 0; ///< Its length in bytes.
    /// What the file system gives back: allocated blocks, 0 while another hard link holds them,
    /// without those that other files share (reflinks). Blocks that only items share come back
    /// with the last of them. A dry run knows the files of the store and where reflinks were
    /// adopted from; it takes blocks that somebody else shares, besides, for free.
    std::uint64_t freed_bytes = 0;
};

std::string_view render(GcItem::Kind kind);

struct GcReport {
    std::vector<GcItem> items;
    std::uint64_t freed_bytes = 0;
    std::uint64_t kept_young = 0; ///< Would have gone but for their age.
    std::uint64_t kept_busy = 0;  ///< Would have gone but somebody works on them.
};

/// What lies in the store. Bytes are what the disk holds (of parts also what is reserved for bytes
/// to come); adopted references count as files of 0 bytes, since they lie elsewhere.
struct Usage {
    std::uint64_t files = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t parts = 0;
    std::uint64_t part_bytes = 0;
    std::uint64_t quarantined = 0;
    std::uint64_t quarantined_bytes = 0;
    std::uint64_t indexes = 0;
    std::uint64_t index_bytes = 0;
    std::uint64_t adopted = 0; ///< Of the files, those that other programs hold, too.
    /// Their bytes that lie on the disk once and not twice.
    std::uint64_t adopted_saved_bytes = 0;
    /// Bytes of the other files that share blocks with something (reflinks).
    std::uint64_t shared_bytes = 0;
};

/// What happens to a file that does not pass verification.
enum class OnBad {
    Quarantine, ///< It is set aside whole. (An adopted one is dropped and left where it is.)
    /// With an index it becomes a part that holds its good chunks, so that a pull fetches the bad
    /// ones only. Without one, or when no chunk is good, as Quarantine.
    Repair,
};

/// A file that did not pass verification, and is no longer one of the store.
struct BadFile {
    Digest digest;
    std::uint64_t size = 0;
    std::optional<Digest> found;    ///< What its bytes have instead; absent if it cannot be read.
    std::filesystem::path moved_to; ///< In quarantine; empty if it is not there.
    std::string reason;
    bool has_index = false;       ///< Whether the next field says anything.
    std::vector<Span> bad_spans;  ///< The bad chunks, adjacent ones joined.
    std::optional<PartInfo> part; ///< What OnBad::Repair made of it.
};

struct VerifyOptions {
    OnBad on_bad = OnBad::Quarantine;
    unsigned threads = 1;
    /// Whether a run that was interrupted in the last seven days goes on: what it had verified
    /// and what did not change since is not hashed again.
    enum class Resume { No, Yes } resume = Resume::No;
    const Clock* clock = &system_clock();
    std::stop_token stop;
};

struct VerifyReport {
    std::uint64_t files = 0;   ///< Looked at, good and bad.
    std::uint64_t bytes = 0;   ///< Of the good ones.
    std::uint64_t skipped = 0; ///< Verified by the run that this one went on with.
    std::vector<BadFile> bad;
};

class Store;

/// A file on its way in. Holds the lock of its digest for as long as it lives. What was written
/// stays for the next pull when it is destroyed or its process killed, and what a checkpoint noted
/// also when the machine stops. Made by Store::open_part.
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

    /// Bytes that are here now, durable or not.
    std::uint64_t received_bytes() const;

    /// What is not here yet, in order.
    std::vector<Span> missing() const;

    /// Writes bytes at their offset. Those that are here already, or that another thread is just
    /// writing, are skipped: no byte is written twice. The first write reserves blocks for all that
    /// is missing, where the file system can (copy chunks first: they may share theirs); they stay
    /// the part's until it is published or removed. InvalidArgument past the end, NoSpace (with
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
    Status checkpoint_if_due();
    std::unique_ptr<State> state_;
};

class Store {
  public:
    /// Opens the store at `root`, making its folders (0755) if they are not there, and removes
    /// temporaries that nobody uses. Unsupported when the folder was written by a newer layout.
    static Result<Store> open(const std::filesystem::path& root);

    const std::filesystem::path& root() const { return root_; }

    bool has(const Digest& digest) const;

    /// The file's digest and size. nullopt if it is not here. An adopted file whose size is right
    /// counts as here; whether it was changed is found out when it is opened.
    std::optional<FileInfo> find(const Digest& digest) const;

    /// Where the file is, for an engine to map. NotFound. The path stays valid until removed. An
    /// adopted file that another program may have changed is hashed again first: when it did
    /// change, it leaves the store and the answer is Corrupt. Cancelled.
    Result<std::filesystem::path> path_of(const Digest& digest, std::stop_token stop = {}) const;

    /// Opens the file for reading. Errors: as path_of.
    Result<Fd> open_file(const Digest& digest, std::stop_token stop = {}) const;

    /// All files, adopted ones among them, ordered by digest.
    Result<std::vector<FileInfo>> list() const;

    /// What is remembered of adopted files that are here, ordered by digest.
    Result<std::vector<Adopted>> list_adopted() const;

    /// References whose file is gone, or has another size now, ordered by digest: what was adopted
    /// and is not here any more. Garbage collection forgets them.
    Result<std::vector<Adopted>> list_lost() const;
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

    /// Takes over a file of another program, which is never moved, changed or chmodded: hashes it,
    /// links it (see LinkKind) and keeps its chunk index. Errors: InvalidArgument (no regular
    /// file), Unsupported (options.link cannot be had here), Conflict (it was written to
    /// meanwhile), the gate's, Cancelled, NoSpace, TooLarge. Progress: task "adopt".
    Result<AdoptOutcome> adopt(const std::filesystem::path& path,
                               const AdoptOptions& options = {},
                               ProgressSink& progress = null_progress());

    /// Hashes the file again. Corrupt when it differs, or Io when it cannot be read: it is then in
    /// quarantine and no longer in the store. NotFound, Cancelled. Progress: task "verify".
    Status verify(const Digest& digest,
                  ProgressSink& progress = null_progress(),
                  std::stop_token stop = {});

    /// The same, with what was found and done. nullopt: it is good. NotFound, Cancelled.
    Result<std::optional<BadFile>> check(const Digest& digest,
                                         OnBad on_bad,
                                         ProgressSink& progress = null_progress(),
                                         std::stop_token stop = {});

    /// check for every file; bad files are in the report, not an error. With OnBad::Repair also
    /// makes parts of files that lie in quarantine and have an index. Needs no network. Cancelled
    /// (a later run can go on); Busy while another process verifies everything.
    Result<VerifyReport> verify_all(const VerifyOptions& options = {},
                                    ProgressSink& progress = null_progress());

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

    /// On the store's disk, for temporary files without a name (locara/base/spill.hpp).
    std::filesystem::path scratch() const;

    /// Opens the index of a file. NotFound if there is none; one that is Corrupt is removed first.
    Result<ChunkIndex> open_index(const Digest& digest) const;

    /// For finding chunks in all files that have an index now.
    Result<ChunkFinder> open_finder() const;

    /// The bytes of a chunk, hashed again. Corrupt when they differ, NotFound when its file is
    /// gone.
    Result<Bytes> read_chunk(const FoundChunk& chunk) const;

    /// Waits while a collection runs (see StoreUse), calling `waiting` about every 100 ms.
    /// Cancelled.
    Result<StoreUse> use(std::stop_token stop = {},
                         const std::function<void()>& waiting = nullptr) const;

    /// Keeps everybody else from the store, as a collection does. Busy if it is in use.
    Result<StoreUse> use_alone() const;

    /// Removes what nothing names: files and their indexes, parts nobody goes on with, what is in
    /// quarantine, leftovers of killed programs. Busy while somebody uses the store. Cancelled:
    /// what went until then is gone.
    Result<GcReport> collect_garbage(const GcOptions& options);

    /// Removes a file, or a part. NotFound; Busy while somebody pulls it. Programs that have the
    /// file mapped keep it until they let go.
    Status remove(const Digest& digest);
    Status remove_part(const Digest& digest);

    /// What the file system would give back if this file were removed, with its index: see
    /// GcItem::freed_bytes.
    std::uint64_t removable_bytes(const Digest& digest) const;

    /// Where the file is or would be in the store's own folders, adopted or not.
    std::filesystem::path own_path(const Digest& digest) const;

    /// NoSpace, with numbers and what to do, unless `bytes` more fit on the disk of the store.
    Status check_space(std::uint64_t bytes) const;

  private:
    explicit Store(std::filesystem::path root) : root_(std::move(root)) {}

    std::filesystem::path root_;
};

} // namespace locara::store
