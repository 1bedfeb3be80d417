// Databases as earlier versions left them: test/data/schema/sqlite_<version>.sql.
#include "../access_requests.hpp"
#include "../collections.hpp"
#include "../database.hpp"
#include "../discussions.hpp"
#include "../layout.hpp"
#include "../names.hpp"
#include "../names_rows.hpp"
#include "../schema.hpp"
#include "../scopes.hpp"
#include "../verdict_store.hpp"

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
void run_sql(const std::filesystem::path& file, const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK)
        << message;
    sqlite3_free(message);
    sqlite3_close(database);
}

/// All columns and indexes, a line each.
std::set<std::string> describe_tables(Database& database) {
    const auto found = database.with([](soci::session& sql) -> Result<std::set<std::string>> {
        std::string line;
        soci::statement statement =
            (sql.prepare
                 << "SELECT m.name || ' ' || c.name || ' ' || c.\"notnull\" || c.pk"
                    " FROM sqlite_master m, pragma_table_info(m.name) c"
                    " WHERE m.type = 'table' UNION ALL"
                    " SELECT m.name || ' ' || i.\"unique\" || ' ' || c.name || ' ' || c.coll"
                    " FROM sqlite_master m, pragma_index_list(m.name) i,"
                    " pragma_index_xinfo(i.name) c WHERE m.type = 'table' AND c.key = 1",
             soci::into(line));
        statement.execute();
        std::set<std::string> lines;
        while (statement.fetch()) {
            lines.insert(line);
        }
        return lines;
    });
    EXPECT_TRUE(found) << found.error().describe();
    return *found;
}

class SchemaTest : public testing::TestWithParam<int> {
  protected:
    SchemaTest() : folder_(*TempFolder::create("/tmp", "locara-schema-")) {}

    std::filesystem::path file() const { return folder_.path() / kNamesFile; }

    std::string fixture() const {
        const std::string name = "sqlite_" + std::to_string(GetParam()) + ".sql";
        return *read_file(test_support::data_dir() / "schema" / name, std::size_t{1} << 20U);
    }

    TempFolder folder_;
};

