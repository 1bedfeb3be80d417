#include "disk.hpp"
#include "folders.hpp"
#include "locate.hpp"
#include "part_state.hpp"
#include "temporary.hpp"
#include "verify.hpp"

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

/// Notes whose part was published just before its process was killed.
void remove_stale_notes(const Layout& layout) {
    std::error_code error;
    for (fs::directory_iterator it(layout.parts(), error), end; !error && it != end;
         it.increment(error)) {
        const std::string ending = it->path().extension().string();
        const auto digest = Digest::parse(it->path().stem().string());
        if (!digest || (ending != ".journal" && ending != ".written") ||
            file_size_of(layout.part(*digest))) {
            continue;
        }
        // A pull that begins writes the journal first: only under the lock is absence a fact.
        const auto lock = DigestLock::try_acquire(layout.lock(*digest));
        if (lock && !file_size_of(layout.part(*digest))) {
            remove_notes(layout, *digest);
        }
    }
}

/// Bytes being copied in.
class Copy {
  public:
    static Result<Copy> create(const Layout& layout) {
        LOCARA_TRY(Temporary file, Temporary::create(layout));
        return Copy(layout, std::move(file));
    }

    Status append(ByteView bytes) {
        LOCARA_CHECK(
            write_all_at(file_.fd(), size_, bytes).context("writing " + file_.path().string()));
        hash_.update(bytes);
        size_ += bytes.size();
        return {};
    }

    Result<FileInfo> publish() && {
        const FileInfo info{hash_.finish(), size_};
        LOCARA_CHECK(std::move(file_).publish(layout_, info.digest));
        return info;
    }

  private:
    Copy(Layout layout, Temporary file) : layout_(std::move(layout)), file_(std::move(file)) {}

    Layout layout_;
    Temporary file_;
    crypto::Sha256 hash_;
    std::uint64_t size_ = 0;
};

/// As Store::find, but an adopted file that was changed is found out, and no longer here.
Result<std::optional<FileInfo>>
find_settled(const Layout& layout, const Digest& digest, Lock lock, const std::stop_token& stop) {
    auto here = locate(layout, digest);
    if (!here) {
        return std::optional<FileInfo>();
    }
    const auto settled = settle(layout, digest, std::move(*here), lock, stop);
    if (settled) {
        return std::optional(FileInfo{digest, settled->stamp.size});
    }
    return settled.error().code() == ErrorCode::Corrupt
               ? Result<std::optional<FileInfo>>(std::optional<FileInfo>())
               : settled.error();
}

} // namespace

Result<Store> Store::open(const fs::path& root) {
    const Layout layout{root};
    for (const fs::path& folder : {layout.files(),
                                   layout.parts(),
                                   layout.locks(),
                                   layout.tmp(),
                                   layout.quarantine(),
                                   layout.chunks(),
                                   layout.adopted()}) {
        LOCARA_CHECK(create_folders(folder).context("opening the store"));
    }
    LOCARA_CHECK(check_version(layout));
    remove_stale_copies(layout);
    remove_stale_notes(layout);
    return Store(root);
}

bool Store::has(const Digest& digest) const {
    return find(digest).has_value();
}

std::optional<FileInfo> Store::find(const Digest& digest) const {
    const auto here = locate(Layout{root_}, digest);
    return here ? std::optional(FileInfo{digest, here->stamp.size}) : std::nullopt;
}

Result<fs::path> Store::path_of(const Digest& digest, std::stop_token stop) const {
    const Layout layout{root_};
    auto here = locate(layout, digest);
    if (!here) {
        const auto record = read_adopted(layout, digest);
        const std::string why = record && record->link == LinkKind::Reference
                                    ? " (it was adopted from " + record->from.string() +
                                          ", which is gone or has another size now)"
                                    : "";
        return Error(ErrorCode::NotFound,
                     digest.render() + " is not in the store" + why + "; pull it first");
    }
    LOCARA_TRY(const Located settled,
               settle(layout, digest, std::move(*here), Lock::NotHeld, stop));
    return settled.path;
}

Result<Fd> Store::open_file(const Digest& digest, std::stop_token stop) const {
    LOCARA_TRY(const fs::path path, path_of(digest, stop));
    return locara::open_file(path, O_RDONLY | O_NOFOLLOW);
}

Result<std::vector<FileInfo>> Store::list() const {
    const Layout layout{root_};
    std::vector<FileInfo> files;
    LOCARA_CHECK(each_stored(layout.files(), [&](const Digest& digest, const fs::path& path) {
        if (const auto size = file_size_of(path)) {
            files.push_back({digest, *size});
        }
        return Status{};
    }));
    LOCARA_CHECK(each_digest(layout.adopted(), [&](const Digest& digest, const fs::path&) {
        const auto here = locate(layout, digest);
        if (here && here->adopted && here->adopted->link == LinkKind::Reference) {
            files.push_back({digest, here->stamp.size});
        }
        return Status{};
    }));
    std::sort(files.begin(), files.end(), [](const FileInfo& a, const FileInfo& b) {
        return a.digest < b.digest;
    });
    return files;
}

