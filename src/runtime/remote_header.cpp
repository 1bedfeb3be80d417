#include "remote_header.hpp"

#include <algorithm>
#include <cstring>

namespace locara::runtime {

namespace {

/// The first request; each next one doubles what is here.
constexpr std::uint64_t kFirstBlock = 16U << 10U;
constexpr std::uint64_t kLargestBlock = 4U << 20U;

} // namespace

Status RemoteHeader::read(std::uint64_t offset, std::span<std::byte> out) const {
    if (offset > file_.size || out.size() > file_.size - offset) {
        return Error(ErrorCode::Corrupt, file_.path + " ends before the bytes that are wanted");
    }
    const std::lock_guard lock(mutex_);
    if (offset <= reached_) {
        auto fetched = fetch_until(std::min(offset + out.size(), file_.size));
        if (!fetched) {
            if (!error_) {
                error_ = fetched.error();
            }
            return fetched;
        }
        reached_ = std::max(reached_, offset + out.size());
    }
    std::fill(out.begin(), out.end(), std::byte{0});
    if (offset < here_.size()) {
        const auto length = std::min<std::uint64_t>(out.size(), here_.size() - offset);
        std::memcpy(out.data(), here_.data() + offset, length);
    }
    return {};
}

Status RemoteHeader::fetch_until(std::uint64_t end) const {
    while (here_.size() < end) {
        if (here_.size() >= kMaxRemoteHeader) {
            return Error(ErrorCode::TooLarge,
                         "the header of " + file_.path + " is larger than " +
                             std::to_string(kMaxRemoteHeader) + " bytes");
        }
        const std::uint64_t block =
            std::min(std::clamp<std::uint64_t>(here_.size(), kFirstBlock, kLargestBlock),
                     file_.size - here_.size());
        LOCARA_TRY(const std::string bytes,
                   client_.read_range(repo_, commit_, file_.path, here_.size(), block, stop_));
        here_ += bytes;
    }
    return {};
}

std::uint64_t RemoteHeader::fetched_bytes() const {
    const std::lock_guard lock(mutex_);
    return here_.size();
}

std::optional<Error> RemoteHeader::error() const {
    const std::lock_guard lock(mutex_);
    return error_;
}

} // namespace locara::runtime
