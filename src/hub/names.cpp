#include "names.hpp"

#include <algorithm>
#include <array>
#include <mutex>

#include <fcntl.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

/// PRAGMA user_version of a database with the tables below.
constexpr int kSchema = 2;

/// AUTOINCREMENT: a key of something removed never comes back, so a token for it opens nothing.
constexpr const char* kTables[] = {
    "CREATE TABLE accounts (key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " name TEXT NOT NULL UNIQUE COLLATE NOCASE, full_name TEXT NOT NULL, created BIGINT NOT NULL)",
    "CREATE TABLE tokens (id TEXT PRIMARY KEY,"
    " account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE, name TEXT NOT NULL,"
    " digest TEXT NOT NULL UNIQUE, role TEXT NOT NULL, created BIGINT NOT NULL, expires BIGINT,"
    " UNIQUE (account, name))",
    "CREATE TABLE repos (key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, type TEXT "
    "NOT NULL,"
    " space TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL COLLATE NOCASE,"
    " private INTEGER NOT NULL, created BIGINT NOT NULL, task TEXT NOT NULL, license TEXT NOT NULL,"
    " manifest TEXT NOT NULL, UNIQUE (type, space, name))",
    "CREATE TABLE files (repo INTEGER NOT NULL REFERENCES repos ON DELETE CASCADE,"
    " sha256 TEXT NOT NULL, xet TEXT NOT NULL, size BIGINT NOT NULL, PRIMARY KEY (repo, sha256))"
    " WITHOUT ROWID",
    "CREATE INDEX files_by_xet ON files (repo, xet)",
    "CREATE TABLE xorbs (xorb TEXT NOT NULL, repo INTEGER NOT NULL REFERENCES repos"
    " ON DELETE CASCADE, PRIMARY KEY (xorb, repo)) WITHOUT ROWID",
    "CREATE INDEX xorbs_by_repo ON xorbs (repo)",
};

/// What version 2 added: former ids of repositories, and mirrored ones.
constexpr const char* kSecondVersion[] = {
    "CREATE TABLE moved (type TEXT NOT NULL, space TEXT NOT NULL COLLATE NOCASE,"
    " name TEXT NOT NULL COLLATE NOCASE, repo INTEGER NOT NULL REFERENCES repos ON DELETE CASCADE,"
    " PRIMARY KEY (type, space, name)) WITHOUT ROWID",
    "ALTER TABLE repos ADD COLUMN origin INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE mirrored_revisions (repo INTEGER NOT NULL REFERENCES repos ON DELETE CASCADE,"
    " revision TEXT NOT NULL, commit_id TEXT NOT NULL, checked BIGINT NOT NULL,"
    " PRIMARY KEY (repo, revision)) WITHOUT ROWID",
    "CREATE TABLE mirrored_files (repo INTEGER NOT NULL REFERENCES repos ON DELETE CASCADE,"
    " oid TEXT NOT NULL, sha256 TEXT NOT NULL, size BIGINT NOT NULL, used BIGINT NOT NULL,"
    " refused TEXT NOT NULL, PRIMARY KEY (repo, oid))",
    "CREATE INDEX mirrored_files_by_use ON mirrored_files (used)",
};

constexpr std::array kTypes = {RepoType::Model, RepoType::Dataset, RepoType::Space};

/// SQLite's code for a broken UNIQUE or foreign key (sqlite.org: rescode, SQLITE_CONSTRAINT).
constexpr int kConstraint = 19;

long long seconds(TimePoint time) {
    return time.time_since_epoch().count();
}

TimePoint time_of(long long value) {
    return TimePoint(std::chrono::seconds(value));
}

std::optional<TimePoint> time_of(long long value, soci::indicator indicator) {
    return indicator == soci::i_null ? std::nullopt : std::optional(time_of(value));
}

/// The columns of a token joined with its account, in the order of kTokenColumns.
struct TokenRow {
    std::string id, account, name, role;
    long long created = 0, expires = 0;
    soci::indicator has_expiry = soci::i_ok;

    Result<Token> take() const {
        LOCARA_TRY(const TokenRole parsed, parse_token_role(role));
        return Token{id, account, name, parsed, time_of(created), time_of(expires, has_expiry)};
    }
};