Result<std::vector<PartInfo>> Store::list_parts() const {
    const Layout layout{root_};
    std::vector<PartInfo> parts;
    LOCARA_CHECK(each_digest(layout.parts(), [&](const Digest& digest, const fs::path& path) {
        PartInfo info{digest, file_size_of(path).value_or(0), 0, allocated_bytes(path)};
        SpanSet here = load_written(layout, digest, info.size);
        if (const auto journal = load_journal(layout, digest, info.size)) {
            for (const Span& span : journal->spans.spans()) {
                here.add(span);
            }
        }
        info.received_bytes = here.bytes();
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
        const auto record = read_adopted(layout, file.digest);
        const std::uint64_t allocated = allocated_bytes(layout.file(file.digest));
        usage.file_bytes += allocated;
        const std::uint64_t shared = shared_bytes(layout.file(file.digest));
        if (!record) {
            usage.shared_bytes += shared;
            continue;
        }
        ++usage.adopted;

        struct stat info {};

        if (record->link == LinkKind::Reference && allocated == 0) {
            usage.adopted_saved_bytes += allocated_bytes(record->from);
        } else if (record->link == LinkKind::Hardlink) {
            const bool held = ::lstat(layout.file(file.digest).c_str(), &info) == 0 &&
                              info.st_nlink > 1; // else the other program removed its name
            usage.adopted_saved_bytes += held ? allocated : 0;
        } else {
            usage.adopted_saved_bytes += shared;
        }
    }
    LOCARA_CHECK(each_digest(layout.parts(), [&](const Digest&, const fs::path& path) {
        ++usage.parts;
        usage.part_bytes += allocated_bytes(path);
        return Status{};
    }));
    LOCARA_CHECK(each_file(layout.quarantine(), [&](const fs::path& path) {
        ++usage.quarantined;
        usage.quarantined_bytes += allocated_bytes(path);
        return Status{};
    }));
    LOCARA_CHECK(each_stored(layout.chunks(), [&](const Digest&, const fs::path& path) {
        ++usage.indexes;
        usage.index_bytes += allocated_bytes(path);
        return Status{};
    }));
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
    LOCARA_TRY(auto here, find_settled(layout, digest, Lock::NotHeld, stop));
    if (here && here->size == size) {
        return std::variant<FileInfo, Part>(*here);
    }
    LOCARA_TRY(DigestLock lock, DigestLock::acquire(layout.lock(digest), stop, waiting));
    LOCARA_TRY(here, find_settled(layout, digest, Lock::Held, stop));
    if (here && here->size != size) {
        // Either the stored file is damaged, or the caller was told a wrong size.
        const auto checked = verify_file(layout, digest, OnBad::Quarantine, Lock::Held, stop);
        if (checked && !*checked) {
            return Error(ErrorCode::Corrupt,
                         digest.render() + " is in the store with " + std::to_string(here->size) +
                             " bytes, but " + std::to_string(size) +
                             " are asked for: whoever states that size is wrong");
        }
        if (!checked && checked.error().code() != ErrorCode::NotFound) {
            return checked.error();
        }
        here = find(digest); // gone: it was put into quarantine
    }
    if (here) {
        // Left behind by a process that was killed right after publishing.
        ::unlink(layout.part(digest).c_str());
        remove_notes(layout, digest);
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

Status Store::remove(const Digest& digest) {
    const Layout layout{root_};
    LOCARA_TRY(const DigestLock lock, DigestLock::try_acquire(layout.lock(digest)));
    const auto here = locate(layout, digest);
    if (!here) {
        return Error(ErrorCode::NotFound, digest.render() + " is not in the store");
    }
    const bool is_reference = here->adopted && here->adopted->link == LinkKind::Reference;
    if (!is_reference) {
        const fs::path path = layout.file(digest);
        if (::unlink(path.c_str()) != 0) {
            const int saved = errno;
            return Error::from_errno("cannot remove " + path.string(), saved);
        }
        // Before the record: a hard link must not outlive it.
        LOCARA_CHECK(sync_folder(path.parent_path()));
    }
    ::unlink(layout.index(digest).c_str());
    if (::unlink(layout.adopted(digest).c_str()) == 0) {
        return sync_folder(layout.adopted());
    }
    return {};
}

Status Store::remove_part(const Digest& digest) {
    const Layout layout{root_};
    LOCARA_TRY(const DigestLock lock, DigestLock::try_acquire(layout.lock(digest)));
    const fs::path path = layout.part(digest);
    const bool there = ::unlink(path.c_str()) == 0;
    const int saved = errno;
    remove_notes(layout, digest);
    if (!there) {
        return saved == ENOENT
                   ? Error(ErrorCode::NotFound, digest.render() + " has no part in the store")
                   : Error::from_errno("cannot remove " + path.string(), saved);
    }
    return sync_folder(layout.parts());
}

std::uint64_t Store::removable_bytes(const Digest& digest) const {
    const Layout layout{root_};
    return store::removable_bytes(layout.file(digest)) +
           store::removable_bytes(layout.index(digest));
}

fs::path Store::own_path(const Digest& digest) const {
    return Layout{root_}.file(digest);
}

Status Store::check_space(std::uint64_t bytes) const {
    return check_free_space(root_, bytes);
}

} // namespace locara::store
