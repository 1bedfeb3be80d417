#include "broker_client.hpp"

#include <locara/base/file.hpp>
#include <locara/http/local_client.hpp>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ; // NOLINT(readability-redundant-declaration): POSIX wants it declared here

namespace locara::cli {

namespace fs = std::filesystem;

namespace {

constexpr auto kStartTimeout = std::chrono::seconds(20);
constexpr auto kEndTimeout = std::chrono::seconds(10);

/// The broker needs none of our secrets.
std::vector<char*> broker_environment() {
    std::vector<char*> out;
    for (char** one = environ; *one != nullptr; ++one) {
        const std::string_view text(*one);
        if (!text.starts_with("HF_TOKEN=") && !text.starts_with("LOCARA_TOKEN=")) {
            out.push_back(*one);
        }
    }
    out.push_back(nullptr);
    return out;
}

/// The last "locara: ..." line that the broker wrote since `from`.
std::string last_words(const fs::path& log, std::uint64_t from) {
    const auto text = read_file(log, 64U << 20U);
    if (!text || text->size() <= from) {
        return "";
    }
    const auto at = text->rfind("locara: ");
    if (at == std::string::npos || at < from) {
        return "";
    }
    const auto begin = at + std::strlen("locara: ");
    return text->substr(begin, text->find('\n', begin) - begin);
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

Result<pid_t> spawn_detached(const fs::path& program, const fs::path& log) {
    SpawnSetup setup;
    posix_spawn_file_actions_addopen(&setup.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(
        &setup.actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&setup.actions, STDOUT_FILENO, STDERR_FILENO);
    // Nothing of the caller's stays open in there: somebody may wait for a pipe to end.
    posix_spawn_file_actions_addclosefrom_np(&setup.actions, STDERR_FILENO + 1);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&setup.attributes, &none);
    // A session of its own: it outlives this terminal, and Ctrl-C here does not reach it.
    posix_spawnattr_setflags(&setup.attributes,
                             POSIX_SPAWN_SETSIGMASK | static_cast<short>(POSIX_SPAWN_SETSID));
    std::string name = program.string();
    std::string verb = "serve";
    std::array<char*, 3> arguments = {name.data(), verb.data(), nullptr};
    const auto environment = broker_environment();
    pid_t pid = -1;
    const int failed = posix_spawn(&pid,
                                   program.c_str(),
                                   &setup.actions,
                                   &setup.attributes,
                                   arguments.data(),
                                   environment.data());
    if (failed != 0) {
        return Error::from_errno("starting " + program.string(), failed);
    }
    return pid;
}

} // namespace

ErrorCode parse_error_code(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
        if (render(static_cast<ErrorCode>(i)) == name) {
            return static_cast<ErrorCode>(i);
        }
    }
    return ErrorCode::Internal;
}

Result<Json> BrokerClient::send(const std::string& method,
                                const std::string& path,
                                const std::string& body) const {
    http::LocalRequest request;
    request.method = method;
    request.target = path;
    request.body = body;
    if (!body.empty() || method == "POST") {
        request.headers.add("Content-Type", "application/json");
    }
    request.headers.add("Accept", "application/json");
    http::LocalOptions options;
    options.head_timeout = std::chrono::minutes(10); // a large model loads and thinks for long
    LOCARA_TRY(const auto response,
               http::local_request_blocking(home_.broker_socket(), std::move(request), options));
    auto json = parse_json(response.body.empty() ? "{}" : response.body);
    if (response.status >= 400) {
        const bool problem = json && json->is_object();
        const auto text = [&](const char* key) {
            return problem && json->value(key, Json()).is_string()
                       ? json->at(key).get<std::string>()
                       : std::string();
        };
        auto detail = text("detail");
        if (detail.empty()) {
            detail = "the broker answered " + std::to_string(response.status);
        }
        return Error(parse_error_code(text("code")), std::move(detail));
    }
    if (!json) {
        return Error(ErrorCode::Internal,
                     "the broker's answer is no JSON: " + json.error().message());
    }
    return std::move(*json);
}

bool BrokerClient::is_running() const {
    return static_cast<bool>(send("GET", "/locara/v1/status", ""));
}

Status BrokerClient::wait_until(Until until) const {
    // A broker that ends lets its audit log go last, after its engines.
    const auto deadline = std::chrono::steady_clock::now() + kEndTimeout;
    while (until == Until::Gone || !is_running()) {
        const auto lock = FileLock::try_acquire(home_.audit_log().string() + ".lock");
        if (lock || lock.error().code() != ErrorCode::Busy) {
            return {};
        }
        if (std::chrono::steady_clock::now() > deadline) {
            return Error(ErrorCode::Busy,
                         "an earlier broker does not end; look for `locara serve` in the list of "
                         "processes");
        }
        if (interrupt_token().stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return {};
}

Status BrokerClient::ensure_running(Context& context) const {
    if (is_running()) {
        return {};
    }
    LOCARA_CHECK(home_.create_folders());
    // Two commands at once start one broker.
    LOCARA_TRY(const auto turn, FileLock::acquire(home_.run / "start.lock", [] {
                   return interrupt_token().stop_requested();
               }));
    LOCARA_CHECK(wait_until(Until::GoneOrAnswering));
    return is_running() ? Status() : start(context);
}

Status BrokerClient::start(Context& context) const {
    std::error_code failed;
    const auto program = fs::read_symlink("/proc/self/exe", failed);
    if (failed) {
        return Error(ErrorCode::Io, "reading /proc/self/exe: " + failed.message());
    }
    std::error_code absent;
    const auto size = fs::file_size(home_.broker_log(), absent);
    const std::uint64_t from = absent ? 0 : size;
    LOCARA_TRY(const auto pid, spawn_detached(program, home_.broker_log()));
    context.log().info("cli", "broker started", {{"pid", std::to_string(pid)}});
    const auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
    while (std::chrono::steady_clock::now() < deadline) {
        if (is_running()) {
            return {};
        }
        int status = 0;
        if (::waitpid(pid, &status, WNOHANG) == pid) {
            auto words = last_words(home_.broker_log(), from);
            const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
            return Error(code == kBusy      ? ErrorCode::Busy
                         : code == kUsage   ? ErrorCode::InvalidArgument
                         : code == kRefused ? ErrorCode::Refused
                                            : ErrorCode::Unavailable,
                         words.empty()
                             ? "the broker did not start; its log is " + home_.broker_log().string()
                             : words);
        }
        if (interrupt_token().stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return Error(ErrorCode::Timeout,
                 "the broker did not answer within 20 s; its log is " +
                     home_.broker_log().string());
}

} // namespace locara::cli
