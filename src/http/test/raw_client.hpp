// A client that sends exactly the bytes it is told and shows exactly the bytes that come back.
#pragma once

#include <locara/base/file.hpp>

#include <filesystem>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace locara::http::test {

class RawClient {
  public:
    explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ =
            ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }

    explicit RawClient(const std::filesystem::path& path)
        : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.string().copy(address.sun_path, sizeof address.sun_path - 1);
        connected_ =
            ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }

    bool connected() const { return connected_; }

    /// False once the other side does not take any more.
    bool send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t count = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
            if (count <= 0) {
                return false;
            }
            text.remove_prefix(static_cast<std::size_t>(count));
        }
        return true;
    }

    /// Everything until the other side closes (`closed()` is then true) or ten seconds pass.
    std::string read_to_end() {
        while (fill()) {
        }
        return std::exchange(seen_, "");
    }

    /// Everything up to and with `mark`; what came after it stays for the next call.
    std::string read_until(std::string_view mark) {
        std::size_t at = seen_.find(mark);
        while (at == std::string::npos && fill()) {
            at = seen_.find(mark);
        }
        return take(at == std::string::npos ? seen_.size() : at + mark.size());
    }

    std::string read_bytes(std::size_t count) {
        while (seen_.size() < count && fill()) {
        }
        return take(count);
    }

    bool closed() const { return closed_; }

    void close() { fd_.reset(); }

    /// Sends no more, and goes on reading.
    void close_half() { ::shutdown(fd_.get(), SHUT_WR); }

  private:
    std::string take(std::size_t count) {
        std::string out = seen_.substr(0, count);
        seen_.erase(0, out.size());
        return out;
    }

    bool fill() {
        pollfd wait{fd_.get(), POLLIN, 0};
        if (::poll(&wait, 1, 10'000) != 1) {
            return false;
        }
        char block[65536];
        const ssize_t count = ::recv(fd_.get(), block, sizeof block, 0);
        if (count <= 0) {
            closed_ = true;
            return false;
        }
        seen_.append(block, static_cast<std::size_t>(count));
        return true;
    }

    Fd fd_;
    bool connected_ = false;
    bool closed_ = false;
    std::string seen_;
};

} // namespace locara::http::test
