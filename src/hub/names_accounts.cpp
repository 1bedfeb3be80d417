#include "database.hpp"
#include "names.hpp"
#include "names_rows.hpp"

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

std::optional<TimePoint> expiry_of(long long value, soci::indicator indicator) {
    return indicator == soci::i_null ? std::nullopt : std::optional(time_of(value));
}

/// The columns of a token joined with its account, in the order of kTokenColumns.
struct TokenRow {
    std::string id, account, name, role;
    long long created = 0, expires = 0;
    soci::indicator has_expiry = soci::i_ok;

    Result<Token> take() const {
        LOCARA_TRY(const TokenRole parsed, parse_token_role(role));
        return Token{id, account, name, parsed, time_of(created), expiry_of(expires, has_expiry)};
    }
};

/// `column` is one of ours, never a caller's text.
Status set_column(Database& database,
                  const std::string& name,
                  const char* column,
                  const std::string& value) {
    return database.with([&](soci::session& sql) -> Status {
        soci::statement statement = (sql.prepare << "UPDATE accounts SET " << column
                                                 << " = :v WHERE name = :n AND kind = 0",
                                     use(value),
                                     use(name));
        statement.execute(true);
        if (statement.get_affected_rows() == 0) {
            return Error(ErrorCode::NotFound, "there is no user '" + name + "'");
        }
        return {};
    });
}

} // namespace

Result<Account>
Names::add_account(const std::string& name, const std::string& full_name, TimePoint now) {
    Account account{0, random_hex(12), name, full_name, now};
    auto added = database_->with([&](soci::session& sql) -> Status {
        const long long created = seconds(now);
        sql << "INSERT INTO accounts (id, name, full_name, created) VALUES (:i, :n, :f, :c)",
            use(account.id), use(name), use(full_name), use(created);
        return {};
    });
    if (!added) {
        if (added.error().code() == ErrorCode::Conflict) {
            return Error(ErrorCode::Conflict,
                         "there is a user or an organization '" + name + "' already");
        }
        return std::move(added).error();
    }
    return account;
}

Result<std::optional<Account>> Names::find_account(const std::string& name) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<Account>> {
        Account account;
        long long key = 0;
        long long created = 0;
        sql << "SELECT key, id, name, full_name, created, email, website FROM accounts"
               " WHERE name = :n AND kind = 0",
            use(name), into(key), into(account.id), into(account.name), into(account.full_name),
            into(created), into(account.email), into(account.website);
        if (!sql.got_data()) {
            return std::optional<Account>();
        }
        account.key = key;
        account.created = time_of(created);
        return std::optional(std::move(account));
    });
}

Result<std::vector<Account>> Names::list_accounts() const {
    return database_->with([&](soci::session& sql) -> Result<std::vector<Account>> {
        Account row;
        long long key = 0;
        long long created = 0;
        soci::statement statement =
            (sql.prepare << "SELECT key, id, name, full_name, created, email, website FROM accounts"
                            " WHERE kind = 0 ORDER BY name",
             into(key),
             into(row.id),
             into(row.name),
             into(row.full_name),
             into(created),
             into(row.email),
             into(row.website));
        statement.execute();
        std::vector<Account> accounts;
        while (statement.fetch()) {
            row.key = key;
            row.created = time_of(created);
            accounts.push_back(row);
        }
        return accounts;
    });
}

Status Names::remove_account(const std::string& name) {
    return database_->transact([&](soci::session& sql) -> Status {
        long long repos = 0;
        sql << "SELECT COUNT(*) FROM repos WHERE space = :n AND origin = 0", use(name), into(repos);
        if (repos > 0) {
            return Error(ErrorCode::Conflict,
                         "'" + name + "' has " + std::to_string(repos) +
                             " repositories and buckets; remove or move them first");
        }
        soci::statement statement =
            (sql.prepare << "DELETE FROM accounts WHERE name = :n AND kind = 0", use(name));
        statement.execute(true);
        if (statement.get_affected_rows() == 0) {
            return Error(ErrorCode::NotFound, "there is no user '" + name + "'");
        }
        sql << "DELETE FROM collections WHERE space = :n", use(name);
        return {};
    });
}

