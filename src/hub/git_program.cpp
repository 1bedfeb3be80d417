#include "git_program.hpp"

#include <locara/base/pipe.hpp>
#include <locara/sandbox/confined.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <atomic>
#include <csignal>
#include <optional>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace locara::hub {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Descriptor = asio::posix::stream_descriptor;

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

constexpr const char* kGit = "/usr/bin/git";
/// What git becomes for its parts; it starts no shell and nothing else.
constexpr const char* kGitCore = "/usr/lib/git-core/git";
/// Of what it writes to standard error, from the end.
constexpr std::size_t kMessageLimit = 4096;
/// Of address space: what a pack makes git allocate is said by the pack.
constexpr std::uint64_t kMemoryLimit = 3ULL << 30U;
/// Of one file in a quarantine: four times what a pack may have (git_push.hpp), since git adds to
/// it what its deltas are against.
constexpr std::uint64_t kQuarantineFile = 4ULL << 30U;

/// git-config(1). Nothing that a machine or a user has configured counts; memory is bounded;
/// objects are synced like everything else that is answered for.
constexpr const char* kConfiguration[] = {
    "safe.directory=*",
    "core.hooksPath=/dev/null",
    "core.fsync=all",
    "core.fsyncMethod=fsync",
    "core.bigFileThreshold=16m",
    "core.deltaBaseCacheLimit=32m",
    "core.packedGitLimit=128m",
    "core.packedGitWindowSize=16m",
    "gc.auto=0",
    "pack.deltaCacheSize=32m",
    "pack.threads=1",
    "pack.windowMemory=64m",
    // What the hub keeps for itself is not told, though nobody is kept from asking for it by id.
    "transfer.hideRefs=refs/locara",
    "uploadpack.allowAnySHA1InWant=true",
    "uploadpack.allowFilter=true",
    // The others cost more than they save.
    "uploadpackfilter.allow=false",
    "uploadpackfilter.blob:limit.allow=true",
    "uploadpackfilter.blob:none.allow=true",
    "uploadpackfilter.combine.allow=true",
    "uploadpackfilter.tree.allow=true",
};

std::vector<std::string> command_line(const GitProgram::Call& call) {
    std::vector<std::string> words = {kGit};
    for (const char* const setting : kConfiguration) {
        words.insert(words.end(), {"-c", setting});
    }
    words.insert(words.end(), call.arguments.begin(), call.arguments.end());
    return words;
}

std::vector<std::string> environment(const GitProgram::Call& call) {
    std::vector<std::string> words = {
        "GIT_ATTR_NOSYSTEM=1",
        "GIT_CONFIG_GLOBAL=/dev/null",
        "GIT_CONFIG_SYSTEM=/dev/null",
        "GIT_DIR=" + call.repository.string(),
        "GIT_TERMINAL_PROMPT=0",
        "HOME=/nonexistent",
        "LC_ALL=C",
        "PATH=/usr/bin:/bin",
    };
    if (!call.protocol.empty()) {
        words.push_back("GIT_PROTOCOL=" + call.protocol);
    }
    if (!call.quarantine.empty()) {
        words.push_back("GIT_OBJECT_DIRECTORY=" + call.quarantine.string());
        words.push_back("GIT_ALTERNATE_OBJECT_DIRECTORIES=" +
                        (call.repository / "objects").string());
        words.push_back("GIT_QUARANTINE_PATH=" + call.quarantine.string());
    }
    return words;
}

/// For its input: writing to a pipe that nobody reads any more raises a signal, to a socket not.
Result<Pipe> make_socket_pair() {
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return Error::from_errno("making a pair of sockets", errno);
    }
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

/// How large a file it may write.
std::uint64_t file_limit(const GitProgram::Call& call) {
    constexpr std::uint64_t kNone = 1; // 0 would be no limit
    return call.access == GitProgram::Access::Write ? 0
           : !call.quarantine.empty()               ? kQuarantineFile
                                                    : kNone;
}

Result<pid_t> spawn(const GitProgram::Call& call, int input, int output, int error) {
    if (::access(kGit, X_OK) != 0) {
        return Error(ErrorCode::Unavailable,
                     std::string("this hub has no ") + kGit + "; install the package git");
    }
    sandbox::Confined confined;
    confined.name = "git";
    confined.command = command_line(call);
    confined.environment = environment(call);
    confined.executables = {kGit, kGitCore};
    if (call.access == GitProgram::Access::Write) {
        confined.writable = {call.repository};
    } else {
        confined.readable = {call.repository};
    }
    if (!call.quarantine.empty()) {
        confined.writable.push_back(call.quarantine);
    }
    confined.limits.address_space_bytes = kMemoryLimit;
    confined.limits.file_bytes = file_limit(call);
    confined.limits.tasks = 0; // It would count all that the hub's user has running.
    confined.input = input;
    confined.output = output;
    confined.error = error;
    return sandbox::start_confined(confined);
}

} // namespace

namespace {

std::atomic<std::uint64_t> started_programs{0};
std::atomic<std::uint64_t> ended_programs{0};

} // namespace

struct GitProgram::State : std::enable_shared_from_this<State> {
    explicit State(const asio::any_io_executor& executor)
        : input(executor), output(executor), error(executor), process(executor), time(executor),
          ended(executor, std::chrono::steady_clock::time_point::max()) {}

