#include "warm_files.hpp"

#include "database_watch.hpp"
#include "place.hpp"

#include <locara/base/file.hpp>

#include <array>

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

namespace locara::hub {

namespace {

/// What is another when a ref's file has been replaced, which is how git and libgit2 change it.
struct RefFile {
    ino_t inode = 0;
    timespec changed{};

    bool operator==(const RefFile& other) const {
        return inode == other.inode && changed.tv_sec == other.changed.tv_sec &&
               changed.tv_nsec == other.changed.tv_nsec;
    }
};

std::optional<RefFile> look_at(const std::string& file) {
    struct stat found {};

    if (::stat(file.c_str(), &found) != 0) {
        return std::nullopt;
    }
    return RefFile{found.st_ino, found.st_ctim};
}

/// Whether a file was changed so long ago that a change from now on has another time: the kernel's
/// clock for files goes by ticks of at most 10 ms. (As git has it:
/// Documentation/technical/racy-git.)
bool is_settled(const RefFile& file) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    const auto since = std::chrono::seconds(now.tv_sec - file.changed.tv_sec) +
                       std::chrono::nanoseconds(now.tv_nsec - file.changed.tv_nsec);
    return since > std::chrono::milliseconds(50);
}

} // namespace

struct WarmFiles::File {
    Repo repo;
    std::string commit;
    std::string path;
    bool pinned = false;
    FoundFile found;

    TimePoint kept;
    std::optional<TimePoint> ends; ///< The caller's token; what is mirrored.
    std::string ref;               ///< The branch's file; empty where none has to be looked at.
    RefFile seen;                  ///< As it was when it named the commit.
    http::RequestNotes notes;      ///< Which route found it, for whom.
    /// Files that are not there; a ref in one of them might mean something else by the same path.
    std::array<std::string, 2> absent;
    std::atomic<std::uint64_t>* hits = nullptr; ///< Of a mirror.

    std::size_t bytes() const { return found.blob ? found.blob->size() : 0; }
};

namespace {

/// The same for the same path and credentials; holds no secret.
std::string key_of(const http::Request& request) {
    std::string key = request.path;
    if (const auto authorization = request.headers.find("Authorization")) {
        const auto digest = crypto::sha256(as_bytes(*authorization));
        key.append("\n").append(as_text(digest.bytes));
    }
    return key;
}

/// A ref's file as it is while it names this commit; nothing if it does not, or changes just now.
std::optional<RefFile> find_ref(const std::string& file, const std::string& commit) {
    const auto seen = look_at(file);
    const auto text = read_file(file, 1000);
    const bool same = seen && is_settled(*seen) && text && *text == commit + "\n";
    return same && look_at(file) == seen ? seen : std::nullopt;
}

bool is_large(const FoundFile& found) {
    return found.blob && found.blob->size() > WarmFiles::kLargestFile;
}

bool is_there(const std::string& file) {
    return ::access(file.c_str(), F_OK) == 0;
}

} // namespace

WarmFiles::WarmFiles(std::unique_ptr<DatabaseWatch> watch, const Services& services)
    : watch_(std::move(watch)), services_(services) {}

WarmFiles::~WarmFiles() = default;

bool WarmFiles::holds(const File& file) const {
    const TimePoint now = services_.clock.now();
    if (now < file.kept || now - file.kept >= kKeptFor || (file.ends && now >= *file.ends)) {
        return false;
    }
    return file.ref.empty() || (look_at(file.ref) == file.seen && !is_there(file.absent[0]) &&
                                !is_there(file.absent[1]));
}

std::optional<std::string> WarmFiles::kept_key(const http::Request& request,
                                               Watched watched) const {
    if (!watch_ || watch_->is_immediate() != (watched == Watched::AtOnce) ||
        (request.method != "GET" && request.method != "HEAD")) {
        return std::nullopt;
    }
    std::string key = key_of(request);
    const std::lock_guard lock(mutex_);
    return files_.count(key) != 0 ? std::optional(std::move(key)) : std::nullopt;
}

