#include "operation_routes.hpp"

#include "client_address.hpp"
#include "database.hpp"
#include "disk_use.hpp"
#include "git_program.hpp"
#include "layout.hpp"

#include <locara/base/file.hpp>
#include <locara/hub/hub.hpp>
#include <locara/hub/pending_takedowns.hpp>
#include <locara/sandbox/profile.hpp>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <mutex>

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

using Steady = std::chrono::steady_clock;
using Sample = Metrics::Sample;
constexpr auto kCounter = Sample::Type::Counter;

/// Whoever asks more often gets the last finding: asking must not wear the disk.
constexpr std::chrono::seconds kHealthEvery{1};
constexpr std::chrono::seconds kLongestLook{10};
/// To walk through a large store takes a while.
constexpr std::chrono::minutes kWeighEvery{10};
/// To read a catalog takes less.
constexpr std::chrono::minutes kPendingEvery{1};
constexpr const char* kLastCollection = "gc.json";
constexpr std::uint64_t kNoteBytes = 4096;

/// Whether a file can be made and written in a folder. It never has a name.
bool takes_files(const fs::path& folder) {
    const Fd fd(::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    if (!fd.valid()) {
        // File systems without files that have no name: as far as it can be told without one.
        return (errno == EOPNOTSUPP || errno == EISDIR) && ::access(folder.c_str(), W_OK) == 0;
    }
    return write_all(fd, as_bytes("x")).has_value();
}

/// A value that is found out anew when it has become old. One caller finds it out; others, who must
/// not wait for a disk or a database that is slow, get what was found before.
template <class Value> class Aging {
  public:
    struct Found {
        Value value;
        Steady::time_point when;
    };

    /// Nothing while it is found out for the first time.
    template <class Find> std::optional<Found> get(Steady::duration every, Find find) {
        const std::unique_lock turn(finding_, std::try_to_lock);
        if (turn) {
            const auto last = read();
            if (!last || Steady::now() - last->when >= every) {
                Value value = find();
                const std::lock_guard lock(mutex_);
                found_ = Found{std::move(value), Steady::now()};
            }
        }
        return read();
    }

  private:
    std::optional<Found> read() {
        const std::lock_guard lock(mutex_);
        return found_;
    }

    std::mutex finding_;
    std::mutex mutex_;
    std::optional<Found> found_; // under mutex_
};

struct Health {
    bool database = false;
    bool store = false;
};

struct Weights {
    std::uint64_t store = 0;
    std::uint64_t git = 0;
};

/// The numbers of /proc/self/statm (proc(5)), of which the second is resident pages.
std::uint64_t resident_bytes() {
    const auto text = read_file("/proc/self/statm", kNoteBytes);
    const std::size_t space = text ? text->find(' ') : std::string::npos;
    std::uint64_t pages = 0;
    if (space != std::string::npos) {
        std::from_chars(text->data() + space + 1, text->data() + text->size(), pages);
    }
    return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// What the routes share between requests.
class Operator {
  public:
    explicit Operator(Operation operation)
        : operation_(std::move(operation)), started_(operation_.clock.now()) {}

    http::Response health() {
        const auto last = health_.get(kHealthEvery, [this] {
            return Health{operation_.database.ping().has_value(),
                          takes_files(operation_.data / kChunks)};
        });
        // Who has been looking for so long will not find much good.
        const bool known = last && Steady::now() - last->when < kHealthEvery + kLongestLook;
        const Health found = known ? last->value : Health();
        const auto word = [](bool good) { return good ? "ok" : "failing"; };
        const bool well = found.database && found.store;
        http::Response response = json_answer({{"status", word(well)},
                                               {"database", word(found.database)},
                                               {"store", word(found.store)}});
        response.status = well ? 200 : 503;
        response.headers.add("Cache-Control", "no-store");
        return response;
    }

    Answer<http::Response> metrics(const http::Request& request) {
        const ClientAddress client = client_address(request, operation_.config.proxies);
        const auto peer = IpAddress::parse(request.peer.address);
        // From a proxy that is not known to be one, the address says nothing of who asks.
        const bool unclear =
            !client.direct && (!peer || !contains(operation_.config.proxies, *peer));
        if (unclear || !contains(operation_.config.metrics, client.address)) {
            return Refusal(
                403, "", "metrics are for the addresses that hub.toml names: server.metrics");
        }
        http::Response response;
        response.body = operation_.metrics.render(samples());
        response.headers.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
        response.headers.add("Cache-Control", "no-store");
        return response;
    }

  private:
    std::vector<Sample> samples() {
        std::vector<Sample> all;
        const auto gauge = [&all](std::string name, std::string help, std::uint64_t value) {
            all.push_back({Sample::Type::Gauge,
                           std::move(name),
                           std::move(help),
                           static_cast<double>(value),
                           ""});
        };
        const auto counter = [&all](std::string name,
                                    std::string help,
                                    std::uint64_t value,
                                    std::string labels = "") {
            all.push_back({kCounter,
                           std::move(name),
                           std::move(help),
                           static_cast<double>(value),
                           std::move(labels)});
        };
        all.push_back({Sample::Type::Gauge,
                       "locara_hub_build_info",
                       "The version of this program.",
                       1,
                       "version=\"" + escape_label(version()) + "\""});
        gauge("locara_hub_connections", "Connections that are open.", operation_.connections());
        counter("locara_hub_database_errors",
                "Calls of the database that failed.",
                operation_.database.failures());
        counter("locara_hub_rate_limited_requests",
                "Requests refused because there were too many.",
                operation_.limiter.refused());
        const auto git = GitProgram::counts();
        gauge("locara_hub_git_processes", "Programs of git that run.", git.running);
        counter("locara_hub_git_processes_started", "Programs of git started.", git.started);
        gauge("locara_hub_git_landlock_version",
              "Of the wall around the programs of git; 0 if this kernel has none.",
              static_cast<std::uint64_t>(sandbox::landlock_abi()));
        if (operation_.mirror) {
            const MirrorCounts& counts = operation_.mirror->counts();
            const std::string help = "GETs of mirrored files: here, or fetched for it.";
            counter("locara_hub_mirror_requests", help, counts.hits, "result=\"hit\"");
            counter("locara_hub_mirror_requests", help, counts.misses, "result=\"miss\"");
            counter("locara_hub_mirror_fetched_bytes",
                    "Bytes of files fetched from upstream.",
                    counts.fetched_bytes);
            counter("locara_hub_mirror_upstream_errors",
                    "Requests to upstream that brought no good answer.",
                    counts.upstream_errors);
        }
        const auto weights = weights_.get(kWeighEvery, [this] {
            return Weights{allocated_bytes(operation_.data / kChunks),
                           allocated_bytes(operation_.data / kRepos)};
        });
        if (weights) {
            gauge("locara_hub_store_bytes", "The chunk store on the disk.", weights->value.store);
            gauge("locara_hub_git_bytes", "Git repositories on the disk.", weights->value.git);
        }

        struct statvfs disk {};

        if (::statvfs((operation_.data / kChunks).c_str(), &disk) == 0) {
            gauge("locara_hub_disk_free_bytes",
                  "What the disk of the chunk store has left.",
                  disk.f_bavail * disk.f_frsize);
        }
        if (const auto last = find_last_collection(operation_.data)) {
            gauge("locara_hub_gc_end_timestamp_seconds",
                  "When the last gc ended.",
                  static_cast<std::uint64_t>(last->ended.time_since_epoch().count()));
            gauge("locara_hub_gc_freed_bytes", "What the last gc freed.", last->freed_bytes);
            gauge("locara_hub_gc_kept_bytes", "What the last gc left.", last->kept_bytes);
        }
        const auto pending = pending_.get(kPendingEvery, [this] {
            const auto found = list_pending_takedowns(operation_.data, operation_.clock);
            return found ? std::optional<std::uint64_t>(found->size()) : std::nullopt;
        });
        if (pending && pending->value) {
            gauge("locara_hub_takedowns_pending",
                  "Weights that the catalog pins and the gate refuses, not called back yet.",
                  *pending->value);
        }
        gauge("process_resident_memory_bytes", "Resident memory.", resident_bytes());
        gauge("process_start_time_seconds",
              "When it began to serve.",
              static_cast<std::uint64_t>(started_.time_since_epoch().count()));
        return all;
    }

    const Operation operation_;
    const TimePoint started_;
    Aging<Health> health_;
    Aging<Weights> weights_;
    Aging<std::optional<std::uint64_t>> pending_; ///< Nothing if it cannot be told.
};

} // namespace

void add_operation_routes(Routes& routes, Operation operation) {
    // Shared by the handlers, which the router copies.
    const auto shared = std::make_shared<Operator>(std::move(operation));
    routes.get("/healthz", [shared](const http::Request&) -> Answer<http::Response> {
        return shared->health();
    });
    routes.get("/metrics",
               [shared](const http::Request& request) { return shared->metrics(request); });
}

Status write_last_collection(const fs::path& data, const LastCollection& last) {
    return write_file_atomically(data / kLastCollection,
                                 as_bytes(render_json({{"ended", render_time(last.ended)},
                                                       {"freed_bytes", last.freed_bytes},
                                                       {"kept_bytes", last.kept_bytes}})));
}

std::optional<LastCollection> find_last_collection(const fs::path& data) {
    const auto text = read_file(data / kLastCollection, kNoteBytes);
    const auto json = text ? parse_json(*text) : Result<Json>(text.error());
    if (!json || !json->is_object()) {
        return std::nullopt;
    }
    const auto number = [&json](const char* key) -> std::optional<std::uint64_t> {
        const auto found = json->find(key);
        return found != json->end() && found->is_number_unsigned()
                   ? std::optional(found->get<std::uint64_t>())
                   : std::nullopt;
    };
    const auto ended = parse_time(text_at(*json, "ended").value_or(""));
    const auto freed = number("freed_bytes");
    const auto kept = number("kept_bytes");
    if (!ended || !freed || !kept) {
        return std::nullopt;
    }
    return LastCollection{*ended, *freed, *kept};
}

} // namespace locara::hub
