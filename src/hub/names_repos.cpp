#include "database.hpp"
#include "names.hpp"
#include "names_rows.hpp"

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

/// The columns of a repository, in the order of kRepoColumns.
struct RepoRow {
    long long key = 0;
    std::string internal, type, space, name;
    int is_private = 0;
    long long created = 0;
    RepoFacts facts;
    int origin = 0;
    int gate = 0;
    long long maker = 0;

    Result<Repo> take() const {
        const auto parsed = parse_repo_type(type);
        if (!parsed) {
            return Error(ErrorCode::Corrupt, "a repository in the database has type " + type);
        }
        Repo repo;
        repo.key = key;
        repo.internal = internal;
        repo.id = {*parsed, space, name};
        repo.visibility = is_private != 0 ? Visibility::Private : Visibility::Public;
        repo.created = time_of(created);
        repo.facts = facts;
        if (origin < 0 || origin > static_cast<int>(Origin::UpstreamPrivate)) {
            return Error(ErrorCode::Corrupt, "a repository in the database has a wrong origin");
        }
        repo.origin = static_cast<Origin>(origin);
        if (gate < 0 || gate > static_cast<int>(Gate::Manual)) {
            return Error(ErrorCode::Corrupt, "a repository in the database has a wrong gate");
        }
        repo.gate = static_cast<Gate>(gate);
        repo.maker = maker;
        return repo;
    }
};

constexpr const char* kRepoColumns =
    "key, id, type, space, name, private, created, task, license, manifest, origin, gated, maker";

/// A session that fetches into `row`, over the statement that begins at `select`.
soci::details::prepare_temp_type into_row(soci::details::prepare_temp_type statement,
                                          RepoRow& row) {
    return (std::move(statement),
            into(row.key),
            into(row.internal),
            into(row.type),
            into(row.space),
            into(row.name),
            into(row.is_private),
            into(row.created),
            into(row.facts.task),
            into(row.facts.license),
            into(row.facts.manifest),
            into(row.origin),
            into(row.gate),
            into(row.maker));
}

} // namespace

Result<Repo> Names::add_repo(const Repo& repo) {
    auto added = database_->with([&](soci::session& sql) -> Status {
        const std::string type(render(repo.id.type));
        const int is_private = repo.visibility == Visibility::Private ? 1 : 0;
        const long long created = seconds(repo.created);
        const int origin = static_cast<int>(repo.origin);
        const int gate = static_cast<int>(repo.gate);
        const long long maker = repo.maker;
        sql << "INSERT INTO repos (id, type, space, name, private, created, task, license,"
               " manifest, origin, gated, maker)"
               " VALUES (:i, :t, :s, :n, :p, :c, :k, :l, :m, :o, :g, :a)",
            use(repo.internal), use(type), use(repo.id.space), use(repo.id.name), use(is_private),
            use(created), use(repo.facts.task), use(repo.facts.license), use(repo.facts.manifest),
            use(origin), use(gate), use(maker);
        return {};
    });
    if (!added) {
        return std::move(added).error();
    }
    LOCARA_TRY(auto found, find_repo(repo.id));
    if (!found) {
        return Error(ErrorCode::Conflict, repo.id.render() + " was removed while it was made");
    }
    return std::move(*found);
}

Result<std::optional<Repo>> Names::find_repo(const RepoId& id) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<Repo>> {
        const std::string type(render(id.type));
        RepoRow row;
        soci::statement statement =
            into_row((sql.prepare << "SELECT " << kRepoColumns
                                  << " FROM repos WHERE type = :t AND space = :s AND name = :n",
                      use(type),
                      use(id.space),
                      use(id.name)),
                     row);
        if (!statement.execute(true)) {
            return std::optional<Repo>();
        }
        LOCARA_TRY(Repo repo, row.take());
        return std::optional(std::move(repo));
    });
}

Result<std::optional<Repo>> Names::find_repo(std::int64_t key) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<Repo>> {
        const long long wanted = key;
        RepoRow row;
        soci::statement statement = into_row(
            (sql.prepare << "SELECT " << kRepoColumns << " FROM repos WHERE key = :k", use(wanted)),
            row);
        if (!statement.execute(true)) {
            return std::optional<Repo>();
        }
        LOCARA_TRY(Repo repo, row.take());
        return std::optional(std::move(repo));
    });
}

Result<std::vector<Repo>> Names::list_repos(RepoType type) const {
    return database_->with([&](soci::session& sql) -> Result<std::vector<Repo>> {
        const std::string wanted(render(type));
        RepoRow row;
        soci::statement statement =
            into_row((sql.prepare << "SELECT " << kRepoColumns
                                  << " FROM repos WHERE type = :t ORDER BY space, name",
                      use(wanted)),
                     row);
        statement.execute();
        std::vector<Repo> repos;
        while (statement.fetch()) {
            LOCARA_TRY(Repo repo, row.take());
            repos.push_back(std::move(repo));
        }
        return repos;
    });
}

Status Names::set_facts(std::int64_t repo, const RepoFacts& facts) {
    return database_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        sql << "UPDATE repos SET task = :t, license = :l, manifest = :m WHERE key = :k",
            use(facts.task), use(facts.license), use(facts.manifest), use(key);
        return {};
    });
}

Status Names::set_visibility(std::int64_t repo, Visibility visibility) {
    return database_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const int is_private = visibility == Visibility::Private ? 1 : 0;
        sql << "UPDATE repos SET private = :p WHERE key = :k", use(is_private), use(key);
        return {};
    });
}

Status Names::set_gate(std::int64_t repo, Gate gate) {
    return database_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const int value = static_cast<int>(gate);
        sql << "UPDATE repos SET gated = :g WHERE key = :k", use(value), use(key);
        return {};
    });
}

Status Names::move_repo(std::int64_t repo, const RepoId& to) {
    return database_->transact([&](soci::session& sql) -> Status {
        const long long key = repo;
        const std::string type(render(to.type));
        // What was mirrored under this name gives way: the namespace is the hub's own now.
        sql << "DELETE FROM repos WHERE type = :t AND space = :s AND name = :n AND origin <> 0",
            use(type), use(to.space), use(to.name);
        sql << "INSERT INTO moved (type, space, name, repo)"
               " SELECT type, space, name, key FROM repos WHERE key = :k"
               " ON CONFLICT (type, space, name) DO UPDATE SET repo = excluded.repo",
            use(key);
        sql << "UPDATE repos SET space = :s, name = :n WHERE key = :k", use(to.space), use(to.name),
            use(key);
        // Back to an id that it had: that one is no detour any more.
        sql << "DELETE FROM moved WHERE type = :t AND space = :s AND name = :n", use(type),
            use(to.space), use(to.name);
        return {};
    });
}

Result<std::optional<Repo>> Names::find_moved_repo(const RepoId& id) const {
    LOCARA_TRY(const std::int64_t key,
               database_->with([&](soci::session& sql) -> Result<std::int64_t> {
                   const std::string type(render(id.type));
                   long long found = 0;
                   sql << "SELECT repo FROM moved WHERE type = :t AND space = :s AND name = :n",
                       use(type), use(id.space), use(id.name), into(found);
                   return std::int64_t{sql.got_data() ? found : 0};
               }));
    return key == 0 ? Result<std::optional<Repo>>(std::optional<Repo>()) : find_repo(key);
}

Status Names::remove_repo(std::int64_t repo) {
    return database_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        sql << "DELETE FROM repos WHERE key = :k", use(key);
        return {};
    });
}

} // namespace locara::hub
