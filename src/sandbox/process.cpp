#include "bubblewrap.hpp"
#include "cgroup.hpp"
#include "kernel_file.hpp"
#include "report.hpp"
#include "seccomp.hpp"
#include "spawner.hpp"

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/base/pipe.hpp>
#include <locara/sandbox/process.hpp>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace locara::sandbox {

namespace {

// Of glibc 2.36, whose sys/pidfd.h forgets that there is C++.
int open_pid_handle(pid_t process) {
    return static_cast<int>(syscall(SYS_pidfd_open, process, 0));
}

void send_signal(const Fd& handle, int number) {
    if (handle.valid()) {
        syscall(SYS_pidfd_send_signal, handle.get(), number, nullptr, 0);
    }
}

// The last bytes of a stream. Once something was dropped, the cut first line goes too.
class Tail {
  public:
    explicit Tail(std::size_t limit) : limit_(limit) {}

    void append(std::string_view bytes) {
        text_.append(bytes);
        if (text_.size() > 2 * limit_) {
            text_.erase(0, text_.size() - limit_);
            cut_ = true;
        }
    }

    std::string text() const {
        std::string last = text_.size() > limit_ ? text_.substr(text_.size() - limit_) : text_;
        if (cut_ || last.size() < text_.size()) {
            const auto line = last.find('\n');
            last.erase(0, line == std::string::npos ? 0 : line + 1);
        }
        return last;
    }

  private:
    std::size_t limit_;
    std::string text_;
    bool cut_ = false;
};

} // namespace

std::string ExitStatus::describe() const {
    return signal != 0 ? "signal " + std::to_string(signal) : "exit code " + std::to_string(code);
}

struct Process::State {
    explicit State(std::size_t output_bytes) : output(output_bytes), error(output_bytes) {}

    // Constant once start() has returned.
    std::string name;
    pid_t outer = -1; ///< bubblewrap's own process, our child.
    Fd outer_handle;  ///< pidfd of it.
    pid_t inner = -1; ///< The program.
    Fd inner_handle;
    Walls walls;
    std::thread watcher;

    mutable std::mutex mutex;
    mutable std::condition_variable ended;
    Tail output;                    // GUARDED_BY(mutex)
    Tail error;                     // GUARDED_BY(mutex)
    std::optional<ExitStatus> exit; // GUARDED_BY(mutex)
    Cgroup group;                   ///< Touched by start() first, then by the watcher only.

    void watch(Fd output_pipe, Fd error_pipe);
    void kill_all() const;
};

namespace {

enum class Drained { Some, Nothing, End };

Drained drain_some(const Fd& pipe, std::mutex& mutex, Tail& tail) {
    std::array<char, 16384> buffer;
    const ssize_t count = ::read(pipe.get(), buffer.data(), buffer.size());
    if (count > 0) {
        const std::lock_guard lock(mutex);
        tail.append({buffer.data(), static_cast<std::size_t>(count)});
        return Drained::Some;
    }
    return count < 0 && (errno == EINTR || errno == EAGAIN) ? Drained::Nothing : Drained::End;
}

// bubblewrap reports a program that died of a signal as exit code 128 + signal.
ExitStatus read_exit(const siginfo_t& info) {
    ExitStatus status;
    if (info.si_code != CLD_EXITED) {
        status.signal = info.si_status;
    } else if (info.si_status > 128 && info.si_status < 128 + NSIG) {
        status.signal = info.si_status - 128;
    } else {
        status.code = info.si_status;
    }
    return status;
}

} // namespace

