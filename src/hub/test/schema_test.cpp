// Databases as earlier versions left them: test/data/schema/sqlite_<version>.sql, and the same in
// PostgreSQL.
#include "../access_requests.hpp"
#include "../collections.hpp"
#include "../database.hpp"
#include "../dialect.hpp"
#include "../discussions.hpp"
#include "../layout.hpp"
#include "../names.hpp"
#include "../names_rows.hpp"
#include "../schema.hpp"
#include "../scopes.hpp"
#include "../verdict_store.hpp"
#include "test_database.hpp"

#include <locara/base/file.hpp>
#include <locara/hub/audit.hpp>
#include <locara/hub/oauth.hpp>
#include <locara/hub/organizations.hpp>
#include <locara/hub/quotas.hpp>
#include <locara/test_support/folders.hpp>

#include <gtest/gtest.h>

#include <set>

#include <sqlite3.h>

namespace locara::hub {
namespace {

/// Runs SQL on a database file, without our program.
void run_sqlite(const std::filesystem::path& file, const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK)
        << message;
    sqlite3_free(message);
    sqlite3_close(database);
}

/// The statements of a text that ends each with a line.
std::vector<std::string> split_statements(const std::string& sql) {
    std::vector<std::string> statements;
    std::size_t begin = 0;
    for (std::size_t end; (end = sql.find(";\n", begin)) != std::string::npos; begin = end + 2) {
        statements.push_back(sql.substr(begin, end - begin));
    }
    return statements;
}

/// Calls `work(session, dialect)` on a PostgreSQL database, without our tables being made.
template <class Work> void with_postgresql(const std::string& url, const Work& work) {
    const auto dialect = postgresql_dialect(url);
    soci::session session;
    dialect->connect(session);
    work(session, *dialect);
}

/// All columns and indexes, a line each.
std::set<std::string> describe_tables(Database& database) {
    const std::string sqlite =
        "SELECT m.name || ' ' || c.name || ' ' || c.\"notnull\" || c.pk"
        " FROM sqlite_master m, pragma_table_info(m.name) c"
        " WHERE m.type = 'table' UNION ALL"
        " SELECT m.name || ' ' || i.\"unique\" || ' ' || c.name || ' ' || c.coll"
        " FROM sqlite_master m, pragma_index_list(m.name) i,"
        " pragma_index_xinfo(i.name) c WHERE m.type = 'table' AND c.key = 1";
    const std::string postgresql =
        "SELECT CAST(table_name || ' ' || column_name || ' ' || is_nullable || ' ' || udt_name"
        " || ' ' || COALESCE(column_default, '-') || ' ' || is_identity AS TEXT)"
        " FROM information_schema.columns WHERE table_schema = 'public' UNION ALL"
        " SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' UNION ALL"
        " SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = CAST('public' AS regnamespace)";
    const auto found = database.with([&](soci::session& sql) -> Result<std::set<std::string>> {
        const auto lines = first_column(sql, database.is_local() ? sqlite : postgresql);
        return std::set(lines.begin(), lines.end());
    });
    EXPECT_TRUE(found) << found.error().describe();
    return *found;
}

/// A database as an earlier version left it. What stands in test/data/schema is a SQLite one; the
/// PostgreSQL one has the tables that this version made there, and the same rows.
class SchemaTest : public testing::TestWithParam<std::tuple<Backend, int>> {
  protected:
    void SetUp() override {
        if (!database_.make(backend()) || !fresh_.make(backend())) {
            GTEST_SKIP() << kNoPostgresql;
        }
        const std::string name = "sqlite_" + std::to_string(version()) + ".sql";
        const std::string fixture =
            *read_file(test_support::data_dir() / "schema" / name, std::size_t{1} << 20U);
        if (backend() == Backend::Sqlite) {
            run_sqlite(database_.file(), fixture);
        } else {
            make_postgresql(split_statements(fixture));
        }
    }

    static Backend backend() { return std::get<0>(GetParam()); }

    static int version() { return std::get<1>(GetParam()); }

    /// Without our program.
    void run(const std::string& statement) const {
        if (backend() == Backend::Sqlite) {
            run_sqlite(database_.file(), statement);
            return;
        }
        with_postgresql(database_.url(),
                        [&](soci::session& sql, const Dialect&) { sql << statement; });
    }

    TestDatabase database_;
    TestDatabase fresh_;

