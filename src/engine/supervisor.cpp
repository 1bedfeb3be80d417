#include "llama_server.hpp"

#include <locara/base/file.hpp>
#include <locara/engine/engine.hpp>
#include <locara/http/local_client.hpp>
#include <locara/sandbox/process.hpp>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace locara::engine {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kStopGrace{2'000};
constexpr std::chrono::milliseconds kHealthStep{20};

Error cancelled() {
    return Error(ErrorCode::Cancelled, "stopped while the engine was starting");
}

} // namespace

// One engine, running or not. Kept for the supervisor's life, so that it remembers crashes.
struct Instance {
    enum class Phase { Stopped, Starting, Running };

    mutable std::mutex mutex;
    std::condition_variable_any changed;
    // GUARDED_BY(mutex), but for the thread that took it to Starting:
    EngineSpec spec; ///< Of the latest caller.
    Phase phase = Phase::Stopped;
    /// Shared with the leases, which may outlive a restart.
    std::shared_ptr<sandbox::Process> process;
    std::optional<TempFolder> folder;
    std::stop_source end_start;      ///< Ends the start that goes on.
    std::optional<Error> last_error; ///< Of the last start, if it failed.
    std::uint64_t attempts = 0;      ///< Starts that ended, well or not.
    std::uint32_t starts = 0;
    std::uint32_t leases = 0;
    std::uint32_t failures = 0; ///< In a row.
    SteadyClock::time_point started_at;
    SteadyClock::time_point not_before;
    SteadyClock::time_point last_used;
};

/// An engine that was taken from its instance: it is stopped where this goes, which takes a while
/// that nobody should wait for who wants the instance's mutex.
class Ended {
  public:
    Ended() = default;

    /// REQUIRES: the instance's mutex.
    explicit Ended(Instance& instance)
        : folder_(std::move(instance.folder)), process_(std::move(instance.process)) {
        instance.folder.reset();
        instance.phase = Instance::Phase::Stopped;
    }

    ~Ended() {
        if (process_) {
            process_->stop(kStopGrace);
        }
    }

    Ended(const Ended&) = delete;
    Ended(Ended&&) = default;
    Ended& operator=(const Ended&) = delete;
    Ended& operator=(Ended&&) = default;

  private:
    std::optional<TempFolder> folder_; ///< Goes after the process.
    std::shared_ptr<sandbox::Process> process_;
};

struct Lease::State {
    std::shared_ptr<Instance> instance; ///< Shared with the supervisor and other leases.
    std::shared_ptr<sandbox::Process> process;
    std::filesystem::path socket;
};

Lease::Lease(std::unique_ptr<State> state) : state_(std::move(state)) {}

Lease::Lease(Lease&&) noexcept = default;

Lease& Lease::operator=(Lease&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
}

Lease::~Lease() {
    if (state_) {
        const std::lock_guard lock(state_->instance->mutex);
        --state_->instance->leases;
        state_->instance->last_used = SteadyClock::now();
    }
}

const std::filesystem::path& Lease::socket() const {
    return state_->socket;
}

pid_t Lease::pid() const {
    return state_->process->host_pid();
}

Error Lease::explain(Error error) const {
    if (error.code() == ErrorCode::Cancelled || error.code() == ErrorCode::TooLarge) {
        return error;
    }
    const auto exit = state_->process->wait(std::chrono::milliseconds(500));
    if (!exit) {
        return error;
    }
    return Error(ErrorCode::Unavailable,
                 "the engine stopped while answering (" + exit->describe() +
                     "); it will be restarted");
}

struct Supervisor::State {
    SupervisorOptions options;
    Log* log = nullptr;

    mutable std::mutex mutex;
    std::map<std::string, std::shared_ptr<Instance>> instances; // GUARDED_BY(mutex)
    std::jthread keeper;                                        ///< Last: stops first.

    std::shared_ptr<Instance> find_or_add(const EngineSpec& spec);
    std::vector<std::shared_ptr<Instance>> all() const;
    Result<Lease> acquire(const std::shared_ptr<Instance>& instance,
                          const EngineSpec& spec,
                          const std::stop_token& stop);
    void start(Instance& instance, std::stop_source ends, const std::stop_token& stop) const;
    Status bring_up(Instance& instance, const std::stop_token& stop) const;
    Status wait_healthy(const Instance& instance,
                        const sandbox::Process& process,
                        const std::filesystem::path& socket,
                        const std::stop_token& stop) const;
    void note_end(Instance& instance) const;
    void back_off(Instance& instance) const;
    void keep(const std::stop_token& stop);
};

std::shared_ptr<Instance> Supervisor::State::find_or_add(const EngineSpec& spec) {
    const std::string key =
        spec.model.render() + (spec.purpose == Purpose::Text ? " text " : " embeddings ") +
        std::to_string(spec.context_tokens) + " " + std::to_string(spec.parallel);
    const std::lock_guard lock(mutex);
    auto& instance = instances[key];
    if (!instance) {
        instance = std::make_shared<Instance>();
        instance->spec = spec;
    }
    return instance;
}