/// The columns of a repository, in the order of kRepoColumns.
struct RepoRow {
    long long key = 0;
    std::string internal, type, space, name;
    int is_private = 0;
    long long created = 0;
    RepoFacts facts;
    int origin = 0;

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
        return repo;
    }
};

constexpr const char* kRepoColumns =
    "key, id, type, space, name, private, created, task, license, manifest, origin";

/// The columns of a mirrored file.
struct MirroredFileRow {
    MirroredFile file;
    std::string sha256;
    long long repo = 0, size = 0, used = 0;

    Result<MirroredFile> take() const {
        MirroredFile taken = file;
        LOCARA_TRY(taken.sha256, crypto::Sha256Digest::parse(sha256));
        taken.repo = repo;
        taken.size = static_cast<std::uint64_t>(size);
        taken.used = time_of(used);
        return taken;
    }
};

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
            into(row.origin));
}

} // namespace

Visibility visibility_of(Origin origin) {
    return origin == Origin::UpstreamGated || origin == Origin::UpstreamPrivate
               ? Visibility::Private
               : Visibility::Public;
}

std::string_view render(RepoType type) {
    switch (type) {
    case RepoType::Model:
        return "model";
    case RepoType::Dataset:
        return "dataset";
    case RepoType::Space:
        return "space";
    }
    return "model";
}

std::string_view render_plural(RepoType type) {
    switch (type) {
    case RepoType::Model:
        return "models";
    case RepoType::Dataset:
        return "datasets";
    case RepoType::Space:
        return "spaces";
    }
    return "models";
}

std::optional<RepoType> parse_repo_type(std::string_view text) {
    for (const RepoType type : kTypes) {
        if (render(type) == text) {
            return type;
        }
    }
    return std::nullopt;
}

std::string_view web_prefix(RepoType type) {
    switch (type) {
    case RepoType::Model:
        return "";
    case RepoType::Dataset:
        return "datasets/";
    case RepoType::Space:
        return "spaces/";
    }
    return "";
}

bool is_repo_part(std::string_view text) {
    const auto word = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    return !text.empty() && text.size() <= 96 && word(text.front()) && word(text.back()) &&
           text.find("..") == std::string_view::npos &&
           !(text.size() > 4 && text.substr(text.size() - 4) == ".git") &&
           std::all_of(text.begin(), text.end(), [&word](char c) {
               return word(c) || c == '-' || c == '_' || c == '.';
           });
}

bool is_reserved_space(std::string_view text) {
    constexpr std::string_view kReserved[] = {
        "api", "buckets", "cas", "catalog", "datasets", "kernels", "models", "oauth", "spaces"};
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return std::find(std::begin(kReserved), std::end(kReserved), lower) != std::end(kReserved);
}

// -------------------------------------------------------------------------------------- database

struct Names::State {
    /// Calls `work` with the session, one caller at a time, and turns what SOCI throws into errors.
    template <class Work> auto with(Work work) -> decltype(work(std::declval<soci::session&>())) {
        const std::lock_guard guard(mutex);
        try {
            return work(session);
        } catch (const soci::sqlite3_soci_error& error) {
            const bool conflict = (error.result() & 0xff) == kConstraint;
            return Error(conflict ? ErrorCode::Conflict : ErrorCode::Io,
                         std::string("the database of names: ") + error.what());
        } catch (const std::exception& error) {
            return Error(ErrorCode::Io, std::string("the database of names: ") + error.what());
        }
    }

    Status prepare();

    std::mutex mutex;
    soci::session session; // under mutex
};

Names::Names(std::unique_ptr<State> state) : state_(std::move(state)) {}

Names::Names(Names&&) noexcept = default;
Names& Names::operator=(Names&&) noexcept = default;
Names::~Names() = default;

Status Names::State::prepare() {
    return with([](soci::session& sql) -> Status {
        sql << "PRAGMA foreign_keys = ON";
        sql << "PRAGMA synchronous = FULL";
        std::string mode;
        sql << "PRAGMA journal_mode = WAL", into(mode);
        // Immediately: two processes must not both find the file empty.
        sql << "BEGIN IMMEDIATE";
        int version = 0;
        sql << "PRAGMA user_version", into(version);
        if (version == 0) {
            for (const char* const table : kTables) {
                sql << table;
            }
        }
        if (version < 2) {
            for (const char* const change : kSecondVersion) {
                sql << change;
            }
        }
        if (version < kSchema) {
            sql << "PRAGMA user_version = " + std::to_string(kSchema);
        }
        sql << "COMMIT";
        if (version > kSchema) {
            return Error(ErrorCode::Unsupported,
                         "the database of names has version " + std::to_string(version) +
                             ", this program knows " + std::to_string(kSchema) +
                             "; use the newer program that wrote it");
        }
        return {};
    });
}

