// JSON of the Hub's API: what is sent, and what comes back taken apart. Private to the module.
//
// Follows the Hub protocol as its clients speak it (preupload, commit as NDJSON, xet tokens,
// paths-info, the shard upload's progress lines). Everything parsed here comes from outside: wrong
// types and missing fields are Corrupt with the field's name, other fields are ignored.
//
// Threads: plain functions and values.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/base/secret.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/hf/repo.hpp>
#include <locara/hf/upload.hpp>
#include <locara/xet/hash.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hf {

inline constexpr std::size_t kMaxXetTokenBytes = 16U << 10U;

/// How many files one preupload or paths-info call names.
inline constexpr std::size_t kFilesPerCall = 256;

/// How much of a file's start preupload looks at.
inline constexpr std::size_t kSampleBytes = 512;

/// "models", "datasets", "spaces".
std::string_view render_plural(RepoKind kind);

/// The body of POST /api/repos/create. `repo` is "org/name".
std::string render_create_repo(RepoKind kind, std::string_view repo);

/// What lets a client talk to a chunk store.
struct XetToken {
    std::string cas_url;      ///< Without a final '/'. An http or https address without query.
    Secret value;             ///< Fit for a header.
    std::int64_t expires = 0; ///< Seconds since 1970.
};

Result<XetToken> parse_xet_token(std::string_view json);

/// One file of a preupload.
struct PreuploadFile {
    std::string path;
    std::uint64_t size = 0;
    std::string sample; ///< Its first kSampleBytes.
};

std::string render_preupload(const std::vector<PreuploadFile>& files);

enum class UploadMode { Regular, Lfs };

struct PreuploadAnswer {
    struct File {
        std::string path;
        UploadMode mode = UploadMode::Lfs;
        bool ignore = false;
        std::string oid; ///< What stands at that path now: SHA-256 for LFS, else blob id; or empty.
    };

    std::vector<File> files;
    std::string commit; ///< Head of the revision, 40 hex digits, or empty.
};

Result<PreuploadAnswer> parse_preupload(std::string_view json);

std::string render_paths_info(const std::vector<std::string>& paths);

/// What a repository says about a file that it has by Xet.
struct PathInfo {
    std::string path;
    std::uint64_t size = 0;
    std::optional<xet::FileHash> xet_hash;
};

/// Entries that are no files are left out.
Result<std::vector<PathInfo>> parse_paths_info(std::string_view json);

/// What a repository says of one of its revisions.
struct RevisionInfo {
    std::string commit;             ///< 40 hex digits.
    std::vector<std::string> paths; ///< Of all its files.
    bool gated = false;             ///< Wants an account and consent before it hands out files.
};

Result<RevisionInfo> parse_revision_info(std::string_view json);

/// The files of one page of a tree; folders are left out.
Result<std::vector<RepoFile>> parse_tree_page(std::string_view json);

/// The lines of a commit, each with its newline.
std::string render_commit_header(std::string_view summary,
                                 std::string_view description,
                                 std::string_view parent_commit);
std::string render_commit_file(std::string_view path, ByteView content);
std::string render_commit_lfs_file(std::string_view path,
                                   const crypto::Sha256Digest& sha256,
                                   std::uint64_t size);
std::string render_commit_removal(std::string_view path);

struct CommitAnswer {
    std::string commit; ///< 40 hex digits.
    std::string url;
};

Result<CommitAnswer> parse_commit_answer(std::string_view json);

/// What a Locara hub says of a submission.
struct SubmissionAnswer {
    std::uint64_t number = 0;
    std::string state;
    std::string why; ///< Of its newest step, printable; may be empty.
};

Result<SubmissionAnswer> parse_submission(std::string_view json);

/// What POST /v2/shards says, line by line.
struct ShardProgress {
    enum class Kind { Validating, Committing, Result, Error } kind = Kind::Validating;
    std::uint64_t verified = 0;
    std::uint64_t total = 0;
    std::string message; ///< Of an error, printable.
    bool retryable = false;
};

/// One line without its newline. Lines of unknown types count as Validating with zeros.
Result<ShardProgress> parse_shard_progress(std::string_view line);

} // namespace locara::hf
