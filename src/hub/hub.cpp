#include "catalog_files.hpp"
#include "catalog_summary.hpp"
#include "client_address.hpp"
#include "content_gate.hpp"
#include "database.hpp"
#include "database_choice_file.hpp"
#include "database_watch.hpp"
#include "git_leftovers.hpp"
#include "layout.hpp"
#include "metrics.hpp"
#include "mirror_routes.hpp"
#include "new_repo.hpp"
#include "old_ids.hpp"
#include "openapi.hpp"
#include "operation_routes.hpp"
#include "page_parts.hpp"
#include "place_check.hpp"
#include "published_catalog.hpp"
#include "rate_limit.hpp"
#include "rescan_watch.hpp"
#include "routes.hpp"
#include "warm_files.hpp"

#include <locara/base/beneath.hpp>
#include <locara/base/json.hpp>
#include <locara/base/secret.hpp>
#include <locara/catalog/repository.hpp>
#include <locara/gate/gate.hpp>
#include <locara/http/known_first.hpp>
#include <locara/hub/audit.hpp>
#include <locara/hub/git_repo.hpp>
#include <locara/hub/hub.hpp>
#include <locara/hub/model_desk.hpp>
#include <locara/hub/pending_takedowns.hpp>
#include <locara/hub/quotas.hpp>
#include <locara/hub/review_catalog.hpp>
#include <locara/hub/reviews.hpp>
#include <locara/hub/seed.hpp>
#include <locara/manifest/app_entry.hpp>
#include <locara/manifest/model_manifest.hpp>
#include <locara/manifest/model_signature.hpp>
#include <locara/sandbox/profile.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

/// How often the signatures are looked at. Short, since a laptop that slept may have to catch up.
/// How long before a role of other people lapses they are told.
constexpr std::chrono::hours kLapseWarning{7 * 24};
constexpr std::uint64_t kSmallFile = 1U << 20U;
/// A body that is taken whole into memory: 1000 files of a preupload, 2000 paths.
constexpr std::uint64_t kBodyLimit = 2U << 20U;
/// Two, since they also make the answers that are known at once, which is all that a small one
/// costs. Handlers share nothing but what any thread may use.
constexpr std::size_t kIoThreads = 2;
constexpr std::size_t kPoolThreads = 4;
constexpr std::size_t kUploadThreads = 4;
constexpr std::size_t kFetchThreads = 4;
constexpr std::size_t kCompareThreads = 2;
/// For what upstream is asked for while clients wait.
constexpr std::size_t kUpstreamThreads = 16;

/// What browsers may see of our answers (docs of the Hub protocol, CORS). Any page may ask: to what
/// another origin asks no cookie is believed, nor allowed by these headers (no
/// Access-Control-Allow-Credentials); such a page needs the token itself.
constexpr std::string_view kExposed =
    "X-Repo-Commit, X-Request-Id, X-Error-Code, X-Error-Message, X-Total-Count, ETag, Link, "
    "Accept-Ranges, Content-Range, X-Linked-Size, X-Linked-ETag, X-Xet-Hash, RateLimit, "
    "RateLimit-Policy, Retry-After";

/// Writes into the JSON of an answer that tells of trouble of ours which request it was about.
void name_request(http::Response& response, const std::string& id) {
    auto* const text = std::get_if<std::string>(&response.body);
    if (response.status < 500 || text == nullptr) {
        return;
    }
    auto json = parse_json(*text);
    if (json && json->is_object()) {
        (*json)["request_id"] = id;
        *text = render_json(*json);
    }
}

/// The line of a request in the log. Never its query, nor anything of its headers.
void log_request(Log& log, const http::Exchange& exchange) {
    const http::Request& request = exchange.request;
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(exchange.took);
    const std::string& address = request.notes->address;
    log.debug("http",
              "request",
              {{"request", request.id},
               {"address", address.empty() ? request.peer.address : address},
               {"user", request.notes->user},
               {"method", request.method},
               {"route", request.notes->route},
               {"path", request.path},
               {"status", std::to_string(exchange.status)},
               {"bytes_in", std::to_string(exchange.bytes_in)},
               {"bytes_out", std::to_string(exchange.bytes_out)},
               {"ms", std::to_string(took.count())},
               {"sent", exchange.whole ? "whole" : "cut"}});
}

/// What every answer carries, also to what a browser asks in advance.
void add_common_headers(http::Response& response) {
    response.headers.add("Access-Control-Allow-Origin", "*");
    response.headers.add("X-Content-Type-Options", "nosniff");
}

/// What every other answer carries.
void add_answer_headers(http::Response& response) {
    response.headers.add("Access-Control-Expose-Headers", kExposed);
    add_common_headers(response);
}

http::Response limited_answer(const RateLimiter::Verdict& verdict, const http::Request& request) {
    http::Response response = render_limited(verdict, request);
    add_answer_headers(response);
    return response;
}