Result<Names> Names::open(const std::filesystem::path& file) {
    { LOCARA_TRY(const Fd made, open_file(file, O_RDWR | O_CREAT, 0600)); }
    auto state = std::make_unique<State>();
    try {
        // Quoted, since a path may hold spaces; a quote in it SOCI cannot pass on.
        if (file.string().find('"') != std::string::npos) {
            return Error(ErrorCode::InvalidArgument, "a data folder's path must not hold '\"'");
        }
        state->session.open(soci::sqlite3, "dbname=\"" + file.string() + "\" timeout=10");
    } catch (const std::exception& error) {
        return Error(ErrorCode::Io, "opening " + file.string() + ": " + error.what());
    }
    LOCARA_CHECK(state->prepare().context("opening " + file.string()));
    return Names(std::move(state));
}

// -------------------------------------------------------------------------------------- accounts

Result<Account>
Names::add_account(const std::string& name, const std::string& full_name, TimePoint now) {
    Account account{0, random_hex(12), name, full_name, now};
    auto added = state_->with([&](soci::session& sql) -> Status {
        const long long created = seconds(now);
        sql << "INSERT INTO accounts (id, name, full_name, created) VALUES (:i, :n, :f, :c)",
            use(account.id), use(name), use(full_name), use(created);
        return {};
    });
    if (!added) {
        if (added.error().code() == ErrorCode::Conflict) {
            return Error(ErrorCode::Conflict, "there is a user '" + name + "' already");
        }
        return std::move(added).error();
    }
    return account;
}

Result<std::optional<Account>> Names::find_account(const std::string& name) const {
    return state_->with([&](soci::session& sql) -> Result<std::optional<Account>> {
        Account account;
        long long key = 0;
        long long created = 0;
        sql << "SELECT key, id, name, full_name, created FROM accounts WHERE name = :n", use(name),
            into(key), into(account.id), into(account.name), into(account.full_name), into(created);
        if (!sql.got_data()) {
            return std::optional<Account>();
        }
        account.key = key;
        account.created = time_of(created);
        return std::optional(std::move(account));
    });
}

