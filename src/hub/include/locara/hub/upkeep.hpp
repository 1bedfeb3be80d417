// Keeping house in a hub's data folder: giving space back, proof that everything is there, and the
// gate's opinion of it today.
//
// Processes: both work beside a hub that serves from the same folder; one gc at a time. Errors: Io,
// Forbidden from the disk; Corrupt where a thing cannot be read that a decision hangs on.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/cas/cas.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/formats/byte_source.hpp>
#include <locara/formats/scan.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

struct CollectReport {
    cas::GcReport chunks; ///< `missing_files` are files of repositories whose content is gone.
    std::uint64_t removed_verdicts = 0; ///< About content that is gone.
    std::uint64_t forgotten_files = 0;  ///< Large ones, that no history of their repository names.
    std::uint64_t forgotten_bytes = 0;  ///< Their sizes; what that freed is in `chunks`.
    std::uint64_t removed_folders = 0;  ///< Of repositories that are gone.
    std::uint64_t packed = 0;           ///< Repositories whose git objects are in one new pack now.
    std::uint64_t removed_packs = 0;    ///< Of git, whose objects are in another one.
    std::uint64_t freed_bytes = 0;      ///< Of chunks, folders and git objects.

    struct Damaged {
        std::string type;       ///< "model", "dataset", "space"
        std::string repository; ///< "acme/tiny"
        std::string reason;     ///< What could not be read.
    };

    /// Of these nothing was forgotten, since their refs or histories cannot be read.
    std::vector<Damaged> damaged;
};

/// Removes what no repository names and nobody used within `options.grace` (see cas::GcOptions):
/// large files that no branch, tag or pull request has in its history, but for those of models that
/// the catalog pins; xorbs, folders of removed repositories, and parts of files to be mirrored; and
/// makes one of a repository's many packs (git_packs.hpp). NotFound without a hub in `data`; Busy
/// while another gc runs; Cancelled.
Result<CollectReport> collect_garbage(const std::filesystem::path& data,
                                      const Clock& clock,
                                      const cas::GcOptions& options = {});

/// How much there is of what.
struct HubStatistics {
    struct Repositories {
        std::string type; ///< "model", "dataset", "space"
        std::uint64_t own = 0;
        std::uint64_t closed = 0; ///< Of the own ones, the private ones.
        std::uint64_t mirrored = 0;
    };

    std::uint64_t accounts = 0;
    std::uint64_t tokens = 0;
    std::vector<Repositories> repositories;
    std::uint64_t files = 0;        ///< Large files, once for each repository that has them.
    std::uint64_t named_bytes = 0;  ///< In them.
    std::uint64_t objects = 0;      ///< Of the chunk store.
    std::uint64_t object_bytes = 0; ///< On the disk.
    std::uint64_t git_bytes = 0;    ///< On the disk.
};

/// Counts what is in a data folder. NotFound without a hub there.
Result<HubStatistics> count_data(const std::filesystem::path& data);

/// What is here of another hub's repository.
struct MirroredRepo {
    std::string id;          ///< "org/name", "datasets/org/name", "spaces/org/name".
    bool restricted = false; ///< Gated or private there.
    std::uint64_t files = 0; ///< Whose content is here.
    std::uint64_t bytes = 0;
    std::optional<TimePoint> used; ///< Of the file used last.
};

/// Models first, then datasets, then spaces, each by id. NotFound without a hub in `data`.
Result<std::vector<MirroredRepo>> list_mirrored(const std::filesystem::path& data);

/// Forgets everything about a mirrored repository; the next one to ask has it mirrored anew. The
/// space is given back by gc. NotFound.
Status remove_mirrored(const std::filesystem::path& data, const std::string& id);

/// Of a damaged file, the places that are named.
inline constexpr std::size_t kCheckPlaces = 20;

struct CheckReport {
    /// Where a repository names a large file.
    struct Place {
        std::string ref; ///< "refs/heads/main", "refs/tags/v1"; empty in a bucket.
        std::string path;
    };

    struct LargeFile {
        crypto::Sha256Digest sha256; ///< Of its bytes.
        xet::FileHash xet;
        std::vector<Place> places; ///< The first kCheckPlaces of them; none of a mirrored one.
    };