boost::asio::awaitable<http::Response> handle(const http::Router& router, http::Request request) {
    http::Response response;
    if (request.method == "OPTIONS") {
        response.status = 204;
        response.headers.add("Access-Control-Allow-Methods",
                             "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        response.headers.add("Access-Control-Allow-Headers",
                             "Authorization, Range, Content-Type, X-Xet-Session-Id");
        response.headers.add("Access-Control-Max-Age", "86400");
        add_common_headers(response);
    } else {
        response = co_await router.handle(std::move(request));
        add_answer_headers(response);
    }
    co_return response;
}

} // namespace

std::string_view version() {
    return LOCARA_VERSION;
}

namespace {

/// What a process holds of its data folder: the owner `lock`, those that joined a share of
/// `joined`.
struct Held {
    std::optional<FileLock> lock;
    Fd joined;
};

Result<Held> hold_folder(const fs::path& data, Hub::Part part) {
    Held held;
    if (part == Hub::Part::Owner) {
        auto lock = FileLock::try_acquire(data / "lock");
        if (!lock) {
            if (lock.error().code() == ErrorCode::Busy) {
                return Error(ErrorCode::Busy,
                             "another locara-hub works on " + data.string() +
                                 "; stop it, give this one its own --data, or let it --join");
            }
            return std::move(lock).error();
        }
        held.lock = std::move(*lock);
        return held;
    }
    LOCARA_TRY(held.joined, open_file(data / kJoined, O_RDWR | O_CREAT, 0600));
    // Waits while the owner clears up.
    if (::flock(held.joined.get(), LOCK_SH) != 0) {
        return Error::from_errno("joining " + data.string(), errno);
    }
    return held;
}

/// Clears up after pushes that were cut off, unless one may be under way in a hub that joined.
Status clear_up(const fs::path& data, Log& log) {
    LOCARA_TRY(const Fd joined, open_file(data / kJoined, O_RDWR | O_CREAT, 0600));
    if (::flock(joined.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return Error::from_errno("looking who joined " + data.string(), errno);
        }
        log.info("hub", "not_cleared_up", {{"reason", "others joined"}});
        return {};
    }
    return remove_git_leftovers(data / kRepos);
}

Result<std::unique_ptr<DatabaseWatch>> open_watch(const fs::path& data) {
    LOCARA_TRY(auto url, find_database_url(data));
    if (url) {
        return DatabaseWatch::connect(std::move(*url));
    }
    return DatabaseWatch::open(data / kNamesFile);
}

} // namespace

struct Hub::State {
    State(fs::path folder,
          const Clock& c,
          Log& l,
          Part p,
          Held h,
          catalog::Repository r,
          std::shared_ptr<Database> d,
          Signer s,
          std::unique_ptr<cas::Backend> b)
        : data(std::move(folder)), clock(c), log(l), part(p), held(std::move(h)),
          repository(std::move(r)), database(d), names(d), organizations(d), scopes(d), requests(d),
          buckets(d), collections(d), discussions(d), sessions(d), oauth(d), audit(d, c),
          quotas(d, data / kRepos), verdicts(std::move(d)), signer(std::move(s)),
          backend(std::move(b)), chunks(*backend, {.clock = &clock}) {}

    Status check_signatures(const Seed& seed) const;
    Status check_versions(Seed& seed) const;
    Status publish_seed(const Seed& seed);
    Status publish_model(const SeedModel& model);
    Result<Repo> find_or_make_repo(const SeedModel& model);
    Status store_file(const Repo& repo, const Fd& folder, const RepoFile& file);
    Result<std::string> signature_for(const SeedModel& model) const;
    Status put(const std::string& name, std::string_view bytes);
    void add_routes();
    bool claims_scheme(const http::Request& request) const;
    boost::asio::awaitable<http::Response> answer(http::Request request);
    boost::asio::awaitable<http::Response> answer_nowhere(http::Request request);
    std::optional<http::Response> known(const http::Request& request);

    /// What counts a request, and whether it may go on; nothing for what is not counted.
    struct Counted {
        std::optional<RateLimiter::Token> token;
        std::optional<RateLimiter::Verdict> verdict;

        bool is_refused() const { return verdict && !verdict->allowed; }
    };

    Counted count(const http::Request& request);
    bool may_look_up(const http::Request& request, const Counted& counted);
    std::optional<RateLimiter::Verdict> limit(const http::Request& request,
                                              const ClientAddress& client,
                                              const std::optional<RateLimiter::Token>& token);
    Status begin_mirror();
    void begin_rescans();
    Status tell_of_takedowns();
    void sign_now();
    void tell_what_lapses();
    void compare_reviews();
    void keep_signing();
    void stop();

    fs::path tree() const { return data / "catalog"; }