Result<Token> Names::add_token(const Account& account,
                               const NewToken& token,
                               const crypto::Sha256Digest& digest,
                               TimePoint now) {
    const Token made{random_hex(12), account.name, token.name, token.role, now, token.expires};
    auto added = state_->with([&](soci::session& sql) -> Status {
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

Result<std::optional<Identity>> Names::find_token(const crypto::Sha256Digest& digest,
                                                  TimePoint now) const {
    return state_->with([&](soci::session& sql) -> Result<std::optional<Identity>> {
        const std::string hash = digest.render();
        TokenRow row;
        Identity identity;
        long long key = 0;
        long long created = 0;
        sql << "SELECT t.id, a.name, t.name, t.role, t.created, t.expires, a.key, a.id,"
               " a.full_name, a.created FROM tokens t JOIN accounts a ON a.key = t.account"
               " WHERE t.digest = :d",
            use(hash), into(row.id), into(row.account), into(row.name), into(row.role),
            into(row.created), into(row.expires, row.has_expiry), into(key),
            into(identity.account.id), into(identity.account.full_name), into(created);
        if (!sql.got_data()) {
            return std::optional<Identity>();
        }
        LOCARA_TRY(identity.token, row.take());
        identity.account.key = key;
        identity.account.name = row.account;
        identity.account.created = time_of(created);
        if (identity.token.expires && *identity.token.expires <= now) {
            return std::optional<Identity>();
        }
        return std::optional(std::move(identity));
    });
}

Result<std::vector<Token>> Names::list_tokens() const {
    return state_->with([](soci::session& sql) -> Result<std::vector<Token>> {
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
    return state_->with([&](soci::session& sql) -> Status {
        soci::statement statement = (sql.prepare << "DELETE FROM tokens WHERE id = :i", use(id));
        statement.execute(true);
        if (statement.get_affected_rows() == 0) {
            return Error(ErrorCode::NotFound, "there is no token with the id " + id);
        }
        return {};
    });
}

// ---------------------------------------------------------------------------------- repositories

Result<Repo> Names::add_repo(const Repo& repo) {
    auto added = state_->with([&](soci::session& sql) -> Status {
        const std::string type(render(repo.id.type));
        const int is_private = repo.visibility == Visibility::Private ? 1 : 0;
        const long long created = seconds(repo.created);
        const int origin = static_cast<int>(repo.origin);
        sql << "INSERT INTO repos (id, type, space, name, private, created, task, license,"
               " manifest, origin) VALUES (:i, :t, :s, :n, :p, :c, :k, :l, :m, :o)",
            use(repo.internal), use(type), use(repo.id.space), use(repo.id.name), use(is_private),
            use(created), use(repo.facts.task), use(repo.facts.license), use(repo.facts.manifest),
            use(origin);
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
    return state_->with([&](soci::session& sql) -> Result<std::optional<Repo>> {
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
    return state_->with([&](soci::session& sql) -> Result<std::optional<Repo>> {
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
    return state_->with([&](soci::session& sql) -> Result<std::vector<Repo>> {
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
    return state_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        sql << "UPDATE repos SET task = :t, license = :l, manifest = :m WHERE key = :k",
            use(facts.task), use(facts.license), use(facts.manifest), use(key);
        return {};
    });
}

Status Names::set_visibility(std::int64_t repo, Visibility visibility) {
    return state_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const int is_private = visibility == Visibility::Private ? 1 : 0;
        sql << "UPDATE repos SET private = :p WHERE key = :k", use(is_private), use(key);
        return {};
    });
}

Status Names::move_repo(std::int64_t repo, const RepoId& to) {
    return state_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const std::string type(render(to.type));
        soci::transaction all(sql);
        sql << "INSERT OR REPLACE INTO moved (type, space, name, repo)"
               " SELECT type, space, name, key FROM repos WHERE key = :k",
            use(key);
        sql << "UPDATE repos SET space = :s, name = :n WHERE key = :k", use(to.space), use(to.name),
            use(key);
        // Back to an id that it had: that one is no detour any more.
        sql << "DELETE FROM moved WHERE type = :t AND space = :s AND name = :n", use(type),
            use(to.space), use(to.name);
        all.commit();
        return {};
    });
}

Result<std::optional<Repo>> Names::find_moved_repo(const RepoId& id) const {
    LOCARA_TRY(const std::int64_t key,
               state_->with([&](soci::session& sql) -> Result<std::int64_t> {
                   const std::string type(render(id.type));
                   long long found = 0;
                   sql << "SELECT repo FROM moved WHERE type = :t AND space = :s AND name = :n",
                       use(type), use(id.space), use(id.name), into(found);
                   return std::int64_t{sql.got_data() ? found : 0};
               }));
    return key == 0 ? Result<std::optional<Repo>>(std::optional<Repo>()) : find_repo(key);
}

Status Names::remove_repo(std::int64_t repo) {
    return state_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        sql << "DELETE FROM repos WHERE key = :k", use(key);
        return {};
    });
}

// ----------------------------------------------------------------------------- files and xorbs

Status Names::add_file(std::int64_t repo, const StoredFile& file) {
    return state_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const std::string sha256 = file.sha256.render();
        const std::string xet = file.xet.render();
        const auto size = static_cast<long long>(file.size);
        sql << "INSERT OR REPLACE INTO files (repo, sha256, xet, size) VALUES (:r, :s, :x, :z)",
            use(key), use(sha256), use(xet), use(size);
        return {};
    });
}

Result<std::optional<StoredFile>> Names::find_file(std::int64_t repo,
                                                   const crypto::Sha256Digest& sha256) const {
    return state_->with([&](soci::session& sql) -> Result<std::optional<StoredFile>> {
        const long long key = repo;
        const std::string wanted = sha256.render();
        std::string xet;
        long long size = 0;
        sql << "SELECT xet, size FROM files WHERE repo = :r AND sha256 = :s", use(key), use(wanted),
            into(xet), into(size);
        if (!sql.got_data()) {
            return std::optional<StoredFile>();
        }
        LOCARA_TRY(const auto hash, xet::FileHash::parse(xet));
        return std::optional(StoredFile{sha256, hash, static_cast<std::uint64_t>(size)});
    });
}

Result<std::optional<StoredFile>> Names::find_file(std::int64_t repo,
                                                   const xet::FileHash& hash) const {
    return state_->with([&](soci::session& sql) -> Result<std::optional<StoredFile>> {
        const long long key = repo;
        const std::string wanted = hash.render();
        std::string sha256;
        long long size = 0;
        sql << "SELECT sha256, size FROM files WHERE repo = :r AND xet = :x", use(key), use(wanted),
            into(sha256), into(size);
        if (!sql.got_data()) {
            return std::optional<StoredFile>();
        }
        LOCARA_TRY(const auto digest, crypto::Sha256Digest::parse(sha256));
        return std::optional(StoredFile{digest, hash, static_cast<std::uint64_t>(size)});
    });
}

Result<std::vector<StoredFile>> Names::list_files(std::int64_t repo) const {
    return state_->with([&](soci::session& sql) -> Result<std::vector<StoredFile>> {
        const long long key = repo;
        std::string sha256;
        std::string xet;
        long long size = 0;
        soci::statement statement =
            (sql.prepare << "SELECT sha256, xet, size FROM files WHERE repo = :r",
             use(key),
             into(sha256),
             into(xet),
             into(size));
        statement.execute();
        std::vector<StoredFile> files;
        while (statement.fetch()) {
            LOCARA_TRY(const auto digest, crypto::Sha256Digest::parse(sha256));
            LOCARA_TRY(const auto hash, xet::FileHash::parse(xet));
            files.push_back({digest, hash, static_cast<std::uint64_t>(size)});
        }
        return files;
    });
}

Status Names::add_xorb(std::int64_t repo, const xet::XorbHash& xorb) {
    return state_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const std::string hash = xorb.render();
        sql << "INSERT OR IGNORE INTO xorbs (xorb, repo) VALUES (:x, :r)", use(hash), use(key);
        return {};
    });
}

Result<bool> Names::may_use_xorb(std::int64_t repo, const xet::XorbHash& xorb) const {
    return state_->with([&](soci::session& sql) -> Result<bool> {
        const long long key = repo;
        const std::string hash = xorb.render();
        int found = 0;
        sql << "SELECT 1 FROM xorbs x JOIN repos r ON r.key = x.repo"
               " WHERE x.xorb = :x AND (r.key = :r OR r.private = 0) LIMIT 1",
            use(hash), use(key), into(found);
        return sql.got_data();
    });
}

// -------------------------------------------------------------------------------- what is mirrored

Result<bool> Names::is_own_space(const std::string& space) const {
    return state_->with([&](soci::session& sql) -> Result<bool> {
        int found = 0;
        sql << "SELECT 1 FROM accounts WHERE name = :a UNION ALL"
               " SELECT 1 FROM repos WHERE space = :s AND origin = 0 LIMIT 1",
            use(space, "a"), use(space, "s"), into(found);
        return sql.got_data();
    });
}

Result<bool> Names::knows_token(const crypto::Sha256Digest& digest) const {
    return state_->with([&](soci::session& sql) -> Result<bool> {
        const std::string wanted = digest.render();
        int found = 0;
        sql << "SELECT 1 FROM tokens WHERE digest = :d", use(wanted), into(found);
        return sql.got_data();
    });
}

Status Names::set_origin(std::int64_t repo, Origin origin) {
    return state_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const int value = static_cast<int>(origin);
        const int is_private = visibility_of(origin) == Visibility::Private ? 1 : 0;
        sql << "UPDATE repos SET origin = :o, private = :p WHERE key = :k AND origin <> 0",
            use(value), use(is_private), use(key);
        return {};
    });
}

