#include "attributes.hpp"
#include "content_gate.hpp"
#include "database.hpp"
#include "layout.hpp"
#include "names.hpp"
#include "new_repo.hpp"
#include "verdict_store.hpp"

#include <locara/base/secret.hpp>
#include <locara/hub/organizations.hpp>
#include <locara/hub/repositories.hpp>

namespace locara::hub {
namespace {

Result<RepoId> parse_id(const std::string& text) {
    auto id = RepoId::parse_web(text);
    if (!id || is_reserved_space(id->space)) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + text +
                         "' is no id of a repository; write such as ana/tiny, datasets/ana/notes, "
                         "spaces/ana/app or buckets/ana/box");
    }
    return *std::move(id);
}

/// What hub.toml does not allow is policy, and no lack of rights.
Status check_policy(const RepoConfig& rules, RepoType type, Visibility visibility) {
    const Status allowed = check_visibility(rules, type, visibility);
    return allowed ? Status() : Status(Error(ErrorCode::Refused, allowed.error().message()));
}

Error taken(const RepoId& id) {
    return Error(ErrorCode::Conflict,
                 "there is a " + std::string(render(id.type)) + " " + id.render() + " already");
}

} // namespace

Result<Visibility> parse_visibility(std::string_view text) {
    for (const Visibility visibility : {Visibility::Public, Visibility::Private}) {
        if (text == render(visibility)) {
            return visibility;
        }
    }
    return Error(ErrorCode::InvalidArgument,
                 "found visibility '" + std::string(text) + "', wanted public or private");
}

std::string_view render(Visibility visibility) {
    return visibility == Visibility::Private ? "private" : "public";
}

Result<Gate> parse_gate(std::string_view text) {
    for (const Gate gate : {Gate::Open, Gate::Automatic, Gate::Manual}) {
        if (text == render_gate(gate)) {
            return gate;
        }
    }
    return Error(ErrorCode::InvalidArgument,
                 "found gate '" + std::string(text) + "', wanted open, auto or manual");
}

std::string_view render_gate(Gate gate) {
    switch (gate) {
    case Gate::Open:
        return "open";
    case Gate::Automatic:
        return "auto";
    case Gate::Manual:
        return "manual";
    }
    return "open";
}

Repositories::Repositories(std::shared_ptr<Database> database,
                           std::filesystem::path repos,
                           const Clock& clock,
                           RepoConfig rules)
    : database_(std::move(database)), names_(std::make_unique<Names>(database_)),
      repos_(std::move(repos)), clock_(&clock), rules_(std::move(rules)) {}

Repositories::Repositories(Repositories&&) noexcept = default;
Repositories& Repositories::operator=(Repositories&&) noexcept = default;
Repositories::~Repositories() = default;

Result<Repositories>
Repositories::open(const std::filesystem::path& data, const Clock& clock, RepoConfig rules) {
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Fail));
    return Repositories(std::move(database), data / kRepos, clock, std::move(rules));
}

Result<OwnRepo> Repositories::describe(const Repo& repo) const {
    OwnRepo own;
    own.id = repo.id.render_web();
    own.name = repo.id.render();
    own.type = render(repo.id.type);
    own.visibility = repo.visibility;
    own.gate = repo.gate;
    own.created = repo.created;
    own.internal = repo.internal;
    LOCARA_TRY(const auto files, names_->list_files(repo.key));
    own.files = files.size();
    for (const StoredFile& file : files) {
        own.bytes += file.size;
    }
    return own;
}

Result<OwnRepo> Repositories::describe(const std::string& id) const {
    LOCARA_TRY(const Repo repo, get(id));
    return describe(repo);
}

Result<Repo> Repositories::get(const std::string& id) const {
    LOCARA_TRY(const RepoId wanted, parse_id(id));
    LOCARA_TRY(auto repo, names_->find_repo(wanted));
    if (repo && repo->origin == Origin::Here) {
        return std::move(*repo);
    }
    const std::string where = repo ? id + " is mirrored: `locara-hub mirror` has it"
                                   : "there is no " + std::string(render(wanted.type)) + " " +
                                         wanted.render() + "; `locara-hub repo list` says what is";
    return Error(ErrorCode::NotFound, where);
}