    const fs::path data;
    const Clock& clock;
    Log& log;
    const Part part;
    const Held held;
    /// Used by the caller's thread before serve and by `renewal` after it.
    catalog::Repository repository;
    TimePoint told_lapses{};                  ///< When tell_what_lapses last did.
    const std::shared_ptr<Database> database; ///< Shared with those that keep something in it.
    Names names;
    Organizations organizations;
    Scopes scopes;
    AccessRequests requests;
    Buckets buckets;
    Collections collections;
    Discussions discussions;
    Sessions sessions;
    OAuth oauth;
    Audit audit;
    Quotas quotas;
    const VerdictStore verdicts;
    const Signer signer;
    const std::unique_ptr<cas::Backend> backend;
    cas::Cas chunks;
    HubConfig config;
    PublishedCatalog published_catalog{data};
    const Services services{data / kRepos, names,    organizations, scopes,
                            requests,      buckets,  collections,   discussions,
                            sessions,      oauth,    audit,         quotas,
                            verdicts,      *backend, chunks,        signer,
                            clock,         log,      config.repos,  &published_catalog};

    std::unique_ptr<WarmFiles> warm;
    std::chrono::milliseconds sign_every = std::chrono::minutes(1);
    std::optional<RateLimiter> limiter; ///< Since serve.
    std::once_flag told_of_proxy;
    Metrics metrics;
    http::Router router;
    std::unique_ptr<http::BlockingPool> pool;
    std::unique_ptr<http::BlockingPool> uploads;
    std::unique_ptr<http::BlockingPool> fetches;
    std::unique_ptr<http::BlockingPool> compares;
    std::unique_ptr<Mirror> mirror;
    std::unique_ptr<http::BlockingPool> upstream;
    std::optional<MirrorDoor> door, alias_door;
    http::Router front;   ///< Of a mirror; `aliases` is behind it.
    http::Router aliases; ///< `router` is behind it.
    std::unique_ptr<RescanWatch> rescans;
    std::unique_ptr<http::Server> server;
    /// `server` for its own handlers, which may run before it is assigned.
    std::atomic<const http::Server*> serving{nullptr};
    std::mutex mutex;
    std::condition_variable wake;
    bool stopping = false; // under mutex
    std::thread renewal;   // of signatures
};

namespace {

/// A hub of before, or one that somebody opened: what is private may be read by others' programs.
void warn_if_open(const fs::path& data, Log& log) {
    const auto is_open = [](const fs::path& folder) {
        struct stat info {};

        return ::stat(folder.c_str(), &info) == 0 && (info.st_mode & 077U) != 0;
    };
    for (const char* const folder : {kRepos, kChunks}) {
        if (is_open(data) && is_open(data / folder)) {
            log.warning(
                "hub",
                "open_folder",
                {{"folder", (data / folder).string()},
                 {"do", "chmod 700: other users of this machine can read what is private"}});
        }
    }
}

} // namespace

Hub::Hub(std::unique_ptr<State> state) : state_(std::move(state)) {}

Hub::~Hub() {
    stop();
}

Result<std::unique_ptr<Hub>>
Hub::open(const fs::path& folder, const Clock& clock, Log& log, Part part) {
    const fs::path data = fs::absolute(folder);
    std::error_code error;
    const fs::path tree = data / "catalog";
    const fs::path keys = data / "keys";
    if (part == Part::Joined && !fs::exists(data / "root.json", error)) {
        return Error(ErrorCode::NotFound, "there is no hub to join in " + data.string());
    }
    LOCARA_CHECK(require_place(data));
    LOCARA_CHECK(create_folders(folder, 0700));
    LOCARA_TRY(Held held, hold_folder(data, part));
    const bool made = fs::exists(tree / "metadata" / "timestamp.json", error);
    if (part == Part::Owner) {
        fs::remove(data / "ready", error);
    }
    if (!made && !fs::exists(data / "root.json", error)) {
        // A first start that was cut off may have left keys that never signed anything public.
        for (const fs::path& left : {tree, keys}) {
            if (fs::exists(left, error)) {
                const fs::path aside = left.string() + ".unused-" + random_hex(4);
                LOCARA_CHECK(rename_file(left, aside, Replace::No));
                log.warning("hub", "unfinished_first_start", {{"moved_to", aside.string()}});
            }
        }
    }
    auto repository = made ? catalog::Repository::load(tree, keys)
                           : catalog::Repository::create(tree, keys, clock);
    if (!repository) {
        return std::move(repository)
            .context(made ? "opening the catalog in " + data.string()
                          : "making a catalog in " + data.string())
            .error();
    }
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Make));
    LOCARA_TRY(Signer signer, Signer::open(data / kXetKey));
    LOCARA_CHECK(create_folders(data / kChunks, 0700));
    LOCARA_TRY(auto backend, cas::open_directory(data / kChunks, clock));
    LOCARA_CHECK(create_folders(data / kRepos, 0700));
    if (part == Part::Owner) {
        warn_if_open(data, log);
        LOCARA_CHECK(clear_up(data, log));
    }
    auto hub = std::unique_ptr<Hub>(new Hub(std::make_unique<State>(data,
                                                                    clock,
                                                                    log,
                                                                    part,
                                                                    std::move(held),
                                                                    std::move(*repository),
                                                                    std::move(database),
                                                                    std::move(signer),
                                                                    std::move(backend))));
    if (part == Part::Joined) {
        return hub;
    }
    const std::string& root = hub->state_->repository.first_root();
    const auto present = read_file(data / "root.json", kSmallFile);
    if (!present || *present != root) {
        LOCARA_CHECK(write_file_atomically(data / "root.json", as_bytes(root)));
    }
    hub->state_->sign_now();
    hub->state_->compare_reviews();
    return hub;
}

