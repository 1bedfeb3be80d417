// ModelFile: a file of the store whose bytes were checked against its digest. The only thing an
// engine opens.
//
// What was verified once is verified again before it is used: by hashing, unless the file is still
// the very one that was hashed (device, inode, size, times of change all equal).
// Threads: ModelFiles may be used from any thread.
#pragma once

#include <locara/base/file.hpp>
#include <locara/base/result.hpp>
#include <locara/store/store.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>

namespace locara::engine {

class ModelFile {
  public:
    const store::Digest& digest() const { return digest_; }

    const std::filesystem::path& path() const { return path_; }

    std::uint64_t size() const { return size_; }

  private:
    friend class ModelFiles;

    ModelFile(const store::Digest& digest, std::filesystem::path path, std::uint64_t size)
        : digest_(digest), path_(std::move(path)), size_(size) {}

    store::Digest digest_;
    std::filesystem::path path_;
    std::uint64_t size_ = 0;
};

class ModelFiles {
  public:
    /// Whether a file whose bytes are right may be loaded: the gate, handed in from above.
    using Judge = std::function<Status(const Fd& fd, const store::Digest& digest)>;

    /// `store` is borrowed and must outlive this. Without a judge nobody is asked.
    explicit ModelFiles(store::Store& store, Judge judge = nullptr);
    ~ModelFiles();
    ModelFiles(const ModelFiles&) = delete;
    ModelFiles& operator=(const ModelFiles&) = delete;

    /// The file, with its bytes checked. Errors: NotFound (not in the store), Corrupt (its bytes
    /// changed; the store has moved it to quarantine), Cancelled, Io; those of the judge, Refused
    /// for one.
    Result<ModelFile> open(const store::Digest& digest, std::stop_token stop = {});

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace locara::engine
