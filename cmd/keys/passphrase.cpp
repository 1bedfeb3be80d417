#include "passphrase.hpp"

#include <locara/base/file.hpp>

#include <cerrno>
#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

using namespace locara;

namespace {

constexpr std::size_t kLimitBytes = 1024;

/// One line, without its end, byte by byte: what follows it is not ours.
Result<Secret> read_line(int fd) {
    std::string line;
    line.reserve(kLimitBytes + 1); // no copies of it are left behind by growing
    char byte = 0;
    while (true) {
        const auto got = ::read(fd, &byte, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return Error::from_errno("cannot read the passphrase", errno);
        }
        if (got == 0 || byte == '\n') {
            return Secret(std::move(line));
        }
        if (line.size() == kLimitBytes) {
            return Error(ErrorCode::InvalidArgument,
                         "a passphrase has at most " + std::to_string(kLimitBytes) + " bytes");
        }
        line += byte;
    }
}

/// Turns the echo of a terminal off while it lives.
class Silence {
  public:
    explicit Silence(int fd) : fd_(fd), changed_(::tcgetattr(fd, &before_) == 0) {
        if (changed_) {
            termios silent = before_;
            silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
            ::tcsetattr(fd_, TCSAFLUSH, &silent);
        }
    }

    Silence(const Silence&) = delete;
    Silence& operator=(const Silence&) = delete;

    ~Silence() {
        if (changed_) {
            ::tcsetattr(fd_, TCSAFLUSH, &before_);
        }
    }

  private:
    int fd_;
    termios before_{};
    bool changed_;
};

Result<Secret> ask(const Fd& terminal, std::string_view question) {
    const Silence silence(terminal.get());
    LOCARA_CHECK(write_all(terminal, as_bytes(question)));
    auto answer = read_line(terminal.get());
    LOCARA_CHECK(write_all(terminal, as_bytes("\n")));
    return answer;
}

} // namespace

Result<std::optional<Secret>> read_passphrase(int fd, AskFor what) {
    const auto unless_empty = [](Secret secret) {
        return secret.empty() ? std::optional<Secret>() : std::optional(std::move(secret));
    };
    if (fd >= 0) {
        LOCARA_TRY(auto secret, read_line(fd));
        return unless_empty(std::move(secret));
    }
    if (const char* const given = std::getenv(kPassphraseVariable); given != nullptr) {
        return unless_empty(Secret(given));
    }
    const auto terminal = open_file("/dev/tty", O_RDWR | O_NOCTTY);
    if (!terminal) {
        return std::optional<Secret>();
    }
    LOCARA_TRY(auto secret,
               ask(*terminal,
                   what == AskFor::New ? "New passphrase for the keys: "
                                       : "Passphrase of the keys (none: leave them closed): "));
    if (what == AskFor::New) {
        LOCARA_TRY(const Secret again, ask(*terminal, "The same again: "));
        if (!again.equals(secret.reveal())) {
            return Error(ErrorCode::InvalidArgument, "the two passphrases differ; start again");
        }
    }
    return unless_empty(std::move(secret));
}