/// A command that was cut off may have left the record of reviews behind the takedown list, which
/// is mended, and behind the catalog, which a person has to look at.
void Hub::State::compare_reviews() {
    Reviews reviews(data, clock);
    const auto moved = reviews.follow(repository.takedown(), "hub");
    if (!moved) {
        log.warning("hub", "reviews_behind_takedowns", {{"error", moved.error().describe()}});
        return;
    }
    for (const Submission& one : *moved) {
        Json fields = audit_fields(one, "hub");
        fields["by"] = operator_name();
        if (const auto noted = audit.append("reviewed", fields); !noted) {
            log.warning("audit", "not_written", {{"error", noted.error().describe()}});
        }
    }
    const auto differ = find_disagreements(reviews, tree(), repository);
    if (!differ) {
        log.warning("hub", "reviews_not_compared", {{"error", differ.error().describe()}});
        return;
    }
    for (const std::string& what : *differ) {
        log.warning("hub", "reviews_unlike_catalog", {{"what", what}});
    }
}

Result<SeedReport> Hub::take_seed(const fs::path& folder) {
    State& state = *state_;
    LOCARA_ASSERT(state.part == Part::Owner);
    const fs::path stamp = state.data / "seed.json";
    LOCARA_TRY(const auto digest, digest_seed(folder));
    const std::string note = render_json({{"seed", "sha256:" + digest.render()}});
    const auto before = read_file(stamp, kSmallFile);
    if (before && *before == note) {
        return SeedReport{};
    }
    std::vector<std::string> known;
    for (const catalog::Target& target : state.repository.targets()) {
        if (target.role == "models" && target.name.ends_with(".json")) {
            LOCARA_TRY(known.emplace_back(), read_target(state.tree(), target));
        }
    }
    LOCARA_TRY(const TempFolder scratch, TempFolder::create(state.data, ".seed-"));
    LOCARA_TRY(Seed seed, read_seed(folder, scratch.path(), known));
    LOCARA_CHECK(state.check_signatures(seed));
    LOCARA_CHECK(state.check_versions(seed));
    LOCARA_CHECK(state.publish_seed(seed));
    LOCARA_CHECK(write_file_atomically(stamp, as_bytes(note)));
    return SeedReport{true, seed.models.size(), seed.apps.size()};
}

/// Every model.sig is of a key that clients will take, and fits its folder.
Status Hub::State::check_signatures(const Seed& seed) const {
    for (const SeedModel& model : seed.models) {
        if (model.signature.empty()) {
            continue;
        }
        const std::string where = (model.folder / "model.sig").string();
        LOCARA_TRY(
            const auto statement,
            manifest::VerifiedModelStatement::verify(model.signature, repository.keys_of("models"))
                .context(where));
        LOCARA_TRY(const auto parsed, manifest::ModelManifest::parse(model.manifest));
        LOCARA_CHECK(statement->check(parsed).context(where));
        LOCARA_CHECK(statement->check_files(model.folder / "repo").context(where));
    }
    return {};
}

/// What was published once stays as it is: nothing of the seed is another thing under an old name.
/// Apps whose files are those that were published leave the seed.
Status Hub::State::check_versions(Seed& seed) const {
    for (const SeedModel& model : seed.models) {
        const auto digest = crypto::sha256(as_bytes(model.manifest));
        LOCARA_CHECK(
            check_never_other(repository, model.target, digest, model.id + " " + model.version)
                .context((model.folder / "manifest.json").string()));
    }
    std::vector<SeedApp> fresh;
    for (SeedApp& app : seed.apps) {
        LOCARA_TRY(const auto published, repository.find_published(app.entry_target));
        if (published && *published != crypto::sha256(as_bytes(app.entry)).render()) {
            // Another zstd packs the same files to other bytes.
            catalog::Target target;
            target.name = app.entry_target;
            target.hashes["sha256"] = *published;
            LOCARA_TRY(const std::string text, read_target(tree(), target));
            LOCARA_TRY(const auto then, manifest::AppEntry::parse(text));
            LOCARA_TRY(const auto now, manifest::AppEntry::parse(app.entry));
            if (then.files_sha256 != now.files_sha256) {
                return Error(ErrorCode::Conflict,
                             app.folder.string() + ": " + app.id + " " + app.version +
                                 " was published with other files, and what was published once "
                                 "stays as it is; raise \"version\" in locara.json");
            }
            continue;
        }
        fresh.push_back(std::move(app));
    }
    seed.apps = std::move(fresh);
    return {};
}

