#include "wire_server.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace locara::test {

std::string WireRequest::header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
}

bool WireConnection::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t put = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (put <= 0) {
            close_ = true;
            return false;
        }
        if (counter_) {
            counter_(static_cast<std::size_t>(put));
        }
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
}

bool WireConnection::answer(int status, std::string_view body, const std::string& headers) {
    return send("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n" + headers + "\r\n") &&
           send(body);
}

void WireConnection::wait_for_end() {
    pollfd watched{fd_, POLLIN, 0};
    std::array<char, 256> ignored{};
    while (::poll(&watched, 1, -1) >= 0 && ::recv(fd_, ignored.data(), ignored.size(), 0) > 0) {
    }
    close_ = true;
}

struct WireServer::State {
    Handler handler;
    int listener = -1;
    std::uint16_t port = 0;
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> connections{0};
    std::thread acceptor;
    std::mutex mutex;
    bool stopping = false;            ///< Guarded by mutex.
    std::set<int> open;               ///< Guarded by mutex.
    std::vector<std::thread> threads; ///< Guarded by mutex.

    void accept_all(const std::shared_ptr<State>& self) {
        while (true) {
            const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) {
                return;
            }
            const int yes = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            const std::lock_guard lock(mutex);
            if (stopping) {
                ::close(fd);
                return;
            }
            ++connections;
            open.insert(fd);
            threads.emplace_back([self, fd] { self->serve(fd); });
        }
    }

    void serve(int fd) {
        WireConnection connection(fd);
        connection.count_into([this](std::size_t n) { sent += n; });
        std::string buffer;
        WireRequest request;
        while (!connection.closing() && read_request(fd, buffer, request)) {
            ++requests;
            handler(request, connection);
        }
        const std::lock_guard lock(mutex);
        open.erase(fd);
        ::close(fd);
    }

    static bool more(int fd, std::string& buffer) {
        std::array<char, 16384> chunk{};
        const ssize_t got = ::recv(fd, chunk.data(), chunk.size(), 0);
        if (got <= 0) {
            return false;
        }
        buffer.append(chunk.data(), static_cast<std::size_t>(got));
        return true;
    }

    static bool read_request(int fd, std::string& buffer, WireRequest& request) {
        std::size_t end = 0;
        while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
            if (!more(fd, buffer)) {
                return false;
            }
        }
        request = {};
        std::string head = buffer.substr(0, end + 2);
        buffer.erase(0, end + 4);
        std::size_t line_end = head.find("\r\n");
        const std::string line = head.substr(0, line_end);
        const std::size_t a = line.find(' ');
        const std::size_t b = line.rfind(' ');
        request.method = line.substr(0, a);
        request.target = line.substr(a + 1, b - a - 1);
        for (std::size_t at = line_end + 2; at < head.size(); at = line_end + 2) {
            line_end = head.find("\r\n", at);
            const std::string field = head.substr(at, line_end - at);
            const std::size_t colon = field.find(':');
            std::string name = field.substr(0, colon);
            std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
                return static_cast<char>(std::tolower(c));
            });
            const std::size_t start = field.find_first_not_of(' ', colon + 1);
            request.headers[name] = start == std::string::npos ? "" : field.substr(start);
        }
        const std::size_t length =
            std::strtoull(request.header("content-length").c_str(), nullptr, 10);
        while (buffer.size() < length) {
            if (!more(fd, buffer)) {
                return false;
            }
        }
        request.body = buffer.substr(0, length);
        buffer.erase(0, length);
        return true;
    }
};

WireServer::WireServer(Handler handler) : state_(std::make_shared<State>()) {
    state_->handler = std::move(handler);
    state_->listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(state_->listener, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        ::listen(state_->listener, 64) != 0 ||
        ::getsockname(state_->listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        std::abort();
    }
    state_->port = ntohs(address.sin_port);
    state_->acceptor = std::thread([self = state_] { self->accept_all(self); });
}

WireServer::~WireServer() {
    std::vector<std::thread> threads;
    {
        const std::lock_guard lock(state_->mutex);
        state_->stopping = true;
        for (const int fd : state_->open) {
            ::shutdown(fd, SHUT_RDWR);
        }
        ::shutdown(state_->listener, SHUT_RDWR);
    }
    state_->acceptor.join();
    {
        const std::lock_guard lock(state_->mutex);
        threads.swap(state_->threads);
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    ::close(state_->listener);
}

std::uint16_t WireServer::port() const {
    return state_->port;
}

std::string WireServer::url() const {
    return "http://127.0.0.1:" + std::to_string(state_->port);
}

std::string WireServer::other_url() const {
    return "http://localhost:" + std::to_string(state_->port);
}

std::uint64_t WireServer::sent_bytes() const {
    return state_->sent;
}

std::uint64_t WireServer::requests() const {
    return state_->requests;
}

std::uint64_t WireServer::connections() const {
    return state_->connections;
}

bool wire_range(const WireRequest& request,
                std::size_t size,
                std::size_t& first,
                std::size_t& last) {
    const std::string range = request.header("range");
    if (!range.starts_with("bytes=")) {
        return false;
    }
    char* end = nullptr;
    first = std::strtoull(range.c_str() + 6, &end, 10);
    last = *end == '-' && end[1] != '\0' ? std::strtoull(end + 1, nullptr, 10) : size - 1;
    last = std::min(last, size - 1);
    return true;
}

void answer_file(const WireRequest& request,
                 WireConnection& connection,
                 std::string_view content,
                 const std::string& extra) {
    std::size_t first = 0;
    std::size_t last = 0;
    int status = 200;
    std::string headers = extra + "Accept-Ranges: bytes\r\n";
    std::string_view body = content;
    if (!content.empty() && wire_range(request, content.size(), first, last)) {
        if (first >= content.size()) {
            connection.answer(
                416, "", "Content-Range: bytes */" + std::to_string(content.size()) + "\r\n");
            return;
        }
        status = 206;
        body = content.substr(first, last - first + 1);
        headers += "Content-Range: bytes " + std::to_string(first) + "-" + std::to_string(last) +
                   "/" + std::to_string(content.size()) + "\r\n";
    }
    if (request.method == "HEAD") {
        connection.send("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " +
                        std::to_string(body.size()) + "\r\n" + headers + "\r\n");
        return;
    }
    connection.answer(status, body, headers);
}

} // namespace locara::test