TEST_P(SchemaTest, brings_an_earlier_version_up_and_keeps_what_it_holds) {
    run_sql(file(), fixture());
    const auto opened = Database::open(file());
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
    EXPECT_EQ(unused && unused->empty(), GetParam() >= 13);
    EXPECT_EQ(files->front().size, 1ULL << 40U);
    EXPECT_TRUE(*names.may_use_xorb((*repo)->key, *xet::XorbHash::parse(std::string(64, '6'))));
    EXPECT_EQ((*names.find_repo(RepoId{RepoType::Dataset, "ana", "notes"}))->visibility,
              Visibility::Private);
    if (GetParam() >= 2) {
        EXPECT_EQ((*names.find_moved_repo({RepoType::Model, "ana", "small"}))->key, (*repo)->key);
        const auto far = names.find_repo(RepoId{RepoType::Model, "far", "away"});
        ASSERT_TRUE(far && *far);
        EXPECT_EQ((*far)->origin, Origin::UpstreamGated);
        EXPECT_TRUE(*names.find_mirrored_revision((*far)->key, "main"));
        EXPECT_EQ(*names.mirrored_bytes(), 42U);
    }
    const auto database = Database::open(file());
    ASSERT_TRUE(database);
    const auto lab = Organizations(*database).find("lab");
    EXPECT_EQ(lab && *lab, GetParam() >= 3);
    if (GetParam() >= 3) {
        const auto members = Organizations(*database).members((*lab)->key);
        ASSERT_TRUE(members && members->size() == 1U);
        EXPECT_EQ(members->front().account.name, "ben");
        EXPECT_EQ(members->front().role, OrgRole::Contributor);
    }
    if (GetParam() >= 4) {
        const auto scopes = Scopes(*database).list(tokens->back().id);
        ASSERT_TRUE(scopes && scopes->size() == 2U);
        EXPECT_EQ(scopes->front().name, "ana/notes");
        EXPECT_EQ(scopes->back().type, "org");
    }
    if (GetParam() >= 5) {
        EXPECT_EQ((*repo)->gate, Gate::Manual);
        const auto asked = AccessRequests(*database).list((*repo)->key);
        ASSERT_TRUE(asked && asked->size() == 1U);
        EXPECT_EQ(asked->front().state, RequestState::Accepted);
        EXPECT_TRUE(asked->front().expires);
    }
    const auto shelf = Collections(*database).find("ana/small-cccccccccccccccccccccccc");
    EXPECT_EQ(shelf && *shelf, GetParam() >= 7);
    if (GetParam() >= 7) {
        const auto items = Collections(*database).items(**shelf);
        ASSERT_TRUE(items && items->size() == 1U);
        EXPECT_EQ(items->front().note, "first");
    }
    const auto lines = Audit(*database, system_clock()).verify();
    ASSERT_TRUE(lines) << lines.error().describe();
    EXPECT_EQ(lines->records, GetParam() >= 10 ? 1U : 0U);
    if (GetParam() >= 11) {
        const Quotas quotas(*database, folder_.path());
        EXPECT_EQ((*quotas.find("ana"))->quota, 5'000'000'000U);
        EXPECT_EQ((*quotas.find("lab"))->origin, QuotaRule::Origin::Own);
        EXPECT_FALSE((*quotas.find("lab"))->quota);
        EXPECT_EQ((*quotas.find("ben"))->origin, QuotaRule::Origin::Default);
    }
    Discussions discussions(*database);
    const auto pull = discussions.find((*repo)->key, 3);
    EXPECT_EQ(pull && *pull, GetParam() >= 8);
    EXPECT_EQ(*discussions.reserve((*repo)->key), GetParam() >= 8 ? 4 : 1);
    if (GetParam() >= 8) {
        EXPECT_EQ((*names.find_account("ana"))->email, "ana@example.org");
        EXPECT_EQ((*pull)->status, DiscussionStatus::Draft);
        EXPECT_EQ((*pull)->author.name, "ben");
        const auto events = discussions.events(**pull);
        ASSERT_TRUE(events && events->size() == 1U);
        EXPECT_EQ(events->front().text, "Half of it");
        EXPECT_EQ(events->front().history.at(0).text, "Third of it");
    }
    const auto board = OAuth(*database).find_client("board");
    EXPECT_EQ(board && *board, GetParam() >= 9);
    if (GetParam() >= 9) {
        EXPECT_EQ((*board)->redirects, std::vector<std::string>{"https://board.example.org/in"});
        EXPECT_EQ((*names.find_account("ana"))->website, "https://example.org/ana");
    }
    const auto judged = VerdictStore(*database).find(std::string(64, '4'), "data.bin");
    EXPECT_EQ(judged && *judged, GetParam() >= 12);
    if (GetParam() >= 12) {
        EXPECT_EQ((*judged)->verdict.rule, "content.unknown");
        EXPECT_EQ((*judged)->scanners, "locara-formats 2.1.0");
    }
}

TEST_P(SchemaTest, makes_of_an_earlier_version_what_a_new_one_is) {
    run_sql(file(), fixture());
    const auto before = Database::open(file());
    const auto fresh = Database::open(folder_.path() / "fresh.db");
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
                                     {"verdicts_refused"}};
    ASSERT_EQ(made.size() + 1, schema_versions().size());
    const auto next = static_cast<std::size_t>(GetParam()) - 1;
    if (next == made.size()) {
        return; // There is no next version.
    }
    const auto& [table, column] = made[next];
    const bool is_table = column.empty();
    run_sql(file(),
            fixture() + (is_table
                             ? "CREATE TABLE " + table + " (x INTEGER);"
                             : "ALTER TABLE " + table + " ADD COLUMN " + column + " INTEGER;"));
    EXPECT_FALSE(Database::open(file()));
    run_sql(file(),
            is_table ? "DROP TABLE " + table + ";"
                     : "ALTER TABLE " + table + " DROP COLUMN " + column + ";");
    EXPECT_TRUE(Database::open(file())); // Nothing of the failed change is in its way.
}

INSTANTIATE_TEST_SUITE_P(Versions,
                         SchemaTest,
                         testing::Values(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14),
                         [](const auto& version) { return std::to_string(version.param); });

TEST(Schema, of_a_newer_program_is_refused_and_left_alone) {
    const auto folder = TempFolder::create("/tmp", "locara-schema-");
    const auto file = folder->path() / kNamesFile;
    run_sql(file, "PRAGMA user_version = 1000;");
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