/// What a model's folder has, or what the hub's own key makes where no good one is listed; else
/// empty.
Result<std::string> Hub::State::signature_for(const SeedModel& model) const {
    if (!model.signature.empty()) {
        return model.signature;
    }
    LOCARA_TRY(const auto manifest, manifest::ModelManifest::parse(model.manifest));
    LOCARA_TRY(const std::string signed_by, find_signer(repository, tree(), manifest));
    if (!signed_by.empty()) {
        return std::string();
    }
    manifest::ModelStatement statement{model.repo, model.pin.commit, {}};
    for (const RepoFile& file : model.pin.files) {
        statement.files.emplace(file.path, file.sha256);
    }
    LOCARA_TRY(auto bundle, sign_by_hub(statement, repository));
    return std::move(bundle).value_or("");
}

Status Hub::State::put(const std::string& name, std::string_view bytes) {
    const std::string digest = crypto::sha256(as_bytes(bytes)).render();
    for (const catalog::Target& target : repository.targets()) {
        const auto hash = target.hashes.find("sha256");
        if (target.name == name && hash != target.hashes.end() && hash->second == digest) {
            return {}; // Unchanged: no new version for it.
        }
    }
    return repository.put_target(name, as_bytes(bytes));
}

/// The repository that a seed's model is published in; made when it is not there yet.
Result<Repo> Hub::State::find_or_make_repo(const SeedModel& model) {
    const std::size_t slash = model.repo.find('/');
    Repo repo;
    if (slash != std::string::npos) {
        repo.id = {RepoType::Model, model.repo.substr(0, slash), model.repo.substr(slash + 1)};
    }
    if (!is_repo_part(repo.id.space) || !is_repo_part(repo.id.name) ||
        is_reserved_space(repo.id.space)) {
        return Error(ErrorCode::InvalidArgument,
                     (model.folder / "manifest.json").string() + ": source.repo is '" + model.repo +
                         "', it must be org/name of letters, digits, '-', '_' and '.'");
    }
    LOCARA_TRY(auto found, names.find_repo(repo.id));
    if (found) {
        return std::move(*found);
    }
    repo.created = clock.now();
    return create_repo(services, std::move(repo), model.pin.snapshot);
}

/// Puts a large file into the chunk store and notes that it is the repository's.
Status Hub::State::store_file(const Repo& repo, const Fd& folder, const RepoFile& file) {
    LOCARA_TRY(const Fd fd, open_beneath(folder, file.path));
    auto stored = chunks.ingest(fd, file.sha256);
    if (!stored && stored.error().code() == ErrorCode::Corrupt) {
        return Error(ErrorCode::Conflict,
                     file.path + " of " + repo.id.render() +
                         " changed while it was being read; start again");
    }
    if (!stored) {
        return std::move(stored).error();
    }
    return own_file(services, repo.key, stored->info.hash);
}

Status Hub::State::publish_model(const SeedModel& model) {
    // Content first, then the commit, then its names, so that whoever reads finds all of it.
    for (const SeenFile& file : model.pin.seen) {
        LOCARA_CHECK(verdicts.note(
            file.content, file.name, make_judgement(file.seen, model.pin.scanners, clock.now())));
    }
    LOCARA_TRY(const Repo repo, find_or_make_repo(model));
    LOCARA_TRY(const Fd folder, open_folder(model.folder / "repo"));
    for (const RepoFile& file : model.pin.files) {
        if (file.lfs) {
            LOCARA_CHECK(store_file(repo, folder, file));
        }
    }
    RepoFacts facts;
    facts.task = model.task;
    facts.license = model.license;
    facts.manifest = crypto::sha256(as_bytes(model.manifest)).render();
    LOCARA_CHECK(names.set_facts(repo.key, facts));
    LOCARA_TRY(GitRepo git, GitRepo::open(services.folder_of(repo)));
    LOCARA_TRY(const std::string commit, git.write_snapshot(model.pin.snapshot));
    LOCARA_ASSERT(commit == model.pin.commit);
    LOCARA_CHECK(git.pin(commit));
    LOCARA_CHECK(git.set_ref("refs/tags/v" + model.version, commit));
    LOCARA_CHECK(git.set_ref("refs/heads/main", commit));
    LOCARA_TRY(const std::string signature, signature_for(model));
    if (!signature.empty()) {
        LOCARA_CHECK(put(model.signature_target, signature));
    }
    return put(model.target, model.manifest);
}

