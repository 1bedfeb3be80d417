#include "own_program.hpp"

#include <string_view>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

extern char** environ; // NOLINT(readability-redundant-declaration): POSIX wants it declared here

namespace locara::cli {

namespace fs = std::filesystem;

namespace {

/// What runs in the background needs none of our secrets, and serves apps of every hub.
std::vector<char*> environment_for_background() {
    std::vector<char*> out;
    for (char** one = environ; *one != nullptr; ++one) {
        const std::string_view text(*one);
        if (!text.starts_with("HF_TOKEN=") && !text.starts_with("LOCARA_TOKEN=") &&
            !text.starts_with("LOCARA_HUB=")) {
            out.push_back(*one);
        }
    }
    out.push_back(nullptr);
    return out;
}

/// Owns posix_spawn's two descriptions.
struct SpawnSetup {
    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};

    SpawnSetup() {
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
    }

    ~SpawnSetup() {
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
    }

    SpawnSetup(const SpawnSetup&) = delete;
    SpawnSetup& operator=(const SpawnSetup&) = delete;
};

} // namespace

Result<pid_t> start_own_program(std::vector<std::string> arguments, const fs::path& log) {
    std::error_code failed;
    const auto program = fs::read_symlink("/proc/self/exe", failed);
    if (failed) {
        return Error(ErrorCode::Io, "reading /proc/self/exe: " + failed.message());
    }
    SpawnSetup setup;
    posix_spawn_file_actions_addopen(&setup.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&setup.actions,
                                     STDOUT_FILENO,
                                     log.empty() ? "/dev/null" : log.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND,
                                     0600);
    if (!log.empty()) {
        posix_spawn_file_actions_adddup2(&setup.actions, STDOUT_FILENO, STDERR_FILENO);
    }
    // Nothing of the caller's stays open in there: somebody may wait for a pipe to end.
    posix_spawn_file_actions_addclosefrom_np(&setup.actions, STDERR_FILENO + 1);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&setup.attributes, &none);
    // A session of its own: it outlives this terminal, and Ctrl-C here does not reach it.
    posix_spawnattr_setflags(&setup.attributes,
                             POSIX_SPAWN_SETSIGMASK | static_cast<short>(POSIX_SPAWN_SETSID));
    arguments.insert(arguments.begin(), program.string());
    std::vector<char*> words;
    words.reserve(arguments.size() + 1);
    for (auto& argument : arguments) {
        words.push_back(argument.data());
    }
    words.push_back(nullptr);
    const auto environment = environment_for_background();
    pid_t pid = -1;
    const int error = posix_spawn(
        &pid, program.c_str(), &setup.actions, &setup.attributes, words.data(), environment.data());
    if (error != 0) {
        return Error::from_errno("starting " + program.string(), error);
    }
    return pid;
}

} // namespace locara::cli
