// Files of the store to and from a folder that travels: export and import of what has a known
// digest.
#include "layout.hpp"

#include <locara/base/beneath.hpp>
#include <locara/base/copy.hpp>
#include <locara/store/exchange.hpp>

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::store {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kBlockBytes = 1U << 20U;

Error stopped(std::string_view doing) {
    return Error(ErrorCode::Cancelled, "stopped while " + std::string(doing));
}

/// SHA-256 of a file that is read in turn, block by block, with progress.
class Hashing {
  public:
    Hashing(const Progress& state, ProgressSink& progress, const std::stop_token& stop)
        : state_(state), progress_(progress), stop_(stop) {}

    /// The blocks of `[first, end)` of `fd`, each handed to `each` before it counts.
    template <class Each>
    Status take(const Fd& fd, std::uint64_t first, std::uint64_t end, Each each) {
        Bytes block(kBlockBytes);
        while (first < end) {
            if (stop_.stop_requested()) {
                return stopped(state_.task + " of " + state_.item);
            }
            const auto view = std::span(block).first(
                static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), end - first)));
            LOCARA_CHECK(read_exactly_at(fd, first, view));
            LOCARA_CHECK(each(first, view));
            hash_.update(view);
            first += view.size();
            state_.done_bytes = std::min(first, state_.total_bytes - 1); // not before it is whole
            state_.received_bytes = first;
            progress_.report(state_);
        }
        return {};
    }

    Status take(const Fd& fd, std::uint64_t first, std::uint64_t end) {
        return take(fd, first, end, [](std::uint64_t, ByteView) { return Status(); });
    }

    Digest finish() { return hash_.finish(); }

  private:
    Progress state_;
    ProgressSink& progress_;
    const std::stop_token& stop_;
    crypto::Sha256 hash_;
};

/// One export: three ways, the cheapest first. Only a copy is ever written to, never a file that
/// shares its inode with the store's.
class Export {
  public:
    Export(const Digest& digest,
           const Fd& source,
           fs::path dest,
           Progress state,
           ProgressSink& progress,
           const std::stop_token& stop)
        : digest_(digest), source_(source), size_(state.total_bytes), dest_(std::move(dest)),
          state_(std::move(state)), progress_(progress), stop_(stop) {}

    /// `own` is the store's own file if it may be linked to.
    Result<std::optional<LinkKind>> run(const std::optional<fs::path>& own) {
        LOCARA_TRY(const bool there, is_there());
        std::optional<LinkKind> link;
        if (!there) {
            LOCARA_TRY(link, put(own));
        }
        state_.done_bytes = state_.received_bytes = size_;
        progress_.report(state_);
        return link;
    }

  private:
    enum class Begun { GoOn, StartOver };

    Result<std::optional<LinkKind>> put(const std::optional<fs::path>& own) {
        LOCARA_TRY(const bool cloned, clone());
        if (cloned) {
            return std::optional(LinkKind::Reflink);
        }
        if (own) {
            LOCARA_TRY(const bool linked, link(*own));
            if (linked) {
                return std::optional(LinkKind::Hardlink);
            }
        }
        LOCARA_TRY(const bool copied, copy(Begun::GoOn));
        if (!copied) { // what an earlier run left was no beginning of this file
            LOCARA_CHECK(copy(Begun::StartOver));
        }
        return std::optional<LinkKind>();
    }

    Hashing hashing() const { return {state_, progress_, stop_}; }

    Result<bool> is_there() const {
        const auto fd = open_file(dest_, O_RDONLY | O_NONBLOCK);
        const auto size = fd ? regular_file_size(*fd, dest_) : Result<std::uint64_t>(fd.error());
        if (!size || *size != size_) {
            return false;
        }
        Hashing hash = hashing();
        LOCARA_CHECK(hash.take(*fd, 0, size_));
        return hash.finish() == digest_;
    }

