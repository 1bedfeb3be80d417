#include "verify.hpp"

#include "folders.hpp"
#include "part_notes.hpp"

#include <locara/base/copy.hpp>
#include <locara/base/secret.hpp>
#include <locara/store/verify_journal.hpp>
#include <locara/xet/merkle.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::store {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kQuarantineNameDot = ".";

/// Which chunks of a damaged file are as its index says.
struct Judgement {
    SpanSet good;
    std::vector<Span> bad; ///< Adjacent ones joined.
};

Result<Judgement> judge_chunks(const Fd& fd, const ChunkIndex& index, const std::stop_token& stop) {
    Judgement judgement;
    Bytes buffer(kMaxIndexedChunkBytes);
    for (std::uint32_t i = 0; i < index.chunk_count(); ++i) {
        if (stop.stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped while verifying");
        }
        LOCARA_TRY(const ChunkIndex::Chunk chunk, index.chunk(i));
        const Span span{chunk.offset, chunk.offset + chunk.size};
        const auto view = std::span(buffer).first(chunk.size);
        if (read_exactly_at(fd, span.first, view) && xet::chunk_hash(view) == chunk.hash) {
            judgement.good.add(span);
        } else if (!judgement.bad.empty() && judgement.bad.back().end == span.first) {
            judgement.bad.back().end = span.end;
        } else {
            judgement.bad.push_back(span);
        }
    }
    return judgement;
}

/// The index of a file if it stands the whole check.
std::optional<ChunkIndex> sound_index(const Layout& layout, const Digest& digest) {
    auto index = ChunkIndex::open(layout.index(digest), digest);
    return index && index->verify(layout.tmp()) ? std::optional(std::move(*index)) : std::nullopt;
}

/// Moves a bad file out of the store. Empty if even that fails.
fs::path move_to_quarantine(const Layout& layout, const Digest& digest) {
    const fs::path from = layout.file(digest);
    constexpr std::size_t kSuffixBytes = 4;
    const fs::path to = layout.quarantine() / (digest.render() + std::string(kQuarantineNameDot) +
                                               random_hex(kSuffixBytes));
    if (!rename_file(from, to, Replace::No)) {
        return {};
    }

    struct stat info {};

    constexpr mode_t kOwnerOnly = 0400;
    if (::lstat(to.c_str(), &info) == 0 && info.st_nlink == 1) { // else the mode is not ours alone
        ::chmod(to.c_str(), kOwnerOnly);
    }
    // Should one of these fail, a power cut brings the bad file back, to be found again.
    (void)sync_folder(layout.quarantine()).has_value();
    (void)sync_folder(from.parent_path()).has_value();
    return to;
}

PartJournal journal_of(const Digest& digest, std::uint64_t size, const SpanSet& good) {
    PartJournal journal;
    journal.digest = digest;
    journal.size = size;
    journal.spans = good;
    return journal;
}

Status write_part_journal(const Layout& layout, const PartJournal& journal) {
    return write_file_atomically(layout.journal(journal.digest), as_bytes(journal.render()), 0600);
}

/// Makes the bad file itself the part: no byte is copied. Only for a file that nobody else has.
Status move_to_part(const Layout& layout, const fs::path& from, const PartJournal& journal) {
    // The journal goes first: without its part it means nothing and is removed; a part without its
    // journal would lose the good chunks.
    LOCARA_CHECK(write_part_journal(layout, journal));
    constexpr mode_t kOurs = 0600;
    if (::chmod(from.c_str(), kOurs) != 0 ||
        ::truncate(from.c_str(), static_cast<off_t>(journal.size)) != 0) {
        const int saved = errno;
        return Error::from_errno("cannot make a part of " + from.string(), saved);
    }
    LOCARA_CHECK(rename_file(from, layout.part(journal.digest), Replace::Yes));
    LOCARA_CHECK(sync_folder(layout.parts()));
    return sync_folder(from.parent_path());
}

