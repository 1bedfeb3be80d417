#include "database.hpp"
#include "disk_use.hpp"
#include "layout.hpp"

#include <locara/hub/quotas.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

/// In the table: no bound.
constexpr long long kNoBound = -1;

struct Row {
    std::string name;
    int kind = 0; ///< As in the table of accounts: 1 is an organization.
    long long bytes = 0;
    soci::indicator set = soci::i_null;

    QuotaRule rule(const QuotaConfig& defaults) const {
        QuotaRule rule;
        rule.name = name;
        rule.owner = kind == 1 ? QuotaRule::Owner::Organization : QuotaRule::Owner::User;
        if (set == soci::i_ok) {
            rule.origin = QuotaRule::Origin::Own;
            if (bytes != kNoBound) {
                rule.quota = static_cast<std::uint64_t>(bytes);
            }
            return rule;
        }
        const std::uint64_t most = rule.owner == QuotaRule::Owner::User
                                       ? defaults.user_bytes
                                       : defaults.organization_bytes;
        if (most != 0) {
            rule.quota = most;
        }
        return rule;
    }
};

constexpr const char* kSelect = "SELECT a.name, a.kind, q.bytes FROM accounts a"
                                " LEFT JOIN quotas q ON q.account = a.key";

} // namespace

Result<Quotas> Quotas::open(const std::filesystem::path& data) {
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Fail));
    return Quotas(std::move(database), data / kRepos);
}

Result<std::optional<QuotaRule>> Quotas::find(const std::string& name) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<QuotaRule>> {
        Row row;
        sql << kSelect << " WHERE a.name = :n", use(name), into(row.name), into(row.kind),
            into(row.bytes, row.set);
        return sql.got_data() ? std::optional(row.rule(defaults_)) : std::nullopt;
    });
}

Result<std::vector<QuotaRule>> Quotas::list() const {
    return database_->with([&](soci::session& sql) -> Result<std::vector<QuotaRule>> {
        Row row;
        soci::statement statement = (sql.prepare << kSelect << " ORDER BY a.name",
                                     into(row.name),
                                     into(row.kind),
                                     into(row.bytes, row.set));
        statement.execute();
        std::vector<QuotaRule> found;
        while (statement.fetch()) {
            found.push_back(row.rule(defaults_));
        }
        return found;
    });
}

Status Quotas::write(const std::string& name, std::optional<Quota> quota) {
    return database_->transact([&](soci::session& sql) -> Status {
        long long account = 0;
        sql << "SELECT key FROM accounts WHERE name = :n", use(name), into(account);
        if (!sql.got_data()) {
            return Error(ErrorCode::NotFound, "there is no user or organization '" + name + "'");
        }
        sql << "DELETE FROM quotas WHERE account = :a", use(account);
        if (quota) {
            const long long bytes = *quota ? static_cast<long long>(**quota) : kNoBound;
            sql << "INSERT INTO quotas (account, bytes) VALUES (:a, :b)", use(account), use(bytes);
        }
        return {};
    });
}

Status Quotas::set(const std::string& name, Quota quota) {
    return write(name, quota);
}

Status Quotas::reset(const std::string& name) {
    return write(name, std::nullopt);
}

Result<std::uint64_t> Quotas::used(const std::string& space) const {
    LOCARA_TRY(const long long large, database_->with([&](soci::session& sql) -> Result<long long> {
        long long bytes = 0;
        sql << "SELECT CAST(COALESCE(SUM(held.size), 0) AS BIGINT) FROM"
               " (SELECT DISTINCT f.sha256, f.size FROM files f"
               " JOIN repos r ON r.key = f.repo WHERE r.space = :s AND r.origin = 0)"
               " AS held",
            use(space), into(bytes);
        return bytes;
    }));
    LOCARA_TRY(const auto repos,
               database_->with([&](soci::session& sql) -> Result<std::vector<std::string>> {
                   std::string id;
                   soci::statement statement =
                       (sql.prepare << "SELECT id FROM repos WHERE space = :s AND origin = 0",
                        use(space),
                        into(id));
                   statement.execute();
                   std::vector<std::string> found;
                   while (statement.fetch()) {
                       found.push_back(id);
                   }
                   return found;
               }));
    auto bytes = static_cast<std::uint64_t>(large);
    for (const std::string& id : repos) {
        bytes += allocated_bytes(repo_folder(repos_, id));
    }
    return bytes;
}

Result<Quota> Quotas::room(const std::string& space) const {
    LOCARA_TRY(const auto rule, find(space));
    if (!rule || !rule->quota) {
        return Quota();
    }
    LOCARA_TRY(const std::uint64_t bytes, used(space));
    return Quota(*rule->quota - std::min(bytes, *rule->quota));
}

} // namespace locara::hub
