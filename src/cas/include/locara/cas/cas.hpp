// The hub's chunk store: xorbs, files made of them, and what clients may ask about both.
//
// Formats and hashes are those of the Xet protocol (specification v1.1), exactly;
// docs/formats/cas.md says which objects there are and what holds when a process is killed. No
// HTTP, no accounts: who may do what is decided above and handed in as MayUse. Nothing that comes
// in is believed: xorbs are unpacked and hashed, shards are checked against the chunk tables of
// stored xorbs.
//
// Names used here: a *term* is a run of chunks of one xorb; a *file* is a list of terms, named by
// the hash over all its chunks; its *claimed* SHA-256 is what an uploader said, a *verified* one
// was computed here from the bytes.
//
// Threads and processes: a Cas may be used from any thread, and any number of processes may share
// one backend. XorbUpload, Ingest and FileReader belong to one thread at a time and may outlive
// neither their Cas nor its backend. Everything that was stored is durable when its function
// returns. All calls block (disk, hashing): a server runs them on a pool.
//
// Errors besides those named: Io, NoSpace, Forbidden and Unavailable from the backend; Corrupt with
// the object's key when a stored object is not what its key says.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/clock.hpp>
#include <locara/base/file.hpp>
#include <locara/base/result.hpp>
#include <locara/cas/backend.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/xet/hash.hpp>
#include <locara/xet/merkle.hpp>
#include <locara/xet/reconstruction.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

namespace locara::cas {

using Sha256 = crypto::Sha256Digest;

/// The most chunks of one file, and of all files of one uploaded shard together (about 1 TB). A
/// shard within its size limit could name a thousand times more, all of which would be hashed.
inline constexpr std::uint64_t kMaxFileChunks = 16U << 20U;

/// A file of an uploaded shard with more raw bytes than kMaxFreeRepeats may have at most so many
/// times the raw bytes of the distinct xorbs that it is made of; all files of a shard together,
/// kMaxShardRepeats times. Few bytes that are named again and again cost nothing to send, and are
/// hashed each time. A file of 16 GiB may be all zeros, and a shard hold copies of a model that
/// differ little.
inline constexpr std::uint64_t kMaxFreeRepeats = std::uint64_t{16} << 30U;
inline constexpr std::uint64_t kMaxFileRepeats = 64;
inline constexpr std::uint64_t kMaxShardRepeats = 1024;

/// Whether the caller may refer to a stored xorb. Knowing its hash must not be enough: whoever can
/// refer to a xorb can read it. Called from the calling thread, once per xorb and call.
using MayUse = std::function<bool(const xet::XorbHash&)>;

/// Takes bytes in order; an error ends the call that made them and is its answer. The view is valid
/// during the call only.
using Sink = std::function<Status(ByteView)>;

enum class Inserted { No, Yes };

struct CasOptions {
    /// Memory for chunk tables of xorbs, in bytes (a table has up to 320 KiB).
    std::size_t table_cache_bytes = 16U << 20U;
    /// Memory of the lookup that ingest finds known chunks with, in bytes. While all chunks fit
    /// (about 1.5 million in 32 MiB, so 90 GB of data), every known chunk is found; beyond, a
    /// sample of them, and through each hit its neighbours.
    std::size_t lookup_bytes = 32U << 20U;
    /// Threads that ingest packs chunks with.
    unsigned threads = 2;
    const Clock* clock = &system_clock(); ///< Borrowed. The same one as the backend's.
};

/// What is known of a stored file.
struct FileInfo {
    xet::FileHash hash;
    std::uint64_t size = 0;
    std::optional<Sha256> sha256; ///< The verified one if there is one, else the claimed one.
    enum class Proof { None, Claimed, Verified } proof = Proof::None;
};

/// A file of a shard, as the shard has it.
struct ShardClaim {
    xet::FileHash hash;
    std::uint64_t size = 0;
};

struct ShardOptions {
    MayUse may_use; ///< Must be set.
    /// If set, is asked once, before any work is done for the files, each of which is named once;
    /// its error is the shard's answer. Of a shard that is taken then the claims are true.
    std::function<Status(const std::vector<ShardClaim>&)> admit;
    /// Yes: each claimed SHA-256 is compared with the file's bytes before anything is stored.
    enum class CheckSha256 { Later, Now } check_sha256 = CheckSha256::Later;
    /// If set, is told chunks checked and chunks in all, from time to time.
    std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};

struct ShardResult {
    struct File {
        FileInfo info;
        Inserted inserted = Inserted::No;
    };

