// Downloads: files on their way from upstream into the chunk store, handed to whoever waits while
// they arrive.
//
// A file is fetched once however many ask. Its bytes go in order into a part, a plain file below
// `mirror/parts`, and may be read from there as soon as they are on disk; but the last kHeldBytes
// only when the whole has the hash that upstream named and the format gate let it pass: nobody gets
// a whole file that did not. Then it goes into the chunk store and becomes the repository's. A part
// that was cut off, by upstream or by the end of the process, goes on where it stopped.
//
// A download that has begun goes on when all who waited have gone: what was wanted once is wanted
// again. Errors are not kept: who asks again starts again.
//
// Threads: Downloads and Download may be used from any; the work has threads of its own.
#pragma once

#include "changed.hpp"
#include "services.hpp"
#include "upstream.hpp"

#include <locara/base/file.hpp>
#include <locara/formats/verdict.hpp>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace locara::hub {

/// Held back of every file until digest and verdict are there (threat model, section 3).
inline constexpr std::uint64_t kHeldBytes = 64U << 10U;

/// The most that a file may have which git itself holds; such a file is hashed as a whole.
inline constexpr std::uint64_t kBlobBytes = 64U << 20U;

/// One file of one repository.
struct WantedFile {
    std::int64_t repo = 0; ///< Repo::key
    std::string oid;       ///< As MirroredFile::oid: 40 hex digits of a blob, or a SHA-256.
    std::string name;      ///< The last part of its path, for the gate.
    UpstreamFile source;

    bool is_blob() const { return oid.size() == 40; }
};

class Download {
  public:
    explicit Download(WantedFile wanted) : wanted_(std::move(wanted)) {}

    enum class Stage { Arriving, Passed, Failed };

    /// What may be read now.
    struct View {
        Stage stage = Stage::Arriving;
        std::uint64_t readable = 0;     ///< Bytes from the beginning on.
        std::shared_ptr<const Fd> file; ///< Shared with the readers; it outlives its name on disk.
        std::optional<Refusal> refusal; ///< Of a failed one.
        std::uint64_t seen = 0;         ///< For changed().
    };

    View view() const;

    Changed& changed() { return changed_; }

    std::uint64_t size() const { return wanted_.source.size; }

    const WantedFile& wanted() const { return wanted_; }

    // For Downloads.
    void open(Fd file);
    void arrived(std::uint64_t bytes);
    void passed();
    void fail(Refusal refusal);

  private:
    const WantedFile wanted_;
    Changed changed_;
    mutable std::mutex mutex_; ///< Guards what follows.
    Stage stage_ = Stage::Arriving;
    std::uint64_t received_ = 0;
    std::shared_ptr<const Fd> file_;
    std::optional<Refusal> refusal_;
};

/// The format gate: what it says about a whole file.
using Judge = std::function<Result<formats::Verdict>(
    const Fd& file, const std::string& name, const crypto::Sha256Digest& sha256)>;

/// Whether a mirror gives away what is judged so: a wrong format that the operator lets through,
/// too (MirrorConfig::pass_formats).
bool passes_mirror(const formats::Verdict& verdict, std::span<const std::string> pass_formats);

class Downloads {
  public:
    struct Options {
        std::filesystem::path parts; ///< Made if it is not there.
        /// For files of any size; two more are for small ones alone.
        unsigned threads = 4;
        Judge judge;                           ///< Must be set.
        std::vector<std::string> pass_formats; ///< As MirrorConfig.
        /// Called after a file came into the store.
        std::function<void(const WantedFile& file)> stored;
    };

    /// Borrows `services` and `upstream`.
    static Result<std::unique_ptr<Downloads>>
    create(const Services& services, const Upstream& upstream, Options options);

    ~Downloads(); ///< stop()
    Downloads(const Downloads&) = delete;
    Downloads& operator=(const Downloads&) = delete;

    /// The download of this file, begun if it is not on its way. Null: it is in the store by now,
    /// or was refused; look there. Busy when too many wait.
    Result<std::shared_ptr<Download>> start(WantedFile wanted);

    /// Ends all work; what waited has failed. `upstream` must have been asked to stop before.
    void stop();

  private:
    Downloads(const Services& services, const Upstream& upstream, Options options);
    enum class Lane { AnySize, Small };
    using Queue = std::deque<std::shared_ptr<Download>>;
    void work(Lane lane);
    Queue::iterator find_next(Lane lane);
    void run(Download& download);
    std::optional<Refusal> bring(Download& download, const std::filesystem::path& part);
    std::optional<Refusal>
    receive(Download& download, const Fd& file, crypto::Sha256& hash, std::uint64_t received);
    std::optional<Refusal> refuse(const WantedFile& wanted,
                                  const formats::Verdict& verdict,
                                  const crypto::Sha256Digest& sha256,
                                  const std::filesystem::path& part);
    Status store(const Download& download, const Fd& file, const crypto::Sha256Digest& sha256);
    Result<bool> is_known(const WantedFile& wanted) const;
    std::filesystem::path part_of(const WantedFile& wanted) const;

    const Services& services_;
    const Upstream& upstream_;
    const Options options_;

    std::mutex mutex_; ///< Guards what follows.
    std::condition_variable wake_;
    bool stopping_ = false;
    std::map<std::string, std::shared_ptr<Download>> known_; ///< Until they have ended.
    Queue queue_;
    std::map<std::int64_t, unsigned> running_; ///< How many of a repository are being fetched.
    std::vector<std::thread> threads_;
};

} // namespace locara::hub
