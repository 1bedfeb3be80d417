// How a catalog client reaches a repository over HTTP: a hub's, `<hub>/catalog/...`, or any TUF
// repository with its metadata at one address and its targets at another.
//
// Threads: one at a time, as catalog::Fetcher says.
#pragma once

#include <locara/catalog/fetcher.hpp>
#include <locara/http/client.hpp>

#include <stop_token>
#include <string>

namespace locara::runtime {

/// Base addresses, with or without a `/` at the end.
struct CatalogAddresses {
    std::string metadata;
    std::string targets;
};

class HubFetcher : public catalog::Fetcher {
  public:
    /// `client` is borrowed; null means that the network must not be used.
    HubFetcher(http::Client* client, const std::string& hub, std::stop_token stop);
    HubFetcher(http::Client* client, CatalogAddresses addresses, std::stop_token stop);

    /// Errors besides those of catalog::Fetcher: Unauthorized if the server wants a sign-in.
    Result<std::string> fetch(std::string_view path, std::uint64_t limit_bytes) override;
    Status stream(std::string_view path,
                  std::uint64_t limit_bytes,
                  const std::function<Status(ByteView)>& sink) override;

  private:
    std::string url_of(std::string_view path) const;

    /// Sends, with one more try when the connection broke, and judges the status.

    http::Client* client_;
    CatalogAddresses addresses_;
    std::stop_token stop_;
};

} // namespace locara::runtime
