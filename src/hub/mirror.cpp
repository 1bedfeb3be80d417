#include "mirror.hpp"

#include "access.hpp"
#include "content_gate.hpp"
#include "eviction.hpp"
#include "layout.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/percent.hpp>

#include <algorithm>
#include <charconv>
#include <variant>

namespace locara::hub {
namespace {

constexpr const char* kWanting = "NotHereYet";
/// How long a failure is remembered. Short: upstream's 401 may mean "not there yet".
constexpr std::chrono::seconds kFailureKept{10};
constexpr std::size_t kFailuresKept = 4096;
constexpr std::size_t kAccessKept = 65'536;
constexpr std::size_t kListingsKept = 16;
constexpr std::uint64_t kAnswerBytes = 16U << 20U;
constexpr const char* kAnswerSuffix = ".answer";
/// Of one repository's answers.
constexpr std::size_t kAnswersKept = 512;
constexpr std::uint64_t kAnswersKeptBytes = 64U << 20U;
constexpr std::size_t kRevisionBytes = 250;
/// A use is noted when the last one is this long ago: the order of eviction needs no more.
constexpr std::chrono::seconds kUseNoted = std::chrono::minutes(10);
constexpr std::chrono::seconds kPrefetchEvery = std::chrono::minutes(10);

bool is_commit(std::string_view text) {
    return text.size() == 40 &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Refusal wanting() {
    return {503, kWanting, "upstream has to be asked"};
}

/// What a repository is that upstream gives to nobody, or not to this caller; the same whatever it
/// is.
Refusal no_repo_for(const Secret& token) {
    return {token.empty() ? 401 : 404, "RepoNotFound", "Repository not found"};
}

/// Whether upstream says that there is no such repository: to callers without a token by 401, with
/// a code or without. To one with a token, 401 without a code is about the token.
bool is_no_repo(const Refusal& refusal, const Secret& token) {
    return refusal.code == "RepoNotFound" ||
           (refusal.status == 401 && refusal.code.empty() && token.empty());
}

/// Trouble of the moment, in which what is here is better than nothing.
bool is_passing(const Refusal& refusal) {
    return refusal.status == 429 || refusal.status >= 500;
}

Refusal contradicts(const std::string& what) {
    return {502, "UpstreamCorrupt", "the hub that this one mirrors gives " + what};
}

/// What upstream's description of a repository asks of its readers.
Origin origin_of(const Json& info) {
    if (flag_at(info, "private")) {
        return Origin::UpstreamPrivate;
    }
    const auto gated = info.find("gated");
    const bool open =
        gated == info.end() || gated->is_null() || (gated->is_boolean() && !gated->get<bool>());
    return open ? Origin::Upstream : Origin::UpstreamGated;
}

std::string join(const std::vector<std::string>& parts, std::size_t begin, std::size_t end) {
    std::string text;
    for (std::size_t i = begin; i < end; ++i) {
        text += (i == begin ? "" : "/") + parts[i];
    }
    return text;
}

std::string file_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

} // namespace

bool is_wanting(const Refusal& refusal) {
    return refusal.code == kWanting;
}

std::string api_path(const RepoId& id) {
    return "/api/" + std::string(render_plural(id.type)) + "/" + id.render();
}

std::string web_path(const RepoId& id) {
    return "/" + id.render_web();
}

/// A question that somebody has asked upstream and others wait for.
struct Mirror::Flight {
    std::optional<Answer<std::monostate>> outcome;
};

/// An answer that was kept.
struct Mirror::Kept {
    UpstreamAnswer answer;
    TimePoint at;
};

Result<std::unique_ptr<Mirror>> Mirror::create(const Services& services, Options options) {
    LOCARA_CHECK(create_folders(options.folder, 0700));
    if (options.fetcher == Fetcher::Owner) {
        options.config.offline = MirrorConfig::Offline::Yes;
    }
    http::Client::Options client;
    client.user_agent = "locara-hub";
    LOCARA_TRY(http::Client http, http::Client::create(client));
    auto mirror =
        std::unique_ptr<Mirror>(new Mirror(services, std::move(options), std::move(http)));
    Downloads::Options downloads;
    downloads.parts = mirror->options_.folder / kParts;
    downloads.judge = mirror->options_.judge;
    downloads.threads = static_cast<unsigned>(mirror->config().downloads);
    downloads.pass_formats = mirror->config().pass_formats;
    downloads.stored = [self = mirror.get()](const WantedFile& file) { self->evict(file.oid); };
    LOCARA_TRY(mirror->downloads_,
               Downloads::create(services, mirror->upstream_, std::move(downloads)));
    if (!mirror->config().prefetch.empty() && !mirror->is_offline()) {
        mirror->prefetcher_ = std::thread([self = mirror.get()] { self->prefetch(); });
    }
    return mirror;
}

Mirror::Mirror(const Services& services, Options options, http::Client http)
    : services_(services), options_(std::move(options)), http_(std::move(http)),
      upstream_(http_, options_.config, services.log, counts_, stop_.get_token()) {}

Mirror::~Mirror() {
    stop();
}

void Mirror::stop() {
    stop_.request_stop();
    if (prefetcher_.joinable()) {
        prefetcher_.join();
    }
    if (downloads_) { // Not if it could not be made.
        downloads_->stop();
    }
}

// ------------------------------------------------------------------------------------ who and what

Result<bool> Mirror::claims(const RepoId& id) const {
    if (!is_repo_part(id.space) || !is_repo_part(id.name) || is_reserved_space(id.space)) {
        return false;
    }
    LOCARA_TRY(const bool own, services_.names.is_own_space(id.space));
    return !own;
}

Answer<Asker> Mirror::identify(const http::Request& request) const {
    const auto token = credentials(request);
    if (!token) {
        return Asker();
    }
    const auto digest = crypto::sha256(as_bytes(*token));
    LOCARA_TRY(const bool ours, services_.names.knows_token(digest));
    if (ours || config().caller_tokens == MirrorConfig::CallerTokens::Refuse) {
        // Whether it is (still) good.
        LOCARA_TRY(const Caller caller, hub::identify(services_, request));
        Asker asker;
        asker.ends = caller ? caller->token.expires : std::nullopt;
        return asker;
    }
    const bool plain = !token->empty() && std::all_of(token->begin(), token->end(), [](char c) {
        return c > 0x20 && c < 0x7F;
    });
    if (!plain) {
        return Refusal(401, "", "Invalid credentials in Authorization header");
    }
    return Asker{Secret(*token), digest.render(), {}};
}

Answer<std::monostate> Mirror::check_rules(const RepoId& id) const {
    if (!config().allows(id.render_web())) {
        return Refusal(403,
                       "MirrorDenied",
                       id.render_web() + " is not among what this hub mirrors; ask its operator");
    }
    return std::monostate();
}

/// Runs `work`, or waits for who runs it for the same key; a failure of late is the answer too.
template <class Work> Answer<std::monostate> Mirror::once(const std::string& key, Work work) {
    std::unique_lock guard(mutex_);
    const auto failed = failures_.find(key);
    if (failed != failures_.end() && services_.clock.now() < failed->second.second) {
        return failed->second.first;
    }
    if (const auto found = flights_.find(key); found != flights_.end()) {
        const std::shared_ptr<Flight> flight = found->second;
        const bool ended = changed_.wait(
            guard, stop_.get_token(), [&flight] { return flight->outcome.has_value(); });
        return ended ? *flight->outcome : Refusal(503, "", "this hub is about to stop");
    }
    const auto flight = std::make_shared<Flight>();
    flights_.emplace(key, flight);
    guard.unlock();
    Answer<std::monostate> outcome = Refusal(500, "", "");
    try {
        outcome = work();
    } catch (const std::exception& error) {
        outcome = Error(ErrorCode::Internal, error.what()); // Others wait for it.
    }
    guard.lock();
    flight->outcome = outcome;
    flights_.erase(key);
    if (outcome) {
        failures_.erase(key);
    } else {
        if (failures_.size() >= kFailuresKept) {
            failures_.clear();
        }
        failures_.insert_or_assign(
            key, std::pair(outcome.error(), services_.clock.now() + kFailureKept));
    }
    changed_.notify_all();
    return outcome;
}

std::string Mirror::why_not_asked() const {
    return options_.fetcher == Fetcher::Owner
               ? "of the processes on its folder only the first one fetches; ask that one"
               : "it works offline and does not ask the hub that it mirrors";
}

Refusal Mirror::not_here(const std::string& what) const {
    return not_here_offline(what + " is not on this hub: " + why_not_asked());
}

Result<std::optional<Repo>> Mirror::find_repo(const RepoId& id) const {
    LOCARA_TRY(auto repo, services_.names.find_repo(id));
    if (repo && repo->origin == Origin::Here) {
        return std::optional<Repo>(); // It has just become ours.
    }
    return repo;
}

Result<Repo> Mirror::note_repo(const RepoId& id, Origin origin) {
    LOCARA_TRY(auto known, find_repo(id));
    if (known) {
        if (known->origin != origin) {
            LOCARA_CHECK(services_.names.set_origin(known->key, origin));
            known->origin = origin;
        }
        return std::move(*known);
    }
    Repo repo;
    repo.internal = random_hex(12);
    repo.id = id;
    repo.created = services_.clock.now();
    repo.origin = origin;
    repo.visibility = visibility_of(origin);
    auto added = services_.names.add_repo(repo);
    if (!added && added.error().code() == ErrorCode::Conflict) {
        // Another question about it, of another revision, was as early.
        LOCARA_TRY(known, find_repo(id));
        return known ? Result<Repo>(std::move(*known)) : std::move(added);
    }
    return added;
}

Answer<UpstreamAnswer> Mirror::ask_about(const RepoId& id, const UpstreamCall& call) {
    auto answer = upstream_.ask(call);
    if (answer || !is_no_repo(answer.error(), call.token)) {
        return answer;
    }
    LOCARA_TRY(const auto known, find_repo(id));
    const bool shown = known && known->origin != Origin::UpstreamPrivate;
    if (shown && !call.token.empty()) {
        // Whatever is wrong with this caller's token takes nothing from everybody else.
        UpstreamCall by_anybody = call;
        by_anybody.token = Secret();
        const auto again = upstream_.ask(by_anybody);
        if (again || !is_no_repo(again.error(), by_anybody.token)) {
            return answer;
        }
    }
    if (shown) {
        services_.log.info("mirror", "withdrawn", {{"repo", id.render_web()}});
        LOCARA_CHECK(services_.names.set_origin(known->key, Origin::UpstreamPrivate));
    }
    return no_repo_for(call.token);
}

// ------------------------------------------------------------------------------------------ access

bool Mirror::knows_access(const Visit& visit, const Repo& repo) {
    const std::lock_guard guard(mutex_);
    const auto known = access_.find(std::to_string(repo.key) + " " + visit.asker.key);
    return known != access_.end() && services_.clock.now() < known->second;
}

bool Mirror::is_hidden(const Visit& visit, const Repo& repo) {
    return repo.origin == Origin::UpstreamPrivate &&
           (visit.asker.token.empty() || (is_offline() && !knows_access(visit, repo)));
}

Answer<std::monostate> Mirror::require_access(const Visit& visit, const Repo& repo) {
    if (visit.asker.token.empty()) {
        return repo.origin == Origin::UpstreamGated
                   ? Refusal(401,
                             "GatedRepo",
                             "Access to " + repo.id.render() +
                                 " is restricted: its readers need access of their own there")
                   : no_repo_for(visit.asker.token);
    }
    if (knows_access(visit, repo)) {
        return std::monostate();
    }
    if (is_offline()) {
        return not_here_offline("whether you may read " + repo.id.render() +
                                " cannot be asked: " + why_not_asked());
    }
    if (visit.reach == Reach::Here) {
        return wanting();
    }
    return once("access " + std::to_string(repo.key) + " " + visit.asker.key,
                [&] { return ask_access(visit, repo); });
}

Answer<std::monostate> Mirror::ask_access(const Visit& visit, const Repo& repo) {
    UpstreamCall call;
    call.path = api_path(repo.id) + "/auth-check";
    call.token = visit.asker.token;
    LOCARA_CHECK(ask_about(repo.id, call));
    const std::lock_guard guard(mutex_);
    if (access_.size() >= kAccessKept) {
        access_.clear();
    }
    access_[std::to_string(repo.key) + " " + visit.asker.key] =
        services_.clock.now() + config().access;
    return std::monostate();
}

Answer<std::monostate> Mirror::may_see(const Visit& visit, const Repo& repo) {
    return repo.origin == Origin::UpstreamPrivate ? require_access(visit, repo)
                                                  : Answer<std::monostate>(std::monostate());
}

Answer<std::monostate> Mirror::check_access(const Visit& visit, const Repo& repo) {
    return repo.visibility == Visibility::Private ? require_access(visit, repo)
                                                  : Answer<std::monostate>(std::monostate());
}

// ----------------------------------------------------------------------------------------- aliases

namespace {

/// "/api/models/gpt2"
std::string alias_path(RepoType type, const std::string& name) {
    return "/api/" + std::string(render_plural(type)) + "/" + percent_encode(name);
}

} // namespace

Answer<RepoId> Mirror::find_alias(RepoType type, const std::string& name, Reach reach) {
    const std::filesystem::path folder = options_.folder / kAliases;
    const std::string key = alias_path(type, name);
    LOCARA_TRY(auto kept, read_kept(folder, key));
    const bool good =
        kept && (is_offline() || services_.clock.now() < kept->at + config().freshness);
    if (!good) {
        if (is_offline()) {
            return not_here(std::string(web_prefix(type)) + name);
        }
        if (reach == Reach::Here) {
            return wanting();
        }
        const auto done = once("alias " + key, [&] { return ask_alias(type, name); });
        if (!done && !(kept && is_passing(done.error()))) {
            return done.error();
        }
        LOCARA_TRY(kept, read_kept(folder, key));
    }
    const auto id = kept ? RepoId::parse(type, kept->answer.body) : std::nullopt;
    if (!id) {
        return Error(ErrorCode::Internal, "the id that " + key + " stands for is gone");
    }
    LOCARA_TRY(const bool claimed, claims(*id));
    if (!claimed) {
        return no_such_repo();
    }
    LOCARA_CHECK(check_rules(*id));
    return *id;
}

/// Without a caller's token: what is kept is for everybody.
Answer<std::monostate> Mirror::ask_alias(RepoType type, const std::string& name) {
    UpstreamCall call;
    call.path = alias_path(type, name);
    call.limit_bytes = kAnswerBytes;
    auto asked = upstream_.ask(call);
    if (!asked && asked.error().status == 404) {
        return no_such_repo(); // Some hubs say it without a code.
    }
    LOCARA_TRY(const UpstreamAnswer answer, std::move(asked));
    JsonLimits limits;
    limits.bytes = kAnswerBytes;
    const auto info = parse_json(answer.body, limits);
    if (!info || !info->is_object()) {
        return contradicts("no description of " + name);
    }
    const auto id = RepoId::parse(type, text_at(*info, "id").value_or(""));
    if (!id || flag_at(*info, "private")) {
        return no_such_repo();
    }
    LOCARA_CHECK(write_kept(options_.folder / kAliases, call.path, {id->render(), "", {}}));
    return std::monostate();
}

// --------------------------------------------------------------------------------------- revisions

Answer<Spot> Mirror::find_revision(const Visit& visit, const std::string& named) {
    const std::string revision = named == "HEAD" ? "main" : named; // All that it ever names.
    // No name of git's holds "..", and nothing of the kind must become part of an address.
    if (revision.empty() || revision.size() > kRevisionBytes ||
        revision.find("..") != std::string::npos) {
        return no_such_revision(revision);
    }
    std::optional<std::string> stale;
    for (bool asked = false;; asked = true) {
        LOCARA_TRY(auto repo, find_repo(visit.id));
        if (repo && is_hidden(visit, *repo)) {
            repo.reset(); // As if it were unknown. By now upstream may give it to everybody.
        }
        if (repo) {
            LOCARA_CHECK(may_see(visit, *repo));
            if (is_commit(revision)) {
                return Spot{std::move(*repo), revision, "", true, TimePoint::max()};
            }
            LOCARA_TRY(const auto known,
                       services_.names.find_mirrored_revision(repo->key, revision));
            const bool fresh = known && services_.clock.now() < known->checked + config().freshness;
            if (known && (fresh || asked || is_offline())) {
                const TimePoint until =
                    is_offline() ? TimePoint::max() : known->checked + config().freshness;
                return Spot{std::move(*repo), known->commit, "", false, until};
            }
            stale = known ? std::optional(known->commit) : std::nullopt;
        }
        if (is_offline()) {
            return not_here(visit.id.render_web() + " at " + revision);
        }
        if (visit.reach == Reach::Here) {
            return wanting();
        }
        if (asked) {
            return contradicts("no commit for " + revision);
        }
        const auto done =
            once("revision " + visit.id.render_web() + " " + revision + " " + visit.asker.key,
                 [&]() -> Answer<std::monostate> {
                     LOCARA_CHECK(ask_revision(visit, revision));
                     LOCARA_TRY(const auto found, find_repo(visit.id));
                     return found && is_hidden(visit, *found)
                                ? Answer<std::monostate>(no_repo_for(visit.asker.token))
                                : std::monostate();
                 });
        if (!done && stale && is_passing(done.error())) {
            // Better where it was when upstream answered last than nothing.
            services_.log.warning(
                "mirror",
                "stale_revision",
                {{"repo", visit.id.render_web()}, {"revision", revision}, {"commit", *stale}});
            return Spot{std::move(*repo), *stale, "", false, {}};
        }
        LOCARA_CHECK(done);
    }
}

Answer<std::monostate> Mirror::ask_revision(const Visit& visit, const std::string& revision) {
    UpstreamCall call;
    call.path = api_path(visit.id) + "/revision/" + percent_encode(revision);
    call.token = visit.asker.token;
    call.limit_bytes = kAnswerBytes;
    LOCARA_TRY(const UpstreamAnswer answer, ask_about(visit.id, call));
    JsonLimits limits;
    limits.bytes = kAnswerBytes;
    const auto info = parse_json(answer.body, limits);
    const auto commit = info && info->is_object() ? text_at(*info, "sha") : std::nullopt;
    if (!commit || !is_commit(*commit) || (is_commit(revision) && *commit != revision)) {
        return contradicts("no description of " + visit.id.render_web() + " at " + revision);
    }
    LOCARA_TRY(const Repo repo, note_repo(visit.id, origin_of(*info)));
    // First what it stands for, then where it stands.
    LOCARA_CHECK(write_kept(folder_of(repo), "/revision/" + *commit, answer));
    LOCARA_CHECK(services_.names.set_mirrored_revision(
        repo.key, revision, {*commit, services_.clock.now()}));
    return std::monostate();
}

Answer<Spot>
Mirror::locate(const Visit& visit, const std::vector<std::string>& segments, std::size_t at) {
    if (segments.size() <= at) {
        return find_revision(visit, "main");
    }
    auto spot = find_revision(visit, segments[at]);
    if (spot) {
        spot->path = join(segments, at + 1, segments.size());
        return spot;
    }
    if (spot.error().code != "RevisionNotFound" || segments.size() == at + 1) {
        return spot;
    }
    return longest_ref(visit, segments, at, spot.error());
}

/// The place whose revision has unencoded slashes.
Answer<Spot> Mirror::longest_ref(const Visit& visit,
                                 const std::vector<std::string>& segments,
                                 std::size_t at,
                                 const Refusal& otherwise) {
    LOCARA_TRY(const Spot any, find_revision(visit, "main"));
    LOCARA_TRY(const UpstreamAnswer answer,
               pass_on(visit, any.repo, "/refs?include_prs=1", Keep::WhileFresh));
    const auto refs = parse_json(answer.body);
    std::size_t used = 0;
    for (const char* const kind : {"branches", "tags", "converts", "pullRequests"}) {
        const auto list = refs && refs->is_object() ? refs->find(kind) : Json::const_iterator();
        if (!refs || !refs->is_object() || list == refs->end() || !list->is_array()) {
            continue;
        }
        for (const Json& ref : *list) {
            if (!ref.is_object()) {
                continue;
            }
            const std::string name = text_at(ref, "name").value_or("");
            const std::string full = text_at(ref, "ref").value_or("");
            for (std::size_t end = at + 2; end <= segments.size(); ++end) {
                const std::string candidate = join(segments, at, end);
                if (candidate == name || candidate == full) {
                    used = std::max(used, end - at);
                }
            }
        }
    }
    if (used == 0) {
        return otherwise;
    }
    LOCARA_TRY(Spot spot, find_revision(visit, join(segments, at, at + used)));
    spot.path = join(segments, at + used, segments.size());
    spot.until = {}; // The refs, too, have to be where they were.
    return spot;
}

// ------------------------------------------------------------------------------------ what is kept

namespace {

struct KeptFile {
    std::filesystem::path path;
    std::filesystem::file_time_type written;
    std::uint64_t bytes = 0;
};

/// The answers in a folder, those written first first.
std::vector<KeptFile> list_answers(const std::filesystem::path& folder) {
    std::vector<KeptFile> found;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        const auto written = entry.last_write_time(error);
        const auto bytes = entry.file_size(error);
        if (!error && entry.path().extension() == kAnswerSuffix) {
            found.push_back({entry.path(), written, bytes});
        }
    }
    std::sort(found.begin(), found.end(), [](const KeptFile& a, const KeptFile& b) {
        return a.written < b.written;
    });
    return found;
}

/// Callers choose what they ask, and so how many answers there are: of too many, or too large ones,
/// the oldest go. Upstream can be asked for them again, since only what it was asked is written.
void drop_oldest(const std::filesystem::path& folder) {
    const auto found = list_answers(folder);
    std::uint64_t bytes = 0;
    for (const KeptFile& one : found) {
        bytes += one.bytes;
    }
    for (std::size_t i = 0;
         i + 1 < found.size() && (found.size() - i > kAnswersKept || bytes > kAnswersKeptBytes);
         ++i) {
        std::error_code ignored;
        std::filesystem::remove(found[i].path, ignored);
        bytes -= found[i].bytes;
    }
}

} // namespace

std::filesystem::path Mirror::folder_of(const Repo& repo) const {
    return options_.folder / repo.internal;
}

/// One line that says when, one with the next page and, after a space, how many there are on all,
/// if that is known; then the body.
Result<std::optional<Mirror::Kept>> Mirror::read_kept(const std::filesystem::path& folder,
                                                      const std::string& key) const {
    const std::string name = crypto::sha256(as_bytes(key)).render();
    const auto text = read_file(folder / (name + kAnswerSuffix), kListingBytes);
    if (!text) {
        return text.error().code() == ErrorCode::NotFound
                   ? Result<std::optional<Kept>>(std::optional<Kept>())
                   : text.error();
    }
    const std::size_t first = text->find('\n');
    const std::size_t second = first == std::string::npos ? first : text->find('\n', first + 1);
    const auto at = parse_time(std::string_view(*text).substr(0, first));
    if (second == std::string::npos || !at) {
        return std::optional<Kept>();
    }
    Kept kept{{text->substr(second + 1), text->substr(first + 1, second - first - 1), {}}, *at};
    std::string& next = kept.answer.next;
    if (const std::size_t space = next.find(' '); space != std::string::npos) {
        std::size_t total = 0;
        const char* const end = next.data() + next.size();
        if (std::from_chars(next.data() + space + 1, end, total).ptr == end) {
            kept.answer.total = total;
        }
        next.resize(space);
    }
    return std::optional(std::move(kept));
}

Status Mirror::write_kept(const std::filesystem::path& folder,
                          const std::string& key,
                          const UpstreamAnswer& answer) {
    const std::string name = crypto::sha256(as_bytes(key)).render();
    LOCARA_CHECK(create_folders(folder, 0700));
    const std::string text = render_time(services_.clock.now()) + "\n" + answer.next +
                             (answer.total ? " " + std::to_string(*answer.total) : "") + "\n" +
                             answer.body;
    LOCARA_CHECK(write_file_atomically(folder / (name + kAnswerSuffix), as_bytes(text)));
    drop_oldest(folder);
    return {};
}

Answer<UpstreamAnswer> Mirror::pass_on(const Visit& visit,
                                       const Repo& repo,
                                       const std::string& call,
                                       Keep keep,
                                       const std::optional<std::string>& body) {
    const std::string key = call + (body ? "\n" + *body : "");
    LOCARA_TRY(auto kept, read_kept(folder_of(repo), key));
    const bool good = kept && (keep == Keep::ForGood || is_offline() ||
                               services_.clock.now() < kept->at + config().freshness);
    if (good) {
        return std::move(kept->answer);
    }
    if (is_offline()) {
        return not_here("this answer about " + repo.id.render_web());
    }
    if (visit.reach == Reach::Here) {
        return wanting();
    }
    const auto ask = [&]() -> Answer<std::monostate> {
        UpstreamCall wanted;
        wanted.path = api_path(repo.id) + call;
        wanted.token = visit.asker.token;
        wanted.body = body;
        wanted.limit_bytes = kAnswerBytes;
        LOCARA_TRY(const UpstreamAnswer answer, ask_about(repo.id, wanted));
        LOCARA_CHECK(write_kept(folder_of(repo), key, answer));
        return std::monostate();
    };
    const auto done =
        once("answer " + std::to_string(repo.key) + " " + key + " " + visit.asker.key, ask);
    if (!done && !(kept && is_passing(done.error()))) {
        return done.error();
    }
    LOCARA_TRY(auto fresh, read_kept(folder_of(repo), key));
    if (!fresh) {
        return Error(ErrorCode::Internal, "an answer that was kept is gone");
    }
    return std::move(fresh->answer);
}

Answer<UpstreamAnswer> Mirror::search(RepoType type, const std::string& query, const Asker& asker) {
    UpstreamCall call;
    call.path = "/api/" + std::string(render_plural(type)) + (query.empty() ? "" : "?" + query);
    call.token = asker.token;
    call.limit_bytes = kAnswerBytes;
    return upstream_.ask(call);
}

Result<Json> Mirror::kept_refs(const Repo& repo) const {
    LOCARA_TRY(const auto revisions, services_.names.list_mirrored_revisions(repo.key));
    Json branches = Json::array();
    for (const auto& [name, commit] : revisions) {
        if (!is_commit(name)) {
            branches.push_back(
                {{"name", name}, {"ref", "refs/heads/" + name}, {"targetCommit", commit}});
        }
    }
    return Json{
        {"branches", std::move(branches)}, {"converts", Json::array()}, {"tags", Json::array()}};
}

Result<std::vector<Json>> Mirror::describe_kept(RepoType type, std::string_view space) const {
    JsonLimits limits;
    limits.bytes = kAnswerBytes;
    LOCARA_TRY(const auto repos, services_.names.list_repos(type));
    std::vector<Json> found;
    for (const Repo& repo : repos) {
        if (repo.origin == Origin::Here || repo.origin == Origin::UpstreamPrivate ||
            (!space.empty() && !equals_ignoring_case(repo.id.space, space)) ||
            !check_rules(repo.id)) {
            continue;
        }
        LOCARA_TRY(const bool claimed, claims(repo.id)); // Its namespace may be ours by now.
        LOCARA_TRY(const auto revision, services_.names.newest_mirrored_revision(repo.key));
        if (!claimed || !revision) {
            continue;
        }
        LOCARA_TRY(const auto kept, read_kept(folder_of(repo), "/revision/" + revision->commit));
        auto info = kept ? parse_json(kept->answer.body, limits) : Result<Json>(Json());
        if (!info || !info->is_object()) {
            continue;
        }
        (*info)["id"] = repo.id.render();
        if (const auto tags = info->find("tags"); tags == info->end() || !tags->is_array()) {
            (*info)["tags"] = Json::array();
        }
        if (repo.origin == Origin::Upstream) {
            (*info)["gated"] = false;
        } else {
            info->erase("siblings");
        }
        found.push_back(std::move(*info));
    }
    return found;
}

Answer<std::shared_ptr<const Listing>>
Mirror::list(const Visit& visit, const Repo& repo, const std::string& commit) {
    const std::string key = repo.internal + "/" + commit;
    for (bool asked = false;; asked = true) {
        {
            const std::lock_guard guard(mutex_);
            const auto found = std::find_if(listings_.begin(),
                                            listings_.end(),
                                            [&](const auto& one) { return one.first == key; });
            if (found != listings_.end()) {
                std::rotate(found, found + 1, listings_.end());
                return listings_.back().second;
            }
        }
        const auto text =
            read_file(listing_file(options_.folder, repo.internal, commit), kListingBytes);
        if (text) {
            auto listing = std::make_shared<Listing>();
            LOCARA_CHECK(listing->add_page(*text));
            const std::lock_guard guard(mutex_);
            listings_.emplace_back(key, listing);
            if (listings_.size() > kListingsKept) {
                listings_.erase(listings_.begin());
            }
            return std::shared_ptr<const Listing>(std::move(listing));
        }
        if (text.error().code() != ErrorCode::NotFound) {
            return text.error();
        }
        if (is_offline()) {
            return not_here("what is in " + repo.id.render_web() + " at " + commit);
        }
        if (visit.reach == Reach::Here) {
            return wanting();
        }
        if (asked) {
            return Error(ErrorCode::Internal, "a listing that was kept is gone");
        }
        LOCARA_CHECK(once("listing " + key + " " + visit.asker.key,
                          [&] { return ask_listing(visit, repo, commit); }));
    }
}

Answer<std::monostate>
Mirror::ask_listing(const Visit& visit, const Repo& repo, const std::string& commit) {
    Listing listing;
    UpstreamCall call;
    call.path = api_path(repo.id) + "/tree/" + commit + "?recursive=true&expand=false&limit=1000";
    call.token = visit.asker.token;
    call.limit_bytes = kAnswerBytes;
    std::uint64_t bytes = 0;
    while (!call.path.empty()) {
        LOCARA_TRY(const UpstreamAnswer page, ask_about(repo.id, call));
        bytes += page.body.size();
        if (bytes > kListingBytes) {
            return Error(ErrorCode::TooLarge,
                         "the tree of " + repo.id.render_web() + " is too large");
        }
        const Status added = listing.add_page(page.body);
        if (!added) {
            return contradicts("a tree of " + repo.id.render_web() +
                               " that cannot be: " + added.error().message());
        }
        call.path = page.next;
    }
    LOCARA_CHECK(create_folders(folder_of(repo), 0700));
    LOCARA_CHECK(write_file_atomically(listing_file(options_.folder, repo.internal, commit),
                                       as_bytes(listing.render())));
    return std::monostate();
}

// ----------------------------------------------------------------------------------------- content

Result<std::optional<StoredFile>> Mirror::find_stored(const Repo& repo,
                                                      const GitEntry& file) const {
    LOCARA_TRY(const auto known, services_.names.find_mirrored_file(repo.key, content_id(file)));
    if (!known || !known->refused.empty()) {
        return std::optional<StoredFile>();
    }
    return services_.names.find_file(repo.key, known->sha256);
}

Answer<FoundContent>
Mirror::open(const Visit& visit, const Spot& spot, const GitEntry& file, Begin begin) {
    if (file.size() == 0) {
        return FoundContent();
    }
    const std::string oid = content_id(file);
    WantedFile wanted;
    wanted.repo = spot.repo.key;
    wanted.oid = oid;
    wanted.name = file_name(file.path);
    wanted.source = {web_path(spot.repo.id) + "/resolve/" + spot.commit + "/" +
                         percent_encode(file.path, "/"),
                     spot.commit,
                     file.size(),
                     visit.asker.token};
    for (int round = 0; round < 2; ++round) {
        LOCARA_TRY(const auto known, services_.names.find_mirrored_file(spot.repo.key, oid));
        if (known && !known->refused.empty()) {
            LOCARA_TRY(const bool still, is_refused_still(*known, wanted.name));
            if (still) {
                return Refusal(403, "RefusedByGate", known->refused);
            }
            LOCARA_CHECK(services_.names.remove_mirrored_file(*known)); // Judged again below.
        } else if (known) {
            LOCARA_TRY(auto stored, services_.names.find_file(spot.repo.key, known->sha256));
            if (stored && stored->size != file.size()) {
                return Refusal(502,
                               "UpstreamCorrupt",
                               file.path + " has " + std::to_string(stored->size) +
                                   " bytes, and the mirrored hub tells " +
                                   std::to_string(file.size()));
            }
            if (stored) {
                LOCARA_CHECK(check_called_back(
                    services_, policy::Door::ServeMirrored, known->sha256.render()));
                note_use(spot.repo, *known);
                return FoundContent{std::move(stored), nullptr};
            }
            LOCARA_CHECK(services_.names.remove_mirrored_file(*known)); // Fetched again below.
        }
        if (begin == Begin::No) {
            return FoundContent();
        }
        if (is_offline()) {
            return not_here(spot.repo.id.render_web() + " " + file.path);
        }
        if (config().quota_bytes != 0 && file.size() > config().quota_bytes) {
            return Refusal(507, "", file.path + " is larger than all that this hub may mirror");
        }
        LOCARA_TRY(auto download, downloads_->start(wanted));
        if (download) {
            return FoundContent{std::nullopt, std::move(download)};
        }
    }
    return Error(ErrorCode::Busy, file.path + " comes and goes; ask again");
}

/// Whether what refused a file says so today: scanners learn, and an operator lets formats pass.
Result<bool> Mirror::is_refused_still(const MirroredFile& file, const std::string& name) const {
    const auto scanners = is_offline() ? Result<std::string>("") : options_.scanners();
    if (is_offline() || !scanners) {
        return true; // Nobody could judge it now.
    }
    LOCARA_TRY(const auto known, services_.verdicts.find(file.sha256.render(), name));
    return known && known->scanners == *scanners &&
           !passes_mirror(known->verdict, config().pass_formats);
}

void Mirror::note_use(const Repo& repo, const MirroredFile& file) const {
    const TimePoint now = services_.clock.now();
    if (now < file.used + kUseNoted) {
        return;
    }
    const Status noted = services_.names.touch_mirrored_file(repo.key, file.oid, now);
    if (!noted) {
        services_.log.error("mirror", "use_not_noted", {{"error", noted.error().describe()}});
    }
}

void Mirror::evict(const std::string& newest) const {
    const auto evicted = evict_mirrored(services_.names, config(), newest);
    if (!evicted) {
        services_.log.error("mirror", "eviction_failed", {{"error", evicted.error().describe()}});
    } else if (evicted->files > 0) {
        services_.log.info(
            "mirror",
            "evicted",
            {{"files", std::to_string(evicted->files)}, {"bytes", std::to_string(evicted->bytes)}});
    }
}

// ---------------------------------------------------------------------------------------- prefetch

void Mirror::prefetch() {
    const std::stop_token stop = stop_.get_token();
    std::mutex mutex;
    std::condition_variable_any never;
    while (!stop.stop_requested()) {
        std::uint64_t promised = 0;
        for (const PrefetchRule& rule : config().prefetch) {
            const auto done = [&]() -> Answer<std::monostate> {
                try {
                    return prefetch_one(rule, promised);
                } catch (const std::exception& error) { // Libraries may throw.
                    return Error(ErrorCode::Internal, error.what());
                }
            }();
            if (!done && !stop.stop_requested()) {
                services_.log.warning("mirror",
                                      "prefetch_failed",
                                      {{"repo", rule.repo},
                                       {"revision", rule.revision},
                                       {"error", done.error().message}});
            }
        }
        std::unique_lock guard(mutex);
        never.wait_for(guard, stop, kPrefetchEvery, [] { return false; });
    }
}

/// What would be evicted for the next one at once is not fetched again and again.
Answer<std::monostate> Mirror::require_prefetch_room(const Repo& repo,
                                                     const Listing& listing,
                                                     std::uint64_t& promised) const {
    if (config().quota_bytes == 0) {
        return std::monostate();
    }
    std::uint64_t wanted = promised;
    for (const GitEntry& file : listing.entries()) {
        wanted += file.kind == GitEntry::Kind::File ? file.size() : 0;
    }
    LOCARA_TRY(const std::uint64_t pinned, pinned_bytes(services_.names, config(), repo.key));
    if (wanted + pinned > config().quota_bytes) {
        return Refusal(507,
                       "",
                       "with what is prefetched before it and what is pinned it needs " +
                           std::to_string(wanted + pinned) + " bytes, and the quota is " +
                           std::to_string(config().quota_bytes) + ": it is not fetched");
    }
    promised = wanted;
    return std::monostate();
}

Answer<std::monostate> Mirror::prefetch_one(const PrefetchRule& rule, std::uint64_t& promised) {
    Visit visit;
    visit.reach = Reach::Upstream;
    visit.id = RepoId::parse_web(rule.repo).value_or(RepoId());
    LOCARA_TRY(const bool claimed, claims(visit.id));
    if (!claimed) {
        return Refusal(403, "", "its namespace is this hub's own");
    }
    LOCARA_CHECK(check_rules(visit.id));
    LOCARA_TRY(const Spot spot, find_revision(visit, rule.revision));
    LOCARA_CHECK(check_access(visit, spot.repo));
    LOCARA_TRY(const auto listing, list(visit, spot.repo, spot.commit));
    LOCARA_CHECK(require_prefetch_room(spot.repo, *listing, promised));
    for (const GitEntry& file : listing->entries()) {
        if (stop_.stop_requested()) {
            break;
        }
        if (file.kind == GitEntry::Kind::File) {
            LOCARA_CHECK(open(visit, spot, file, Begin::Yes));
        }
    }
    // What llama.cpp's -hf asks for first.
    LOCARA_CHECK(pass_on(visit, spot.repo, "/refs", Keep::WhileFresh));
    return std::monostate();
}

} // namespace locara::hub
