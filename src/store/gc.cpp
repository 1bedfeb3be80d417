// The part of Store that removes what nothing names.
#include "disk.hpp"
#include "folders.hpp"
#include "locate.hpp"
#include "part_notes.hpp"

#include <locara/store/store.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::store {

namespace fs = std::filesystem;

namespace {

/// Whether write_file_atomically gave a file this name.
bool is_temporary(const std::string& name) {
    constexpr std::string_view kMark = ".tmp-";
    constexpr std::size_t kSuffix = 6;
    return name.size() > kMark.size() + kSuffix &&
           name.compare(name.size() - kMark.size() - kSuffix, kMark.size(), kMark) == 0;
}

class Collection {
  public:
    /// `expected`: what each item gives back, by a dry run; else it is asked of the file system.
    Collection(const Layout& layout,
               const GcOptions& options,
               std::map<fs::path, std::uint64_t> expected = {})
        : layout_(layout), options_(options), now_(options.clock->now()),
          expected_(std::move(expected)) {}

    Result<GcReport> run(std::set<Digest> roots) {
        roots_ = std::move(roots);
        LOCARA_CHECK(each_stored(layout_.files(), [this](const Digest& digest, const fs::path&) {
            return look_at_file(digest);
        }));
        LOCARA_CHECK(each_digest(layout_.adopted(), [this](const Digest& digest, const fs::path&) {
            return look_at_record(digest);
        }));
        LOCARA_CHECK(each_digest(layout_.parts(), [this](const Digest& digest, const fs::path&) {
            return look_at_part(digest);
        }));
        LOCARA_CHECK(each_file(layout_.quarantine(),
                               [this](const fs::path& path) { return look_at_quarantine(path); }));
        // After the files, parts and quarantine: an index goes when none of them needs it.
        LOCARA_CHECK(
            each_stored(layout_.chunks(), [this](const Digest& digest, const fs::path& path) {
                return look_at_index(digest, path);
            }));
        LOCARA_CHECK(look_at_temporaries());
        if (options_.dry_run == GcOptions::DryRun::Yes) {
            LOCARA_CHECK(count_shared());
        }
        return std::move(report_);
    }

  private:
    enum class By { Change, Content };

    bool is_young(const fs::path& path, std::chrono::seconds age, By by) const {
        struct stat info {};

        if (::lstat(path.c_str(), &info) != 0) {
            return false;
        }
        const auto seconds = by == By::Change ? info.st_ctim.tv_sec : info.st_mtim.tv_sec;
        return now_ - TimePoint(std::chrono::seconds(seconds)) < age;
    }

    Status look_at_file(const Digest& digest) {
        const auto record = read_adopted(layout_, digest);
        if (roots_.contains(digest) || (record && options_.adopted == GcOptions::Adopted::Keep)) {
            kept_.insert(digest);
            return {};
        }
        const fs::path path = layout_.file(digest);
        if (is_young(path, options_.min_age, By::Change)) {
            return keep_young(digest);
        }
        const fs::path its_record = layout_.adopted(digest);
        return remove_locked(
            digest,
            record ? GcItem::Kind::Adopted : GcItem::Kind::File,
            path,
            [&] { ::unlink(its_record.c_str()); },
            removable_bytes(its_record));
    }

    /// Records of references, and those without a file.
    Status look_at_record(const Digest& digest) {
        const fs::path path = layout_.adopted(digest);
        const auto record = read_adopted(layout_, digest);
        if (roots_.contains(digest) || stamp_at(layout_.file(digest))) {
            return {};
        }
        if (record && record->link == LinkKind::Reference) {
            std::error_code ignored;
            // A folder that is not there may be a disk that is not plugged in.
            const bool lost =
                !locate(layout_, digest) && fs::is_directory(record->from.parent_path(), ignored);
            if (!lost && options_.adopted == GcOptions::Adopted::Keep) {
                kept_.insert(digest);
                return {};
            }
        }
        if (is_young(path, options_.min_age, By::Change)) {
            return keep_young(digest);
        }
        return remove_locked(digest, GcItem::Kind::Adopted, path, [] {});
    }

