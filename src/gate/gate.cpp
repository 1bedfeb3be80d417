#include "clamd.hpp"
#include "worker.hpp"
#include "yara_scanner.hpp"

#include <locara/base/file.hpp>
#include <locara/gate/gate.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include <fcntl.h>

namespace locara::gate {

namespace {

using formats::Decision;
using formats::Examination;
using formats::Finding;
using formats::Verdict;

/// A descriptor of the same file that cannot write to it.
Result<Fd> open_for_reading(const Fd& fd) {
    return open_file("/proc/self/fd/" + std::to_string(fd.get()), O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

/// Text, pictures and the like, which nothing runs and nobody loads as weights.
bool is_inert(const Verdict& verdict) {
    return verdict.rule == "content.inert" || verdict.rule == "content.empty" ||
           verdict.rule == "name.code" || verdict.rule.starts_with("json.") ||
           verdict.rule.starts_with("secret.") || verdict.rule == "svg.script";
}

} // namespace

struct Gate::State {
    Options options;
    std::optional<Clamd> clamd;

    mutable std::mutex mutex;
    std::condition_variable freed;
    std::vector<std::unique_ptr<Worker>> idle; // GUARDED_BY(mutex)
    std::size_t busy = 0;                      // GUARDED_BY(mutex)

    mutable std::mutex trusted_mutex;
    mutable std::string trusted; // GUARDED_BY(trusted_mutex): the version of trusted_version()

    /// A turn, with an idle worker if there is one that lives.
    std::unique_ptr<Worker> take_turn() {
        std::unique_lock lock(mutex);
        freed.wait(lock, [this] { return busy < std::max<std::size_t>(options.workers, 1); });
        ++busy;
        while (!idle.empty()) {
            std::unique_ptr<Worker> worker = std::move(idle.back());
            idle.pop_back();
            if (worker->alive()) {
                return worker;
            }
        }
        return nullptr;
    }

    void end_turn(std::unique_ptr<Worker> worker) {
        {
            const std::lock_guard lock(mutex);
            --busy;
            if (worker) {
                idle.push_back(std::move(worker));
            }
        }
        freed.notify_one();
    }

    /// In a worker. One that failed is not asked again.
    Examination
    ask_worker(const formats::ByteSource& source, const Fd* file, std::string_view name) {
        std::unique_ptr<Worker> worker = take_turn();
        std::string problem;
        if (worker) {
            auto answer = worker->ask(source, file, name, options);
            if (answer) {
                end_turn(std::move(worker));
                return std::move(*answer);
            }
            if (answer.error().code() != ErrorCode::Unavailable) {
                problem = answer.error().message();
            }
            // Else it may have died while it waited: this file is not to blame for that yet.
            worker.reset();
        }
        if (problem.empty()) {
            auto answer = ask_new_worker(source, file, name, worker);
            if (answer) {
                end_turn(std::move(worker));
                return std::move(*answer);
            }
            worker.reset(); // killed
            problem = answer.error().describe();
        }
        end_turn(nullptr);
        return {
            formats::make_verdict(
                "unreadable",
                {"gate.worker", "the file was not judged, so it does not pass: " + problem, {}}),
            {}};
    }

    Result<Examination> ask_new_worker(const formats::ByteSource& source,
                                       const Fd* file,
                                       std::string_view name,
                                       std::unique_ptr<Worker>& worker) const {
        LOCARA_TRY(worker, Worker::start(options));
        auto answer = worker->ask(source, file, name, options);
        if (!answer && answer.error().code() == ErrorCode::Unavailable) {
            return Error(ErrorCode::Unavailable,
                         "the process that reads it died: " + worker->last_words());
        }
        return answer;
    }

    /// The antivirus on what passed so far. Nothing is said of weights that it refuses.
    Examination ask_antivirus(const formats::ByteSource& source, Examination seen) const {
        if (!clamd || seen.verdict.decision == Decision::Refuse) {
            return seen;
        }
        const std::uint64_t bytes = seen.tensors_at.value_or(source.size());
        seen.verdict = ask_clamd(source, bytes, std::move(seen.verdict));
        if (seen.verdict.decision == Decision::Refuse) {
            seen.tensors_at.reset();
            seen.facts.reset();
        }
        return seen;
    }

    /// The antivirus's, once it has shown that it tells what it did not look at; asked again when
    /// it is another. Unavailable; Unsupported as Clamd::check_limits.
    Result<std::string> trusted_version() const {
        LOCARA_TRY(std::string version, clamd->version());
        {
            const std::lock_guard lock(trusted_mutex);
            if (trusted == version) {
                return version;
            }
        }
        LOCARA_CHECK(clamd->check_limits());
        const std::lock_guard lock(trusted_mutex);
        trusted = version;
        return version;
    }

    Verdict
    ask_clamd(const formats::ByteSource& source, std::uint64_t bytes, Verdict verdict) const {
        const auto version = trusted_version();
        std::string problem = version ? "" : version.error().describe();
        if (version) {
            const auto answer = clamd->look(source, bytes);
            if (answer && answer->kind == ClamdAnswer::Kind::Clean) {
                return verdict;
            }
            if (answer && answer->kind == ClamdAnswer::Kind::Found) {
                return worst_of(
                    std::move(verdict),
                    {"antivirus.hit", "the antivirus finds " + answer->detail + " in it", {}},
                    *version);
            }
            problem = answer ? "it did not look: " + answer->detail : answer.error().describe();
        }
        const bool inert = is_inert(verdict);
        return worst_of(std::move(verdict),
                        {inert ? "antivirus.unseen" : "antivirus.down",
                         "the antivirus has not looked at it: " + problem,
                         {}},
                        version ? *version : "");
    }

    static Verdict worst_of(Verdict verdict, Finding finding, const std::string& version) {
        Verdict hit = formats::make_verdict(verdict.format, std::move(finding));
        hit.scanner = "clamav";
        hit.scanner_version = version.empty() ? "unknown" : version;
        return formats::is_worse(hit, verdict) ? hit : verdict;
    }
};

Gate::Gate(Options options) : state_(std::make_unique<State>()) {
    state_->options = std::move(options);
    if (state_->options.clamd) {
        state_->clamd.emplace(*state_->options.clamd);
    }
}

Gate::~Gate() = default;

Examination Gate::examine(const Fd& fd, std::string_view name) {
    const auto file = open_for_reading(fd);
    const auto source = file ? formats::FileSource::create(*file, std::filesystem::path(name))
                             : Result<formats::FileSource>(file.error());
    if (!source) { // the words are those of the formats gate
        return {formats::scan_fd(file ? *file : fd, name), {}};
    }
    return state_->ask_antivirus(*source, state_->ask_worker(*source, &*file, name));
}

Examination Gate::examine(const formats::ByteSource& source, std::string_view name) {
    return state_->ask_antivirus(source, state_->ask_worker(source, nullptr, name));
}

Verdict Gate::judge(const Fd& fd, std::string_view name) {
    return examine(fd, name).verdict;
}

Verdict Gate::judge(const formats::ByteSource& source, std::string_view name) {
    return examine(source, name).verdict;
}

formats::Judge Gate::as_judge() {
    return [this](const Fd& fd, std::string_view name) { return judge(fd, name); };
}

Result<std::optional<std::string>> Gate::check_antivirus() const {
    if (!state_->clamd) {
        return std::optional<std::string>();
    }
    LOCARA_CHECK(state_->clamd->ping());
    LOCARA_CHECK(state_->clamd->check_limits());
    LOCARA_TRY(std::string version, state_->clamd->version());
    return std::optional<std::string>(std::move(version));
}

std::string own_scanners() {
    return std::string(formats::kScannerName) + " " + std::string(formats::kScannerVersion) +
           "; yara " + yara_version();
}

Result<std::string> Gate::scanners() const {
    std::string all = own_scanners();
    if (state_->clamd) {
        LOCARA_TRY(const std::string version, state_->clamd->version());
        all += "; " + version;
    }
    return all;
}

std::vector<int> Gate::idle_workers() const {
    const std::lock_guard lock(state_->mutex);
    std::vector<int> ids;
    for (const auto& worker : state_->idle) {
        ids.push_back(worker->process_id());
    }
    return ids;
}

namespace {

/// Of the whole process. Ended with it: the workers die with their parent in any case.
struct Shared {
    std::mutex mutex;
    Options options;            // GUARDED_BY(mutex)
    std::unique_ptr<Gate> gate; // GUARDED_BY(mutex); never replaced
};

Shared& shared() {
    static Shared instance;
    return instance;
}

} // namespace

bool configure(Options options) {
    Shared& all = shared();
    const std::lock_guard lock(all.mutex);
    if (all.gate) {
        return false;
    }
    all.options = std::move(options);
    return true;
}

Gate& shared_gate() {
    Shared& all = shared();
    const std::lock_guard lock(all.mutex);
    if (!all.gate) {
        all.gate = std::make_unique<Gate>(all.options);
    }
    return *all.gate;
}

Verdict judge(const Fd& fd, std::string_view name) {
    return shared_gate().judge(fd, name);
}

Verdict judge(const formats::ByteSource& source, std::string_view name) {
    return shared_gate().judge(source, name);
}

Verdict judge_file(const std::filesystem::path& path) {
    return formats::judge_file(path, shared_gate().as_judge());
}

} // namespace locara::gate
