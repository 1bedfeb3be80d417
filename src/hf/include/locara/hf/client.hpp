// Client of the Hugging Face Hub protocol: files of pinned revisions, fetched into the store.
//
// Speaks the `resolve` route (GET and HEAD) of any server of that protocol; a Locara hub is one.
// What it cannot do: list repositories, upload, or Xet. It never writes outside the Store it is
// handed, and nothing gets into that store whose SHA-256 is not the one that was asked for.
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
#include <locara/hf/timer.hpp>
#include <locara/http/client.hpp>
#include <locara/store/store.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

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
};

/// One file of one pinned revision, with what a manifest says about it.
struct FileRef {
    std::string repo;     ///< "org/name".
    std::string revision; ///< A commit, 40 lower-case hex digits. Names such as "main" are refused.
    std::string path;     ///< Inside the repository, with '/', as the repository spells it.
    std::uint64_t size = 0;
    crypto::Sha256Digest sha256;
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

struct PullOptions {
    int connections = 4;                      ///< 1 to 32.
    std::uint64_t range_bytes = 8U << 20U;    ///< Size of one ranged GET, 64 KiB to 1 GiB.
    std::uint64_t limit_bytes_per_second = 0; ///< Over all connections; 0: no limit.
    Gate gate;                                ///< May be empty.
    store::Part::Pace pace;                   ///< When received bytes are made durable.
};

struct PullResult {
    std::uint64_t size = 0;
    std::uint64_t fetched_bytes = 0; ///< Over the network in this call, thrown away ones included.
    std::uint64_t reused_bytes = 0;  ///< Here before this call.
    std::string source;              ///< Host the bytes came from; "already on disk" if none did.
    int retries = 0;                 ///< Requests that failed and were made again.
    bool fetched_again = false;      ///< The first bytes were wrong and the file was fetched twice.
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

    /// Brings one file into the store: by parallel ranged GETs, resumed from what an earlier pull
    /// left, each failure retried within RetryPolicy. On success the store has the file whole and
    /// verified. On any failure the store has it not; what arrived stays as a part for the next
    /// call (except wrong or refused bytes, which are removed).
    ///
    /// Wrong bytes at the end: the part is emptied and the file fetched again once; wrong again is
    /// Corrupt with the file, expected and found digest and size. A server that ignores ranges is
    /// read as one stream.
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

  private:
    struct State;
    explicit Client(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace locara::hf
