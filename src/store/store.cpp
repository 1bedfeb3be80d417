#include "part_state.hpp"

#include <locara/base/secret.hpp>

#include <algorithm>
#include <functional>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::store {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kVersionText = "locara-store 1\n";
constexpr std::uint64_t kMaxVersionBytes = 256;
constexpr std::size_t kCopyBlockBytes = 1U << 20U;

/// Checks the version file, or writes it in a new store.
Status check_version(const Layout& layout) {
    auto text = read_file(layout.version(), kMaxVersionBytes);
    if (!text && text.error().code() == ErrorCode::NotFound) {
        return write_file_atomically(layout.version(), as_bytes(kVersionText));
    }
    if (!text) {
        return std::move(text).error();
    }
    return *text == kVersionText
               ? Status{}
               : Error(ErrorCode::Unsupported,
                       layout.version().string() + " does not say 'locara-store 1': the store was "
                                                   "written by another version of Locara; use "
                                                   "that one, or another folder");
}

/// Calls `take` for each regular file of a folder whose whole name is a digest. An absent folder
/// has none.
Status each_digest(const fs::path& folder,
                   const std::function<Status(const Digest&, const fs::path&)>& take) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
        const auto digest = Digest::parse(it->path().filename().string());
        std::error_code ignored;
        if (digest && it->symlink_status(ignored).type() == fs::file_type::regular) {
            LOCARA_CHECK(take(*digest, it->path()));
        }
    }
    if (error && error != std::errc::no_such_file_or_directory) {
        return Error::from_errno("cannot list " + folder.string(), error.value());
    }
    return {};
}

std::optional<std::uint64_t> file_size_of(const fs::path& path) {
    struct stat info {};

    if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(info.st_size);
}