Status Hub::State::publish_seed(const Seed& seed) {
    for (const SeedModel& model : seed.models) {
        LOCARA_CHECK(publish_model(model));
        log.info("hub",
                 "model_published",
                 {{"model", model.target}, {"repo", model.repo}, {"commit", model.pin.commit}});
    }
    for (const SeedApp& app : seed.apps) {
        LOCARA_TRY(const std::string archive, read_file(app.archive, 1ULL << 30U));
        LOCARA_CHECK(put(app.bundle_target, archive));
        LOCARA_CHECK(put(app.entry_target, app.entry));
        log.info("hub", "app_published", {{"app", app.id}, {"version", app.version}});
    }
    return repository.publish(clock).context("signing the catalog");
}

void Hub::State::add_routes() {
    Routes routes(router, {*pool, *uploads, *fetches, *compares}, log);
    add_catalog_routes(routes, services, tree());
    add_catalog_summary_route(routes, published_catalog);
    add_front_page(routes, services, published_catalog, config.curators);
    add_account_routes(routes, services);
    add_session_routes(routes, services);
    add_oauth_routes(routes, services);
    add_repo_pages(routes, services);
    add_space_pages(routes, services);
    add_file_routes(routes, services);
    add_resolve_routes(routes, services, *warm);
    add_oci_routes(routes, services);
    add_repo_routes(routes, services);
    add_ref_routes(routes, services);
    add_admin_routes(routes, services);
    add_gate_routes(routes, services);
    add_bucket_routes(routes, services);
    add_collection_routes(routes, services);
    add_discussion_routes(routes, services);
    add_commit_routes(routes, services);
    add_lfs_routes(routes, services);
    add_large_file_routes(routes, services);
    add_git_routes(routes, services);
    add_xet_routes(routes, services);
    add_cas_routes(routes, services);
    add_review_routes(routes, services, data, config.curators);
    add_operation_routes(routes,
                         {data, clock, metrics, *database, config, mirror, *limiter, [this] {
                              const http::Server* const begun = serving;
                              return begun != nullptr ? begun->connections() : 0;
                          }});
    const std::string api = render_json(render_openapi(version()));
    routes.get("/openapi.json", [api](const http::Request& request) -> Answer<http::Response> {
        http::Content content;
        content.body = api;
        content.content_type = "application/json";
        return http::content_response(request, std::move(content));
    });
    const Json about = {{"name", "locara-hub"},
                        {"version", version()},
                        {"catalog_root", "sha256:" + repository.fingerprint()}};
    routes.get("/version", [about](const http::Request&) -> Answer<http::Response> {
        return json_answer(about);
    });
    router.set_fallback(
        [this](http::Request request) { return answer_nowhere(std::move(request)); });
}

/// What no route is for.
boost::asio::awaitable<http::Response> Hub::State::answer_nowhere(http::Request request) {
    if (is_by_old_id(request)) {
        const auto refuse = [&] {
            auto caller = identify(services, request);
            const Refusal refusal = caller ? hidden_repo(*caller) : std::move(caller).error();
            return render_refusal(refusal, request, log);
        };
        co_return co_await http::run_blocking(*pool, refuse);
    }
    co_return render_refusal(Refusal(404, "", "there is nothing at " + request.path), request, log);
}

/// Counts a request, after noting where it comes from.
Hub::State::Counted Hub::State::count(const http::Request& request) {
    const ClientAddress client = client_address(request, config.proxies);
    request.notes->address = render(client.address);
    const auto text = credentials(request);
    Counted counted;
    if (text) {
        counted.token = crypto::sha256(as_bytes(*text));
    }
    counted.verdict = limit(request, client, counted.token);
    return counted;
}

/// Whether the token of a request that is refused for where it comes from may be a good one: after
/// a start nothing is known of any.
bool Hub::State::may_look_up(const http::Request& request, const Counted& counted) {
    return counted.token &&
           limiter->begin_lookup(client_address(request, config.proxies).address, *counted.token);
}

/// What limits a request: its token if that is known to be good, else where it comes from.
std::optional<RateLimiter::Verdict>
Hub::State::limit(const http::Request& request,
                  const ClientAddress& client,
                  const std::optional<RateLimiter::Token>& token) {
    const auto kind = classify(request);
    if (!kind) {
        return std::nullopt;
    }
    const auto peer = IpAddress::parse(request.peer.address);
    if (!client.direct && peer && !contains(config.proxies, *peer)) {
        std::call_once(told_of_proxy, [&] {
            log.warning("hub",
                        "unknown_proxy",
                        {{"address", request.peer.address},
                         {"hint",
                          "all that comes through it counts as its own; see "
                          "server.trusted_proxies"}});
        });
    }
    return limiter->take(client.address, token, *kind, std::chrono::steady_clock::now());
}

/// Whether a stranger says by which scheme it came: https is what proxies make of http.
bool Hub::State::claims_scheme(const http::Request& request) const {
    return request.headers.find(kForwardedScheme) && !is_proxy(request, config.proxies);
}

