#include "passphrase.hpp"

#include <locara/base/file.hpp>

#include <cerrno>
#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

using namespace locara;

namespace {

constexpr std::size_t kLimitBytes = 1024;

/// Nothing at the end.
Result<std::optional<char>> read_byte(int fd) {
    char byte = 0;
    while (true) {
        const auto got = ::read(fd, &byte, 1);
        if (got >= 0) {
            return got == 0 ? std::nullopt : std::optional(byte);
        }
        if (errno != EINTR) {
            return Error::from_errno("cannot read the passphrase", errno);
        }
    }
}

Status append(std::string& line, char byte) {
    if (line.size() == kLimitBytes) {
        return Error(ErrorCode::InvalidArgument,
                     "a passphrase has at most " + std::to_string(kLimitBytes) + " bytes");
    }
    line += byte;
    return {};
}

/// One line, without its end, byte by byte: what follows it is not ours.
Result<Secret> read_line(int fd) {
    std::string line;
    line.reserve(kLimitBytes + 1); // no copies of it are left behind by growing
    while (true) {
        LOCARA_TRY(const auto byte, read_byte(fd));
        if (!byte || *byte == '\n') {
            return Secret(std::move(line));
        }
        LOCARA_CHECK(append(line, *byte));
    }
}

/// While it lives, a terminal shows nothing, and gives each key as it is typed: Ctrl-C too, so that
/// nobody's shell is left without echo by it.
class Silence {
  public:
    explicit Silence(int fd) : fd_(fd), changed_(::tcgetattr(fd, &before_) == 0) {
        if (changed_) {
            termios silent = before_;
            silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
            silent.c_cc[VMIN] = 1;
            silent.c_cc[VTIME] = 0;
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

    /// Whether the key is the one that means this (VINTR ...) to the terminal.
    bool is(unsigned meaning, char key) const {
        return changed_ && before_.c_cc[meaning] == static_cast<cc_t>(key) && key != '\0';
    }

  private:
    int fd_;
    termios before_{};
    bool changed_;
};

void remove_last_letter(std::string& line) {
    while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xC0U) == 0x80U) {
        line.pop_back(); // the rest of a letter in UTF-8
    }
    if (!line.empty()) {
        line.pop_back();
    }
}

/// What a person types, up to Enter; nothing if they interrupt.
Result<std::optional<Secret>> read_typed(int fd, const Silence& silence) {
    std::string line;
    line.reserve(kLimitBytes + 1);
    while (true) {
        LOCARA_TRY(const auto key, read_byte(fd));
        if (key && (silence.is(VINTR, *key) || silence.is(VQUIT, *key))) {
            return std::optional<Secret>();
        }
        if (!key || *key == '\n' || silence.is(VEOF, *key)) {
            return std::optional(Secret(std::move(line)));
        }
        if (silence.is(VERASE, *key)) {
            remove_last_letter(line);
        } else if (silence.is(VKILL, *key)) {
            line.clear();
        } else {
            LOCARA_CHECK(append(line, *key));
        }
    }
}

/// Silent before it asks, so that whoever answers at once shows nothing either.
Result<std::optional<Secret>> ask_silently(const Fd& terminal, std::string_view question) {
    const Silence silence(terminal.get());
    LOCARA_CHECK(write_all(terminal, as_bytes(question)));
    auto answer = read_typed(terminal.get(), silence);
    LOCARA_CHECK(write_all(terminal, as_bytes("\n")));
    return answer;
}

Result<Secret> ask(const Fd& terminal, std::string_view question) {
    auto answer = ask_silently(terminal, question);
    if (answer && !*answer) {
        ::kill(::getpid(), SIGINT); // as the terminal would have done
        return Error(ErrorCode::Cancelled, "interrupted");
    }
    if (!answer) {
        return std::move(answer).error();
    }
    return **std::move(answer);
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