    std::vector<File> files; ///< In the shard's order, each once.

    /// Whether any file was new: what "result" of POST /v1/shards says.
    Inserted inserted() const;
};

/// A xorb while it arrives: each chunk is unpacked and hashed as it comes, in memory of about a
/// chunk. Made by Cas::begin_xorb. Destroyed before finish it leaves nothing.
class XorbUpload {
  public:
    XorbUpload(XorbUpload&&) noexcept;
    XorbUpload& operator=(XorbUpload&&) noexcept;
    ~XorbUpload();

    /// The next bytes, in pieces of any size. Corrupt: not a xorb; TooLarge: past a limit of xorbs.
    /// After an error the upload is only good for destruction.
    Status write(ByteView piece);

    /// Ends it. Corrupt when the chunks do not hash to the name, the last chunk is cut short or a
    /// footer that came along is wrong. No: it was here already (or came in meanwhile).
    Result<Inserted> finish();

    struct State;

  private:
    friend class Cas;
    explicit XorbUpload(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// What ingest made of plain bytes.
struct Ingested {
    FileInfo info; ///< With the SHA-256 of the bytes, verified.
    Inserted inserted = Inserted::No;
    std::uint64_t chunks = 0;
    std::uint64_t new_chunks = 0;       ///< Of them, not known before.
    std::uint64_t new_raw_bytes = 0;    ///< Raw bytes of the new chunks.
    std::uint64_t new_stored_bytes = 0; ///< What the store grew by: xorbs, shard and the rest.
};

/// A file on its way in as plain bytes: cut into chunks, known ones found, the others packed into
/// xorbs of at most 64 MiB, which are put as they fill. Memory is bounded (some 32 MiB), whatever
/// the file's size. Made by Cas::begin_ingest. Destroyed before finish it may leave xorbs that
/// nothing refers to, which gc takes.
class Ingest {
  public:
    Ingest(Ingest&&) noexcept;
    Ingest& operator=(Ingest&&) noexcept;
    ~Ingest();

    /// The next bytes, in pieces of any size. TooLarge past kMaxFileChunks. After an error it is
    /// only good for destruction.
    Status write(ByteView piece);

    /// Ends it and makes the file readable. Corrupt when the bytes do not have the SHA-256 that
    /// was expected; then no file is stored.
    Result<Ingested> finish(const std::optional<Sha256>& expected = std::nullopt);

    struct State;

  private:
    friend class Cas;
    explicit Ingest(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// The next bytes of a file, in one of two forms.
struct Piece {
    /// In memory, unpacked and verified; valid until the next call on the reader.
    ByteView bytes;
    /// Or as they lie in an object: length bytes from offset on of an open file, unverified. The
    /// descriptor is shared by the pieces of one xorb.
    std::shared_ptr<const Fd> file;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;

    /// Bytes of either form; 0 at the end.
    std::uint64_t size() const { return file != nullptr ? length : bytes.size(); }
};

/// How chunks that are stored raw come out of a FileReader.
enum class RawChunks {
    Copied, ///< As bytes, like all others.
    Named,  ///< As file, offset and length, for sendfile, where the backend has local files.
};

/// Reads a file or a range of it, chunk by chunk, in constant memory. Made by Cas::open_file.
class FileReader {
  public:
    FileReader(FileReader&&) noexcept;
    FileReader& operator=(FileReader&&) noexcept;
    ~FileReader();

    /// Bytes that all pieces have together.
    std::uint64_t size() const;

    /// The next piece; one of size 0 at the end. Corrupt when a stored chunk is damaged: nothing
    /// of it is handed out.
    Result<Piece> next();

    struct State;

  private:
    friend class Cas;
    explicit FileReader(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

struct GcOptions {
    /// What was put or used later than this long ago stays. Must be longer than any upload lasts,
    /// from its first xorb to the moment its file is among the live ones.
    std::chrono::seconds grace = std::chrono::hours(24);
    enum class DryRun { No, Yes } dry_run = DryRun::No;
    std::stop_token stop; ///< Asked to stop, gc answers Cancelled; what is gone is gone.
};

struct GcReport {
    std::uint64_t live_files = 0;    ///< Live or too young.
    std::uint64_t removed_files = 0; ///< Would be, in a dry run; so the others.
    std::uint64_t removed_xorbs = 0;
    std::uint64_t removed_entries = 0; ///< Dedup entries and remembered SHA-256s.
    std::uint64_t freed_bytes = 0;
    std::uint64_t kept_bytes = 0;
    /// Files that should be live and are not here.
    std::vector<xet::FileHash> missing_files;
    /// Xorbs that no file uses and that stay since they are young.
    std::set<xet::XorbHash> young_xorbs;
};

struct FsckOptions {
    std::string after; ///< "" to begin, else FsckReport::next of the run before.
    /// Stops at the first object after this many bytes; 0 means never.
    std::uint64_t budget_bytes = 0;
    /// What to do with an object that is not what its key says. SetAside: copied to quarantine/ and
    /// removed, so that the next upload can put a good one in its place. (Not what merely lacks
    /// another object, such as a file whose xorb is gone: it is whole again when that comes back.)
    enum class OnBad { Report, SetAside } on_bad = OnBad::Report;
    std::stop_token stop; ///< Asked to stop, fsck ends early as by its budget.
};

struct FsckReport {
    struct Bad {
        std::string key;
        std::string reason;
    };

    std::uint64_t objects = 0; ///< Looked at, good and bad.
    std::uint64_t bytes = 0;
    std::vector<Bad> bad;
    std::optional<std::string> next; ///< Where to go on; absent when all has been seen.
};

struct Stats {
    struct Kind {
        std::uint64_t objects = 0;
        std::uint64_t bytes = 0;
    };

    Kind xorbs;
    Kind files;
    Kind entries; ///< Dedup entries.
    Kind other;
};

class Cas {
  public:
    /// `backend` is borrowed and must outlive the Cas. Reads nothing yet.
    explicit Cas(Backend& backend, CasOptions options = {});
    ~Cas();
    Cas(const Cas&) = delete;
    Cas& operator=(const Cas&) = delete;

    // --- Uploads --------------------------------------------------------------------------------

    /// Starts to take a xorb whose hash is claimed to be `hash`. InvalidArgument for the zero hash.
    Result<XorbUpload> begin_xorb(const xet::XorbHash& hash);

    /// begin_xorb, write and finish in one.
    Result<Inserted> put_xorb(const xet::XorbHash& hash, ByteView bytes);

    /// Whether the xorb is here. It is not removed before gc's grace time from now.
    Result<bool> has_xorb(const xet::XorbHash& hash);

    /// Takes the files of a shard, all or none: every term must lie in a stored xorb that the
    /// caller may use; range hashes (which must be there) and the file hash are recomputed.
    /// Its xorb section is not believed and not kept. A file that is here already stays as it is.
    /// Errors: Corrupt (not a shard; a hash is wrong; a term past its xorb), TooLarge (a limit of
    /// shards, kMaxFileChunks, kMaxFileRepeats or kMaxShardRepeats), NotFound (a xorb is not here)
    /// and Forbidden (may_use says no), which read the same to a stranger if the server answers
    /// both alike; Conflict when the claimed SHA-256 is not that of the bytes. On a kill in the
    /// middle some of the files may be there, each whole.
    Result<ShardResult> put_shard(ByteView shard, const ShardOptions& options);

    /// Takes a file as plain bytes. The caller of these bytes has them, so known chunks are found
    /// in all xorbs.
    Result<Ingest> begin_ingest();

    /// The same for an open file, from its first to its last byte (by pread).
    Result<Ingested> ingest(const Fd& file, const std::optional<Sha256>& expected = std::nullopt);

    // --- Questions ------------------------------------------------------------------------------

    /// NotFound for an unknown file. The empty file (zero hash) is always known.
    Result<FileInfo> file_info(const xet::FileHash& file) const;

    /// Reads the file through and compares with the claimed SHA-256, if there is one; the computed
    /// one is remembered and later calls answer at once. Errors: NotFound; Conflict when the claim
    /// was wrong (file_info then has the right one).
    Result<Sha256> verify_sha256(const xet::FileHash& file);

    /// The xorbs a file is made of, each once.
    Result<std::vector<xet::XorbHash>> xorbs_of(const xet::FileHash& file) const;

    /// Keeps the file and its xorbs from gc for its grace time. Call it before a name is made to
    /// refer to the file. NotFound if any of it is gone.
    Status touch(const xet::FileHash& file);

    // --- Downloads ------------------------------------------------------------------------------

    /// How to put the file, or bytes `range` of it, together (xet::make_plan, which also says
    /// what `make_url` must do). A range is trimmed to whole chunks and to the file's end.
    /// NotFound: unknown file. InvalidArgument: the range is empty or begins past the end (416).
    /// The plan of the empty file has no terms. For a batch: one call a file, render each.
    Result<xet::Plan> plan(const xet::FileHash& file,
                           std::optional<xet::ByteRange> range,
                           const xet::MakeUrl& make_url) const;

    /// The file as a shard of its own, with footer: its file block and the blocks of all xorbs it
    /// needs. NotFound; TooLarge above xet::kMaxShardBytes.
    Result<Bytes> shard_of(const xet::FileHash& file) const;

    /// What to answer a global dedup query: a shard with footer that holds the block of a xorb with
    /// this chunk that the caller may use, and no file; nothing if there is
    /// none. Chunk hashes are plain if `key` is zero, else keyed with it. The xorb is not removed
    /// before gc's grace time from now; `valid_for` is the shard's key expiry.
    Result<std::optional<Bytes>>
    find_dedup(const xet::ChunkHash& chunk,
               const MayUse& may_use,
               const xet::DedupKey& key = {},
               std::chrono::seconds valid_for = std::chrono::hours(24)) const;

    /// Opens bytes of a file for reading. Errors: as plan.
    Result<FileReader> open_file(const xet::FileHash& file,
                                 std::optional<xet::ByteRange> range = std::nullopt,
                                 RawChunks raw = RawChunks::Copied) const;

    /// open_file, and every piece to the sink.
    Status
    read(const xet::FileHash& file, std::optional<xet::ByteRange> range, const Sink& sink) const;

    /// The xorb's object: its size, bytes of it, and the open file where there is one (for the
    /// URLs of a plan). NotFound.
    Result<std::uint64_t> xorb_size(const xet::XorbHash& xorb) const;
    Status
    read_xorb(const xet::XorbHash& xorb, std::uint64_t offset, std::span<std::byte> buffer) const;
    Result<std::optional<Fd>> open_xorb(const xet::XorbHash& xorb) const;

    // --- Keeping house --------------------------------------------------------------------------

    /// Removes files that are neither among `live` nor young, then xorbs that no remaining file
    /// uses and that are not young, then what pointed to them. One gc at a time; uploads and
    /// downloads may go on in any process. `live` must hold every file that a name refers to when
    /// gc begins.
    Result<GcReport> gc(const std::set<xet::FileHash>& live, const GcOptions& options = {});

    /// Verifies every object again, in the order of keys: xorbs are unpacked and hashed, files
    /// recomputed from their xorbs' tables, dedup entries looked up.
    Result<FsckReport> fsck(const FsckOptions& options = {});

    /// Counts by listing everything.
    Result<Stats> stats() const;

    struct State;

  private:
    std::unique_ptr<State> state_;
};

} // namespace locara::cas
