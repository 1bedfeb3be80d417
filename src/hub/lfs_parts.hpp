// Parts of a large file that comes by the transfer "multipart" of Git LFS: a URL for each part, and
// one to say that all have come (huggingface_hub 1.29, lfs.py and commands/lfs.py).
//
// They wait in the repository's folder, in "lfs-parts/OID/", one file a part, in any order, until
// they are put together; gc removes what nobody ended. Processes: any number at once; of a part
// that comes twice the last one counts. Threads: any; everything touches the disk.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/file.hpp>
#include <locara/crypto/sha256.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace locara::hub {

/// In the folder of a repository.
inline constexpr const char* kLfsParts = "lfs-parts";

/// Files of more bytes than this come in parts from who can send them.
inline constexpr std::uint64_t kPartsFrom = 32U << 20U;

/// How a file is cut: `count` parts of `bytes` each, but for the last one.
struct PartPlan {
    std::uint64_t bytes = 0;
    std::uint64_t count = 0;
};

/// 16 MiB a part, or as many MiB as make no more than 1,000 parts; an empty file is one part.
PartPlan plan_parts(std::uint64_t size);

/// The parts of one file of one repository.
class LfsParts {
  public:
    LfsParts(const std::filesystem::path& repository,
             const crypto::Sha256Digest& oid,
             std::uint64_t size);

    /// A part on its way in. What was not finished is gone with it.
    class Incoming {
      public:
        Incoming(Incoming&&) noexcept = default;
        Incoming& operator=(Incoming&&) = delete;
        ~Incoming();

        /// InvalidArgument for more bytes than the part has, Io.
        Status write(ByteView block);

        /// Durable on return; the SHA-256 of the part. InvalidArgument for fewer bytes, Io.
        Result<crypto::Sha256Digest> finish();

      private:
        friend class LfsParts;

        Incoming(Fd file,
                 std::filesystem::path temporary,
                 std::filesystem::path path,
                 std::uint64_t size)
            : file_(std::move(file)), temporary_(std::move(temporary)), path_(std::move(path)),
              size_(size) {}

        Fd file_;
        std::filesystem::path temporary_; ///< Empty once it has its name, and when moved from.
        std::filesystem::path path_;
        std::uint64_t size_;
        std::uint64_t written_ = 0;
        crypto::Sha256 hash_;
    };

    /// `number` counts from 1. NotFound if the file has no such part, Io.
    Result<Incoming> begin(std::uint64_t number) const;

    /// Gives all bytes of the file to `take`, in order. NotFound, naming the part, when one has not
    /// come; Busy while somebody else does this.
    Status read(const std::function<Status(ByteView)>& take) const;

    /// What its parts take on the disk.
    std::uint64_t bytes() const;

    /// Removes all parts.
    void remove() const;

  private:
    std::uint64_t size_of(std::uint64_t number) const;

    const std::filesystem::path folder_;
    const std::uint64_t size_;
    const PartPlan plan_;
};

} // namespace locara::hub