    Status look_at_part(const Digest& digest) {
        if (roots_.contains(digest)) {
            kept_.insert(digest); // half of something that an app needs
            return {};
        }
        const fs::path journal = layout_.journal(digest);
        const fs::path path = layout_.part(digest);
        if (is_young(path, options_.min_part_age, By::Content) ||
            is_young(journal, options_.min_part_age, By::Content)) {
            return keep_young(digest);
        }
        const std::uint64_t more =
            removable_bytes(journal) + removable_bytes(layout_.written(digest));
        return remove_locked(
            digest, GcItem::Kind::Part, path, [&] { remove_notes(layout_, digest); }, more);
    }

    Status look_at_quarantine(const fs::path& path) {
        const std::string name = path.filename().string();
        const auto digest = Digest::parse(name.substr(0, name.find('.')));
        if (!digest) {
            return {};
        }
        // Its good chunks may be wanted (`verify --repair`).
        const bool wanted = roots_.contains(*digest) && !locate(layout_, *digest) &&
                            stamp_at(layout_.index(*digest)).has_value();
        if (wanted) {
            kept_.insert(*digest);
            return {};
        }
        if (is_young(path, options_.min_age, By::Change)) {
            return keep_young(*digest);
        }
        return remove(GcItem::Kind::Quarantine, *digest, path);
    }

    Status look_at_index(const Digest& digest, const fs::path& path) {
        if (kept_.contains(digest)) {
            return {};
        }
        const bool goes_with_its_file = gone_.contains(digest);
        if (!goes_with_its_file && (locate(layout_, digest) || stamp_at(layout_.part(digest)))) {
            return {};
        }
        if (!goes_with_its_file && is_young(path, options_.min_age, By::Change)) {
            return keep_young(digest);
        }
        return remove(GcItem::Kind::Index, digest, path);
    }

    Status look_at_temporaries() {
        const auto look = [this](const fs::path& path) -> Status {
            if (!is_temporary(path.filename().string())) {
                return Status{};
            }
            if (is_young(path, options_.min_age, By::Change)) {
                ++report_.kept_young;
                return Status{};
            }
            return remove(GcItem::Kind::Temporary, std::nullopt, path);
        };
        for (const fs::path& folder : {layout_.root, layout_.parts(), layout_.adopted()}) {
            LOCARA_CHECK(each_file(folder, look));
        }
        std::error_code error;
        for (fs::directory_iterator it(layout_.chunks(), error), end; !error && it != end;
             it.increment(error)) {
            LOCARA_CHECK(each_file(it->path(), look));
        }
        return {};
    }

    Status keep_young(const Digest& digest) {
        kept_.insert(digest);
        ++report_.kept_young;
        return {};
    }

    /// Removes one thing of a digest, unless somebody works on it.
    template <class Rest>
    Status remove_locked(const Digest& digest,
                         GcItem::Kind kind,
                         const fs::path& path,
                         const Rest& rest,
                         std::uint64_t more_bytes = 0) {
        const auto lock = DigestLock::try_acquire(layout_.lock(digest));
        if (!lock && lock.error().code() == ErrorCode::Busy) {
            kept_.insert(digest);
            ++report_.kept_busy;
            return {};
        }
        LOCARA_CHECK(remove(kind, digest, path, more_bytes));
        gone_.insert(digest);
        if (options_.dry_run == GcOptions::DryRun::No) {
            // Before the rest: a hard link must not outlive its record (store.md).
            LOCARA_CHECK(sync_folder(path.parent_path()));
            rest();
        }
        return {};
    }

    Status remove(GcItem::Kind kind,
                  const std::optional<Digest>& digest,
                  const fs::path& path,
                  std::uint64_t more_bytes = 0) {
        if (options_.stop.stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped while collecting garbage");
        }
        const auto stamp = stamp_at(path);
        const auto expected = expected_.find(path);
        const std::uint64_t bytes =
            expected == expected_.end() ? removable_bytes(path) + more_bytes : expected->second;
        GcItem item{kind, digest, path, stamp ? stamp->size : 0, bytes};
        if (options_.dry_run == GcOptions::DryRun::No && ::unlink(path.c_str()) != 0) {
            const int saved = errno;
            return saved == ENOENT ? Status{}
                                   : Error::from_errno("cannot remove " + path.string(), saved);
        }
        report_.freed_bytes += item.freed_bytes;
        report_.items.push_back(std::move(item));
        return {};
    }