/// `version` was asked for after the request came: what was changed before it is seen.
std::shared_ptr<const WarmFiles::File> WarmFiles::find(std::optional<long long> version,
                                                       const std::string& key) {
    if (!version) {
        return nullptr; // It cannot be told just now.
    }
    const std::lock_guard lock(mutex_);
    if (version != version_) {
        forget_all();
        return nullptr;
    }
    const auto found = files_.find(key);
    return found == files_.end() ? nullptr : found->second;
}

std::optional<http::Response> WarmFiles::answer(const http::Request& request) {
    const auto key = kept_key(request, Watched::AtOnce);
    return key ? answer_as_of(watch_->version(), request, *key) : std::nullopt;
}

boost::asio::awaitable<std::optional<http::Response>> WarmFiles::ask(const http::Request& request) {
    const auto key = kept_key(request, Watched::ByAsking);
    if (!key) {
        co_return std::nullopt;
    }
    const auto version = co_await watch_->ask();
    co_return answer_as_of(version, request, *key);
}

std::optional<http::Response> WarmFiles::answer_as_of(std::optional<long long> version,
                                                      const http::Request& request,
                                                      const std::string& key) {
    const auto file = find(version, key);
    if (!file || !holds(*file)) {
        return std::nullopt;
    }
    request.notes->route = file->notes.route;
    request.notes->user = file->notes.user;
    if (file->hits != nullptr && request.method == "GET") {
        ++*file->hits;
    }
    const FileAt at{file->repo, file->commit, file->path, file->pinned};
    return found_answer(services_, request, at, file->found);
}

WarmFiles::Before WarmFiles::before() {
    return {watch_ ? watch_->seen() : std::nullopt};
}

void WarmFiles::keep(const Before& before,
                     const http::Request& request,
                     const Caller& caller,
                     const Place& place,
                     const FoundFile& found) {
    if (!before.version || place.repo.gate != Gate::Open || is_large(found)) {
        return;
    }
    auto file = std::make_shared<File>(File{place.repo,
                                            place.commit,
                                            place.path,
                                            place.pinned,
                                            found,
                                            services_.clock.now(),
                                            caller ? caller->token.expires : std::nullopt,
                                            "",
                                            {},
                                            *request.notes,
                                            {},
                                            nullptr});
    if (!place.pinned) {
        if (place.revision.find('/') != std::string::npos) {
            return;
        }
        const std::filesystem::path folder = services_.folder_of(place.repo);
        file->ref = folder / "refs/heads" / place.revision;
        const auto seen = find_ref(file->ref, place.commit);
        if (!seen) {
            return;
        }
        file->seen = *seen;
        file->absent = {folder / "refs/tags" / place.revision, folder / "packed-refs"};
    }
    put(before, request, std::move(file));
}

void WarmFiles::keep_mirrored(const Before& before,
                              const http::Request& request,
                              const FileAt& at,
                              const FoundFile& found,
                              TimePoint until,
                              std::atomic<std::uint64_t>& hits) {
    if (!before.version || at.repo.origin != Origin::Upstream || is_large(found)) {
        return;
    }
    put(before,
        request,
        std::make_shared<const File>(File{at.repo,
                                          at.commit,
                                          at.path,
                                          at.pinned,
                                          found,
                                          services_.clock.now(),
                                          until,
                                          "",
                                          {},
                                          *request.notes,
                                          {},
                                          &hits}));
}

void WarmFiles::put(const Before& before,
                    const http::Request& request,
                    std::shared_ptr<const File> file) {
    if (!holds(*file)) {
        return;
    }
    std::string key = key_of(request);
    const std::lock_guard lock(mutex_);
    if (before.version != version_) {
        forget_all();
        version_ = before.version;
    }
    std::shared_ptr<const File>& slot = files_[key];
    if (slot) {
        bytes_ -= slot->bytes();
    } else {
        order_.push_back(std::move(key));
    }
    slot = std::move(file);
    bytes_ += slot->bytes();
    while (files_.size() > kMostFiles || bytes_ > kMostBytes) {
        const auto oldest = files_.find(order_.front());
        bytes_ -= oldest->second->bytes();
        files_.erase(oldest);
        order_.pop_front();
    }
}

void WarmFiles::forget_all() {
    files_.clear();
    order_.clear();
    bytes_ = 0;
}

std::size_t WarmFiles::size() const {
    const std::lock_guard lock(mutex_);
    return files_.size();
}

} // namespace locara::hub
