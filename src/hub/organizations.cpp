#include "database.hpp"
#include "layout.hpp"
#include "names.hpp"
#include "names_rows.hpp"

#include <locara/base/file.hpp>
#include <locara/base/secret.hpp>
#include <locara/hub/organizations.hpp>

#include <algorithm>
#include <array>

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

constexpr std::array kRoles = {
    OrgRole::Admin, OrgRole::Write, OrgRole::Contributor, OrgRole::Read, OrgRole::NoAccess};

/// An account's columns, and the role of a membership beside them.
struct Row {
    long long key = 0, created = 0;
    Account account;
    std::string role;

    Account take() const {
        Account taken = account;
        taken.key = key;
        taken.created = time_of(created);
        return taken;
    }
};

/// The rows of a query about `key`, each an account with a role (columns of Row).
template <class Pair>
Result<std::vector<Pair>> read_roles(soci::session& sql, long long key, const char* query) {
    Row row;
    soci::statement statement = (sql.prepare << query,
                                 use(key),
                                 into(row.key),
                                 into(row.account.id),
                                 into(row.account.name),
                                 into(row.account.full_name),
                                 into(row.created),
                                 into(row.role));
    statement.execute();
    std::vector<Pair> found;
    while (statement.fetch()) {
        LOCARA_TRY(const OrgRole role, parse_org_role(row.role));
        found.push_back({row.take(), role});
    }
    return found;
}

Error no_organization(const std::string& name) {
    return {ErrorCode::NotFound,
            "there is no organization '" + name + "'; make it with: locara-hub org create " + name};
}

Error no_member(const std::string& organization, const std::string& user) {
    return {ErrorCode::NotFound,
            "user '" + user + "' does not belong to an organization '" + organization + "'"};
}

} // namespace

std::string_view render(OrgRole role) {
    switch (role) {
    case OrgRole::Admin:
        return "admin";
    case OrgRole::Write:
        return "write";
    case OrgRole::Contributor:
        return "contributor";
    case OrgRole::Read:
        return "read";
    case OrgRole::NoAccess:
        return "no_access";
    }
    return "no_access";
}

Result<OrgRole> parse_org_role(std::string_view text) {
    for (const OrgRole role : kRoles) {
        if (render(role) == text) {
            return role;
        }
    }
    return Error(ErrorCode::InvalidArgument,
                 "found role '" + std::string(text) +
                     "', a member has admin, write, contributor, read or no_access");
}

Result<Organizations> Organizations::open(const std::filesystem::path& data) {
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Fail));
    return Organizations(std::move(database));
}

Result<Account>
Organizations::create(const std::string& name, const std::string& full_name, TimePoint now) {
    LOCARA_CHECK(check_space(name));
    const Account made{0, random_hex(12), name, full_name.empty() ? name : full_name, now};
    auto added = database_->with([&](soci::session& sql) -> Status {
        const long long created = seconds(now);
        sql << "INSERT INTO accounts (id, name, full_name, created, kind)"
               " VALUES (:i, :n, :f, :c, 1)",
            use(made.id), use(name), use(made.full_name), use(created);
        return {};
    });
    if (!added && added.error().code() == ErrorCode::Conflict) {
        return Error(ErrorCode::Conflict,
                     "there is a user or an organization '" + name + "' already");
    }
    if (!added) {
        return std::move(added).error();
    }
    LOCARA_TRY(auto found, find(name));
    return found ? Result<Account>(std::move(*found)) : no_organization(name);
}

Result<std::vector<Account>> Organizations::list() const {
    return database_->with([](soci::session& sql) -> Result<std::vector<Account>> {
        Row row;
        soci::statement statement = (sql.prepare << "SELECT key, id, name, full_name, created"
                                                    " FROM accounts WHERE kind = 1 ORDER BY name",
                                     into(row.key),
                                     into(row.account.id),
                                     into(row.account.name),
                                     into(row.account.full_name),
                                     into(row.created));
        statement.execute();
        std::vector<Account> found;
        while (statement.fetch()) {
            found.push_back(row.take());
        }
        return found;
    });
}

Result<std::optional<Account>> Organizations::find(const std::string& name) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<Account>> {
        Row row;
        sql << "SELECT key, id, name, full_name, created FROM accounts"
               " WHERE name = :n AND kind = 1",
            use(name), into(row.key), into(row.account.id), into(row.account.name),
            into(row.account.full_name), into(row.created);
        return sql.got_data() ? std::optional(row.take()) : std::optional<Account>();
    });
}

