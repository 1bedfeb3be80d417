// locara-sandbox-init: the small program that stands on both sides of bubblewrap.
//
//   outer --parent PID --keep FD... [--wait FD] -- bwrap ...
//       runs before bubblewrap: dies with its parent, starts a session, resets signals, closes
//       every descriptor that is not to be kept, waits (for its control group), then becomes
//       bubblewrap.
//   inner --status FD [--seccomp FD] [--network loopback] [--read P]... [--write P]... [--exec
//   P]...
//         [--limit NAME=N]... -- program ...
//       runs inside: sets the limits, then Landlock, tells what stands, then becomes the program.
//       With --seccomp there is no bubblewrap around it: it leaves descriptors behind, drops
//       capabilities and sets the filter.
//
// The status descriptor speaks lines: "landlock N", "limit NAME", "ready"; or "failed WALL: text".
// It needs nothing but the C library, since it runs where nearly nothing is.
#include "../landlock_abi.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

namespace landlock = locara::sandbox::landlock;

constexpr int kFailed = 125;

int status_fd = -1; // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): one-shot program

void tell(const std::string& line) {
    const std::string text = line + "\n";
    if (status_fd >= 0 && write(status_fd, text.data(), text.size()) < 0) {
        _exit(kFailed);
    }
}

[[noreturn]] void fail(const std::string& wall, const std::string& what) {
    const std::string text = "failed " + wall + ": " + what;
    tell(text);
    std::fprintf(stderr, "locara-sandbox-init: %s\n", text.c_str());
    _exit(kFailed);
}

std::string reason(const std::string& what) {
    return what + ": " + std::strerror(errno);
}

struct Arguments {
    std::vector<std::pair<std::string, std::string>> options;
    std::vector<char*> command; ///< Ends in a null pointer.

    int number(const char* name) const {
        for (const auto& [key, value] : options) {
            if (key == name) {
                return std::atoi(value.c_str());
            }
        }
        return -1;
    }

    std::vector<std::string> all(const char* name) const {
        std::vector<std::string> found;
        for (const auto& [key, value] : options) {
            if (key == name) {
                found.push_back(value);
            }
        }
        return found;
    }
};

Arguments parse(int count, char** words) {
    Arguments arguments;
    int at = 2;
    for (; at + 1 < count && std::strcmp(words[at], "--") != 0; at += 2) {
        arguments.options.emplace_back(words[at], words[at + 1]);
    }
    if (at >= count || std::strcmp(words[at], "--") != 0 || at + 1 >= count) {
        fail("arguments", "no command after --");
    }
    arguments.command.assign(words + at + 1, words + count);
    arguments.command.push_back(nullptr);
    return arguments;
}

void become(const Arguments& arguments, const char* wall) {
    execv(arguments.command[0], arguments.command.data());
    fail(wall, reason(std::string("starting ") + arguments.command[0]));
}

void run_outer(const Arguments& arguments) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        fail("die with parent", reason("PR_SET_PDEATHSIG"));
    }
    if (getppid() != arguments.number("--parent")) {
        _exit(kFailed); // The parent died before the line above.
    }
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int number = 1; number < NSIG; ++number) {
        std::signal(number, SIG_DFL);
    }
    std::vector<bool> keep(1024, false);
    keep[0] = keep[1] = keep[2] = true;
    for (const auto& text : arguments.all("--keep")) {
        keep[static_cast<std::size_t>(std::atoi(text.c_str())) % keep.size()] = true;
    }
    const int wait_fd = arguments.number("--wait");
    for (int fd = 3; fd < static_cast<int>(keep.size()); ++fd) {
        if (!keep[static_cast<std::size_t>(fd)] && fd != wait_fd) {
            close(fd);
        }
    }
    // close_range, in case descriptors above the table came along (Linux 5.9; harmless if absent).
    syscall(436, keep.size(), ~0U, 0);
    if (wait_fd >= 0) {
        char go = 0;
        if (read(wait_fd, &go, 1) != 1) {
            _exit(kFailed);
        }
        close(wait_fd);
    }
    become(arguments, "bubblewrap");
}

struct LimitName {
    const char* name;
    int resource;
};

constexpr LimitName kLimits[] = {
    {"address_space", RLIMIT_AS},
    {"file_size", RLIMIT_FSIZE},
    {"open_files", RLIMIT_NOFILE},
    {"tasks", RLIMIT_NPROC},
    {"cpu_seconds", RLIMIT_CPU},
    {"core", RLIMIT_CORE},
};

void set_limit(const std::string& text) {
    const auto equals = text.find('=');
    for (const auto& known : kLimits) {
        if (text.substr(0, equals) != known.name) {
            continue;
        }
        rlimit now{};
        getrlimit(static_cast<__rlimit_resource>(known.resource), &now);
        rlim_t wanted = std::strtoull(text.c_str() + equals + 1, nullptr, 10);
        if (wanted > now.rlim_max) {
            wanted = now.rlim_max; // The machine's owner allows less; less it is.
        }
        const rlimit limit{wanted, wanted};
        if (setrlimit(static_cast<__rlimit_resource>(known.resource), &limit) != 0) {
            fail("resource limits", reason(text));
        }
        tell("limit " + std::string(known.name) + " " + std::to_string(wanted));
        return;
    }
    fail("resource limits", "unknown limit " + text);
}

