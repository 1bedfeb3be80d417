// Raw HTTP to a hub under test: sends exactly what it is told, shows exactly what comes back.
#pragma once

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/hub/config.hpp>

#include <gtest/gtest.h>

#include <string>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace locara::hub::test {

/// An answer taken apart.
struct Reply {
    std::string head; ///< With its blank line.
    std::string body;

    Json json() const {
        auto parsed = parse_json(body);
        EXPECT_TRUE(parsed) << head << body;
        return parsed ? *parsed : Json();
    }

    /// The three digits.
    int status() const { return head.size() > 12 ? std::stoi(head.substr(9, 3)) : 0; }

    /// The value of a header, empty if it is not there.
    std::string header(const std::string& name) const {
        const std::size_t at = head.find("\r\n" + name + ": ");
        if (at == std::string::npos) {
            return "";
        }
        const std::size_t begin = at + name.size() + 4;
        return head.substr(begin, head.find("\r\n", begin) - begin);
    }
};

/// `config` for a hub in which repositories of all kinds may be public.
inline HubConfig with_public_repos(HubConfig config = {}) {
    config.repos.public_kinds = {"app", "model", "dataset"};
    return config;
}

/// Sends one request on a connection of its own and reads to the end.
inline Reply send(std::uint16_t port, const std::string& start, const std::string& body = "") {
    const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const std::string head =
        start + "Host: 127.0.0.1:" + std::to_string(port) +
        "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    EXPECT_TRUE(write_all(fd, as_bytes(head)));
    // A server that refuses the head need not take the body.
    const Status sent = write_all(fd, as_bytes(body));
    static_cast<void>(sent);
    std::string all;
    char block[65536];
    pollfd wait{fd.get(), POLLIN, 0};
    while (::poll(&wait, 1, 60'000) == 1) {
        const ssize_t count = ::recv(fd.get(), block, sizeof block, 0);
        if (count <= 0) {
            break;
        }
        all.append(block, static_cast<std::size_t>(count));
    }
    const std::size_t end = all.find("\r\n\r\n");
    EXPECT_NE(end, std::string::npos) << all;
    return {all.substr(0, end + 4), end == std::string::npos ? "" : all.substr(end + 4)};
}

} // namespace locara::hub::test