void Process::State::watch(Fd output_pipe, Fd error_pipe) {
    block_signals();
    fcntl(output_pipe.get(), F_SETFL, O_NONBLOCK);
    fcntl(error_pipe.get(), F_SETFL, O_NONBLOCK);
    bool output_open = true;
    bool error_open = true;
    bool running = true;
    while (running) {
        std::array<pollfd, 3> waits{pollfd{outer_handle.get(), POLLIN, 0},
                                    pollfd{output_open ? output_pipe.get() : -1, POLLIN, 0},
                                    pollfd{error_open ? error_pipe.get() : -1, POLLIN, 0}};
        if (poll(waits.data(), waits.size(), -1) < 0) {
            continue;
        }
        running = waits[0].revents == 0;
        if (waits[1].revents != 0) {
            output_open = drain_some(output_pipe, mutex, output) != Drained::End;
        }
        if (waits[2].revents != 0) {
            error_open = drain_some(error_pipe, mutex, error) != Drained::End;
        }
    }
    // Everything inside is dead by now or dies with its namespace; take what it still left.
    // A pipe holds 64 KiB, so this ends.
    while (drain_some(output_pipe, mutex, output) == Drained::Some) {
    }
    while (drain_some(error_pipe, mutex, error) == Drained::Some) {
    }
    siginfo_t info{};
    while (waitid(P_PIDFD, static_cast<id_t>(outer_handle.get()), &info, WEXITED) != 0 &&
           errno == EINTR) {
    }
    group = Cgroup();
    const std::lock_guard lock(mutex);
    exit = read_exit(info);
    ended.notify_all();
}

void Process::State::kill_all() const {
    // bubblewrap's helpers follow it (--die-with-parent), and with the first process of its
    // namespace everything inside goes.
    send_signal(outer_handle, SIGKILL);
    send_signal(inner_handle, SIGKILL);
}