Result<std::string> Repositories::get_space(const std::string& space) const {
    LOCARA_TRY(const auto user, names_->find_account(space));
    if (user) {
        return user->name;
    }
    LOCARA_TRY(const auto organization, Organizations(database_).find(space));
    if (organization) {
        return organization->name;
    }
    return Error(ErrorCode::NotFound, "there is no user or organization '" + space + "'");
}

Result<std::vector<OwnRepo>> Repositories::list() const {
    std::vector<OwnRepo> listed;
    for (const RepoType type :
         {RepoType::Model, RepoType::Dataset, RepoType::Space, RepoType::Bucket}) {
        LOCARA_TRY(const auto repos, names_->list_repos(type));
        for (const Repo& repo : repos) {
            if (repo.origin == Origin::Here) {
                LOCARA_TRY(OwnRepo own, describe(repo));
                listed.push_back(std::move(own));
            }
        }
    }
    return listed;
}

Result<OwnRepo> Repositories::create(const std::string& id, std::optional<Visibility> visibility) {
    Repo repo;
    LOCARA_TRY(repo.id, parse_id(id));
    LOCARA_TRY(repo.id.space, get_space(repo.id.space));
    if (!visibility) {
        LOCARA_TRY(visibility, Organizations(database_).default_visibility(repo.id.space));
    }
    repo.visibility = *visibility;
    LOCARA_CHECK(check_policy(rules_, repo.id.type, repo.visibility));
    repo.created = clock_->now();
    GitSnapshot first;
    first.files = {{".gitattributes", default_attributes()}};
    first.message = "initial commit\n";
    first.author_name = "Locara";
    first.author_email = "noreply@locara.dev";
    first.date = repo.created;
    const bool is_bucket = repo.id.type == RepoType::Bucket;
    if (is_bucket) {
        repo.internal = random_hex(12);
    }
    const VerdictStore verdicts(database_);
    for (const GitFile& file : is_bucket ? std::vector<GitFile>() : first.files) {
        LOCARA_CHECK(pass_gate(verdicts, *clock_, null_log(), file.content, file.path));
    }
    auto made = is_bucket ? names_->add_repo(repo) : create_repo(*names_, repos_, repo, first);
    if (!made && made.error().code() == ErrorCode::Conflict) {
        return taken(repo.id);
    }
    if (!made) {
        return std::move(made).error();
    }
    return describe(*made);
}

Result<RemovedRepo> Repositories::remove(const std::string& id) {
    LOCARA_TRY(const Repo repo, get(id));
    LOCARA_TRY(OwnRepo was, describe(repo));
    LOCARA_TRY(const RemovedSpace space, remove_repo(*names_, repos_, repo));
    return RemovedRepo{std::move(was), space.freed};
}

Result<OwnRepo> Repositories::move(const std::string& id, const std::string& to) {
    LOCARA_TRY(const Repo repo, get(id));
    LOCARA_TRY(OwnRepo was, describe(repo));
    LOCARA_TRY(RepoId target, parse_id(std::string(web_prefix(repo.id.type)) + to));
    if (target.type != repo.id.type) {
        return Error(ErrorCode::InvalidArgument,
                     "a " + std::string(render(repo.id.type)) +
                         " stays one wherever it is moved: NAMESPACE/NAME is wanted");
    }
    LOCARA_TRY(target.space, get_space(target.space));
    if (target.render() == repo.id.render()) {
        return Error(ErrorCode::InvalidArgument, repo.id.render() + " is its name already");
    }
    const Status moved = names_->move_repo(repo.key, target);
    if (!moved && moved.error().code() == ErrorCode::Conflict) {
        return taken(target);
    }
    LOCARA_CHECK(moved);
    return was;
}

Result<OwnRepo> Repositories::set(const std::string& id,
                                  std::optional<Visibility> visibility,
                                  std::optional<Gate> gate) {
    LOCARA_TRY(Repo repo, get(id));
    if (gate && repo.id.type == RepoType::Bucket) {
        return Error(ErrorCode::InvalidArgument, "a bucket has no gate");
    }
    if (visibility && *visibility != repo.visibility) {
        LOCARA_CHECK(check_policy(rules_, repo.id.type, *visibility));
        LOCARA_CHECK(names_->set_visibility(repo.key, *visibility));
        repo.visibility = *visibility;
    }
    if (gate) {
        LOCARA_CHECK(names_->set_gate(repo.key, *gate));
        repo.gate = *gate;
    }
    return describe(repo);
}

} // namespace locara::hub