  private:
    void make_postgresql(const std::vector<std::string>& fixture) const {
        with_postgresql(database_.url(), [&](soci::session& sql, const Dialect& dialect) {
            dialect.begin_migration(sql);
            for (const auto statements : schema_versions().first(std::size_t(version()))) {
                for (const char* const statement : statements) {
                    sql << in_dialect(statement, dialect);
                }
            }
            for (const std::string& statement : fixture) {
                if (statement.starts_with("INSERT ") || statement.starts_with("UPDATE ")) {
                    sql << statement;
                }
            }
            for (const SchemaTable& table : schema_tables()) {
                if (table.keys == SchemaTable::Keys::Given &&
                    !dialect.columns(sql, table.name).empty()) {
                    long long last = 0;
                    sql << std::string("SELECT COALESCE(MAX(key), 0) FROM ") + table.name,
                        soci::into(last);
                    dialect.set_last_key(sql, table.name, last);
                }
            }
            dialect.set_version(sql, version());
            sql << "COMMIT";
        });
    }
};

TEST_P(SchemaTest, brings_an_earlier_version_up_and_keeps_what_it_holds) {
    const auto opened = database_.open();
    ASSERT_TRUE(opened) << opened.error().describe();
    const Names names(*opened);
    const auto tokens = names.list_tokens();
    ASSERT_TRUE(tokens && tokens->size() == 2U);
    EXPECT_EQ(tokens->front().account, "Ana");
    EXPECT_FALSE(tokens->front().expires);
    EXPECT_EQ(*tokens->back().expires, TimePoint(std::chrono::seconds(1'800'000'000)));
    const auto repo = names.find_repo(RepoId{RepoType::Model, "ana", "tiny"});
    ASSERT_TRUE(repo && *repo);
    EXPECT_EQ((*repo)->id.render(), "Ana/Tiny");
    EXPECT_EQ((*repo)->facts.task, "text-generation");
    EXPECT_EQ((*repo)->origin, Origin::Here);
    const auto files = names.list_files((*repo)->key);
    ASSERT_TRUE(files && files->size() == 1U);
    const auto unused = names.list_unused_files((*repo)->key, time_of(1'795'000'040));
    EXPECT_EQ(unused && unused->empty(), version() >= 13);
    EXPECT_EQ(files->front().size, 1ULL << 40U);
    EXPECT_TRUE(*names.may_use_xorb((*repo)->key, *xet::XorbHash::parse(std::string(64, '6'))));
    EXPECT_EQ(*names.unnamed_bytes("ana", {}), version() >= 17 ? 65'536U : 0U);
    EXPECT_EQ((*names.find_repo(RepoId{RepoType::Dataset, "ana", "notes"}))->visibility,
              Visibility::Private);
    if (version() >= 2) {
        EXPECT_EQ((*names.find_moved_repo({RepoType::Model, "ana", "small"}))->key, (*repo)->key);
        const auto far = names.find_repo(RepoId{RepoType::Model, "far", "away"});
        ASSERT_TRUE(far && *far);
        EXPECT_EQ((*far)->origin, Origin::UpstreamGated);
        EXPECT_TRUE(*names.find_mirrored_revision((*far)->key, "main"));
        EXPECT_EQ(*names.mirrored_bytes(), 42U);
    }
    const auto database = database_.open();
    ASSERT_TRUE(database);
    const auto lab = Organizations(*database).find("lab");
    EXPECT_EQ(lab && *lab, version() >= 3);
    EXPECT_EQ(*Organizations(*database).default_visibility("lab"),
              version() >= 15 ? Visibility::Private : Visibility::Public);
    if (version() >= 3) {
        const auto members = Organizations(*database).members((*lab)->key);
        ASSERT_TRUE(members && members->size() == 1U);
        EXPECT_EQ(members->front().account.name, "ben");
        EXPECT_EQ(members->front().role, OrgRole::Contributor);
    }
    if (version() >= 4) {
        const auto scopes = Scopes(*database).list(tokens->back().id);
        ASSERT_TRUE(scopes && scopes->size() == 2U);
        EXPECT_EQ(scopes->front().name, "ana/notes");
        EXPECT_EQ(scopes->back().type, "org");
    }
    if (version() >= 5) {
        EXPECT_EQ((*repo)->gate, Gate::Manual);
        const auto asked = AccessRequests(*database).list((*repo)->key);
        ASSERT_TRUE(asked && asked->size() == 1U);
        EXPECT_EQ(asked->front().state, RequestState::Accepted);
        EXPECT_TRUE(asked->front().expires);
    }
    const auto shelf = Collections(*database).find("ana/small-cccccccccccccccccccccccc");
    EXPECT_EQ(shelf && *shelf, version() >= 7);
    if (version() >= 7) {
        const auto items = Collections(*database).items(**shelf);
        ASSERT_TRUE(items && items->size() == 1U);
        EXPECT_EQ(items->front().note, "first");
    }
    const auto lines = Audit(*database, system_clock()).verify();
    ASSERT_TRUE(lines) << lines.error().describe();
    EXPECT_EQ(lines->records, version() >= 10 ? 1U : 0U);
    if (version() >= 11) {
        const Quotas quotas(*database, database_.file().parent_path());
        EXPECT_EQ((*quotas.find("ana"))->quota, 5'000'000'000U);
        EXPECT_EQ((*quotas.find("lab"))->origin, QuotaRule::Origin::Own);
        EXPECT_FALSE((*quotas.find("lab"))->quota);
        EXPECT_EQ((*quotas.find("ben"))->origin, QuotaRule::Origin::Default);
    }
    Discussions discussions(*database);
    const auto pull = discussions.find((*repo)->key, 3);
    EXPECT_EQ(pull && *pull, version() >= 8);
    EXPECT_EQ(*discussions.reserve((*repo)->key), version() >= 8 ? 4 : 1);
    if (version() >= 8) {
        EXPECT_EQ((*names.find_account("ana"))->email, "ana@example.org");
        EXPECT_EQ((*pull)->status, DiscussionStatus::Draft);
        EXPECT_EQ((*pull)->author.name, "ben");
        const auto events = discussions.events(**pull);
        ASSERT_TRUE(events && events->size() == 1U);
        EXPECT_EQ(events->front().text, "Half of it");
        EXPECT_EQ(events->front().history.at(0).text, "Third of it");
    }
    const auto board = OAuth(*database).find_client("board");
    EXPECT_EQ(board && *board, version() >= 9);
    if (version() >= 9) {
        EXPECT_EQ((*board)->redirects, std::vector<std::string>{"https://board.example.org/in"});
        EXPECT_EQ((*names.find_account("ana"))->website, "https://example.org/ana");
    }
    const auto judged = VerdictStore(*database).find(std::string(64, '4'), "data.bin");
    EXPECT_EQ(judged && *judged, version() >= 12);
    if (version() >= 12) {
        EXPECT_EQ((*judged)->verdict.rule, "content.unknown");
        EXPECT_EQ((*judged)->scanners, "locara-formats 2.1.0");
    }
}

TEST_P(SchemaTest, makes_of_an_earlier_version_what_a_new_one_is) {
    const auto before = database_.open();
    const auto fresh = fresh_.open();
    ASSERT_TRUE(before && fresh);
    EXPECT_EQ(describe_tables(**before), describe_tables(**fresh));
}

TEST_P(SchemaTest, leaves_a_database_as_it_was_when_a_change_fails) {
    // What the next version makes is there already: a table (of the name of an index), or a column.
    struct Thing {
        std::string table;
        std::string column = "";
    };

    const std::vector<Thing> made = {{"mirrored_files"},
                                     {"members"},
                                     {"token_repos"},
                                     {"access_requests"},
                                     {"bucket_files"},
                                     {"collections"},
                                     {"discussions"},
                                     {"sessions"},
                                     {"audit"},
                                     {"quotas"},
                                     {"verdicts"},
                                     {"files", "used"},
                                     {"verdicts_refused"},
                                     {"accounts", "private_repos"},
                                     {"hub"},
                                     {"xorbs", "unnamed"}};
    ASSERT_EQ(made.size() + 1, schema_versions().size());
    const auto next = static_cast<std::size_t>(version()) - 1;
    if (next == made.size()) {
        return; // There is no next version.
    }
    const auto& [table, column] = made[next];
    const bool is_table = column.empty();
    run(is_table ? "CREATE TABLE " + table + " (x INTEGER)"
                 : "ALTER TABLE " + table + " ADD COLUMN " + column + " INTEGER");
    EXPECT_FALSE(database_.open());
    run(is_table ? "DROP TABLE " + table : "ALTER TABLE " + table + " DROP COLUMN " + column);
    EXPECT_TRUE(database_.open()); // Nothing of the failed change is in its way.
}

INSTANTIATE_TEST_SUITE_P(
    Versions,
    SchemaTest,
    testing::Combine(testing::Values(Backend::Sqlite, Backend::Postgresql),
                     testing::Range(1, static_cast<int>(schema_versions().size()) + 1)),
    [](const auto& suite) {
        return render(std::get<0>(suite.param)) + "_" + std::to_string(std::get<1>(suite.param));
    });

TEST(Schema, of_a_newer_program_is_refused_and_left_alone) {
    const auto folder = TempFolder::create("/tmp", "locara-schema-");
    const auto file = folder->path() / kNamesFile;
    run_sqlite(file, "PRAGMA user_version = 1000;");
    const auto opened = Database::open(file);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), ErrorCode::Unsupported);
    EXPECT_NE(opened.error().describe().find("1000"), std::string::npos);
}

TEST(Schema, is_not_looked_for_in_what_is_no_database) {
    const auto folder = TempFolder::create("/tmp", "locara-schema-");
    const auto file = folder->path() / kNamesFile;
    ASSERT_TRUE(write_file_atomically(file, as_bytes(std::string(4096, 'x'))));
    EXPECT_EQ(Database::open(file).error().code(), ErrorCode::Corrupt);
}

} // namespace
} // namespace locara::hub
