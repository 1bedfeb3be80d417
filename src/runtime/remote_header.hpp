// RemoteHeader: the header of a file of weights that lies on a hub, read by ranges.
//
// Parsers and the gate read it as if the whole file were there. What lies beyond the header (a read
// that does not follow on what is here) is given as zeros and never fetched: tensors are inert, and
// whoever fetches the file has it judged whole. What was fetched stays, so all readers see the
// same. Threads: as ByteSource; reads take turns.
#pragma once

#include <locara/formats/byte_source.hpp>
#include <locara/hf/client.hpp>

#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

namespace locara::runtime {

/// Most that is fetched of one header: no format allows more.
inline constexpr std::uint64_t kMaxRemoteHeader = 128U << 20U;

class RemoteHeader final : public formats::ByteSource {
  public:
    /// Borrows the client.
    RemoteHeader(hf::Client& client,
                 std::string repo,
                 std::string commit,
                 hf::RepoFile file,
                 std::stop_token stop)
        : client_(client), repo_(std::move(repo)), commit_(std::move(commit)),
          file_(std::move(file)), stop_(std::move(stop)) {}

    std::uint64_t size() const override { return file_.size; }

    /// Corrupt past the end, TooLarge past kMaxRemoteHeader, and the errors of
    /// hf::Client::read_range.
    Status read(std::uint64_t offset, std::span<std::byte> out) const override;

    std::uint64_t fetched_bytes() const;

    /// The first read that failed, if one did: parsers only say that one did.
    std::optional<Error> error() const;

  private:
    Status fetch_until(std::uint64_t end) const;

    hf::Client& client_;
    const std::string repo_;
    const std::string commit_;
    const hf::RepoFile file_;
    const std::stop_token stop_;
    mutable std::mutex mutex_; ///< Guards what follows.
    mutable std::string here_; ///< From the start.
    /// Where the reads that went on from the start have come to: the next one begins there, or
    /// before. Others look for something in the tensors.
    mutable std::uint64_t reached_ = 0;
    mutable std::optional<Error> error_;
};

} // namespace locara::runtime
