// The part of Store that takes files of other programs over.
#include "folders.hpp"
#include "index.hpp"
#include "locate.hpp"
#include "temporary.hpp"

#include <locara/base/copy.hpp>
#include <locara/store/store.hpp>
#include <locara/xet/chunker.hpp>

#include <algorithm>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace locara::store {

namespace fs = std::filesystem;

namespace {

/// One adoption, step by step.
class Adoption {
  public:
    Adoption(const Layout& layout, const AdoptOptions& options, ProgressSink& progress)
        : layout_(layout), options_(options), progress_(progress) {}

    Result<AdoptOutcome> run(const fs::path& path) {
        std::error_code error;
        path_ = fs::canonical(path, error);
        if (error) {
            return Error::from_errno("cannot find " + path.string(), error.value());
        }
        LOCARA_TRY(source_, open_file(path_, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        LOCARA_TRY(const std::uint64_t size, regular_file_size(source_, path_));
        if (size > kMaxFileBytes) {
            return Error(ErrorCode::TooLarge,
                         path_.string() + " has " + render_size(size) + "; at most " +
                             render_size(kMaxFileBytes) + " are taken");
        }
        const auto stamp = stamp_of(source_);
        if (!stamp) {
            return Error::from_errno("cannot stat " + path_.string(), errno);
        }
        stamp_ = *stamp;
        if (!options_.link || *options_.link == LinkKind::Reflink) {
            LOCARA_TRY(auto clone, make_clone());
            if (clone) {
                return adopt_clone(*std::move(clone));
            }
        }
        return adopt_in_place();
    }

  private:
    /// A file that shares the source's blocks; nullopt where that cannot be, unless it must.
    Result<std::optional<Temporary>> make_clone() {
        LOCARA_TRY(Temporary clone, Temporary::create(layout_));
        const Status cloned = clone_file(source_, clone.fd());
        if (cloned) {
            return std::optional(std::move(clone));
        }
        if (cloned.error().code() == ErrorCode::Unsupported && !options_.link) {
            return std::optional<Temporary>();
        }
        return Status(cloned).context("adopting " + path_.string()).error();
    }

    /// Gate and hash over a file, in one pass with its chunks; then what its digest says of it.
    Result<xet::FileIndex> judge(const Fd& fd) {
        if (options_.gate) {
            LOCARA_CHECK(options_.gate(fd));
        }
        Progress state{"adopt", path_.string(), 0, stamp_.size, 0, "already on disk", 0};
        xet::IndexOptions how;
        how.threads = options_.threads;
        how.sha256 = xet::WithSha256::Yes;
        how.stop = options_.stop;
        how.scratch = layout_.tmp();
        how.progress = [&](std::size_t bytes) {
            state.done_bytes += bytes;
            state.received_bytes = state.done_bytes;
            state.reused_bytes = state.done_bytes;
            progress_.report(state);
        };
        LOCARA_TRY(auto index, xet::index_file(fd, how).context("adopting " + path_.string()));
        if (options_.admit) {
            LOCARA_CHECK(options_.admit(*index.sha256));
        }
        return index;
    }

    Status keep_index(const Digest& digest, const xet::FileIndex& found) const {
        LOCARA_TRY(const IndexedFile indexed, make_indexed(digest, found));
        return write_index(layout_, indexed);
    }

    Adopted record_of(const Digest& digest, LinkKind link) const {
        return {digest, link, path_, stamp_, options_.clock->now()};
    }

    Result<DigestLock> lock(const Digest& digest) const {
        return DigestLock::acquire(layout_.lock(digest), options_.stop, nullptr);
    }

    Result<AdoptOutcome> adopt_clone(Temporary clone) {
        // What is hashed is the clone: the other program cannot write to that.
        LOCARA_TRY(const auto index, judge(clone.fd()));
        const FileInfo info{*index.sha256, index.size};
        LOCARA_TRY(const DigestLock held, lock(info.digest));
        LOCARA_TRY(const bool here, is_here(info));
        if (here) {
            return AdoptOutcome{info, std::nullopt};
        }
        LOCARA_CHECK(std::move(clone).publish(layout_, info.digest));
        // For people; the file stands without it.
        LOCARA_CHECK(write_adopted(layout_, record_of(info.digest, LinkKind::Reflink)));
        LOCARA_CHECK(keep_index(info.digest, index));
        return AdoptOutcome{info, LinkKind::Reflink};
    }

    Result<AdoptOutcome> adopt_in_place() {
        LOCARA_TRY(const auto index, judge(source_));
        const FileInfo info{*index.sha256, index.size};
        LOCARA_TRY(const DigestLock held, lock(info.digest));
        LOCARA_TRY(const bool here, is_here(info));
        if (here) {
            return AdoptOutcome{info, std::nullopt};
        }
        LOCARA_CHECK(check_unchanged());
        LinkKind link = LinkKind::Reference;
        if (!options_.link || *options_.link == LinkKind::Hardlink) {
            const Status linked = hard_link(info.digest);
            if (linked) {
                link = LinkKind::Hardlink;
            } else if (linked.error().code() != ErrorCode::Unsupported || options_.link) {
                return linked.error();
            }
        }
        if (link == LinkKind::Reference) {
            LOCARA_CHECK(write_adopted(layout_, record_of(info.digest, link)));
        }
        LOCARA_CHECK(keep_index(info.digest, index));
        return AdoptOutcome{info, link};
    }

    Status hard_link(const Digest& digest) {
        // Keeps a program that starts up from taking the new name for a leftover.
        (void)::flock(source_.get(), LOCK_SH | LOCK_NB);
        LOCARA_TRY(auto name, Temporary::link(layout_, source_, path_));
        // The record goes first: a hard link without one would pass for a file of our own.
        LOCARA_CHECK(write_adopted(layout_, record_of(digest, LinkKind::Hardlink)));
        LOCARA_CHECK(std::move(name).publish_link(layout_, digest));
        const auto there = stamp_at(layout_.file(digest));
        if (there && there->inode != stamp_.inode) { // somebody just put the same bytes
            ::unlink(layout_.adopted(digest).c_str());
            return {};
        }
        // Linking and moving changed ctime, and nothing else may have; if more did, the next
        // opening hashes it again.
        const auto now = stamp_of(source_);
        if (now && now->modified_ns == stamp_.modified_ns && now->size == stamp_.size) {
            stamp_ = *now;
            return write_adopted(layout_, record_of(digest, LinkKind::Hardlink));
        }
        return {};
    }

    /// Whether the store has these bytes. What only seemed to be here is dropped.
    Result<bool> is_here(const FileInfo& info) const {
        auto here = locate(layout_, info.digest);
        if (!here) {
            return false;
        }
        const auto settled =
            settle(layout_, info.digest, std::move(*here), Lock::Held, options_.stop);
        if (!settled && settled.error().code() != ErrorCode::Corrupt) {
            return settled.error();
        }
        return settled && settled->stamp.size == info.size;
    }

    Status check_unchanged() const {
        return stamp_of(source_) == stamp_
                   ? Status{}
                   : Error(ErrorCode::Conflict,
                           path_.string() + " was written to while it was being read; adopt it "
                                            "again when nobody does");
    }

    const Layout& layout_;
    const AdoptOptions& options_;
    ProgressSink& progress_;
    fs::path path_;
    Fd source_;
    FileStamp stamp_; ///< As the source was when it was opened.
};

/// Records of which `wanted` says yes, ordered by digest.
template <class Wanted>
Result<std::vector<Adopted>> records_that(const Layout& layout, const Wanted& wanted) {
    std::vector<Adopted> records;
    LOCARA_CHECK(each_digest(layout.adopted(), [&](const Digest& digest, const fs::path&) {
        auto record = read_adopted(layout, digest);
        if (record && wanted(*record)) {
            records.push_back(std::move(*record));
        }
        return Status{};
    }));
    std::sort(records.begin(), records.end(), [](const Adopted& a, const Adopted& b) {
        return a.digest < b.digest;
    });
    return records;
}

} // namespace

Result<AdoptOutcome>
Store::adopt(const fs::path& path, const AdoptOptions& options, ProgressSink& progress) {
    const Layout layout{root_};
    return Adoption(layout, options, progress).run(path);
}

Result<std::vector<Adopted>> Store::list_adopted() const {
    const Layout layout{root_};
    return records_that(layout,
                        [&](const Adopted& record) { return locate(layout, record.digest); });
}

Result<std::vector<Adopted>> Store::list_lost() const {
    const Layout layout{root_};
    return records_that(layout, [&](const Adopted& record) {
        return record.link == LinkKind::Reference && !locate(layout, record.digest);
    });
}

} // namespace locara::store
