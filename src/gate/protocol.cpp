#include "protocol.hpp"

#include <locara/formats/verdict_json.hpp>

#include <algorithm>
#include <array>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>

namespace locara::gate {

namespace {

constexpr std::size_t kPrefix = 4;

Error gone() {
    return {ErrorCode::Unavailable, "the other side closed the connection"};
}

/// Until the socket can be read or written.
Status wait_for(const Fd& socket, short events, Deadline deadline) {
    while (true) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        pollfd wait{socket.get(), events, 0};
        const int ready =
            poll(&wait, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1 << 30)));
        if (ready > 0) {
            return {};
        }
        if (ready == 0) {
            return Error(ErrorCode::Timeout, "no answer in time");
        }
        if (errno != EINTR) {
            return Error::from_errno("poll", errno);
        }
    }
}

Status send_bytes(const Fd& socket, ByteView bytes, int attached, Deadline deadline) {
    while (!bytes.empty()) {
        LOCARA_CHECK(wait_for(socket, POLLOUT, deadline));
        iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (attached >= 0) {
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            cmsghdr* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int));
            std::memcpy(CMSG_DATA(header), &attached, sizeof(int));
        }
        const ssize_t count = sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (count <= 0) {
            return gone();
        }
        attached = -1;
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return {};
}

/// Keeps the first descriptor that came along and closes the others.
void take_descriptors(msghdr& message, Fd* attached) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int number = -1;
            std::memcpy(&number, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
            Fd fd(number);
            if (attached != nullptr && !attached->valid()) {
                *attached = std::move(fd);
            }
        }
    }
}

Status
receive_bytes(const Fd& socket, std::span<std::byte> bytes, Fd* attached, Deadline deadline) {
    while (!bytes.empty()) {
        LOCARA_CHECK(wait_for(socket, POLLIN, deadline));
        iovec part{bytes.data(), bytes.size()};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t count = recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (count <= 0) {
            return gone();
        }
        take_descriptors(message, attached);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return {};
}

Status send_frame(const Fd& socket, ByteView bytes, int attached, Deadline deadline) {
    if (bytes.size() > kMaxMessage) {
        return Error(ErrorCode::TooLarge, "a message of the gate is too long");
    }
    std::array<std::byte, kPrefix> prefix{};
    for (std::size_t i = 0; i < kPrefix; ++i) {
        prefix[i] = static_cast<std::byte>(bytes.size() >> (8 * i));
    }
    LOCARA_CHECK(send_bytes(socket, prefix, attached, deadline));
    return send_bytes(socket, bytes, -1, deadline);
}

Result<Bytes> receive_frame(const Fd& socket, Fd* attached, Deadline deadline) {
    std::array<std::byte, kPrefix> prefix{};
    LOCARA_CHECK(receive_bytes(socket, prefix, attached, deadline));
    std::size_t size = 0;
    for (std::size_t i = 0; i < kPrefix; ++i) {
        size |= std::to_integer<std::size_t>(prefix[i]) << (8 * i);
    }
    if (size > kMaxMessage) {
        return Error(ErrorCode::Corrupt, "a message of more than 1 MiB");
    }
    Bytes bytes(size);
    LOCARA_CHECK(receive_bytes(socket, bytes, nullptr, deadline));
    return bytes;
}

} // namespace

Status send_message(const Fd& socket, const Json& json, int attached, Deadline deadline) {
    const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    return send_frame(socket, as_bytes(text), attached, deadline);
}

Result<Json> receive_message(const Fd& socket, Fd* attached, Deadline deadline) {
    LOCARA_TRY(const Bytes text, receive_frame(socket, attached, deadline));
    return parse_json(as_text(text));
}

Status send_block(const Fd& socket, ByteView bytes, Deadline deadline) {
    return send_frame(socket, bytes, -1, deadline);
}

Result<Bytes> receive_block(const Fd& socket, Deadline deadline) {
    return receive_frame(socket, nullptr, deadline);
}

Json render_answer(formats::Examination answer) {
    auto& imports = answer.verdict.imports;
    if (imports.size() > kMaxImports) {
        imports.resize(kMaxImports);
    }
    return {{"verdict", formats::render_verdict(answer.verdict)},
            {"tensors_at", answer.tensors_at ? Json(*answer.tensors_at) : Json()},
            {"facts", answer.facts ? formats::render_facts(*answer.facts) : Json()}};
}

Result<formats::Examination> parse_answer(const Json& json) {
    if (!json.is_object() || json.size() != 3 || !json.contains("verdict") ||
        !json.contains("tensors_at") || !json.contains("facts") ||
        !(json["tensors_at"].is_null() || json["tensors_at"].is_number_unsigned())) {
        return Error(ErrorCode::Corrupt, "what was answered is no verdict");
    }
    formats::Examination answer;
    LOCARA_TRY(answer.verdict, formats::parse_verdict(json["verdict"]));
    if (json["tensors_at"].is_number_unsigned()) {
        answer.tensors_at = json["tensors_at"].get<std::uint64_t>();
    }
    if (!json["facts"].is_null()) {
        LOCARA_TRY(answer.facts, formats::parse_facts(json["facts"]));
    }
    return answer;
}

} // namespace locara::gate
