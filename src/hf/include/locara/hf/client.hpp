// Client of the Hugging Face Hub protocol: files of pinned revisions, fetched into the store, and
// files put into a repository.
//
// Speaks the `resolve` route (GET and HEAD) of any server of that protocol; a Locara hub is one.
// Where the server has a file as Xet chunks, only those chunks are fetched that this machine lacks,
// and only those are sent that the server lacks. What it cannot do: search repositories. A pull
// never writes outside the Store it is handed, and nothing gets into that store whose SHA-256 is
// not the one that was asked for.
//
// Threads: a Client may be used by any number of threads at once; the http::Client that it was
// made with must outlive it.
#pragma once

#include <locara/base/file.hpp>
#include <locara/base/log.hpp>
#include <locara/base/progress.hpp>
#include <locara/base/result.hpp>
#include <locara/base/secret.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/hf/repo.hpp>
#include <locara/hf/timer.hpp>
#include <locara/hf/upload.hpp>
#include <locara/http/client.hpp>
#include <locara/store/store.hpp>
#include <locara/xet/hash.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hf {

inline constexpr std::string_view kDefaultEndpoint = "https://huggingface.co";

/// Bounds on how long a failing server is asked again.
struct RetryPolicy {
    /// Failures in a row, without progress between them, until a call gives up.
    int attempts = 6;
    /// Wait after the first failure; doubles each time, with random jitter of half its length.
    std::chrono::milliseconds first_wait = std::chrono::milliseconds(500);
    std::chrono::milliseconds longest_wait = std::chrono::seconds(30);
    /// A server that asks (Retry-After, RateLimit) for a longer wait than this is not waited for.
    std::chrono::seconds longest_asked_wait = std::chrono::seconds(120);
};

struct Options {
    /// Scheme, host, and a path if the server sits below one. A final '/' is ignored.
    std::string endpoint = std::string(kDefaultEndpoint);
    /// Sent to the endpoint's own scheme, host and port, to no other.
    Secret token;
    /// With Yes every call that needs the network fails with Offline.
    enum class OfflineMode { No, Yes } offline = OfflineMode::No;
    RetryPolicy retry;
    /// Until a connection stands, and how long nothing may arrive on it (whole seconds).
    std::chrono::milliseconds connect_timeout = std::chrono::seconds(20);
    std::chrono::seconds stall_timeout = std::chrono::seconds(30);
    Timer* timer = nullptr; ///< nullptr: system_timer().
    Log* log = nullptr;     ///< nullptr: null_log().

    /// What the environment says: HF_ENDPOINT, HF_TOKEN (unless HF_HUB_DISABLE_IMPLICIT_TOKEN is
    /// set to a true value), HF_HUB_OFFLINE. HF_TOKEN belongs to the host of HF_ENDPOINT
    /// (huggingface.co if unset). When `endpoint` names another host, the token stays at home: hand
    /// over one for that host by yourself.
    static Options from_environment(std::optional<std::string> endpoint = std::nullopt);

    /// Takes LOCARA_TOKEN if it is for `endpoint`: it belongs to the host of LOCARA_HUB or, without
    /// that, to any hub but huggingface.co. Only for a hub that a person named, or the only one
    /// they know: else it would go to whoever is in the list.
    void take_hub_token();
};

/// One file of one pinned revision, with what a manifest says about it.
struct FileRef {
    std::string repo;     ///< "org/name".
    std::string revision; ///< A commit, 40 lower-case hex digits. Names such as "main" are refused.
    std::string path;     ///< Inside the repository, with '/', as the repository spells it.
    std::uint64_t size = 0;
    crypto::Sha256Digest sha256;
    /// What the manifest says: chunks are then proven one by one against it. Without it the server
    /// is asked, and its answer is only a hint.
    std::optional<xet::FileHash> xet_hash = std::nullopt;
};

/// What the server says about a file. Absent headers are empty.
struct RemoteFile {
    std::string commit;                ///< X-Repo-Commit.
    std::string etag;                  ///< X-Linked-Etag, else ETag; without quotes and W/.
    std::optional<std::uint64_t> size; ///< X-Linked-Size, else Content-Length.
};

/// Looks at the complete bytes of a file before the store takes them (the format gate). `file` is
/// read-only; `path` is FileRef::path. An error refuses the file.
using Gate = std::function<Status(const Fd& file, const std::string& path)>;

/// Whether a pull may go chunk by chunk where the server offers it.
enum class UseXet { No, Yes };

struct PullOptions {
    int connections = 4;                      ///< 1 to 32.
    std::uint64_t range_bytes = 8U << 20U;    ///< Size of one plain ranged GET, 64 KiB to 1 GiB.
    std::uint64_t limit_bytes_per_second = 0; ///< Over all connections; 0: no limit.
    Gate gate;                                ///< May be empty.
    store::Part::Pace pace;                   ///< When received bytes are made durable.
    UseXet xet = UseXet::Yes;
    /// Missing chunks this close to each other in the file are fetched together, with what lies
    /// between them: cheaper than another request. At most 64 MiB.
    std::uint64_t gap_bytes = 256U << 10U;
    /// Files below this are fetched plainly: asking for a plan would cost more than it saves.
    std::uint64_t xet_from_bytes = 256U << 10U;
};

struct PullResult {
    std::uint64_t size = 0;
    /// Bodies that came over the network in this call: thrown away ones included, chunks as they
    /// were packed, without shards and plans.
    std::uint64_t fetched_bytes = 0;
    std::uint64_t reused_bytes = 0; ///< Of the file: here before this call, in whatever place.
    std::uint64_t copied_bytes = 0; ///< Of these, taken from other files of the store, by chunk.
    std::string source;             ///< Host the bytes came from; "already on disk" if none did.
    int retries = 0;                ///< Requests that failed and were made again.
    bool fetched_again = false;     ///< The first bytes were wrong and the file was fetched twice.
    bool by_chunks = false;         ///< Xet served this pull.
};

