#include "scopes.hpp"

#include "database.hpp"
#include "names.hpp"

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

constexpr std::size_t kEntityBytes = 256;

Error not_there(const std::string& entity) {
    return {ErrorCode::NotFound,
            "there is no '" + entity +
                "'; a scope names NAMESPACE, NAMESPACE/MODEL, datasets/NAMESPACE/NAME or "
                "spaces/NAMESPACE/NAME"};
}

/// The id of a repository; nothing if the entity names a namespace.
std::optional<RepoId> parse_repo(std::string_view entity) {
    RepoType of = RepoType::Model;
    for (const RepoType type : {RepoType::Model, RepoType::Dataset, RepoType::Space}) {
        const std::string prefix = std::string(render_plural(type)) + "/";
        if (entity.rfind(prefix, 0) == 0) {
            of = type;
            entity.remove_prefix(prefix.size());
            break;
        }
    }
    return RepoId::parse(of, entity);
}

/// A repository as a scope names it.
struct RepoRow {
    long long key = 0;
    std::string id, type, space, name;
    int permission = 0;

    Scope take() const {
        return {Scope::Kind::Repo,
                key,
                id,
                type,
                space + "/" + name,
                permission == 1 ? Permission::Write : Permission::Read};
    }
};

struct SpaceRow {
    long long key = 0;
    std::string id, name;
    int kind = 0, permission = 0;

    Scope take() const {
        return {Scope::Kind::Space,
                key,
                id,
                kind == 1 ? "org" : "user",
                name,
                permission == 1 ? Permission::Write : Permission::Read};
    }
};

Result<Scope> find_repo(soci::session& sql, const std::string& entity, const RepoId& wanted) {
    RepoRow row;
    const std::string type(render(wanted.type));
    sql << "SELECT key, id, type, space, name FROM repos"
           " WHERE type = :t AND space = :s AND name = :n AND origin = 0",
        use(type), use(wanted.space), use(wanted.name), into(row.key), into(row.id), into(row.type),
        into(row.space), into(row.name);
    return sql.got_data() ? Result<Scope>(row.take()) : not_there(entity);
}

Result<Scope> find_space(soci::session& sql, const std::string& entity) {
    SpaceRow row;
    sql << "SELECT key, id, name, kind FROM accounts WHERE name = :n", use(entity), into(row.key),
        into(row.id), into(row.name), into(row.kind);
    return sql.got_data() ? Result<Scope>(row.take()) : not_there(entity);
}

} // namespace

std::string_view render(Permission permission) {
    return permission == Permission::Write ? "write" : "read";
}

Result<NewScope> NewScope::parse(std::string_view text) {
    NewScope scope;
    const std::size_t equals = std::min(text.find('='), text.size());
    scope.entity = text.substr(0, equals);
    const std::string_view permission = equals == text.size() ? "read" : text.substr(equals + 1);
    if (scope.entity.empty() || scope.entity.size() > kEntityBytes ||
        (permission != "read" && permission != "write")) {
        return Error(ErrorCode::InvalidArgument,
                     "found '" + std::string(text) +
                         "', a scope is a repository or a namespace with =read or =write, such as "
                         "ana/tiny=write");
    }
    scope.permission = permission == "write" ? Permission::Write : Permission::Read;
    return scope;
}

Result<std::vector<Scope>> Scopes::resolve(const std::vector<NewScope>& wanted) const {
    return database_->transact([&](soci::session& sql) -> Result<std::vector<Scope>> {
        std::vector<Scope> found;
        for (const NewScope& one : wanted) {
            const auto repo = parse_repo(one.entity);
            LOCARA_TRY(Scope scope,
                       repo ? find_repo(sql, one.entity, *repo) : find_space(sql, one.entity));
            scope.permission = one.permission;
            found.push_back(std::move(scope));
        }
        return found;
    });
}

Status Scopes::add(const std::string& token_id, const std::vector<Scope>& scopes) {
    return database_->transact([&](soci::session& sql) -> Status {
        for (const Scope& scope : scopes) {
            const long long key = scope.key;
            const int permission = scope.permission == Permission::Write ? 1 : 0;
            const bool repo = scope.kind == Scope::Kind::Repo;
            sql << (repo ? "INSERT INTO token_repos (token, repo, permission) VALUES (:t, :k, :p)"
                           " ON CONFLICT (token, repo) DO UPDATE SET permission ="
                           " excluded.permission"
                         : "INSERT INTO token_spaces (token, account, permission)"
                           " VALUES (:t, :k, :p) ON CONFLICT (token, account) DO UPDATE SET"
                           " permission = excluded.permission"),
                use(token_id), use(key), use(permission);
        }
        return {};
    });
}

Result<std::vector<Scope>> Scopes::list(const std::string& token_id) const {
    return database_->transact([&](soci::session& sql) -> Result<std::vector<Scope>> {
        std::vector<Scope> found;
        RepoRow repo;
        soci::statement repos = (sql.prepare << "SELECT r.key, r.id, r.type, r.space, r.name,"
                                                " t.permission FROM token_repos t"
                                                " JOIN repos r ON r.key = t.repo WHERE t.token = :t"
                                                " ORDER BY r.space, r.name, r.type",
                                 use(token_id),
                                 into(repo.key),
                                 into(repo.id),
                                 into(repo.type),
                                 into(repo.space),
                                 into(repo.name),
                                 into(repo.permission));
        repos.execute();
        while (repos.fetch()) {
            found.push_back(repo.take());
        }
        SpaceRow space;
        soci::statement spaces = (sql.prepare << "SELECT a.key, a.id, a.name, a.kind, t.permission"
                                                 " FROM token_spaces t"
                                                 " JOIN accounts a ON a.key = t.account"
                                                 " WHERE t.token = :t ORDER BY a.name",
                                  use(token_id),
                                  into(space.key),
                                  into(space.id),
                                  into(space.name),
                                  into(space.kind),
                                  into(space.permission));
        spaces.execute();
        while (spaces.fetch()) {
            found.push_back(space.take());
        }
        return found;
    });
}

} // namespace locara::hub
