#include "spawner.hpp"

#include <condition_variable>
#include <csignal>
#include <functional>
#include <future>
#include <mutex>
#include <queue>
#include <thread>

#include <spawn.h>
#include <unistd.h>

namespace locara::sandbox {

namespace {

class Spawner {
  public:
    Spawner() {
        std::thread([this] { run(); }).detach();
    }

    void post(std::function<void()> job) {
        {
            const std::lock_guard lock(mutex_);
            jobs_.push(std::move(job));
        }
        wake_.notify_one();
    }

  private:
    [[noreturn]] void run() {
        block_signals();
        while (true) {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return !jobs_.empty(); });
            auto job = std::move(jobs_.front());
            jobs_.pop();
            lock.unlock();
            job();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::queue<std::function<void()>> jobs_; // GUARDED_BY(mutex_)
};

// Never destroyed: its thread ends with the process.
Spawner& spawner() {
    static auto* const instance = new Spawner;
    return *instance;
}

Result<pid_t> spawn_here(const SpawnRequest& request) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    // A dup2 onto the same number clears close-on-exec in the child only.
    posix_spawn_file_actions_adddup2(&actions, request.input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, request.output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, request.error, STDERR_FILENO);
    for (const int fd : request.keep) {
        posix_spawn_file_actions_adddup2(&actions, fd, fd);
    }
    std::vector<char*> arguments;
    for (const auto& word : request.command) {
        arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    char* environment[] = {nullptr};
    pid_t child = -1;
    const int code = posix_spawn(
        &child, request.command.front().c_str(), &actions, nullptr, arguments.data(), environment);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0) {
        return Error::from_errno("starting " + request.command.front(), code);
    }
    return child;
}

} // namespace

void block_signals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

Result<pid_t> spawn(const SpawnRequest& request) {
    std::promise<Result<pid_t>> promise;
    auto answer = promise.get_future();
    spawner().post([&] { promise.set_value(spawn_here(request)); });
    return answer.get();
}

} // namespace locara::sandbox