std::vector<std::shared_ptr<Instance>> Supervisor::State::all() const {
    const std::lock_guard lock(mutex);
    std::vector<std::shared_ptr<Instance>> list;
    for (const auto& [key, instance] : instances) {
        list.push_back(instance);
    }
    return list;
}

// With the instance's lock held: the engine ended by itself.
void Supervisor::State::note_end(Instance& instance) const {
    const auto exit = instance.process->exit_status();
    log->warning("engine",
                 "stopped",
                 {{"model", instance.spec.model_id},
                  {"how", exit ? exit->describe() : "unknown"},
                  {"words", instance.process->error_tail().substr(0, 400)}});
    if (SteadyClock::now() - instance.started_at > options.calm) {
        instance.failures = 0;
    }
    instance.process.reset();
    instance.folder.reset();
    instance.phase = Instance::Phase::Stopped;
    instance.last_error.reset();
    back_off(instance);
}

// With the instance's lock held.
void Supervisor::State::back_off(Instance& instance) const {
    const auto shift = std::min(instance.failures, 16U);
    const auto wait = std::min(options.max_backoff, options.first_backoff * (1U << shift));
    ++instance.failures;
    instance.not_before = SteadyClock::now() + wait;
}

Result<Lease> Supervisor::State::acquire(const std::shared_ptr<Instance>& instance,
                                         const EngineSpec& spec,
                                         const std::stop_token& stop) {
    std::unique_lock lock(instance->mutex);
    const std::uint64_t attempts_before = instance->attempts;
    while (!stop.stop_requested()) {
        switch (instance->phase) {
        case Instance::Phase::Running: {
            if (instance->process->exit_status()) {
                note_end(*instance);
                continue;
            }
            ++instance->leases;
            auto state = std::make_unique<Lease::State>();
            state->instance = instance;
            state->process = instance->process;
            state->socket = instance->folder->path() / kSocketName;
            return Lease(std::move(state));
        }
        case Instance::Phase::Starting:
            instance->changed.wait(
                lock, stop, [&] { return instance->phase != Instance::Phase::Starting; });
            continue;
        case Instance::Phase::Stopped:
            // We waited for this start, or made it. That another caller went away is not our end.
            if (instance->attempts != attempts_before && instance->last_error &&
                instance->last_error->code() != ErrorCode::Cancelled) {
                return *instance->last_error;
            }
            if (SteadyClock::now() < instance->not_before) {
                const auto until = instance->not_before;
                instance->changed.wait_until(lock, stop, until, [&] {
                    return instance->phase != Instance::Phase::Stopped ||
                           instance->not_before != until;
                });
                continue;
            }
            instance->phase = Instance::Phase::Starting;
            instance->spec = spec;
            instance->end_start = std::stop_source();
            {
                const std::stop_source ends = instance->end_start;
                lock.unlock();
                start(*instance, ends, stop);
                lock.lock();
            }
            continue;
        }
    }
    return cancelled();
}

// Called in phase Starting, which belongs to one thread; leaves Running or Stopped. `ends` is the
// instance's `end_start`; `stop` ends it, too.
void Supervisor::State::start(Instance& instance,
                              std::stop_source ends,
                              const std::stop_token& stop) const {
    const auto began = SteadyClock::now();
    const std::stop_callback with_caller(stop, [&ends] { ends.request_stop(); });
    Status done = bring_up(instance, ends.get_token());
    const std::lock_guard lock(instance.mutex);
    const bool was_ended = ends.stop_requested();
    if (was_ended) { // also if it has just come up
        done = stop.stop_requested() ? cancelled()
                                     : Error(ErrorCode::Unavailable,
                                             "the engine of " + instance.spec.model_id +
                                                 " was stopped while it was starting");
    }
    ++instance.attempts;
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - began);
    if (done) {
        instance.phase = Instance::Phase::Running;
        instance.started_at = instance.last_used = SteadyClock::now();
        instance.last_error.reset();
        ++instance.starts;
        log->info("engine",
                  "started",
                  {{"model", instance.spec.model_id}, {"ms", std::to_string(took.count())}});
    } else {
        instance.process.reset();
        instance.folder.reset();
        instance.phase = Instance::Phase::Stopped;
        instance.last_error = done.error();
        if (!was_ended) {
            back_off(instance);
            log->warning("engine",
                         "start failed",
                         {{"model", instance.spec.model_id}, {"error", done.error().describe()}});
        }
    }
    instance.changed.notify_all();
}

