#include <locara/base/file.hpp>
#include <locara/engine/model_file.hpp>

#include <map>
#include <mutex>

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
    std::mutex mutex;
    std::map<store::Digest, Stamp> seen; // GUARDED_BY(mutex)
};

ModelFiles::ModelFiles(store::Store& store) : state_(std::make_unique<State>()) {
    state_->store = &store;
}

ModelFiles::~ModelFiles() = default;

Result<ModelFile> ModelFiles::open(const store::Digest& digest, std::stop_token stop) {
    LOCARA_TRY(auto path, state_->store->path_of(digest));
    LOCARA_TRY(const Stamp before, stamp_of(path));
    const auto size = static_cast<std::uint64_t>(before.size);
    {
        const std::lock_guard lock(state_->mutex);
        const auto known = state_->seen.find(digest);
        if (known != state_->seen.end() && known->second == before) {
            return ModelFile(digest, std::move(path), size);
        }
    }
    LOCARA_CHECK(state_->store->verify(digest, null_progress(), stop));
    LOCARA_TRY(const Stamp after, stamp_of(path));
    if (after != before) {
        return Error(ErrorCode::Corrupt, path.string() + " changed while it was being verified");
    }
    const std::lock_guard lock(state_->mutex);
    state_->seen[digest] = after;
    return ModelFile(digest, std::move(path), size);
}

} // namespace locara::engine