Status Organizations::remove(const std::string& name) {
    return database_->transact([&](soci::session& sql) -> Status {
        long long repos = 0;
        sql << "SELECT COUNT(*) FROM repos WHERE space = :n AND origin = 0", use(name), into(repos);
        if (repos > 0) {
            return Error(ErrorCode::Conflict,
                         "'" + name + "' has " + std::to_string(repos) +
                             " repositories; remove or move them first");
        }
        soci::statement statement =
            (sql.prepare << "DELETE FROM accounts WHERE name = :n AND kind = 1", use(name));
        statement.execute(true);
        if (statement.get_affected_rows() == 0) {
            return no_organization(name);
        }
        sql << "DELETE FROM collections WHERE space = :n", use(name);
        return {};
    });
}

Result<Visibility> Organizations::default_visibility(const std::string& space) const {
    return database_->with([&](soci::session& sql) -> Result<Visibility> {
        int is_private = 0;
        sql << "SELECT private_repos FROM accounts WHERE name = :n AND kind = 1", use(space),
            into(is_private);
        return sql.got_data() && is_private != 0 ? Visibility::Private : Visibility::Public;
    });
}

Status Organizations::set_default_visibility(const std::string& name, Visibility visibility) {
    return database_->with([&](soci::session& sql) -> Status {
        const int is_private = visibility == Visibility::Private ? 1 : 0;
        soci::statement statement =
            (sql.prepare << "UPDATE accounts SET private_repos = :p WHERE name = :n AND kind = 1",
             use(is_private),
             use(name));
        statement.execute(true);
        return statement.get_affected_rows() == 0 ? Status(no_organization(name)) : Status();
    });
}

Status
Organizations::add_member(const std::string& organization, const std::string& user, OrgRole role) {
    return database_->transact([&](soci::session& sql) -> Status {
        long long key = 0;
        sql << "SELECT key FROM accounts WHERE name = :n AND kind = 1", use(organization),
            into(key);
        if (!sql.got_data()) {
            return no_organization(organization);
        }
        long long account = 0;
        sql << "SELECT key FROM accounts WHERE name = :n AND kind = 0", use(user), into(account);
        if (!sql.got_data()) {
            return Error(ErrorCode::NotFound,
                         "there is no user '" + user + "'; add it with: locara-hub user add " +
                             user);
        }
        int found = 0;
        sql << "SELECT 1 FROM members WHERE organization = :o AND account = :a", use(key),
            use(account), into(found);
        if (sql.got_data()) {
            return Error(ErrorCode::Conflict,
                         "user '" + user + "' belongs to '" + organization +
                             "' already; see: locara-hub org set-role");
        }
        const std::string text(render(role));
        sql << "INSERT INTO members (organization, account, role) VALUES (:o, :a, :r)", use(key),
            use(account), use(text);
        return {};
    });
}

Status
Organizations::set_role(const std::string& organization, const std::string& user, OrgRole role) {
    return database_->with([&](soci::session& sql) -> Status {
        const std::string text(render(role));
        soci::statement statement =
            (sql.prepare << "UPDATE members SET role = :r WHERE organization ="
                            " (SELECT key FROM accounts WHERE name = :o AND kind = 1) AND account ="
                            " (SELECT key FROM accounts WHERE name = :a AND kind = 0)",
             use(text),
             use(organization),
             use(user));
        statement.execute(true);
        return statement.get_affected_rows() == 0 ? Status(no_member(organization, user))
                                                  : Status();
    });
}

Status Organizations::remove_member(const std::string& organization, const std::string& user) {
    return database_->with([&](soci::session& sql) -> Status {
        soci::statement statement =
            (sql.prepare << "DELETE FROM members WHERE organization ="
                            " (SELECT key FROM accounts WHERE name = :o AND kind = 1) AND account ="
                            " (SELECT key FROM accounts WHERE name = :a AND kind = 0)",
             use(organization),
             use(user));
        statement.execute(true);
        return statement.get_affected_rows() == 0 ? Status(no_member(organization, user))
                                                  : Status();
    });
}

Result<std::vector<Member>> Organizations::members(std::int64_t organization) const {
    return database_->with([&](soci::session& sql) {
        return read_roles<Member>(
            sql,
            organization,
            "SELECT a.key, a.id, a.name, a.full_name, a.created, m.role FROM members m"
            " JOIN accounts a ON a.key = m.account WHERE m.organization = :k ORDER BY a.name");
    });
}

Result<std::vector<Membership>> Organizations::memberships(std::int64_t account) const {
    return database_->with([&](soci::session& sql) {
        return read_roles<Membership>(
            sql,
            account,
            "SELECT o.key, o.id, o.name, o.full_name, o.created, m.role FROM members m"
            " JOIN accounts o ON o.key = m.organization WHERE m.account = :k ORDER BY o.name");
    });
}

} // namespace locara::hub