    Status finish(const fs::path& from, const Digest& found) const {
        if (found != digest_) {
            ::unlink(from.c_str());
            return Error(ErrorCode::Corrupt,
                         "the store's copy has the SHA-256 " + found.render() +
                             "; `locara verify --repair` sets it aside, then install again");
        }
        LOCARA_CHECK(rename_file(from, dest_, Replace::Yes));
        return sync_folder(dest_.parent_path());
    }

    /// False where the file system cannot share blocks.
    Result<bool> clone() const {
        const auto name = fs::path(dest_.string() + ".clone");
        ::unlink(name.c_str());
        LOCARA_TRY(const Fd fd, open_file(name, O_RDWR | O_CREAT | O_EXCL, 0444));
        if (const Status cloned = clone_file(source_, fd); !cloned) {
            ::unlink(name.c_str());
            if (cloned.error().code() == ErrorCode::Unsupported) {
                return false;
            }
            return cloned.error();
        }
        LOCARA_CHECK(sync_file(fd));
        Hashing hash = hashing();
        LOCARA_CHECK(hash.take(fd, 0, size_));
        LOCARA_CHECK(finish(name, hash.finish()));
        return true;
    }

    /// False where there can be no link: another file system, or no right to one.
    Result<bool> link(const fs::path& own) const {
        const auto name = fs::path(dest_.string() + ".link");
        ::unlink(name.c_str());
        if (::link(own.c_str(), name.c_str()) != 0) {
            return false;
        }
        Hashing hash = hashing();
        LOCARA_CHECK(hash.take(source_, 0, size_));
        LOCARA_CHECK(finish(name, hash.finish()));
        return true;
    }

    /// False if what was begun is not the beginning of this file.
    Result<bool> copy(Begun begun) const {
        const auto name = fs::path(dest_.string() + ".part");
        const int start_over = begun == Begun::StartOver ? O_TRUNC : 0;
        LOCARA_TRY(const Fd fd, open_file(name, O_RDWR | O_CREAT | start_over, 0644));
        LOCARA_TRY(const std::uint64_t found, regular_file_size(fd, name));
        const std::uint64_t have = std::min(found, size_);
        Hashing hash = hashing();
        LOCARA_CHECK(hash.take(fd, 0, have));
        LOCARA_CHECK(hash.take(source_, have, size_, [&](std::uint64_t at, ByteView bytes) {
            return write_all_at(fd, at, bytes);
        }));
        const Digest digest = hash.finish();
        if (digest != digest_ && have > 0) {
            return false;
        }
        if (::ftruncate(fd.get(), static_cast<off_t>(size_)) != 0 ||
            ::fchmod(fd.get(), 0444) != 0) {
            return Error::from_errno("writing " + name.string(), errno);
        }
        LOCARA_CHECK(sync_file(fd));
        LOCARA_CHECK(finish(name, digest));
        return true;
    }

    const Digest& digest_;
    const Fd& source_;
    std::uint64_t size_;
    fs::path dest_;
    Progress state_;
    ProgressSink& progress_;
    const std::stop_token& stop_;
};

} // namespace

Result<std::optional<LinkKind>> export_file(const Store& store,
                                            const Digest& digest,
                                            const fs::path& dest,
                                            std::string_view name,
                                            ProgressSink& progress,
                                            std::stop_token stop) {
    LOCARA_TRY(const fs::path path, store.path_of(digest, stop));
    LOCARA_TRY(const Fd source, store.open_file(digest, stop));
    LOCARA_TRY(const std::uint64_t size, regular_file_size(source, path));
    LOCARA_CHECK(create_folders(dest.parent_path()));
    std::optional<fs::path> own;
    const Layout layout{store.root()};
    std::error_code failed;
    if (path == layout.file(digest) && !fs::exists(layout.adopted(digest), failed) && !failed) {
        own = path;
    }
    Progress state{"bundle", std::string(name), 0, size, 0, "already on disk", 0};
    return Export(digest, source, dest, std::move(state), progress, stop)
        .run(own)
        .context("copying " + digest.render() + " to " + dest.string());
}

