#include "schema.hpp"

namespace locara::hub {
namespace {

/// Accounts, their tokens, repositories, and which files and xorbs are whose.
constexpr const char* kVersion1[] = {
    "CREATE TABLE accounts (key {key}, id {text} NOT NULL UNIQUE, name {name} NOT NULL UNIQUE,"
    " full_name {text} NOT NULL, created BIGINT NOT NULL)",
    "CREATE TABLE tokens (id {text} PRIMARY KEY,"
    " account BIGINT NOT NULL REFERENCES accounts ON DELETE CASCADE, name {text} NOT NULL,"
    " digest {text} NOT NULL UNIQUE, role {text} NOT NULL, created BIGINT NOT NULL,"
    " expires BIGINT, UNIQUE (account, name))",
    "CREATE TABLE repos (key {key}, id {text} NOT NULL UNIQUE, type {text} NOT NULL,"
    " space {name} NOT NULL, name {name} NOT NULL, private INTEGER NOT NULL,"
    " created BIGINT NOT NULL, task {text} NOT NULL, license {text} NOT NULL,"
    " manifest {text} NOT NULL, UNIQUE (type, space, name))",
    "CREATE TABLE files (repo BIGINT NOT NULL REFERENCES repos ON DELETE CASCADE,"
    " sha256 {text} NOT NULL, xet {text} NOT NULL, size BIGINT NOT NULL,"
    " PRIMARY KEY (repo, sha256)) {compact}",
    "CREATE INDEX files_by_xet ON files (repo, xet)",
    "CREATE TABLE xorbs (xorb {text} NOT NULL,"
    " repo BIGINT NOT NULL REFERENCES repos ON DELETE CASCADE, PRIMARY KEY (xorb, repo)) {compact}",
    "CREATE INDEX xorbs_by_repo ON xorbs (repo)",
};

/// Former ids of repositories, and mirrored ones.
constexpr const char* kVersion2[] = {
    "CREATE TABLE moved (type {text} NOT NULL, space {name} NOT NULL, name {name} NOT NULL,"
    " repo BIGINT NOT NULL REFERENCES repos ON DELETE CASCADE,"
    " PRIMARY KEY (type, space, name)) {compact}",
    "ALTER TABLE repos ADD COLUMN origin INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE mirrored_revisions (repo BIGINT NOT NULL REFERENCES repos ON DELETE CASCADE,"
    " revision {text} NOT NULL, commit_id {text} NOT NULL, checked BIGINT NOT NULL,"
    " PRIMARY KEY (repo, revision)) {compact}",
    "CREATE TABLE mirrored_files (repo BIGINT NOT NULL REFERENCES repos ON DELETE CASCADE,"
    " oid {text} NOT NULL, sha256 {text} NOT NULL, size BIGINT NOT NULL, used BIGINT NOT NULL,"
    " refused {text} NOT NULL, PRIMARY KEY (repo, oid))",
    "CREATE INDEX mirrored_files_by_use ON mirrored_files (used)",
};

/// Organizations, and who made a repository.
constexpr const char* kVersion3[] = {
    "ALTER TABLE accounts ADD COLUMN kind INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE members (organization BIGINT NOT NULL REFERENCES accounts ON DELETE CASCADE,"
    " account BIGINT NOT NULL REFERENCES accounts ON DELETE CASCADE, role {text} NOT NULL,"
    " PRIMARY KEY (organization, account)) {compact}",
    "CREATE INDEX members_by_account ON members (account)",
    "ALTER TABLE repos ADD COLUMN maker BIGINT NOT NULL DEFAULT 0",
};

/// What fine-grained tokens are for.
constexpr const char* kVersion4[] = {
    "CREATE TABLE token_repos (token {text} NOT NULL REFERENCES tokens ON DELETE CASCADE,"
    " repo BIGINT NOT NULL REFERENCES repos ON DELETE CASCADE, permission INTEGER NOT NULL,"
    " PRIMARY KEY (token, repo)) {compact}",
    "CREATE TABLE token_spaces (token {text} NOT NULL REFERENCES tokens ON DELETE CASCADE,"
    " account BIGINT NOT NULL REFERENCES accounts ON DELETE CASCADE, permission INTEGER NOT NULL,"
    " PRIMARY KEY (token, account)) {compact}",
};

/// Who may read the files of gated repositories.
constexpr const char* kVersion5[] = {
    "ALTER TABLE repos ADD COLUMN gated INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE access_requests (repo BIGINT NOT NULL REFERENCES repos ON DELETE CASCADE,"
    " account BIGINT NOT NULL REFERENCES accounts ON DELETE CASCADE, state INTEGER NOT NULL,"
    " made BIGINT NOT NULL, expires BIGINT, granted INTEGER NOT NULL, fields {text} NOT NULL,"
    " reason {text} NOT NULL, PRIMARY KEY (repo, account)) {compact}",
    "CREATE INDEX access_requests_by_account ON access_requests (account)",
};

/// Which paths of a bucket are which of its files.
constexpr const char* kVersion6[] = {
    "CREATE TABLE bucket_files (repo BIGINT NOT NULL REFERENCES repos ON DELETE CASCADE,"
    " path {text} NOT NULL, xet {text} NOT NULL, size BIGINT NOT NULL, uploaded BIGINT NOT NULL,"
    " modified BIGINT, content_type {text} NOT NULL, PRIMARY KEY (repo, path)) {compact}",
    "CREATE INDEX bucket_files_by_xet ON bucket_files (repo, xet)",
};

/// Collections and what stands on them.
constexpr const char* kVersion7[] = {
    "CREATE TABLE collections (key {key}, id {text} NOT NULL UNIQUE, space {name} NOT NULL,"
    " title {text} NOT NULL, description {text} NOT NULL, theme {text} NOT NULL,"
    " private INTEGER NOT NULL, updated BIGINT NOT NULL, UNIQUE (space, title))",
    "CREATE TABLE collection_items"
    " (collection BIGINT NOT NULL REFERENCES collections ON DELETE CASCADE,"
    " id {text} NOT NULL, type {text} NOT NULL, target {text} NOT NULL, note {text} NOT NULL,"
    " position INTEGER NOT NULL, PRIMARY KEY (collection, id)) {compact}",
};

/// What people say of a repository, and want to change in it; how accounts are written to.
constexpr const char* kVersion8[] = {
    "ALTER TABLE accounts ADD COLUMN email {text} NOT NULL DEFAULT ''",
    "ALTER TABLE repos ADD COLUMN discussions INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE discussions (key {key},"
    " repo BIGINT NOT NULL REFERENCES repos ON DELETE CASCADE, number INTEGER NOT NULL,"
    " pull INTEGER NOT NULL, status INTEGER NOT NULL, title {text} NOT NULL,"
    " author BIGINT REFERENCES accounts ON DELETE SET NULL, created BIGINT NOT NULL,"
    " base {text} NOT NULL, merged {text} NOT NULL, UNIQUE (repo, number))",
    "CREATE TABLE discussion_events (key {key}, id {text} NOT NULL UNIQUE,"
    " discussion BIGINT NOT NULL REFERENCES discussions ON DELETE CASCADE,"
    " type INTEGER NOT NULL, author BIGINT REFERENCES accounts ON DELETE SET NULL,"
    " made BIGINT NOT NULL, body {text} NOT NULL, was {text} NOT NULL, edited BIGINT,"
    " hidden INTEGER NOT NULL)",
    "CREATE INDEX discussion_events_by_discussion ON discussion_events (discussion, key)",
    "CREATE TABLE comment_versions"
    " (event BIGINT NOT NULL REFERENCES discussion_events ON DELETE CASCADE,"
    " position INTEGER NOT NULL, body {text} NOT NULL, written BIGINT NOT NULL,"
    " PRIMARY KEY (event, position)) {compact}",
};

/// Who is signed in at the hub's pages, and the programs that get tokens there.
constexpr const char* kVersion9[] = {
    "ALTER TABLE accounts ADD COLUMN website {text} NOT NULL DEFAULT ''",
    "ALTER TABLE tokens ADD COLUMN client {text} NOT NULL DEFAULT ''",
    "CREATE TABLE sessions (digest {text} PRIMARY KEY,"
    " token {text} NOT NULL REFERENCES tokens ON DELETE CASCADE, expires BIGINT NOT NULL)",
    "CREATE TABLE oauth_clients (id {text} PRIMARY KEY, name {text} NOT NULL,"
    " redirects {text} NOT NULL, scopes {text} NOT NULL)",
    "CREATE TABLE oauth_codes (digest {text} PRIMARY KEY, client {text} NOT NULL,"
    " account BIGINT NOT NULL REFERENCES accounts ON DELETE CASCADE, scopes {text} NOT NULL,"
    " redirect {text} NOT NULL, challenge {text} NOT NULL, nonce {text} NOT NULL,"
    " expires BIGINT NOT NULL)",
    "CREATE TABLE oauth_devices (digest {text} PRIMARY KEY, user_code {text} NOT NULL UNIQUE,"
    " client {text} NOT NULL, scopes {text} NOT NULL, state INTEGER NOT NULL,"
    " account BIGINT REFERENCES accounts ON DELETE CASCADE, expires BIGINT NOT NULL)",
};

/// Who did what: lines of a chain.
constexpr const char* kVersion10[] = {
    "CREATE TABLE audit (seq BIGINT PRIMARY KEY, line {text} NOT NULL)",
};

/// What an account may store, where that is not what all may; -1: as much as there is.
constexpr const char* kVersion11[] = {
    "CREATE TABLE quotas (account BIGINT PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,"
    " bytes BIGINT NOT NULL)",
};

/// What the gate said of content, by the name it was judged under.
constexpr const char* kVersion12[] = {
    "CREATE TABLE verdicts (content {text} NOT NULL, name {text} NOT NULL,"
    " decision INTEGER NOT NULL, scanners {text} NOT NULL, judged BIGINT NOT NULL,"
    " verdict {text} NOT NULL, facts {text} NOT NULL, PRIMARY KEY (content, name)) {compact}",
};

/// When a large file was last brought, or found here by who is about to name it.
constexpr const char* kVersion13[] = {
    "ALTER TABLE files ADD COLUMN used BIGINT NOT NULL DEFAULT 0",
};

/// What is refused, which every fetch by git asks for.
constexpr const char* kVersion14[] = {
    "CREATE INDEX verdicts_refused ON verdicts (content, name) WHERE decision = 2",
};

/// Whether what is made in an organization is private if its maker does not say.
constexpr const char* kVersion15[] = {
    "ALTER TABLE accounts ADD COLUMN private_repos INTEGER NOT NULL DEFAULT 0",
};

/// Which hub's this database is.
constexpr const char* kVersion16[] = {
    "CREATE TABLE hub (one INTEGER PRIMARY KEY, id {text} NOT NULL)",
};

/// Bytes of a xorb that the repository brought while no file is known to be made of it; 0 then.
constexpr const char* kVersion17[] = {
    "ALTER TABLE xorbs ADD COLUMN unnamed BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX xorbs_unnamed ON xorbs (repo, xorb) WHERE unnamed > 0",
};

constexpr SchemaTable kTables[] = {
    {"accounts", SchemaTable::Keys::Given},
    {"tokens"},
    {"repos", SchemaTable::Keys::Given},
    {"files"},
    {"xorbs"},
    {"moved"},
    {"mirrored_revisions"},
    {"mirrored_files"},
    {"members"},
    {"token_repos"},
    {"token_spaces"},
    {"access_requests"},
    {"bucket_files"},
    {"collections", SchemaTable::Keys::Given},
    {"collection_items"},
    {"discussions", SchemaTable::Keys::Given},
    {"discussion_events", SchemaTable::Keys::Given},
    {"comment_versions"},
    {"sessions"},
    {"oauth_clients"},
    {"oauth_codes"},
    {"oauth_devices"},
    {"audit"},
    {"quotas"},
    {"verdicts"},
    {"hub"},
};

constexpr std::span<const char* const> kVersions[] = {kVersion1,
                                                      kVersion2,
                                                      kVersion3,
                                                      kVersion4,
                                                      kVersion5,
                                                      kVersion6,
                                                      kVersion7,
                                                      kVersion8,
                                                      kVersion9,
                                                      kVersion10,
                                                      kVersion11,
                                                      kVersion12,
                                                      kVersion13,
                                                      kVersion14,
                                                      kVersion15,
                                                      kVersion16,
                                                      kVersion17};

} // namespace

std::span<const SchemaTable> schema_tables() {
    return kTables;
}

std::span<const std::span<const char* const>> schema_versions() {
    return kVersions;
}

} // namespace locara::hub