Status Names::set_mirrored_revision(std::int64_t repo,
                                    const std::string& revision,
                                    const MirroredRevision& found) {
    return state_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const long long checked = seconds(found.checked);
        sql << "INSERT OR REPLACE INTO mirrored_revisions (repo, revision, commit_id, checked)"
               " VALUES (:r, :n, :c, :t)",
            use(key), use(revision), use(found.commit), use(checked);
        return {};
    });
}

Result<std::optional<MirroredRevision>>
Names::find_mirrored_revision(std::int64_t repo, const std::string& revision) const {
    return state_->with([&](soci::session& sql) -> Result<std::optional<MirroredRevision>> {
        const long long key = repo;
        MirroredRevision found;
        long long checked = 0;
        sql << "SELECT commit_id, checked FROM mirrored_revisions WHERE repo = :r"
               " AND revision = :n",
            use(key), use(revision), into(found.commit), into(checked);
        if (!sql.got_data()) {
            return std::optional<MirroredRevision>();
        }
        found.checked = time_of(checked);
        return std::optional(std::move(found));
    });
}

Status Names::put_mirrored_file(const MirroredFile& file) {
    return state_->with([&](soci::session& sql) -> Status {
        const long long key = file.repo;
        const std::string sha256 = file.sha256.render();
        const auto size = static_cast<long long>(file.size);
        const long long used = seconds(file.used);
        sql << "INSERT OR REPLACE INTO mirrored_files (repo, oid, sha256, size, used, refused)"
               " VALUES (:r, :o, :s, :z, :u, :f)",
            use(key), use(file.oid), use(sha256), use(size), use(used), use(file.refused);
        return {};
    });
}

