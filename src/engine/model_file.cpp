#include <locara/base/file.hpp>
#include <locara/engine/model_file.hpp>

#include <map>
#include <mutex>

#include <fcntl.h>
#include <sys/stat.h>

namespace locara::engine {

namespace {

// What a file looks like to the kernel. ctime cannot be set back by whoever writes to the file.
struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;

    bool operator==(const Stamp&) const = default;
};

Result<Stamp> stamp_of(const std::filesystem::path& path) {
    struct stat info {};

    if (::stat(path.c_str(), &info) != 0) {
        return Error::from_errno("looking at " + path.string(), errno);
    }
    constexpr std::int64_t kSecond = 1'000'000'000;
    return Stamp{info.st_dev,
                 info.st_ino,
                 info.st_size,
                 info.st_mtim.tv_sec * kSecond + info.st_mtim.tv_nsec,
                 info.st_ctim.tv_sec * kSecond + info.st_ctim.tv_nsec};
}

} // namespace

struct ModelFiles::State {
    store::Store* store = nullptr;
    Judge judge;
    std::mutex mutex;
    std::map<store::Digest, Stamp> seen; // GUARDED_BY(mutex)

    bool is_known(const store::Digest& digest, const Stamp& stamp) {
        const std::lock_guard lock(mutex);
        const auto known = seen.find(digest);
        return known != seen.end() && known->second == stamp;
    }

    Status verify(const store::Digest& digest,
                  const std::filesystem::path& path,
                  const Stamp& before,
                  const std::stop_token& stop) {
        LOCARA_CHECK(store->verify(digest, null_progress(), stop));
        LOCARA_TRY(const Stamp after, stamp_of(path));
        if (after != before) {
            return Error(ErrorCode::Corrupt,
                         path.string() + " changed while it was being verified");
        }
        const std::lock_guard lock(mutex);
        seen[digest] = after;
        return {};
    }
};

ModelFiles::ModelFiles(store::Store& store, Judge judge) : state_(std::make_unique<State>()) {
    state_->store = &store;
    state_->judge = std::move(judge);
}

ModelFiles::~ModelFiles() = default;

Result<ModelFile> ModelFiles::open(const store::Digest& digest, std::stop_token stop) {
    LOCARA_TRY(auto path, state_->store->path_of(digest));
    LOCARA_TRY(const Stamp before, stamp_of(path));
    const auto size = static_cast<std::uint64_t>(before.size);
    if (!state_->is_known(digest, before)) {
        LOCARA_CHECK(state_->verify(digest, path, before, stop));
    }
    if (state_->judge) { // Also of a known one: it remembers, and may have learned.
        LOCARA_TRY(const Fd fd, open_file(path, O_RDONLY));
        LOCARA_CHECK(state_->judge(fd, digest));
    }
    return ModelFile(digest, std::move(path), size);
}

} // namespace locara::engine
