// Fetcher: the only way a catalog client reaches a repository. Owned by `catalog`, implemented
// above it (HTTP in the programs, a folder in tests and offline bundles).
//
// Everything a fetcher brings is untrusted; the client verifies it.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/result.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace locara::catalog {

/// Calls come from one thread at a time and may block.
class Fetcher {
  public:
    virtual ~Fetcher() = default;

    /// The whole file at `path`: "metadata/<name>" or "targets/<name>", relative to the catalog's
    /// address (`<hub>/catalog/`), percent-encoded already, without `.` or `..` parts.
    ///
    /// Errors the client tells apart: NotFound (the other side says there is no such file: HTTP
    /// 404, also 403 and 410) and TooLarge (it is longer than `limit_bytes`; an implementation must
    /// stop reading there, whatever length was announced). Everything else is handed to the
    /// client's caller as it is: Unavailable and Timeout when the hub cannot be reached, Offline
    /// when the network must not be used, Cancelled.
    virtual Result<std::string> fetch(std::string_view path, std::uint64_t limit_bytes) = 0;

    /// The same in pieces, for big targets: hands the bytes to `sink` in order and stops with the
    /// sink's error. The default goes through fetch(); transports that can should stream.
    virtual Status stream(std::string_view path,
                          std::uint64_t limit_bytes,
                          const std::function<Status(ByteView)>& sink);
};

/// Reads a repository from a folder, as catalog::Repository lays it out.
class FolderFetcher : public Fetcher {
  public:
    explicit FolderFetcher(std::filesystem::path folder) : folder_(std::move(folder)) {}

    Result<std::string> fetch(std::string_view path, std::uint64_t limit_bytes) override;
    Status stream(std::string_view path,
                  std::uint64_t limit_bytes,
                  const std::function<Status(ByteView)>& sink) override;

  private:
    std::filesystem::path folder_;
};

} // namespace locara::catalog
