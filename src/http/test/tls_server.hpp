// An HTTPS server for tests, with a certificate of its own that nobody else trusts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace locara::test {

/// Answers every request with the same bytes and closes. Listens on 127.0.0.1; its certificate is
/// for 127.0.0.1 and localhost. Stops in its destructor.
class TlsServer {
  public:
    /// Writes the certificate, in PEM, to `certificate`.
    TlsServer(std::string answer, const std::filesystem::path& certificate);
    ~TlsServer();
    TlsServer(const TlsServer&) = delete;
    TlsServer& operator=(const TlsServer&) = delete;

    /// "https://127.0.0.1:port"
    std::string url() const;

    /// Requests that arrived through a finished handshake.
    std::uint64_t requests() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace locara::test