/// Copies the good chunks of a file that is not ours to change into a new part. What of them turns
/// out bad in the copy is taken out of `journal`.
Status copy_to_part(const Layout& layout,
                    const Fd& source,
                    const ChunkIndex& index,
                    PartJournal& journal) {
    const fs::path path = layout.part(journal.digest);
    LOCARA_CHECK(check_free_space(layout.root, journal.spans.bytes()));
    LOCARA_TRY(const Fd part, open_file(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
    if (::ftruncate(part.get(), static_cast<off_t>(journal.size)) != 0) {
        const int saved = errno;
        return Error::from_errno("cannot set the size of " + path.string(), saved);
    }
    for (const Span& span : journal.spans.spans()) {
        LOCARA_CHECK(copy_range(source, span.first, part, span.first, span.size()));
    }
    LOCARA_TRY(auto judgement, judge_chunks(part, index, {}));
    journal.spans = std::move(judgement.good);
    LOCARA_CHECK(sync_file(part));
    LOCARA_CHECK(write_part_journal(layout, journal));
    return sync_folder(layout.parts());
}

/// The part that a bad file becomes. The file is still in the store when an error comes back.
Status make_part(const Layout& layout,
                 const Located& file,
                 const Fd& fd,
                 const ChunkIndex& index,
                 const SpanSet& good,
                 BadFile& bad) {
    // A part of a file that was here: of no use, and in the way.
    remove_notes(layout, bad.digest);
    ::unlink(layout.part(bad.digest).c_str());
    PartJournal journal = journal_of(bad.digest, index.file_size(), good);

    struct stat info {};

    if (!file.adopted && ::fstat(fd.get(), &info) == 0 && info.st_nlink == 1) {
        LOCARA_CHECK(move_to_part(layout, file.path, journal));
    } else {
        LOCARA_CHECK(copy_to_part(layout, fd, index, journal));
        if (file.adopted) {
            LOCARA_CHECK(drop_adopted(layout, file, Lock::Held));
        } else {
            bad.moved_to = move_to_quarantine(layout, bad.digest);
        }
    }
    bad.part = PartInfo{bad.digest, journal.size, journal.spans.bytes()};
    return {};
}

/// Takes a bad file out of the store, one way or the other.
Status set_aside(const Layout& layout,
                 const Located& file,
                 const Fd& fd,
                 OnBad on_bad,
                 Lock lock,
                 const std::stop_token& stop,
                 BadFile& bad) {
    std::optional<Judgement> judgement;
    const auto index = fd.valid() ? sound_index(layout, bad.digest) : std::nullopt;
    if (index) {
        LOCARA_TRY(judgement, judge_chunks(fd, *index, stop));
        bad.has_index = true;
        bad.bad_spans = judgement->bad;
    }
    std::optional<DigestLock> held;
    if (lock == Lock::NotHeld) {
        LOCARA_TRY(DigestLock mine, DigestLock::acquire(layout.lock(bad.digest), stop, nullptr));
        held.emplace(std::move(mine));
    }
    if (fd.valid() && !still_at(fd, file.path)) {
        return Error(ErrorCode::NotFound,
                     bad.digest.render() + " was replaced while it was being verified");
    }
    if (on_bad == OnBad::Repair && judgement && judgement->good.bytes() > 0) {
        const Status made = make_part(layout, file, fd, *index, judgement->good, bad);
        if (made) {
            return {};
        }
        bad.reason += "; it could not be made a part: " + made.error().describe();
    }
    if (file.adopted) {
        return drop_adopted(layout, file, Lock::Held);
    }
    bad.moved_to = move_to_quarantine(layout, bad.digest);
    return {};
}

/// A verification of everything, under way.
class Run {
  public:
    Run(const Layout& layout, const VerifyOptions& options, ProgressSink& progress)
        : layout_(layout), options_(options), progress_(progress) {}

    Result<VerifyReport> run(std::vector<FileInfo> files) {
        LOCARA_CHECK(open_journal());
        files_ = std::move(files);
        // The largest first, so that the threads end together.
        std::stable_sort(files_.begin(), files_.end(), [](const FileInfo& a, const FileInfo& b) {
            return a.size > b.size;
        });
        skip_verified();
        std::vector<std::thread> threads;
        for (unsigned i = 1; i < options_.threads && i < files_.size(); ++i) {
            threads.emplace_back([this] { work(); });
        }
        work();
        for (std::thread& thread : threads) {
            thread.join();
        }
        if (error_) {
            return *error_;
        }
        note(VerifyJournal::render_end(options_.clock->now()));
        std::sort(report_.bad.begin(), report_.bad.end(), [](const BadFile& a, const BadFile& b) {
            return a.digest < b.digest;
        });
        return std::move(report_);
    }

  private:
    /// Takes up the journal of an earlier run, or starts it anew.
    Status open_journal() {
        const fs::path path = layout_.verify_journal();
        LOCARA_TRY(journal_, open_file(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0600));
        if (!lock_now(journal_)) {
            return Error(ErrorCode::Busy,
                         "another process verifies the store; wait for it or stop it");
        }
        const TimePoint now = options_.clock->now();
        constexpr auto kGoesOnFor = std::chrono::hours(24 * 7);
        if (options_.resume == VerifyOptions::Resume::Yes) {
            const auto text = read_file(path, kMaxVerifyJournalBytes);
            auto earlier = text ? VerifyJournal::parse(*text) : std::nullopt;
            if (earlier && !earlier->ended && earlier->started <= now &&
                now - earlier->started < kGoesOnFor) {
                earlier_ = std::move(*earlier);
            }
        }
        // Also cuts a torn line off: what follows one would not be read.
        if (::ftruncate(journal_.get(), static_cast<off_t>(earlier_ ? earlier_->valid_bytes : 0)) !=
            0) {
            const int saved = errno;
            return Error::from_errno("cannot cut " + path.string(), saved);
        }
        if (!earlier_) {
            note(VerifyJournal::render_start(now));
        }
        return {};
    }

    void skip_verified() {
        std::erase_if(files_, [&](const FileInfo& file) {
            const bool skip = is_verified(file.digest);
            report_.skipped += skip ? 1 : 0;
            state_.total_bytes += skip ? 0 : file.size;
            return skip;
        });
    }

    /// Whether the earlier run found it good and it did not change since.
    bool is_verified(const Digest& digest) const {
        if (!earlier_) {
            return false;
        }
        const auto good = earlier_->good.find(digest);
        const auto here = locate(layout_, digest);
        constexpr std::int64_t kSecond = 1'000'000'000;
        // Within the second of the note it may have changed after it.
        return good != earlier_->good.end() && here &&
               here->stamp.changed_ns / kSecond < good->second.time_since_epoch().count();
    }

    void work() {
        for (std::size_t i = next_++; i < files_.size() && !failed_; i = next_++) {
            const FileInfo& file = files_[i];
            auto checked = verify_file(layout_,
                                       file.digest,
                                       options_.on_bad,
                                       Lock::NotHeld,
                                       options_.stop,
                                       [&](std::size_t bytes) { report(file.digest, bytes); });
            const std::lock_guard guard(mutex_);
            if (!checked && checked.error().code() == ErrorCode::NotFound) {
                continue; // removed or replaced since it was listed
            }
            if (!checked) {
                failed_ = true;
                if (!error_) {
                    error_ = std::move(checked).error();
                }
                return;
            }
            ++report_.files;
            if (*checked) {
                report_.bad.push_back(**std::move(checked));
            } else {
                report_.bytes += file.size;
                note(VerifyJournal::render_good(file.digest, options_.clock->now()));
            }
        }
    }

    void report(const Digest& digest, std::size_t bytes) {
        const std::lock_guard guard(mutex_);
        state_.item = digest.render();
        state_.done_bytes += bytes;
        state_.received_bytes = state_.done_bytes;
        progress_.report(state_);
    }

    /// A note that is lost (a full disk) only means hashing a file again.
    void note(const std::string& line) { (void)write_all(journal_, as_bytes(line)).has_value(); }

    const Layout& layout_;
    const VerifyOptions& options_;
    ProgressSink& progress_;
    std::vector<FileInfo> files_;
    std::optional<VerifyJournal> earlier_;
    std::atomic<std::size_t> next_ = 0;
    std::atomic<bool> failed_ = false;

    std::mutex mutex_; ///< Guards what follows while threads run.
    Fd journal_;
    Progress state_{"verify", "", 0, 0, 0, "already on disk", 0};
    VerifyReport report_;
    std::optional<Error> error_;
};

/// Makes parts of files in quarantine whose index tells which of their chunks are good.
Status repair_quarantined(const Layout& layout, const std::stop_token& stop, VerifyReport& report) {
    return each_file(layout.quarantine(), [&](const fs::path& path) -> Status {
        const std::string name = path.filename().string();
        const auto digest = Digest::parse(name.substr(0, name.find(kQuarantineNameDot)));
        if (!digest) {
            return Status{};
        }
        const auto index = sound_index(layout, *digest);
        struct stat info {};

        if (!index || locate(layout, *digest) || stamp_at(layout.part(*digest)) ||
            ::lstat(path.c_str(), &info) != 0 || info.st_nlink != 1) {
            return Status{};
        }
        auto lock = DigestLock::try_acquire(layout.lock(*digest));
        const auto fd = open_file(path, O_RDONLY | O_NOFOLLOW);
        if (!lock || !fd) {
            return Status{}; // somebody fetches it whole
        }
        LOCARA_TRY(auto judgement, judge_chunks(*fd, *index, stop));
        if (judgement.good.bytes() == 0) {
            return Status{};
        }
        BadFile bad{*digest, index->file_size(), {}, {}, "it was in quarantine", true, {}, {}};
        bad.bad_spans = std::move(judgement.bad);
        const PartJournal journal = journal_of(*digest, index->file_size(), judgement.good);
        remove_notes(layout, *digest); // of a part that is gone
        LOCARA_CHECK(move_to_part(layout, path, journal));
        bad.part = PartInfo{*digest, journal.size, journal.spans.bytes()};
        report.bad.push_back(std::move(bad));
        return Status{};
    });
}

} // namespace

Result<std::optional<BadFile>> verify_file(const Layout& layout,
                                           const Digest& digest,
                                           OnBad on_bad,
                                           Lock lock,
                                           const std::stop_token& stop,
                                           const std::function<void(std::size_t)>& progress) {
    const auto here = locate(layout, digest);
    if (!here) {
        return Error(ErrorCode::NotFound, digest.render() + " is not in the store");
    }
    BadFile bad;
    bad.digest = digest;
    bad.size = here->stamp.size;
    auto file = open_file(here->path, O_RDONLY | O_NOFOLLOW);
    if (!file && file.error().code() == ErrorCode::NotFound) {
        return Error(ErrorCode::NotFound, digest.render() + " is not in the store");
    }
    if (!file) {
        bad.reason = file.error().describe();
    } else {
        const auto found = crypto::sha256_file(*file, [&](std::size_t bytes) {
            if (progress) {
                progress(bytes);
            }
            return !stop.stop_requested();
        });
        if (found && *found == digest) {
            if (here->adopted && stamp_of(*file) == here->stamp && !here->is_unchanged()) {
                Adopted renewed = *here->adopted;
                renewed.stamp = here->stamp;
                (void)write_adopted(layout, renewed).has_value(); // else it is hashed once more
            }
            return std::optional<BadFile>();
        }
        if (!found && found.error().code() == ErrorCode::Cancelled) {
            return found.error();
        }
        if (found) {
            bad.found = *found;
            bad.reason = "SHA-256 is " + found->render();
        } else {
            bad.reason = found.error().describe();
        }
    }
    if (here->adopted) {
        bad.reason += "; another program changed " + here->adopted->from.string();
    }
    const Fd none;
    LOCARA_CHECK(set_aside(layout, *here, file ? *file : none, on_bad, lock, stop, bad));
    return std::optional(std::move(bad));
}

Result<std::optional<BadFile>>
Store::check(const Digest& digest, OnBad on_bad, ProgressSink& progress, std::stop_token stop) {
    const Layout layout{root_};
    Progress state{"verify", digest.render(), 0, 0, 0, "already on disk", 0};
    state.total_bytes = find(digest).value_or(FileInfo{}).size;
    return verify_file(layout, digest, on_bad, Lock::NotHeld, stop, [&](std::size_t bytes) {
        state.done_bytes += bytes;
        state.received_bytes = state.done_bytes;
        progress.report(state);
    });
}

Status Store::verify(const Digest& digest, ProgressSink& progress, std::stop_token stop) {
    LOCARA_TRY(const auto bad, check(digest, OnBad::Quarantine, progress, stop));
    if (!bad) {
        return {};
    }
    return Error(bad->found ? ErrorCode::Corrupt : ErrorCode::Io,
                 "the stored file " + digest.render() + " is damaged (" + bad->reason + "); " +
                     (has(digest)             ? "it could not be moved out of the store"
                      : bad->moved_to.empty() ? "it is no longer used"
                                              : "it was moved to " + bad->moved_to.string()) +
                     "; pull it again");
}

Result<VerifyReport> Store::verify_all(const VerifyOptions& options, ProgressSink& progress) {
    const Layout layout{root_};
    LOCARA_TRY(auto files, list());
    LOCARA_TRY(auto report, Run(layout, options, progress).run(std::move(files)));
    if (options.on_bad == OnBad::Repair) {
        LOCARA_CHECK(repair_quarantined(layout, options.stop, report));
    }
    return report;
}

} // namespace locara::store