Result<std::optional<FileInfo>> import_file(Store& store,
                                            const fs::path& folder,
                                            const std::string& place,
                                            const FileInfo& wanted,
                                            std::string_view name,
                                            const Gate& gate,
                                            ProgressSink& progress,
                                            std::stop_token stop) {
    const fs::path path = folder / place;
    Progress state{"pull", std::string(name), 0, wanted.size, 0, folder.string(), 0};
    LOCARA_TRY(auto opened, store.open_part(wanted.digest, wanted.size, stop, [&] {
        Progress waiting = state;
        waiting.source = "another process";
        progress.report(waiting);
    }));
    if (std::holds_alternative<FileInfo>(opened)) {
        state.done_bytes = state.received_bytes = state.reused_bytes = wanted.size;
        state.source = "already on disk";
        progress.report(state);
        return std::optional<FileInfo>();
    }
    Part& part = std::get<Part>(opened);
    state.reused_bytes = part.reused_bytes();
    // Keeps what arrived, for the next try.
    const auto keep = [&](Error error) -> Error {
        const Status noted = part.checkpoint();
        return noted ? std::move(error) : std::move(error).add_context(noted.error().describe());
    };
    LOCARA_TRY(const Fd below, open_folder(folder));
    LOCARA_TRY(const Fd source, open_beneath(below, place));
    LOCARA_TRY(const std::uint64_t size, regular_file_size(source, path));
    if (size != wanted.size) {
        LOCARA_CHECK(part.discard());
        return Error(ErrorCode::Corrupt,
                     path.string() + " has " + std::to_string(size) + " bytes, but " +
                         std::to_string(wanted.size) +
                         " are signed; it was cut or changed: copy it again");
    }
    const auto report = [&] {
        state.received_bytes = part.received_bytes();
        state.done_bytes = std::min(part.hashed_bytes(), wanted.size - 1);
        progress.report(state);
    };
    Bytes block(kBlockBytes);
    for (const Span& span : part.missing()) {
        for (std::uint64_t at = span.first; at < span.end;) {
            if (stop.stop_requested()) {
                return keep(stopped("copying " + path.string()));
            }
            const auto view = std::span(block).first(
                static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), span.end - at)));
            if (auto read = read_exactly_at(source, at, view); !read) {
                return keep(std::move(read).error().add_context("reading " + path.string()));
            }
            if (auto written = part.write(at, view); !written) {
                return keep(std::move(written).error());
            }
            at += view.size();
            LOCARA_CHECK(part.advance_hash(view.size()));
            report();
        }
    }
    while (part.hashed_bytes() < part.size()) {
        if (stop.stop_requested()) {
            return keep(stopped("verifying " + path.string()));
        }
        LOCARA_CHECK(part.advance_hash(kBlockBytes));
        report();
    }
    LOCARA_TRY(const Digest found, part.finish_hash(stop));
    if (found != wanted.digest) {
        LOCARA_CHECK(part.discard());
        return Error(ErrorCode::Corrupt,
                     path.string() + " has the SHA-256 " + found.render() + ", but " +
                         wanted.digest.render() +
                         " is signed; it was changed: copy it again, nothing of it was kept");
    }
    bool refused = false;
    Gate watched;
    if (gate) {
        watched = [&](const Fd& file) {
            Status answer = gate(file);
            refused = !answer;
            return answer;
        };
    }
    auto published = part.publish(watched);
    if (!published) {
        if (refused) {
            LOCARA_CHECK(part.discard());
            return std::move(published).error();
        }
        return keep(std::move(published).error());
    }
    state.done_bytes = state.received_bytes = wanted.size;
    progress.report(state);
    return std::optional<FileInfo>(std::move(*published));
}

} // namespace locara::store