Status Supervisor::State::bring_up(Instance& instance, const std::stop_token& stop) const {
    LOCARA_TRY(auto folder, TempFolder::create(options.runtime_folder, "engine-"));
    LOCARA_TRY(auto profile, make_profile(instance.spec, options.llama_server, folder.path()));
    LOCARA_TRY(auto started, sandbox::Process::start(profile, options.tools));
    const std::shared_ptr<sandbox::Process> process = std::move(started);
    LOCARA_CHECK(wait_healthy(instance, *process, folder.path() / kSocketName, stop));
    const std::lock_guard lock(instance.mutex);
    instance.process = process;
    instance.folder.emplace(std::move(folder));
    return {};
}

Status Supervisor::State::wait_healthy(const Instance& instance,
                                       const sandbox::Process& process,
                                       const std::filesystem::path& socket,
                                       const std::stop_token& stop) const {
    const auto deadline = SteadyClock::now() + options.start_timeout;
    http::LocalRequest health;
    health.target = "/health";
    http::LocalOptions quick;
    quick.head_timeout = quick.read_timeout = std::chrono::milliseconds(2'000);
    while (!stop.stop_requested()) {
        if (const auto exit = process.wait(kHealthStep)) {
            return explain_failed_start(instance.spec, *exit, process.error_tail());
        }
        std::error_code error;
        if (std::filesystem::exists(socket, error)) {
            const auto answer = http::local_request_blocking(socket, health, quick);
            if (answer && answer->status == 200) {
                return {};
            }
        }
        if (SteadyClock::now() > deadline) {
            return Error(ErrorCode::Timeout,
                         "the engine of " + instance.spec.model_id + " was not ready after " +
                             std::to_string(options.start_timeout.count() / 1000) + " s");
        }
    }
    return cancelled();
}

// Looks after engines that nobody asks for: stops the idle ones, notices crashes.
void Supervisor::State::keep(const std::stop_token& stop) {
    const auto step = std::clamp(
        options.idle_timeout / 4, std::chrono::milliseconds(10), std::chrono::milliseconds(1'000));
    std::mutex own;
    std::condition_variable_any tick;
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(own);
            tick.wait_for(lock, stop, step, [] { return false; });
        }
        for (const auto& instance : all()) {
            Ended idle;
            const std::lock_guard lock(instance->mutex);
            if (instance->phase != Instance::Phase::Running) {
                continue;
            }
            if (instance->process->exit_status()) {
                note_end(*instance);
            } else if (instance->leases == 0 &&
                       SteadyClock::now() - instance->last_used > options.idle_timeout) {
                log->info("engine", "idle", {{"model", instance->spec.model_id}});
                idle = Ended(*instance);
                instance->last_error.reset();
                instance->failures = 0;
            }
        }
    }
}

Supervisor::Supervisor(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Supervisor>> Supervisor::create(SupervisorOptions options) {
    LOCARA_CHECK(create_folders(options.runtime_folder, 0700));
    std::error_code error;
    std::filesystem::permissions(options.runtime_folder, std::filesystem::perms::owner_all, error);
    if (error) {
        return Error::from_errno("making " + options.runtime_folder.string() + " private",
                                 error.value());
    }
    auto state = std::make_unique<State>();
    state->log = options.log != nullptr ? options.log : &null_log();
    state->options = std::move(options);
    State* const borrowed = state.get();
    state->keeper = std::jthread([borrowed](const std::stop_token& stop) { borrowed->keep(stop); });
    return std::unique_ptr<Supervisor>(new Supervisor(std::move(state)));
}

Supervisor::~Supervisor() {
    state_->keeper.request_stop();
    state_->keeper.join();
    for (const auto& instance : state_->all()) {
        Ended last;
        const std::lock_guard lock(instance->mutex);
        last = Ended(*instance);
    }
}

Result<Lease> Supervisor::ensure_running(const EngineSpec& spec, std::stop_token stop) {
    return state_->acquire(state_->find_or_add(spec), spec, stop);
}

void Supervisor::stop_model(const store::Digest& model) {
    for (const auto& instance : state_->all()) {
        Ended called_back;
        const std::lock_guard lock(instance->mutex);
        if (instance->spec.model != model) {
            continue;
        }
        if (instance->phase == Instance::Phase::Starting) {
            instance->end_start.request_stop();
        } else if (instance->phase == Instance::Phase::Running) {
            called_back = Ended(*instance);
        }
    }
}

std::vector<EngineStatus> Supervisor::status() const {
    std::vector<EngineStatus> list;
    for (const auto& instance : state_->all()) {
        const std::lock_guard lock(instance->mutex);
        EngineStatus status;
        status.model_id = instance->spec.model_id;
        status.model = instance->spec.model;
        status.purpose = instance->spec.purpose;
        status.in_use = instance->leases;
        status.starts = instance->starts;
        if (instance->phase == Instance::Phase::Running && !instance->process->exit_status()) {
            status.running = true;
            status.pid = instance->process->host_pid();
            status.walls = instance->process->walls();
        }
        list.push_back(std::move(status));
    }
    return list;
}

} // namespace locara::engine