namespace {

// The program's process: the child of the first process in the namespace, which bubblewrap names.
pid_t find_program(const Fd& info) {
    std::array<char, 1024> buffer;
    fcntl(info.get(), F_SETFL, O_NONBLOCK);
    std::string text;
    for (ssize_t count = 0; (count = ::read(info.get(), buffer.data(), buffer.size())) > 0;) {
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    const auto json = parse_json(text);
    if (!json || !json->is_object() || !json->contains("child-pid")) {
        return -1;
    }
    const auto first = std::to_string((*json)["child-pid"].get<std::int64_t>());
    const auto children = read_kernel_file("/proc/" + first + "/task/" + first + "/children");
    const int child = children ? std::atoi(children->c_str()) : 0;
    return child > 0 ? child : std::atoi(first.c_str());
}

void describe_walls(const Profile& profile, const Report& report, Walls& walls) {
    const std::vector<std::string> always{
        "own user, process, network, mount, IPC and host name namespaces (bubblewrap)",
        "network: none but a loopback of its own",
        "no capabilities, no new privileges, no further user namespaces",
        profile.syscalls == SyscallPolicy::Engine ? "seccomp: only listed system calls"
                                                  : "seccomp: listed system calls denied",
    };
    walls.in_force.insert(walls.in_force.begin(), always.begin(), always.end());
    walls.landlock_abi = report.landlock;
    if (report.landlock > 0) {
        walls.in_force.push_back("Landlock ABI " + std::to_string(report.landlock));
    } else {
        walls.not_in_force.emplace_back("Landlock: this kernel has none");
    }
    for (const auto& limit : report.limits) {
        if (limit.rfind("tasks ", 0) == 0 && geteuid() == 0) {
            walls.not_in_force.emplace_back("tasks by setrlimit: the kernel exempts root");
            continue;
        }
        walls.in_force.push_back("limit " + limit + " (setrlimit)");
    }
}

std::string last_line(const std::string& text) {
    auto end = text.find_last_not_of("\n ");
    if (end == std::string::npos) {
        return "it said nothing";
    }
    const auto begin = text.rfind('\n', end);
    return text.substr(begin == std::string::npos ? 0 : begin + 1, end - begin);
}

} // namespace

Process::Process(std::shared_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Process>> Process::start(const Profile& profile,
                                                const Tools& tools,
                                                std::chrono::milliseconds start_timeout) {
    const Deadline deadline = std::chrono::steady_clock::now() + start_timeout;
    const std::string context = "starting " + profile.name + " in its sandbox";

    LOCARA_TRY(Fd filter, build_seccomp_filter(profile.syscalls).context(context));
    LOCARA_TRY(Pipe output, Pipe::create().context(context));
    LOCARA_TRY(Pipe error, Pipe::create().context(context));
    LOCARA_TRY(Pipe status, Pipe::create().context(context));
    LOCARA_TRY(Pipe info, Pipe::create().context(context));
    LOCARA_TRY(Pipe go, Pipe::create().context(context));
    LOCARA_TRY(Fd null, open_file("/dev/null", O_RDONLY).context(context));
    const Channels channels{filter.get(), info.write.get(), status.write.get()};
    LOCARA_TRY(auto bubblewrap, bubblewrap_command(profile, tools, channels).context(context));

    auto state = std::make_shared<State>(profile.output_bytes);
    state->name = profile.name;
    Walls group_walls;
    state->group = Cgroup::create(profile.limits, group_walls);

    SpawnRequest request;
    request.command = {tools.init.string(), "outer", "--parent", std::to_string(getpid())};
    request.keep = {channels.seccomp, channels.info, channels.status};
    for (const int fd : request.keep) {
        request.command.insert(request.command.end(), {"--keep", std::to_string(fd)});
    }
    request.keep.push_back(go.read.get());
    request.command.insert(request.command.end(), {"--wait", std::to_string(go.read.get()), "--"});
    request.command.insert(request.command.end(), bubblewrap.begin(), bubblewrap.end());
    request.input = profile.channel >= 0 ? profile.channel : null.get();
    request.output = output.write.get();
    request.error = error.write.get();
    LOCARA_TRY(state->outer, spawn(request).context(context));
    state->outer_handle.reset(open_pid_handle(state->outer));
    output.write.reset();
    error.write.reset();
    status.write.reset();
    info.write.reset();
    go.read.reset();
    if (!state->outer_handle.valid()) {
        const int code = errno;
        ::kill(state->outer, SIGKILL);
        waitpid(state->outer, nullptr, 0);
        return Error::from_errno("pidfd_open (Linux 5.4 or newer is needed)", code)
            .add_context(context);
    }
    state->watcher =
        std::thread([state](Fd out, Fd err) { state->watch(std::move(out), std::move(err)); },
                    std::move(output.read),
                    std::move(error.read));
    // From here on the destructor ends everything.
    std::unique_ptr<Process> process(new Process(state));

    if (const auto added = state->group.add(state->outer); !added) {
        // We may make a group here but not move processes into it.
        group_walls = {};
        group_walls.not_in_force.push_back("control group: " + added.error().message());
    }
    state->walls = std::move(group_walls);
    LOCARA_CHECK(write_all(go.write, as_bytes("g")).context(context));

    const Report report = read_report(status.read, deadline);
    if (!report.failed.empty()) {
        return Error(ErrorCode::Unavailable, "wall " + report.failed).add_context(context);
    }
    if (report.timed_out) {
        return Error(ErrorCode::Timeout,
                     "the walls were not up after " + std::to_string(start_timeout.count() / 1000) +
                         " s")
            .add_context(context);
    }
    if (!report.ready) {
        process->wait(std::chrono::seconds(2));
        const std::string words = last_line(process->error_tail());
        return Error(ErrorCode::Unavailable,
                     "wall bubblewrap: " + words + "; " + bubblewrap_advice(words))
            .add_context(context);
    }
    state->inner = find_program(info.read);
    if (state->inner > 0) {
        state->inner_handle.reset(open_pid_handle(state->inner));
    }
    describe_walls(profile, report, state->walls);
    return process;
}

Process::~Process() {
    state_->kill_all();
    state_->watcher.join();
}

pid_t Process::host_pid() const {
    return state_->inner;
}

const Walls& Process::walls() const {
    return state_->walls;
}

std::optional<ExitStatus> Process::exit_status() const {
    const std::lock_guard lock(state_->mutex);
    return state_->exit;
}

std::optional<ExitStatus> Process::wait(std::chrono::milliseconds timeout) const {
    std::unique_lock lock(state_->mutex);
    state_->ended.wait_for(lock, timeout, [this] { return state_->exit.has_value(); });
    return state_->exit;
}

void Process::signal(int number) const {
    send_signal(state_->inner_handle, number);
}

void Process::stop(std::chrono::milliseconds grace) {
    signal(SIGTERM);
    if (!wait(grace)) {
        state_->kill_all();
        std::unique_lock lock(state_->mutex);
        state_->ended.wait(lock, [this] { return state_->exit.has_value(); });
    }
}

std::string Process::output_tail() const {
    const std::lock_guard lock(state_->mutex);
    return state_->output.text();
}

std::string Process::error_tail() const {
    const std::lock_guard lock(state_->mutex);
    return state_->error.text();
}

} // namespace locara::sandbox
