#include "lfs_parts.hpp"

#include "disk_use.hpp"

#include <algorithm>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMebibyte = 1U << 20U;
constexpr std::uint64_t kPartBytes = 16 * kMebibyte;
constexpr std::uint64_t kPartCount = 1000;
constexpr std::uint64_t kBlock = kMebibyte;

std::uint64_t divide_up(std::uint64_t a, std::uint64_t b) {
    return a / b + (a % b == 0 ? 0 : 1);
}

} // namespace

PartPlan plan_parts(std::uint64_t size) {
    const std::uint64_t least = divide_up(divide_up(size, kPartCount), kMebibyte) * kMebibyte;
    const std::uint64_t bytes = std::max(kPartBytes, least);
    return {bytes, std::max<std::uint64_t>(1, divide_up(size, bytes))};
}

LfsParts::Incoming::~Incoming() {
    if (!temporary_.empty()) {
        ::unlink(temporary_.c_str());
    }
}

Status LfsParts::Incoming::write(ByteView block) {
    if (block.size() > size_ - written_) {
        return Error(ErrorCode::InvalidArgument,
                     "more bytes come than the " + std::to_string(size_) + " of this part");
    }
    hash_.update(block);
    LOCARA_CHECK(write_all(file_, block));
    written_ += block.size();
    return {};
}

Result<crypto::Sha256Digest> LfsParts::Incoming::finish() {
    if (written_ != size_) {
        return Error(ErrorCode::InvalidArgument,
                     std::to_string(written_) + " bytes came of the " + std::to_string(size_) +
                         " of this part");
    }
    LOCARA_CHECK(sync_file(file_));
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
        return Error::from_errno("keeping " + path_.string(), errno);
    }
    temporary_.clear();
    LOCARA_CHECK(sync_folder(path_.parent_path()));
    return hash_.finish();
}

LfsParts::LfsParts(const fs::path& repository, const crypto::Sha256Digest& oid, std::uint64_t size)
    : folder_(repository / kLfsParts / oid.render()), size_(size), plan_(plan_parts(size)) {}

std::uint64_t LfsParts::size_of(std::uint64_t number) const {
    return number < plan_.count ? plan_.bytes : size_ - (plan_.count - 1) * plan_.bytes;
}

Result<LfsParts::Incoming> LfsParts::begin(std::uint64_t number) const {
    if (number < 1 || number > plan_.count) {
        return Error(ErrorCode::NotFound,
                     "this file has the parts 1 to " + std::to_string(plan_.count));
    }
    LOCARA_CHECK(create_folders(folder_, 0700));
    std::string temporary = folder_ / (std::to_string(number) + ".XXXXXX");
    Fd file(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!file.valid()) {
        return Error::from_errno("making a file in " + folder_.string(), errno);
    }
    return Incoming(std::move(file), temporary, folder_ / std::to_string(number), size_of(number));
}

Status LfsParts::read(const std::function<Status(ByteView)>& take) const {
    std::error_code error;
    if (!fs::exists(folder_, error)) {
        return Error(ErrorCode::NotFound, "no part of this file has come");
    }
    const auto lock = FileLock::try_acquire(folder_ / "lock");
    if (!lock) {
        return lock.error();
    }
    for (std::uint64_t number = 1; number <= plan_.count; ++number) {
        const auto found = fs::file_size(folder_ / std::to_string(number), error);
        if (error || found != size_of(number)) {
            return Error(ErrorCode::NotFound,
                         "part " + std::to_string(number) + " of " + std::to_string(plan_.count) +
                             " has not come");
        }
    }
    std::vector<std::byte> block(kBlock);
    for (std::uint64_t number = 1; number <= plan_.count; ++number) {
        LOCARA_TRY(const Fd file, open_file(folder_ / std::to_string(number), O_RDONLY));
        const std::uint64_t size = size_of(number);
        for (std::uint64_t at = 0; at < size; at += kBlock) {
            const std::span<std::byte> piece =
                std::span(block).first(std::min<std::uint64_t>(kBlock, size - at));
            LOCARA_CHECK(read_exactly_at(file, at, piece));
            LOCARA_CHECK(take(piece));
        }
    }
    return {};
}

std::uint64_t LfsParts::bytes() const {
    return allocated_bytes(folder_);
}

void LfsParts::remove() const {
    std::error_code error; // What stays is gc's.
    fs::remove_all(folder_, error);
}

} // namespace locara::hub