boost::asio::awaitable<http::Response> Hub::State::answer(http::Request request) {
    if (claims_scheme(request)) {
        request.headers.remove(kForwardedScheme);
    }
    const std::string id = request.id;
    const std::shared_ptr<http::RequestNotes> notes = request.notes; // The request goes on.
    Counted counted = count(request);
    if (counted.is_refused() && may_look_up(request, counted)) {
        const auto look = [&] {
            auto caller = identify(services, request);
            return caller && caller->has_value();
        };
        const bool good = co_await http::run_blocking(*pool, look);
        limiter->note_token(*counted.token, good);
        counted = good ? count(request) : counted;
    }
    http::Response response;
    if (counted.is_refused()) {
        response = limited_answer(*counted.verdict, request);
    } else if (auto warm_response = co_await warm->ask(request)) {
        response = std::move(*warm_response);
        add_answer_headers(response);
    } else {
        response = co_await handle(mirror ? front : router, std::move(request));
        name_request(response, id);
    }
    if (counted.verdict) {
        add_headers(*counted.verdict, response.headers);
    }
    if (counted.token && (!notes->user.empty() || response.status == 401)) {
        limiter->note_token(*counted.token, !notes->user.empty());
    }
    co_return response;
}

/// What was answered just now and still holds; at once.
std::optional<http::Response> Hub::State::known(const http::Request& request) {
    if (claims_scheme(request)) {
        return std::nullopt;
    }
    auto response = warm->answer(request);
    if (!response) {
        return std::nullopt;
    }
    const Counted counted = count(request);
    if (counted.is_refused() && counted.token) {
        return std::nullopt; // answer() may look it up, which takes longer than is allowed here.
    }
    if (counted.is_refused()) {
        response = limited_answer(*counted.verdict, request);
    } else {
        add_answer_headers(*response);
    }
    if (counted.verdict) {
        add_headers(*counted.verdict, response->headers);
    }
    return response;
}

void Hub::State::sign_now() {
    Status all = repository.publish(clock);
    if (!all && all.error().code() == ErrorCode::Conflict) {
        // A command published meanwhile, `locara-hub keys` for instance: go on from there.
        auto fresh = catalog::Repository::load(tree(), data / "keys");
        if (fresh) {
            repository = *std::move(fresh);
            all = repository.publish(clock);
        } else {
            all = std::move(fresh).error();
        }
    }
    tell_what_lapses();
    if (all) {
        return;
    }
    // The curators' keys may be elsewhere; what the hub itself signs must not lapse with them.
    const auto online = repository.resign_online(clock);
    const Error& error = online ? all.error() : online.error();
    log.warning(
        "hub", online ? "role_not_signed" : "catalog_not_signed", {{"error", error.describe()}});
}

/// Who signs elsewhere is told in time, and what a clock did that ran ahead, once a day.
void Hub::State::tell_what_lapses() {
    const TimePoint now = clock.now();
    if (now >= told_lapses && now < told_lapses + std::chrono::hours(24)) {
        return;
    }
    told_lapses = now;
    for (const catalog::RoleState& role : repository.roles()) {
        const bool online = role.name == "snapshot" || role.name == "timestamp";
        if (!online && role.expires < now + kLapseWarning) {
            log.warning("hub",
                        "role_lapses",
                        {{"role", role.name},
                         {"expires", render_time(role.expires)},
                         {"do", "have it signed anew: locara-hub keys export, sign, import"}});
        }
        if (const auto until = repository.outlasting(role.name, now)) {
            log.warning("hub",
                        "role_outlasted",
                        {{"role", role.name},
                         {"expires", render_time(*until)},
                         {"do",
                          "a clock ran ahead, and what it signed stays good until then; new keys "
                          "make it void: locara-hub keys rotate " +
                              role.name}});
        }
    }
}

void Hub::State::keep_signing() {
    std::unique_lock guard(mutex);
    while (!wake.wait_for(guard, sign_every, [this] { return stopping; })) {
        guard.unlock();
        try {
            sign_now();
        } catch (const std::exception& error) { // Libraries may throw.
            log.error("hub", "signing_failed", {{"error", error.what()}});
        }
        guard.lock();
    }
}

void Hub::configure(HubConfig config, std::chrono::milliseconds sign_every) {
    LOCARA_ASSERT(!state_->server);
    state_->sign_every = sign_every;
    state_->config = std::move(config);
}

Status Hub::State::begin_mirror() {
    Mirror::Options options;
    options.config = *config.mirror;
    options.fetcher = part == Part::Joined ? Mirror::Fetcher::Owner : Mirror::Fetcher::Self;
    options.folder = data / kMirror;
    options.judge =
        [this](const Fd& file, const std::string& name, const crypto::Sha256Digest& sha256) {
            return judge_content(verdicts, clock, sha256.render(), name, [&] {
                return gate::shared_gate().examine(file, name);
            });
        };
    options.scanners = [] { return gate::shared_gate().scanners(); };
    LOCARA_TRY(mirror, Mirror::create(services, std::move(options)));
    upstream = std::make_unique<http::BlockingPool>(kUpstreamThreads);
    alias_door.emplace(MirrorDoor{*mirror, services, *warm, router, *pool, *upstream});
    add_alias_routes(aliases, *alias_door);
    door.emplace(MirrorDoor{*mirror, services, *warm, aliases, *pool, *upstream});
    add_mirror_routes(front, *door);
    return {};
}