    struct Bad {
        std::string what;                ///< The key of an object, or repository and file or ref.
        std::string reason;              ///< What was found.
        std::string type{};              ///< "model" ...; empty if it is no repository's.
        std::string repository{};        ///< "acme/tiny"; likewise.
        bool mirrored = false;           ///< The repository is another hub's.
        std::optional<LargeFile> file{}; ///< What is damaged or missing, if that is one.
    };

    std::uint64_t objects = 0; ///< Of the chunk store, verified.
    std::uint64_t bytes = 0;   ///< Of the chunk store, read.
    std::uint64_t repositories = 0;
    std::uint64_t files = 0; ///< Large files of all repositories.
    std::vector<Bad> bad;
};

struct CheckOptions {
    cas::FsckOptions::OnBad on_bad = cas::FsckOptions::OnBad::Report;
    std::function<void(std::uint64_t bytes)> progress; ///< If set, is told of bytes read so far.
    std::stop_token stop;                              ///< Asked to stop, the answer is Cancelled.
};

/// Verifies the database, every object of the chunk store, that each repository's large files are
/// there, undamaged and with the right size and SHA-256, and that each of its refs leads to a
/// commit whose files can be read. What is wrong is in the report, not an error. NotFound without a
/// hub in `data`.
Result<CheckReport>
check_data(const std::filesystem::path& data, const Clock& clock, const CheckOptions& options = {});

/// A content of a repository, or a bundle of the catalog, as rescan goes through them.
struct RescanPlace {
    std::int64_t repo = 0;
    std::string content;
};

struct RescanReport {
    struct Refused {
        enum class Kind { File, Bundle } kind = Kind::File;
        std::int64_t key = 0; ///< Of the repository, in the database; 0 of a bundle.
        std::string repo;     ///< "models/acme/tiny"; "catalog" of a bundle.
        std::string path; ///< At a branch or tag, or in a bucket; empty if none of them names it
                          ///< (any more: git's history holds it).
        crypto::Sha256Digest sha256; ///< Of the file; of a bundle's archive.
        formats::Verdict verdict;    ///< Of a bundle the worst of its files, named as `member`.
    };

    struct Unread {
        std::string repo;
        Error error;
    };

    /// Repositories that could not be read to their end: what `fsck` is for. The others were.
    std::vector<Unread> unread;
    /// Each content of a repository once for each name that it has, and each bundle once.
    std::uint64_t files = 0;
    std::uint64_t judged = 0; ///< Of them, judged now; of the others the verdict was known.
    std::vector<Refused> refused;
    /// Of the files: refused, but uploaded only, which no commit and no bucket names. Nobody is
    /// given them, and gc removes them.
    std::uint64_t unnamed = 0;
    std::uint64_t unjudged = 0; ///< Of the files: could not be read, or the gate could not work.
    /// Where the next step goes on; nothing after the last one.
    std::optional<RescanPlace> next;
};

struct RescanOptions {
    /// The gate (gate::Gate::examine).
    std::function<formats::Examination(const formats::ByteSource& content, std::string_view name)>
        judge;
    /// Who that is (gate::Gate::scanners): what the same ones said before, at any door, counts.
    /// Empty: everything is judged, and nothing is kept.
    std::string scanners;
    enum class Known { Believe, JudgeAgain } known = Known::Believe;
    std::optional<RescanPlace> from; ///< RescanReport::next of the step before.
    /// Ends the step after content of this many bytes was judged, each content that was looked up
    /// counting as 4 KiB; 0 means never.
    std::uint64_t budget_bytes = 0;
    std::stop_token stop; ///< Asked to stop, the answer is Cancelled.
};

/// Has judged what was let in before and what the gate of today has not seen, since it may have
/// learned: every large file of every repository, what git holds at branches and tags, what of
/// its history was refused before, and the bundles of the published catalog, file by file; and
/// keeps what it says. Of mirrored repositories, a format that is merely not loaded does not count
/// as refused: the mirror may let it pass. NotFound without a hub in `data`.
Result<RescanReport>
rescan(const std::filesystem::path& data, const Clock& clock, const RescanOptions& options);

/// "file" or "bundle", as a takedown list has it.
std::string_view render(RescanReport::Refused::Kind kind);

} // namespace locara::hub