Result<std::optional<MirroredFile>> Names::find_mirrored_file(std::int64_t repo,
                                                              const std::string& oid) const {
    return state_->with([&](soci::session& sql) -> Result<std::optional<MirroredFile>> {
        const long long key = repo;
        MirroredFileRow row;
        sql << "SELECT repo, oid, sha256, size, used, refused FROM mirrored_files"
               " WHERE repo = :r AND oid = :o",
            use(key), use(oid), into(row.repo), into(row.file.oid), into(row.sha256),
            into(row.size), into(row.used), into(row.file.refused);
        if (!sql.got_data()) {
            return std::optional<MirroredFile>();
        }
        LOCARA_TRY(MirroredFile file, row.take());
        return std::optional(std::move(file));
    });
}

Status Names::touch_mirrored_file(std::int64_t repo, const std::string& oid, TimePoint now) {
    return state_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const long long used = seconds(now);
        sql << "UPDATE mirrored_files SET used = :u WHERE repo = :r AND oid = :o", use(used),
            use(key), use(oid);
        return {};
    });
}

Result<std::uint64_t> Names::mirrored_bytes() const {
    return state_->with([](soci::session& sql) -> Result<std::uint64_t> {
        long long bytes = 0;
        sql << "SELECT COALESCE(SUM(size), 0) FROM mirrored_files WHERE refused = ''", into(bytes);
        return static_cast<std::uint64_t>(bytes);
    });
}

Result<std::vector<MirroredFile>> Names::list_mirrored_files() const {
    return state_->with([&](soci::session& sql) -> Result<std::vector<MirroredFile>> {
        MirroredFileRow row;
        soci::statement statement =
            (sql.prepare << "SELECT repo, oid, sha256, size, used, refused FROM mirrored_files"
                            " WHERE refused = '' ORDER BY used, rowid",
             into(row.repo),
             into(row.file.oid),
             into(row.sha256),
             into(row.size),
             into(row.used),
             into(row.file.refused));
        statement.execute();
        std::vector<MirroredFile> files;
        while (statement.fetch()) {
            LOCARA_TRY(MirroredFile file, row.take());
            files.push_back(std::move(file));
        }
        return files;
    });
}

Status Names::remove_mirrored_file(const MirroredFile& file) {
    return state_->with([&](soci::session& sql) -> Status {
        const long long key = file.repo;
        const std::string sha256 = file.sha256.render();
        soci::transaction change(sql);
        sql << "DELETE FROM mirrored_files WHERE repo = :r AND oid = :o", use(key), use(file.oid);
        // The same bytes may stand in the repository under another name for them.
        sql << "DELETE FROM files WHERE repo = :r AND sha256 = :s AND NOT EXISTS"
               " (SELECT 1 FROM mirrored_files m WHERE m.repo = :r2 AND m.sha256 = :s2"
               " AND m.refused = '')",
            use(key, "r"), use(sha256, "s"), use(key, "r2"), use(sha256, "s2");
        change.commit();
        return {};
    });
}

} // namespace locara::hub