Status Names::set_email(const std::string& name, const std::string& email) {
    return set_column(*database_, name, "email", email);
}

Status Names::set_website(const std::string& name, const std::string& website) {
    return set_column(*database_, name, "website", website);
}

Result<Token> Names::add_token(const Account& account,
                               const NewToken& token,
                               const crypto::Sha256Digest& digest,
                               TimePoint now) {
    const Token made{random_hex(12), account.name, token.name, token.role, now, token.expires};
    auto added = database_->with([&](soci::session& sql) -> Status {
        const std::string hash = digest.render();
        const std::string role(render(token.role));
        const long long expires = token.expires ? seconds(*token.expires) : 0;
        soci::indicator has_expiry = token.expires ? soci::i_ok : soci::i_null;
        const long long created = seconds(now);
        sql << "INSERT INTO tokens (id, account, name, digest, role, created, expires)"
               " SELECT :i, key, :n, :d, :r, :c, :e FROM accounts WHERE name = :a",
            use(made.id), use(token.name), use(hash), use(role), use(created),
            use(expires, has_expiry), use(account.name);
        return {};
    });
    if (!added) {
        if (added.error().code() == ErrorCode::Conflict) {
            return Error(ErrorCode::Conflict,
                         "user '" + account.name + "' has a token '" + token.name +
                             "' already; give this one another --name, or revoke that one");
        }
        return std::move(added).error();
    }
    return made;
}

Result<std::optional<KnownToken>> Names::find_token(const crypto::Sha256Digest& digest,
                                                    TimePoint now) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<KnownToken>> {
        const std::string hash = digest.render();
        TokenRow row;
        KnownToken known;
        long long key = 0;
        long long created = 0;
        sql << "SELECT t.id, a.name, t.name, t.role, t.created, t.expires, a.key, a.id,"
               " a.full_name, a.created, a.email, a.website FROM tokens t JOIN accounts a ON a.key "
               "= t.account"
               " WHERE t.digest = :d",
            use(hash), into(row.id), into(row.account), into(row.name), into(row.role),
            into(row.created), into(row.expires, row.has_expiry), into(key), into(known.account.id),
            into(known.account.full_name), into(created), into(known.account.email),
            into(known.account.website);
        if (!sql.got_data()) {
            return std::optional<KnownToken>();
        }
        LOCARA_TRY(known.token, row.take());
        known.account.key = key;
        known.account.name = row.account;
        known.account.created = time_of(created);
        if (known.token.expires && *known.token.expires <= now) {
            return std::optional<KnownToken>();
        }
        return std::optional(std::move(known));
    });
}

Result<std::vector<Token>> Names::list_tokens() const {
    return database_->with([](soci::session& sql) -> Result<std::vector<Token>> {
        TokenRow row;
        soci::statement statement =
            (sql.prepare << "SELECT t.id, a.name, t.name, t.role, t.created, t.expires"
                            " FROM tokens t JOIN accounts a ON a.key = t.account"
                            " ORDER BY a.name, t.name",
             into(row.id),
             into(row.account),
             into(row.name),
             into(row.role),
             into(row.created),
             into(row.expires, row.has_expiry));
        statement.execute();
        std::vector<Token> tokens;
        while (statement.fetch()) {
            LOCARA_TRY(Token token, row.take());
            tokens.push_back(std::move(token));
        }
        return tokens;
    });
}

Status Names::remove_token(const std::string& id) {
    return database_->with([&](soci::session& sql) -> Status {
        soci::statement statement = (sql.prepare << "DELETE FROM tokens WHERE id = :i", use(id));
        statement.execute(true);
        if (statement.get_affected_rows() == 0) {
            return Error(ErrorCode::NotFound, "there is no token with the id " + id);
        }
        return {};
    });
}

} // namespace locara::hub
