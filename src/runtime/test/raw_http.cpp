#include "raw_http.hpp"

#include <locara/base/file.hpp>

#include <algorithm>
#include <cstdlib>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

namespace locara::runtime {

namespace {

std::string join_chunks(const std::string& text) {
    std::string whole;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find("\r\n", at);
        const auto size = std::strtoul(text.c_str() + at, nullptr, 16);
        if (end == std::string::npos || size == 0) {
            break;
        }
        whole += text.substr(end + 2, size);
        at = end + 2 + size + 2;
    }
    return whole;
}

} // namespace

std::string RawAnswer::field(const std::string& name) const {
    for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at)) {
        at += 2;
        if (strncasecmp(head.c_str() + at, (name + ":").c_str(), name.size() + 1) == 0) {
            const auto from = head.find_first_not_of(' ', at + name.size() + 1);
            return head.substr(from, head.find("\r\n", from) - from);
        }
    }
    return "";
}

RawAnswer send_raw(std::uint16_t port, const std::string& text) {
    const Fd connection(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        !write_all(connection, as_bytes(text))) {
        return {};
    }
    std::string all;
    char buffer[16384];
    for (ssize_t count = 0; (count = ::read(connection.get(), buffer, sizeof buffer)) > 0;) {
        all.append(buffer, static_cast<std::size_t>(count));
    }
    RawAnswer answer;
    const auto blank = all.find("\r\n\r\n");
    if (all.size() < 12 || blank == std::string::npos) {
        return answer;
    }
    answer.status = std::atoi(all.c_str() + 9);
    answer.head = all.substr(0, blank + 2);
    answer.body = all.substr(blank + 4);
    if (answer.field("Transfer-Encoding") == "chunked") {
        answer.body = join_chunks(answer.body);
    }
    return answer;
}

} // namespace locara::runtime