class Client {
  public:
    /// InvalidArgument when the endpoint is not an http or https address, or the token holds
    /// characters that a header cannot carry.
    static Result<Client> create(http::Client& http, Options options);

    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;
    ~Client();

    const std::string& endpoint() const;

    /// The address of a file. `revision` may be any revision here (slashes are encoded).
    /// InvalidArgument when repo, revision or path could not belong to a repository.
    Result<std::string>
    resolve_url(std::string_view repo, std::string_view revision, std::string_view path) const;

    /// HEAD: what the server says about a file. Errors as pull, before any byte.
    Result<RemoteFile> head(std::string_view repo,
                            std::string_view revision,
                            std::string_view path,
                            std::stop_token stop = {});

    /// A small file as text (a card, a config). TooLarge above `limit_bytes`. Nothing about it is
    /// verified. Errors as pull.
    Result<std::string> get_text(std::string_view repo,
                                 std::string_view revision,
                                 std::string_view path,
                                 std::uint64_t limit_bytes,
                                 std::stop_token stop = {});

    /// Where a branch, tag or commit of a model's repository stands. Errors as pull, before any
    /// byte.
    Result<Revision>
    get_revision(std::string_view repo, std::string_view revision, std::stop_token stop = {});

    /// All files of a commit of a model's repository, in the order of the server. TooLarge above
    /// kMaxListedFiles; Corrupt (a path, a size or a digest that cannot be). Errors as pull.
    Result<std::vector<RepoFile>>
    list_files(std::string_view repo, std::string_view commit, std::stop_token stop = {});

    /// Bytes [first, first + length) of a file of a commit. Nothing about them is verified.
    /// Unsupported where the server does not serve ranges; Corrupt when it sends others than were
    /// asked for. Errors as pull.
    Result<std::string> read_range(std::string_view repo,
                                   std::string_view commit,
                                   std::string_view path,
                                   std::uint64_t first,
                                   std::uint64_t length,
                                   std::stop_token stop = {});

    /// Brings one file into the store, resumed from what an earlier pull left, each failure retried
    /// within RetryPolicy. On success the store has the file whole and
    /// verified. On any failure the store has it not; what arrived stays as a part for the next
    /// call (except wrong or refused bytes, which are removed).
    ///
    /// By chunks, if the file has a Xet hash (FileRef, else what the server says) and is not small:
    /// chunks that any indexed file of the store has are copied from there, the rest is fetched in
    /// ranges of xorbs. If the server hands out the file's shard, every chunk is verified as it
    /// lands; a wrong one is asked for once more, and then the call fails with Corrupt, naming it,
    /// and keeps all others. Without the shard only the whole is verified. The store keeps the
    /// chunk index of what was pulled.
    ///
    /// Else by parallel ranged GETs; a server that ignores ranges is read as one stream. So it goes
    /// too where the server does not offer Xet for the file.
    ///
    /// Wrong bytes at the end: the part is emptied and the file fetched again once, plainly; wrong
    /// again is Corrupt with the file, expected and found digest and size.
    ///
    /// Errors: InvalidArgument (repo, revision not a 40-hex commit, path, options), NotFound (no
    /// such repository, revision or file), Unauthorized (token missing or refused, gated),
    /// Forbidden (gated, no access), Corrupt (wrong bytes, size or commit), Unavailable, Timeout
    /// (retries used up), Cancelled, NoSpace, Offline, Refused (redirect, certificate, gate).
    ///
    /// Progress: task "pull", item = path; `received_bytes` arrived and written, `done_bytes`
    /// verified in order, equal to total only after the SHA-256 was right and the store has the
    /// file; `source` the host, "already on disk", or "another process" while waiting for one.
    Result<PullResult> pull(const FileRef& file,
                            store::Store& store,
                            ProgressSink& progress = null_progress(),
                            std::stop_token stop = {},
                            const PullOptions& options = {});

    /// Puts files into a repository by one commit: see upload.hpp. Calling it again after any
    /// failure sends only what had not arrived. Progress: task "hash" for each file, then task
    /// "upload" for all (item = the path, or "3 files"): `done_bytes` are known to be on the
    /// server, `reused_bytes` of these were there before.
    ///
    /// Errors: InvalidArgument (request, options, or what the server finds wrong), NotFound (no
    /// such local file, repository or revision), Unauthorized, Forbidden, Conflict (the branch
    /// moved on since `parent_commit`; a file changed while it was read), Unsupported (the server
    /// takes no Xet uploads), Corrupt (the server gives answers that contradict themselves),
    /// Unavailable, Timeout (retries used up), Cancelled, TooLarge, Offline, Io.
    Result<UploadResult> upload(const Upload& upload,
                                ProgressSink& progress = null_progress(),
                                std::stop_token stop = {},
                                const UploadOptions& options = {});

    /// Asks a Locara hub to take a commit of an app into its catalog (docs/hub.md, "Review"), and
    /// returns the number of the submission, its state and what a check found. Errors: as upload;
    /// Unsupported where the server knows no submissions.
    struct Submitted {
        std::uint64_t number = 0;
        std::string state; ///< "needs-review", "rejected", ...
        std::string why;   ///< Of a rejection; else empty. As the server says it.
    };

    Result<Submitted>
    submit_app(std::string_view repo, std::string_view commit, std::stop_token stop = {});

    /// Makes a repository; one that is there already is fine. Errors: as upload.
    Status create_repo(RepoKind kind, std::string_view repo, std::stop_token stop = {});

  private:
    struct State;
    explicit Client(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace locara::hf