    /// Blocks that items share with each other and with nothing that stays come back, too: with the
    /// last of them, as when they really go.
    Status count_shared() {
        std::vector<std::vector<Span>> blocks;
        bool any = false;
        for (const GcItem& item : report_.items) {
            struct stat info {};

            // Another name keeps the blocks.
            const bool goes = ::lstat(item.path.c_str(), &info) == 0 && info.st_nlink == 1;
            blocks.push_back(goes ? shared_blocks(item.path) : std::vector<Span>());
            any = any || !blocks.back().empty();
        }
        if (!any) {
            return {};
        }
        LOCARA_TRY(SpanSet taken, blocks_that_stay());
        for (std::size_t i = report_.items.size(); i-- > 0;) {
            std::uint64_t more = 0;
            for (const Span& span : blocks[i]) {
                for (const Span& gap : taken.gaps(span)) {
                    more += gap.size();
                }
                taken.add(span);
            }
            report_.items[i].freed_bytes += more;
            report_.freed_bytes += more;
        }
        return {};
    }

    /// The shared blocks of all that the store knows and that does not go.
    Result<SpanSet> blocks_that_stay() const {
        std::set<fs::path> going;
        for (const GcItem& item : report_.items) {
            going.insert(item.path);
        }
        SpanSet stay;
        const auto add = [&](const fs::path& path) {
            if (!going.contains(path)) {
                for (const Span& span : shared_blocks(path)) {
                    stay.add(span);
                }
            }
        };
        LOCARA_CHECK(each_stored(layout_.files(), [&](const Digest& digest, const fs::path& path) {
            add(path);
            const auto record = read_adopted(layout_, digest);
            if (record && record->link == LinkKind::Reflink) {
                add(record->from); // the other program's file
            }
            return Status{};
        }));
        LOCARA_CHECK(each_digest(layout_.parts(), [&](const Digest&, const fs::path& path) {
            add(path);
            return Status{};
        }));
        LOCARA_CHECK(each_file(layout_.quarantine(), [&](const fs::path& path) {
            add(path);
            return Status{};
        }));
        return stay;
    }

    const Layout& layout_;
    const GcOptions& options_;
    const TimePoint now_;
    const std::map<fs::path, std::uint64_t> expected_;
    std::set<Digest> roots_;
    std::set<Digest> kept_; ///< Something of theirs stays, and their index with it.
    std::set<Digest> gone_;
    GcReport report_;
};

} // namespace

std::string_view render(GcItem::Kind kind) {
    switch (kind) {
    case GcItem::Kind::File:
        return "file";
    case GcItem::Kind::Adopted:
        return "adopted";
    case GcItem::Kind::Index:
        return "index";
    case GcItem::Kind::Part:
        return "part";
    case GcItem::Kind::Quarantine:
        return "quarantine";
    case GcItem::Kind::Temporary:
        return "temporary";
    }
    return "";
}

Result<StoreUse> Store::use(std::stop_token stop, const std::function<void()>& waiting) const {
    const Layout layout{root_};
    LOCARA_TRY(Fd fd, locara::open_file(layout.use_lock(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    while (::flock(fd.get(), LOCK_SH | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            const int saved = errno;
            return Error::from_errno("cannot lock " + layout.use_lock().string(), saved);
        }
        if (stop.stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped while garbage is being collected");
        }
        if (waiting) {
            waiting();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return StoreUse(std::move(fd));
}

Result<StoreUse> Store::use_alone() const {
    LOCARA_TRY(Fd fd,
               locara::open_file(Layout{root_}.use_lock(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    if (!lock_now(fd)) {
        return Error(ErrorCode::Busy,
                     "something is being installed or pulled; wait for it or stop it, then run "
                     "this again");
    }
    return StoreUse(std::move(fd));
}

Result<GcReport> Store::collect_garbage(const GcOptions& options) {
    const Layout layout{root_};
    LOCARA_TRY(const auto alone, use_alone());
    LOCARA_TRY(auto roots, options.roots());
    if (options.dry_run == GcOptions::DryRun::Yes) {
        return Collection(layout, options).run(std::move(roots));
    }
    // Counted before anything goes: XFS frees the blocks of a removed file a while later, so what
    // another one shared with it seems to be shared still.
    GcOptions dry = options;
    dry.dry_run = GcOptions::DryRun::Yes;
    LOCARA_TRY(const GcReport planned, Collection(layout, dry).run(roots));
    std::map<fs::path, std::uint64_t> expected;
    for (const GcItem& item : planned.items) {
        expected.emplace(item.path, item.freed_bytes);
    }
    return Collection(layout, options, std::move(expected)).run(std::move(roots));
}

} // namespace locara::store