/// Files in tmp/ whose writer is gone.
void remove_stale_copies(const Layout& layout) {
    std::error_code error;
    for (fs::directory_iterator it(layout.tmp(), error), end; !error && it != end;
         it.increment(error)) {
        const auto fd = locara::open_file(it->path(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (fd && lock_now(*fd) && still_at(*fd, it->path())) {
            ::unlink(it->path().c_str());
        }
    }
}

/// Journals whose part was published just before its process was killed.
void remove_stale_journals(const Layout& layout) {
    constexpr std::string_view kEnding = ".journal";
    std::error_code error;
    for (fs::directory_iterator it(layout.parts(), error), end; !error && it != end;
         it.increment(error)) {
        std::string name = it->path().filename().string();
        if (!name.ends_with(kEnding)) {
            continue;
        }
        name.resize(name.size() - kEnding.size());
        const auto digest = Digest::parse(name);
        if (!digest || file_size_of(layout.part(*digest))) {
            continue;
        }
        // A pull that begins writes the journal first: only under the lock is absence a fact.
        const auto lock = DigestLock::try_acquire(layout.lock(*digest));
        if (lock && !file_size_of(layout.part(*digest))) {
            ::unlink(it->path().c_str());
        }
    }
}

/// A file in tmp/ that is locked by us and removed unless it was published.
class Copy {
  public:
    static Result<Copy> create(const Layout& layout) {
        while (true) {
            std::string path = (layout.tmp() / "put-XXXXXX").string();
            Fd fd(::mkostemp(path.data(), O_CLOEXEC));
            if (!fd.valid()) {
                const int saved = errno;
                return Error::from_errno("cannot create a file in " + layout.tmp().string(), saved);
            }
            // Another process that starts up may have come between the two calls.
            if (lock_now(fd) && still_at(fd, path)) {
                return Copy(layout, path, std::move(fd));
            }
        }
    }

    Copy(Copy&& other) noexcept
        : layout_(std::move(other.layout_)), path_(std::exchange(other.path_, {})),
          fd_(std::move(other.fd_)), hash_(std::move(other.hash_)), size_(other.size_) {}

    Copy& operator=(Copy&&) = delete;

    ~Copy() {
        if (!path_.empty()) {
            ::unlink(path_.c_str());
        }
    }

    Status append(ByteView bytes) {
        LOCARA_CHECK(write_all_at(fd_, size_, bytes).context("writing " + path_.string()));
        hash_.update(bytes);
        size_ += bytes.size();
        return {};
    }

    Result<FileInfo> publish() && {
        const FileInfo info{hash_.finish(), size_};
        constexpr mode_t kReadOnly = 0444;
        if (::fchmod(fd_.get(), kReadOnly) != 0) {
            const int saved = errno;
            return Error::from_errno("cannot set the mode of " + path_.string(), saved);
        }
        LOCARA_CHECK(sync_file(fd_));
        LOCARA_CHECK(publish_file(layout_, path_, info.digest));
        path_.clear();
        return info;
    }

  private:
    Copy(Layout layout, fs::path path, Fd fd)
        : layout_(std::move(layout)), path_(std::move(path)), fd_(std::move(fd)) {}

    Layout layout_;
    fs::path path_;
    Fd fd_;
    crypto::Sha256 hash_;
    std::uint64_t size_ = 0;
};

/// Moves a bad file out of the store. Empty if even that fails.
fs::path move_to_quarantine(const Layout& layout, const Digest& digest) {
    const fs::path from = layout.file(digest);
    constexpr std::size_t kSuffixBytes = 4;
    const fs::path to = layout.quarantine() / (digest.render() + "." + random_hex(kSuffixBytes));
    if (!rename_file(from, to, Replace::No)) {
        return {};
    }
    constexpr mode_t kOwnerOnly = 0400;
    ::chmod(to.c_str(), kOwnerOnly);
    // Should one of these fail, a power cut brings the bad file back, to be found again.
    (void)sync_folder(layout.quarantine()).has_value();
    (void)sync_folder(from.parent_path()).has_value();
    return to;
}

/// Hashes one file. nullopt: it is good. Errors: NotFound, Cancelled.
Result<std::optional<BadFile>> check_file(const Layout& layout,
                                          const Digest& digest,
                                          const std::stop_token& stop,
                                          const std::function<void(std::size_t)>& progress) {
    auto file = locara::open_file(layout.file(digest), O_RDONLY | O_NOFOLLOW);
    if (!file && file.error().code() == ErrorCode::NotFound) {
        return Error(ErrorCode::NotFound, digest.render() + " is not in the store");
    }
    BadFile bad{digest, std::nullopt, {}, {}};
    if (!file) {
        bad.reason = file.error().describe();
    } else {
        const auto found = crypto::sha256_file(*file, [&](std::size_t bytes) {
            progress(bytes);
            return !stop.stop_requested();
        });
        if (found && *found == digest) {
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
    bad.moved_to = move_to_quarantine(layout, digest);
    return std::optional(std::move(bad));
}

} // namespace

Result<Store> Store::open(const fs::path& root) {
    const Layout layout{root};
    for (const fs::path& folder :
         {layout.files(), layout.parts(), layout.locks(), layout.tmp(), layout.quarantine()}) {
        LOCARA_CHECK(create_folders(folder).context("opening the store"));
    }
    LOCARA_CHECK(check_version(layout));
    remove_stale_copies(layout);
    remove_stale_journals(layout);
    return Store(root);
}

bool Store::has(const Digest& digest) const {
    return find(digest).has_value();
}

std::optional<FileInfo> Store::find(const Digest& digest) const {
    const auto size = file_size_of(Layout{root_}.file(digest));
    return size ? std::optional(FileInfo{digest, *size}) : std::nullopt;
}

Result<fs::path> Store::path_of(const Digest& digest) const {
    if (!has(digest)) {
        return Error(ErrorCode::NotFound, digest.render() + " is not in the store; pull it first");
    }
    return Layout{root_}.file(digest);
}

Result<Fd> Store::open_file(const Digest& digest) const {
    LOCARA_TRY(const fs::path path, path_of(digest));
    return locara::open_file(path, O_RDONLY | O_NOFOLLOW);
}

Result<std::vector<FileInfo>> Store::list() const {
    std::vector<FileInfo> files;
    std::error_code error;
    fs::directory_iterator it(Layout{root_}.files(), error);
    for (const fs::directory_iterator end; !error && it != end; it.increment(error)) {
        const std::string prefix = it->path().filename().string();
        std::error_code ignored;
        if (prefix.size() != 2 || it->symlink_status(ignored).type() != fs::file_type::directory) {
            continue;
        }
        LOCARA_CHECK(each_digest(it->path(), [&](const Digest& digest, const fs::path& path) {
            const auto size = file_size_of(path);
            if (size && digest.render().starts_with(prefix)) {
                files.push_back({digest, *size});
            }
            return Status{};
        }));
    }
    if (error) {
        return Error::from_errno("cannot list " + root_.string(), error.value());
    }
    std::sort(files.begin(), files.end(), [](const FileInfo& a, const FileInfo& b) {
        return a.digest < b.digest;
    });
    return files;
}

Result<std::vector<PartInfo>> Store::list_parts() const {
    const Layout layout{root_};
    std::vector<PartInfo> parts;
    LOCARA_CHECK(each_digest(layout.parts(), [&](const Digest& digest, const fs::path& path) {
        PartInfo info{digest, file_size_of(path).value_or(0), 0};
        if (const auto text = read_file(layout.journal(digest), kMaxJournalBytes)) {
            if (const auto journal = PartJournal::parse(*text)) {
                info.received_bytes = journal->spans.bytes();
            }
        }
        parts.push_back(info);
        return Status{};
    }));
    std::sort(parts.begin(), parts.end(), [](const PartInfo& a, const PartInfo& b) {
        return a.digest < b.digest;
    });
    return parts;
}

Result<Usage> Store::usage() const {
    const Layout layout{root_};
    Usage usage;
    LOCARA_TRY(const auto files, list());
    for (const FileInfo& file : files) {
        ++usage.files;
        usage.file_bytes += allocated_bytes(layout.file(file.digest));
    }
    LOCARA_CHECK(each_digest(layout.parts(), [&](const Digest&, const fs::path& path) {
        ++usage.parts;
        usage.part_bytes += allocated_bytes(path);
        return Status{};
    }));
    std::error_code error;
    for (fs::directory_iterator it(layout.quarantine(), error), end; !error && it != end;
         it.increment(error)) {
        ++usage.quarantined;
        usage.quarantined_bytes += allocated_bytes(it->path());
    }
    return usage;
}

Result<std::variant<FileInfo, Part>> Store::open_part(const Digest& digest,
                                                      std::uint64_t size,
                                                      std::stop_token stop,
                                                      const std::function<void()>& waiting) {
    if (size > kMaxFileBytes) {
        return Error(ErrorCode::TooLarge,
                     "a file of " + render_size(size) + " is asked for; at most " +
                         render_size(kMaxFileBytes) + " are taken");
    }
    const Layout layout{root_};
    auto here = find(digest);
    if (here && here->size == size) {
        return std::variant<FileInfo, Part>(*here);
    }
    LOCARA_TRY(DigestLock lock, DigestLock::acquire(layout.lock(digest), stop, waiting));
    here = find(digest);
    if (here && here->size != size) {
        // Either the stored file is damaged, or the caller was told a wrong size.
        const auto checked = verify(digest, null_progress(), stop);
        if (checked) {
            return Error(ErrorCode::Corrupt,
                         digest.render() + " is in the store with " + std::to_string(here->size) +
                             " bytes, but " + std::to_string(size) +
                             " are asked for: whoever states that size is wrong");
        }
        if (checked.error().code() == ErrorCode::Cancelled) {
            return checked.error();
        }
        here = find(digest); // gone: it was put into quarantine
    }
    if (here) {
        // Left behind by a process that was killed right after publishing.
        ::unlink(layout.part(digest).c_str());
        ::unlink(layout.journal(digest).c_str());
        return std::variant<FileInfo, Part>(*here);
    }
    LOCARA_TRY(auto state, Part::State::open(layout, std::move(lock), digest, size));
    return std::variant<FileInfo, Part>(Part(std::move(state)));
}

Result<FileInfo> Store::put_bytes(ByteView bytes) {
    const Digest digest = crypto::sha256(bytes);
    if (const auto here = find(digest); here && here->size == bytes.size()) {
        return *here;
    }
    LOCARA_CHECK(check_space(bytes.size()));
    LOCARA_TRY(Copy copy, Copy::create(Layout{root_}));
    LOCARA_CHECK(copy.append(bytes));
    return std::move(copy).publish();
}

Result<FileInfo> Store::put_file(const fs::path& path) {
    // O_NONBLOCK: opening a FIFO must not hang.
    LOCARA_TRY(const Fd file, locara::open_file(path, O_RDONLY | O_NONBLOCK));
    LOCARA_TRY(const std::uint64_t size, regular_file_size(file, path));
    if (size > kMaxFileBytes) {
        return Error(ErrorCode::TooLarge,
                     path.string() + " has " + render_size(size) + "; at most " +
                         render_size(kMaxFileBytes) + " are taken");
    }
    LOCARA_CHECK(check_space(size));
    LOCARA_TRY(Copy copy, Copy::create(Layout{root_}));
    Bytes block(std::min<std::uint64_t>(kCopyBlockBytes, size));
    for (std::uint64_t at = 0; at < size;) {
        const auto now = std::span(block).first(std::min<std::uint64_t>(block.size(), size - at));
        LOCARA_CHECK(read_exactly_at(file, at, now).context("reading " + path.string()));
        LOCARA_CHECK(copy.append(now));
        at += now.size();
    }
    return std::move(copy).publish();
}

Status Store::verify(const Digest& digest, ProgressSink& progress, std::stop_token stop) {
    const Layout layout{root_};
    Progress state{"verify",
                   digest.render(),
                   0,
                   file_size_of(layout.file(digest)).value_or(0),
                   0,
                   "already on disk",
                   0};
    LOCARA_TRY(const auto bad, check_file(layout, digest, stop, [&](std::size_t bytes) {
                   state.done_bytes += bytes;
                   state.received_bytes = state.done_bytes;
                   progress.report(state);
               }));
    if (!bad) {
        return {};
    }
    return Error(bad->found ? ErrorCode::Corrupt : ErrorCode::Io,
                 "the stored file " + digest.render() + " is damaged (" + bad->reason + "); " +
                     (bad->moved_to.empty() ? "it could not be moved out of the store"
                                            : "it was moved to " + bad->moved_to.string()) +
                     "; pull it again");
}

Result<VerifyReport> Store::verify_all(ProgressSink& progress, std::stop_token stop) {
    const Layout layout{root_};
    LOCARA_TRY(const auto files, list());
    Progress state{"verify", "", 0, 0, 0, "already on disk", 0};
    for (const FileInfo& file : files) {
        state.total_bytes += file.size;
    }
    VerifyReport report;
    for (const FileInfo& file : files) {
        state.item = file.digest.render();
        auto checked = check_file(layout, file.digest, stop, [&](std::size_t bytes) {
            state.done_bytes += bytes;
            state.received_bytes = state.done_bytes;
            progress.report(state);
        });
        if (!checked) {
            if (checked.error().code() == ErrorCode::NotFound) {
                continue; // removed since it was listed
            }
            return std::move(checked).error();
        }
        ++report.files;
        if (*checked) {
            report.bad.push_back(**std::move(checked));
        } else {
            report.bytes += file.size;
        }
    }
    return report;
}

Status Store::remove(const Digest& digest) {
    const Layout layout{root_};
    LOCARA_TRY(const DigestLock lock, DigestLock::try_acquire(layout.lock(digest)));
    const fs::path path = layout.file(digest);
    if (::unlink(path.c_str()) != 0) {
        const int saved = errno;
        return saved == ENOENT
                   ? Error(ErrorCode::NotFound, digest.render() + " is not in the store")
                   : Error::from_errno("cannot remove " + path.string(), saved);
    }
    return sync_folder(path.parent_path());
}

Status Store::remove_part(const Digest& digest) {
    const Layout layout{root_};
    LOCARA_TRY(const DigestLock lock, DigestLock::try_acquire(layout.lock(digest)));
    const fs::path path = layout.part(digest);
    const bool there = ::unlink(path.c_str()) == 0;
    const int saved = errno;
    ::unlink(layout.journal(digest).c_str());
    if (!there) {
        return saved == ENOENT
                   ? Error(ErrorCode::NotFound, digest.render() + " has no part in the store")
                   : Error::from_errno("cannot remove " + path.string(), saved);
    }
    return sync_folder(layout.parts());
}

Status Store::check_space(std::uint64_t bytes) const {
    return check_free_space(root_, bytes);
}

} // namespace locara::store