void allow(int ruleset, const std::string& path, std::uint64_t rights) {
    const int fd = open(path.c_str(), O_PATH | O_CLOEXEC);
    if (fd < 0) {
        fail("landlock", reason("opening " + path));
    }

    struct stat info {};

    if (fstat(fd, &info) == 0 && !S_ISDIR(info.st_mode)) {
        rights &= landlock::kExecute | landlock::kReadFile | landlock::kWriteFile |
                  landlock::kTruncate | landlock::kIoctlDev;
    }
    const landlock::PathBeneathAttr rule{rights, fd};
    if (syscall(landlock::kAddRule, ruleset, landlock::kRulePathBeneath, &rule, 0) != 0) {
        fail("landlock", reason("a rule for " + path));
    }
    close(fd);
}

void raise_landlock(const Arguments& arguments) {
    const int version = landlock::abi();
    tell("landlock " + std::to_string(version));
    if (version == 0) {
        return;
    }
    const std::uint64_t handled = landlock::handled_fs(version);
    const bool loopback = !arguments.all("--network").empty();
    const landlock::RulesetAttr attributes{
        handled,
        version >= 4 && !loopback ? landlock::kNetBindTcp | landlock::kNetConnectTcp : 0,
        version >= 6 ? landlock::kScopeAbstractUnix | landlock::kScopeSignal : 0};
    const int ruleset = static_cast<int>(
        syscall(landlock::kCreateRuleset, &attributes, landlock::attr_size(version), 0));
    if (ruleset < 0) {
        fail("landlock", reason("making a ruleset"));
    }
    const std::uint64_t read = landlock::kReadFile | landlock::kReadDir;
    const std::uint64_t write = handled & ~(landlock::kExecute | landlock::kMakeBlock |
                                            landlock::kMakeChar | landlock::kIoctlDev);
    for (const auto& path : arguments.all("--read")) {
        allow(ruleset, path, read);
    }
    for (const auto& path : arguments.all("--write")) {
        allow(ruleset, path, write);
    }
    for (const auto& path : arguments.all("--device")) {
        allow(ruleset, path, handled & (read | landlock::kWriteFile | landlock::kIoctlDev));
    }
    for (const auto& path : arguments.all("--exec")) {
        allow(ruleset, path, landlock::kExecute | read);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(landlock::kRestrictSelf, ruleset, 0) != 0) {
        fail("landlock", reason("restricting itself"));
    }
    close(ruleset);
}

// Root is held to what Landlock leaves, so it may keep the one capability that makes folders of
// others its own. Who is not root has none to lose, and gets none: no new privileges.
void drop_capabilities() {
    constexpr int kOverride = 1; // CAP_DAC_OVERRIDE, capability(7)
    for (int number = 0; number < 64; ++number) {
        if (number != kOverride && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0 &&
            errno != EINVAL /* no such capability */ && errno != EPERM /* it has none */) {
            fail("capabilities", reason("PR_CAPBSET_DROP"));
        }
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
        fail("capabilities", reason("PR_CAP_AMBIENT_CLEAR_ALL"));
    }
}

void raise_filter(int fd) {
    struct stat info {};

    if (fstat(fd, &info) != 0) {
        fail("seccomp", reason("--seccomp"));
    }
    std::vector<sock_filter> program(static_cast<std::size_t>(info.st_size) / sizeof(sock_filter));
    const std::size_t bytes = program.size() * sizeof(sock_filter);
    // By position: programs that start at the same time share the descriptor's own.
    if (pread(fd, program.data(), bytes, 0) != static_cast<ssize_t>(bytes)) {
        fail("seccomp", reason("reading the filter"));
    }
    close(fd);
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0) {
        fail("seccomp", reason("setting the filter"));
    }
}

/// What this process was itself started with, if that was not closed on the way.
void leave_descriptors() {
    constexpr long kCloseRange = 436;       // Linux 5.9
    constexpr unsigned kCloexec = 1U << 2U; // Linux 5.11
    if (syscall(kCloseRange, 3, ~0U, kCloexec) == 0) {
        return;
    }
    for (int fd = 3; fd < 65536; ++fd) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
}

void run_inner(const Arguments& arguments) {
    status_fd = arguments.number("--status");
    if (fcntl(status_fd, F_SETFD, FD_CLOEXEC) != 0) {
        fail("arguments", reason("--status"));
    }
    for (const auto& limit : arguments.all("--limit")) {
        set_limit(limit);
    }
    raise_landlock(arguments);
    if (const int filter = arguments.number("--seccomp"); filter >= 0) {
        leave_descriptors();
        drop_capabilities();
        raise_filter(filter);
    }
    tell("ready");
    become(arguments, "program");
}

} // namespace

int main(int count, char** words) {
    if (count < 3) {
        std::fprintf(stderr, "locara-sandbox-init is started by Locara only\n");
        return kFailed;
    }
    const Arguments arguments = parse(count, words);
    if (std::strcmp(words[1], "outer") == 0) {
        run_outer(arguments);
    }
    run_inner(arguments);
}