    /// Watches standard error, the time and the end of the process.
    void watch(std::chrono::milliseconds limit) {
        read_error();
        time.expires_after(limit);
        time.async_wait([self = shared_from_this()](error_code failed) {
            if (!failed) {
                self->timed_out = true;
                self->kill();
            }
        });
        process.async_wait(Descriptor::wait_read,
                           [self = shared_from_this()](error_code failed) { self->reap(failed); });
    }

    void read_error() {
        error.async_read_some(asio::buffer(block),
                              [self = shared_from_this()](error_code failed, std::size_t count) {
                                  if (failed) {
                                      return;
                                  }
                                  self->message.append(self->block.data(), count);
                                  if (self->message.size() > kMessageLimit) {
                                      self->message.erase(0, self->message.size() - kMessageLimit);
                                  }
                                  self->read_error();
                              });
    }

    void reap(error_code failed) {
        if (failed) {
            return;
        }
        int status = 0;
        ::waitpid(pid, &status, 0); // It has ended, so this does not wait.
        code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        ++ended_programs;
        time.cancel();
        ended.cancel();
    }

    void kill() const {
        if (!code) {
            ::kill(-pid, SIGKILL); // The whole group: not reaped, so the number is still its own.
        }
    }

    /// The owner has gone. Only the wait for its end goes on, so that no zombie is left.
    void abandon() {
        kill();
        error_code ignored;
        input.close(ignored);
        output.close(ignored);
        error.close(ignored);
        time.cancel();
    }

    Error failure(std::string_view what, error_code reason) const {
        if (timed_out) {
            return Error(ErrorCode::Timeout, "git took too long");
        }
        return Error(ErrorCode::Io, std::string(what) + ": " + reason.message());
    }

    asio::local::stream_protocol::socket input;
    Descriptor output;
    Descriptor error;
    Descriptor process; ///< Readable when the process has ended.
    asio::steady_timer time;
    asio::steady_timer ended; ///< Cancelled when the process has ended.
    pid_t pid = -1;
    std::optional<int> code;
    bool timed_out = false;
    std::array<char, 1024> block{};
    std::string message;
};

GitProgram::GitProgram(std::shared_ptr<State> state) : state_(std::move(state)) {}

GitProgram::Counts GitProgram::counts() {
    const std::uint64_t ended = ended_programs; // First: none ends that was not started.
    const std::uint64_t started = started_programs;
    return {started, started - ended};
}

GitProgram::~GitProgram() {
    state_->abandon();
}

Result<std::unique_ptr<GitProgram>> GitProgram::start(asio::any_io_executor executor, Call call) {
    LOCARA_TRY(Pipe input, make_socket_pair());
    LOCARA_TRY(Pipe output, Pipe::create());
    LOCARA_TRY(Pipe error, Pipe::create());
    const bool piped = !call.input.valid();
    LOCARA_TRY(const pid_t pid,
               spawn(call,
                     piped ? input.read.get() : call.input.get(),
                     output.write.get(),
                     error.write.get()));
    auto state = std::make_shared<State>(executor);
    state->pid = pid;
    Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process.valid()) {
        const int reason = errno;
        state->kill();
        ::waitpid(pid, nullptr, 0);
        return Error::from_errno("watching git", reason);
    }
    ++started_programs;
    state->process.assign(process.release());
    state->output.assign(output.read.release());
    state->error.assign(error.read.release());
    if (piped) {
        state->input.assign(asio::local::stream_protocol(), input.write.release());
    }
    asio::post(executor, [state, time = call.time] { state->watch(time); });
    return std::unique_ptr<GitProgram>(new GitProgram(std::move(state)));
}

asio::awaitable<Result<std::size_t>> GitProgram::read(std::span<std::byte> buffer) {
    const auto [error, count] = co_await state_->output.async_read_some(
        asio::buffer(buffer.data(), buffer.size()), kNoThrow);
    if (error == asio::error::eof) {
        if (state_->timed_out) {
            co_return state_->failure("", error);
        }
        co_return std::size_t{0};
    }
    if (error) {
        co_return state_->failure("reading from git", error);
    }
    co_return count;
}

asio::awaitable<Status> GitProgram::write(ByteView bytes) {
    const auto [error, count] = co_await asio::async_write(
        state_->input, asio::buffer(bytes.data(), bytes.size()), kNoThrow);
    static_cast<void>(count);
    if (error == asio::error::broken_pipe || error == asio::error::connection_reset) {
        co_return Error(ErrorCode::Conflict, "git has stopped reading");
    }
    if (error) {
        co_return state_->failure("writing to git", error);
    }
    co_return Status();
}

void GitProgram::close_input() {
    error_code ignored;
    state_->input.close(ignored);
}

asio::awaitable<Result<GitProgram::End>> GitProgram::wait() {
    while (!state_->code) {
        static_cast<void>(co_await state_->ended.async_wait(kNoThrow));
    }
    if (state_->timed_out) {
        Error error(ErrorCode::Timeout, "git took too long");
        co_return error;
    }
    co_return End{*state_->code, state_->message};
}

} // namespace locara::hub