void Hub::State::begin_rescans() {
    RescanWatch::Options options;
    options.scanners = [] { return gate::shared_gate().scanners(); };
    options.judge = [](const formats::ByteSource& content, std::string_view name) {
        return gate::shared_gate().examine(content, name);
    };
    options.after = [this] { return tell_of_takedowns(); };
    rescans =
        std::make_unique<RescanWatch>(RescanSources{data, names, buckets, verdicts, chunks, clock},
                                      names,
                                      log,
                                      std::move(options));
    rescans->start();
}

/// What a person with the key has to call back.
Status Hub::State::tell_of_takedowns() {
    LOCARA_TRY(const auto pending, list_pending_takedowns(data, clock));
    for (const PendingTakedown& one : pending) {
        log.warning("hub",
                    "takedown_pending",
                    {{"id", one.entry.id},
                     {"pinned_by", one.pinned_by.front()},
                     {"reason", one.entry.reason},
                     {"publish", "locara-hub takedown publish"}});
    }
    return {};
}

Status Hub::serve(const std::string& address, std::uint16_t port) {
    State& state = *state_;
    LOCARA_ASSERT(!state.server);
    LOCARA_TRY(auto watch, open_watch(state.data));
    state.warm = std::make_unique<WarmFiles>(std::move(watch), state.services);
    state.limiter.emplace(state.config.limits);
    state.quotas.set_defaults(state.config.quotas);
    state.pool = std::make_unique<http::BlockingPool>(kPoolThreads);
    state.uploads = std::make_unique<http::BlockingPool>(kUploadThreads);
    state.fetches = std::make_unique<http::BlockingPool>(kFetchThreads);
    state.compares = std::make_unique<http::BlockingPool>(kCompareThreads);
    state.add_routes();
    if (state.config.mirror) {
        LOCARA_CHECK(state.begin_mirror().context("beginning to mirror"));
    }
    if (sandbox::landlock_abi() == 0) {
        state.log.warning("hub",
                          "git_without_landlock",
                          {{"hint",
                            "this kernel has no Landlock, so that git's own programs may read and "
                            "write what this hub may; see docs/sandbox.md"}});
    }
    http::ServerOptions options;
    options.address = address;
    options.port = port;
    options.log = &state.log;
    options.io_threads = kIoThreads;
    options.observer = [&state](const http::Exchange& exchange) {
        state.metrics.count(exchange);
        log_request(state.log, exchange);
    };
    options.port_hint = "another one with --listen ADDRESS:PORT";
    // As many connections may send one at once; what is larger has a route that streams it.
    const std::uint64_t limit = options.limits.body_bytes = kBodyLimit;
    options.body_rule = [&state, limit](const http::Request& head) {
        return state.router.body_rule(head, limit);
    };
    const auto known = [&state](const http::Request& request) { return state.known(request); };
    const auto otherwise = [&state](http::Request request) {
        return state.answer(std::move(request));
    };
    LOCARA_TRY(state.server,
               http::Server::start(std::move(options), http::KnownFirst{known, otherwise}));
    state.serving = state.server.get();
    if (state.part == Part::Joined) {
        return {};
    }
    state.renewal = std::thread([&state] { state.keep_signing(); });
    state.begin_rescans();
    const std::string url =
        "http://" + (address.find(':') == std::string::npos ? address : "[" + address + "]") + ":" +
        std::to_string(state.server->port()) + "\n";
    return write_file_atomically(state.data / "ready", as_bytes(url));
}

std::uint16_t Hub::port() const {
    return state_->server ? state_->server->port() : 0;
}

std::string Hub::fingerprint() const {
    return state_->repository.fingerprint();
}

void Hub::State::stop() {
    if (renewal.joinable()) {
        {
            const std::lock_guard guard(mutex);
            stopping = true;
        }
        wake.notify_all();
        renewal.join();
    }
    rescans.reset();
    if (server) {
        if (part == Part::Owner) {
            std::error_code ignored;
            fs::remove(data / "ready", ignored);
        }
        if (mirror) {
            mirror->stop(); // Nobody need wait for upstream any more.
        }
        server->stop();
        pool.reset(); // The last jobs of all of these resume coroutines of the server.
        uploads.reset();
        fetches.reset();
        compares.reset();
        upstream.reset();
        warm.reset();
        server.reset();
    }
}

void Hub::stop() {
    state_->stop();
}

} // namespace locara::hub
