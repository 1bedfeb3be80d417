// How a catalog client reaches a hub: `<hub>/catalog/...` over HTTP.
#pragma once

#include <locara/catalog/fetcher.hpp>
#include <locara/http/client.hpp>

#include <stop_token>
#include <string>

namespace locara::runtime {

class HubFetcher : public catalog::Fetcher {
  public:
    /// `client` is borrowed; null means that the network must not be used.
    HubFetcher(http::Client* client, std::string hub, std::stop_token stop)
        : client_(client), hub_(std::move(hub)), stop_(std::move(stop)) {}

    Result<std::string> fetch(std::string_view path, std::uint64_t limit_bytes) override;
    Status stream(std::string_view path,
                  std::uint64_t limit_bytes,
                  const std::function<Status(ByteView)>& sink) override;

  private:
    /// Sends, with one more try when the connection broke, and judges the status.
    Result<http::ClientResponse> get(std::string_view path,
                                     std::uint64_t limit_bytes,
                                     const std::function<Status(ByteView)>* sink);

    http::Client* client_;
    std::string hub_;
    std::stop_token stop_;
};

} // namespace locara::runtime
