#include "inner_words.hpp"
#include "report.hpp"
#include "seccomp.hpp"

#include <locara/base/pipe.hpp>
#include <locara/sandbox/confined.hpp>

#include <csignal>
#include <system_error>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace locara::sandbox {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kStartTime{10};

/// Made once: libseccomp takes longer for it than the kernel for the whole start.
const Result<Fd>& filter() {
    static const Result<Fd> made = build_seccomp_filter(SyscallPolicy::Confined);
    return made;
}

std::vector<fs::path> present(std::vector<fs::path> paths) {
    std::erase_if(paths, [](const fs::path& path) {
        std::error_code error;
        return !fs::exists(path, error);
    });
    return paths;
}

void append_paths(std::vector<std::string>& words,
                  const char* option,
                  std::vector<fs::path> paths) {
    for (const fs::path& path : present(std::move(paths))) {
        words.insert(words.end(), {option, path.string()});
    }
}

std::vector<std::string>
inner_command(const Confined& confined, const fs::path& init, int status, int seccomp) {
    std::vector<std::string> words{init.string(),
                                   "inner",
                                   "--status",
                                   std::to_string(status),
                                   "--seccomp",
                                   std::to_string(seccomp)};
    append_limits(words, confined.limits);
    append_paths(words, "--read", {"/usr", "/etc/ld.so.cache", "/dev/urandom"});
    append_paths(words, "--device", {"/dev/null"});
    append_paths(words, "--read", confined.readable);
    append_paths(words, "--write", confined.writable);
    append_executables(words, present(confined.executables));
    words.emplace_back("--");
    words.insert(words.end(), confined.command.begin(), confined.command.end());
    return words;
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> out;
    for (const std::string& word : words) {
        out.push_back(const_cast<char*>(word.c_str()));
    }
    out.push_back(nullptr);
    return out;
}

Result<pid_t> spawn_group(const Confined& confined,
                          const std::vector<std::string>& command,
                          int status,
                          int filter) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, confined.input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, confined.output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, confined.error, STDERR_FILENO);
    // A dup2 onto the same number clears close-on-exec in the child only.
    posix_spawn_file_actions_adddup2(&actions, status, status);
    posix_spawn_file_actions_adddup2(&actions, filter, filter);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    pid_t child = -1;
    const int code = posix_spawn(&child,
                                 command.front().c_str(),
                                 &actions,
                                 &attributes,
                                 pointers(command).data(),
                                 pointers(confined.environment).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0) {
        return Error::from_errno("starting " + command.front(), code);
    }
    return child;
}

} // namespace

Result<pid_t> start_confined(const Confined& confined) {
    const Deadline deadline = std::chrono::steady_clock::now() + kStartTime;
    const std::string context = "starting " + confined.name + " behind its walls";
    LOCARA_TRY(const fs::path init, Tools::find_init().context(context));
    const auto& seccomp = filter();
    if (!seccomp) {
        return Error(seccomp.error()).add_context(context);
    }
    LOCARA_TRY(Pipe status, Pipe::create().context(context));
    const auto command = inner_command(confined, init, status.write.get(), seccomp->get());
    LOCARA_TRY(const pid_t child,
               spawn_group(confined, command, status.write.get(), seccomp->get()).context(context));
    status.write.reset();
    const Report report = read_report(status.read, deadline);
    if (report.ready && report.failed.empty() && !report.timed_out) {
        return child;
    }
    ::kill(-child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    if (report.timed_out) {
        return Error(ErrorCode::Timeout, "the walls were not up in time").add_context(context);
    }
    const std::string why =
        report.failed.empty() ? "landlock: locara-sandbox-init said nothing" : report.failed;
    return Error(ErrorCode::Unavailable, "wall " + why).add_context(context);
}

} // namespace locara::sandbox
