#include "clamd.hpp"

#include <locara/base/file.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <optional>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace locara::gate {

namespace {

constexpr std::size_t kChunk = 256U << 10U;
constexpr std::size_t kMaxAnswer = 4096;

/// More archives in one another than clamd looks into: it is built for 100 (MaxRecursion) at most.
constexpr int kTooDeep = 150;
constexpr std::size_t kTarBlock = 512;

/// A tar (POSIX.1-1988, ustar) with a file in a tar in a tar ...
std::string nested_tar(int depth) {
    std::string content = "x";
    for (int i = 0; i < depth; ++i) {
        std::array<char, kTarBlock> head{};
        const auto put = [&head](std::size_t at, const char* form, std::size_t value) {
            std::snprintf(head.data() + at, 12, form, value);
        };
        head[0] = 'a';
        put(100, "%07zo", 0644);
        put(108, "%07zo", 0);
        put(116, "%07zo", 0);
        put(124, "%011zo", content.size());
        put(136, "%011zo", 0);
        std::fill_n(head.begin() + 148, 8, ' ');
        head[156] = '0';
        std::memcpy(head.data() + 257, "ustar\00000", 8);
        std::size_t sum = 0;
        for (const char c : head) {
            sum += static_cast<unsigned char>(c);
        }
        put(148, "%06zo", sum);
        content = std::string(head.data(), head.size()) + content;
        content.resize((content.size() + kTarBlock - 1) / kTarBlock * kTarBlock);
    }
    return content;
}

Error down(const std::filesystem::path& socket, const std::string& what) {
    return {ErrorCode::Unavailable, "the antivirus at " + socket.string() + ": " + what};
}

Result<Fd> connect_to(const std::filesystem::path& path, std::chrono::milliseconds time) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = path.string();
    if (name.size() >= sizeof(address.sun_path)) {
        return down(path, "the path of the socket is too long");
    }
    std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
    Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval wait{time.count() / 1000, static_cast<suseconds_t>(time.count() % 1000 * 1000)};
    if (!fd.valid() || setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0 ||
        setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) != 0 ||
        connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        return down(path, std::strerror(errno));
    }
    return fd;
}

/// False if the other side closed or does not read.
bool send_all(const Fd& fd, ByteView bytes) {
    while (!bytes.empty()) {
        const ssize_t count = send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return false;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

/// All up to the NUL.
std::optional<std::string> receive_answer(const Fd& fd) {
    std::string text;
    std::array<char, 512> buffer;
    while (text.size() < kMaxAnswer) {
        const ssize_t count = recv(fd.get(), buffer.data(), buffer.size(), 0);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return std::nullopt;
        }
        text.append(buffer.data(), static_cast<std::size_t>(count));
        if (const auto end = text.find('\0'); end != std::string::npos) {
            text.resize(end);
            return text;
        }
    }
    return std::nullopt;
}

/// A command without data.
Result<std::string>
ask(const std::filesystem::path& socket, std::chrono::milliseconds time, std::string_view command) {
    LOCARA_TRY(const Fd fd, connect_to(socket, time));
    const std::string words = std::string(command) + '\0';
    if (!send_all(fd, as_bytes(words))) {
        return down(socket, "it does not listen");
    }
    auto answer = receive_answer(fd);
    if (!answer) {
        return down(socket, "it does not answer");
    }
    return std::move(*answer);
}

std::array<std::byte, 4> length_of(std::size_t size) {
    return {static_cast<std::byte>(size >> 24U),
            static_cast<std::byte>(size >> 16U),
            static_cast<std::byte>(size >> 8U),
            static_cast<std::byte>(size)};
}

} // namespace

ClamdAnswer parse_clamd_answer(std::string_view text) {
    constexpr std::string_view kStream = "stream: ";
    constexpr std::string_view kFound = " FOUND";
    if (text == "stream: OK") {
        return {ClamdAnswer::Kind::Clean, ""};
    }
    if (text.starts_with(kStream) && text.ends_with(kFound) &&
        text.size() > kStream.size() + kFound.size()) {
        text = text.substr(kStream.size(), text.size() - kStream.size() - kFound.size());
        return {text.starts_with("Heuristics.Limits.") ? ClamdAnswer::Kind::NotLookedAt
                                                       : ClamdAnswer::Kind::Found,
                std::string(text)};
    }
    return {ClamdAnswer::Kind::NotLookedAt, std::string(text)};
}

Status Clamd::ping() const {
    LOCARA_TRY(const std::string answer, ask(socket_, time_, "zPING"));
    return answer == "PONG" ? Status{} : Status(down(socket_, "it is no clamd"));
}

Result<std::string> Clamd::version() const {
    LOCARA_TRY(std::string answer, ask(socket_, time_, "zVERSION"));
    if (!answer.starts_with("ClamAV ")) {
        return down(socket_, "it is no clamd");
    }
    return answer;
}

Result<ClamdAnswer> Clamd::look(const formats::ByteSource& content, std::uint64_t bytes) const {
    LOCARA_TRY(const Fd fd, connect_to(socket_, time_));
    bool sent = send_all(fd, as_bytes(std::string_view("zINSTREAM\0", 10)));
    Bytes buffer(kChunk);
    const std::uint64_t size = std::min(bytes, content.size());
    for (std::uint64_t at = 0; sent && at < size;) {
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, size - at));
        LOCARA_CHECK(content.read(at, std::span(buffer).first(count)));
        sent = send_all(fd, length_of(count)) && send_all(fd, ByteView(buffer).first(count));
        at += count;
    }
    // One that had enough (StreamMaxLength) says so and closes, while we still send.
    sent = sent && send_all(fd, length_of(0));
    const auto answer = receive_answer(fd);
    if (!answer) {
        return down(socket_, "it does not answer");
    }
    return parse_clamd_answer(*answer);
}

Status Clamd::check_limits() const {
    const std::string deep = nested_tar(kTooDeep);
    const formats::MemorySource source(as_bytes(deep));
    LOCARA_TRY(const ClamdAnswer answer, look(source, deep.size()));
    if (answer.kind == ClamdAnswer::Kind::NotLookedAt) {
        return {};
    }
    return Error(ErrorCode::Unsupported,
                 "the antivirus at " + socket_.string() +
                     " takes for clean what exceeds its limits; write `AlertExceedsMax yes` into "
                     "its clamd.conf");
}

} // namespace locara::gate
