// What every database must do, over each of them; and what one alone does.
#include "../layout.hpp"
#include "../names.hpp"
#include "../schema.hpp"
#include "test_database.hpp"

#include <locara/hub/database_choice.hpp>

#include <atomic>
#include <set>
#include <thread>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

/// Runs `work` with 0, 1, ... in as many threads at once.
template <class Work> void at_once(int count, Work work) {
    std::vector<std::thread> threads;
    std::atomic<int> waiting = count;
    for (int i = 0; i < count; ++i) {
        threads.emplace_back([&waiting, &work, i] {
            --waiting;
            while (waiting > 0) {
                std::this_thread::yield();
            }
            work(i);
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
}

Repo repo_named(const std::string& name) {
    Repo repo;
    repo.internal = crypto::sha256(as_bytes(name)).render().substr(0, 24);
    repo.id = {RepoType::Model, "ana", name};
    return repo;
}

class DatabaseContract : public DatabaseTest {
  protected:
    /// The number that stands as the task of a repository.
    static Result<int> count(soci::session& sql) {
        std::string text;
        sql << "SELECT task FROM repos WHERE name = 'counter'", into(text);
        return sql.got_data() ? std::atoi(text.c_str()) : -1;
    }

    static void set_count(soci::session& sql, int value) {
        const std::string text = std::to_string(value);
        sql << "UPDATE repos SET task = :t WHERE name = 'counter'", use(text);
    }
};

TEST_P(DatabaseContract, loses_no_update_of_connections_that_read_and_then_write) {
    ASSERT_TRUE(Names(open()).add_repo(repo_named("counter")));
    constexpr int kConnections = 4;
    constexpr int kUpdates = 15;
    std::atomic<int> failed = 0;
    at_once(kConnections, [&](int) {
        const auto database = open();
        for (int i = 0; i < kUpdates; ++i) {
            const auto done = database->transact([](soci::session& sql) -> Status {
                LOCARA_TRY(const int value, count(sql));
                set_count(sql, value + 1);
                return {};
            });
            failed += done ? 0 : 1;
        }
    });
    // Everything that was not said to have failed is there.
    EXPECT_EQ(*open()->with(count), kConnections * kUpdates - failed);
    EXPECT_LT(failed, kUpdates);
}

TEST_P(DatabaseContract, undoes_a_transaction_that_ends_in_an_error_or_an_exception) {
    const auto database = open();
    ASSERT_TRUE(Names(database).add_repo(repo_named("counter")));
    const auto refused = database->transact([](soci::session& sql) -> Status {
        set_count(sql, 5);
        return Error(ErrorCode::Refused, "no");
    });
    EXPECT_EQ(refused.error().code(), ErrorCode::Refused);
    const auto broken = database->transact([](soci::session& sql) -> Status {
        set_count(sql, 6);
        sql << "INSERT INTO files (repo, sha256, xet, size) VALUES (4711, 'a', 'b', 1)";
        return {};
    });
    EXPECT_EQ(broken.error().code(), ErrorCode::Conflict); // There is no such repository.
    const auto thrown = database->transact([](soci::session& sql) -> Status {
        set_count(sql, 7);
        throw std::runtime_error("out of luck");
    });
    EXPECT_EQ(thrown.error().code(), ErrorCode::Io);
    EXPECT_EQ(*database->with(count), 0);
    // The session is good for more.
    EXPECT_TRUE(database->transact([](soci::session& sql) -> Status {
        set_count(sql, 8);
        return {};
    }));
    EXPECT_EQ(*open()->with(count), 8);
}

TEST_P(DatabaseContract, lets_one_of_those_win_who_make_the_same_at_once) {
    std::atomic<int> won = 0;
    std::atomic<int> lost = 0;
    at_once(4, [&](int) {
        Names names(open());
        const auto made = names.add_repo(repo_named("same"));
        if (made) {
            ++won;
        } else if (made.error().code() == ErrorCode::Conflict) {
            ++lost;
        } else {
            ADD_FAILURE() << made.error().describe();
        }
    });
    EXPECT_EQ(won, 1);
    EXPECT_EQ(lost, 3);
}

TEST_P(DatabaseContract, makes_its_tables_once_however_many_open_it_first) {
    at_once(4, [&](int) { EXPECT_TRUE(open()); });
    EXPECT_EQ(Names(open()).list_repos(RepoType::Model)->size(), 0U);
}

TEST_P(DatabaseContract, serves_more_callers_than_it_has_sessions) {
    const auto database = open();
    ASSERT_TRUE(Names(database).add_repo(repo_named("counter")));
    std::atomic<int> right = 0;
    at_once(20, [&](int) {
        for (int i = 0; i < 10; ++i) {
            const auto found = database->with(count);
            right += found && *found == 0 ? 1 : 0;
        }
    });
    EXPECT_EQ(right, 200);
}

TEST_P(DatabaseContract, sorts_text_by_its_bytes_and_names_without_regard_to_case) {
    Names names(open());
    for (const char* name : {"b-a", "B_a", "ba", "a", "B.a", "b0", "C"}) {
        ASSERT_TRUE(names.add_repo(repo_named(name)));
    }
    std::string listed;
    const auto repos = names.list_repos(RepoType::Model);
    for (const Repo& repo : *repos) {
        listed += repo.id.name + " ";
    }
    EXPECT_EQ(listed, "a b-a B.a b0 B_a ba C ");
}

/// Whether another process could take SQLite's locks on a file for itself (sqlite.org/fileformat2:
/// the shared lock is on 510 bytes behind 2^30 + 2).
bool is_free_for_others(const std::filesystem::path& file) {
    const pid_t child = ::fork();
    if (child == 0) {
        const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);

        struct flock lock {};

        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        lock.l_start = 0x40000002;
        lock.l_len = 510;
        const bool asked = ::fcntl(fd, F_GETLK, &lock) == 0;
        ::_exit(asked && lock.l_type == F_UNLCK ? 1 : 0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status != 0;
}

TEST(DatabaseFile, stays_locked_when_this_process_opens_and_closes_it_once_more) {
    const auto folder = TempFolder::create("/tmp", "locara-locks-");
    const auto file = folder->path() / kNamesFile;
    const auto database = *Database::open(file);
    ASSERT_TRUE(Names(database).list_tokens());
    ASSERT_FALSE(is_free_for_others(file));
    {
        const auto second = Database::open(file);
        ASSERT_TRUE(second && Names(*second).list_tokens());
    }
    EXPECT_FALSE(is_free_for_others(file)) << "the next to leave would remove the log";
}

TEST_P(DatabaseContract, is_copied_whole_and_gives_out_no_key_again) {
    const auto database = open();
    Names names(database);
    const TimePoint now(std::chrono::seconds(1'795'000'000));
    const auto ana = names.add_account("Ana", "Ana A., \"quoted\" \xc3\xa9", now);
    ASSERT_TRUE(names.add_token(*ana, {"ci", TokenRole::Write, {}}, crypto::sha256({}), now));
    const auto kept = names.add_repo(repo_named("kept"));
    const auto gone = names.add_repo(repo_named("gone"));
    ASSERT_TRUE(names.add_file(kept->key, {crypto::sha256({}), {}, 1ULL << 40U}, TimePoint()));
    ASSERT_TRUE(names.move_repo(kept->key, {RepoType::Model, "ana", "moved"}));
    ASSERT_TRUE(names.remove_repo(gone->key));
    const auto folder = TempFolder::create("/tmp", "locara-copy-");
    const auto copy = *Database::open(folder->path() / "copy.db");
    ASSERT_TRUE(database->copy_to(*copy));
    EXPECT_EQ(database->copy_to(*copy).error().code(), ErrorCode::Conflict);
    // And to where this came from is the other direction: into a new one of the same kind.
    ASSERT_TRUE(database->transact([](soci::session& sql) -> Status {
        sql << "DELETE FROM accounts";
        sql << "DELETE FROM repos";
        return {};
    }));
    ASSERT_TRUE(copy->copy_to(*database));
    for (const auto& one : {copy, database}) {
        Names there(one);
        EXPECT_EQ((*there.find_account("ana"))->full_name, ana->full_name);
        const auto tokens = there.list_tokens();
        ASSERT_EQ(tokens->size(), 1U);
        EXPECT_FALSE(tokens->front().expires);
        EXPECT_EQ(there.list_files(kept->key)->front().size, 1ULL << 40U);
        EXPECT_EQ((*there.find_moved_repo(kept->id))->key, kept->key);
        EXPECT_GT(there.add_repo(repo_named("next"))->key, gone->key);
        EXPECT_TRUE(one->check()->empty());
        EXPECT_EQ(one->sizes()->front().rows, 1U);
    }
}

TEST_P(DatabaseContract, lists_every_table_that_it_makes) {
    const auto found = open()->with([](soci::session& sql) -> Result<std::set<std::string>> {
        std::string name;
        soci::statement statement =
            (sql.prepare
                 << (GetParam() == Backend::Sqlite
                         ? "SELECT name FROM sqlite_master WHERE type = 'table'"
                           " AND name NOT LIKE 'sqlite%'"
                         : "SELECT CAST(tablename AS TEXT) FROM pg_tables"
                           " WHERE schemaname = 'public' AND tablename <> 'schema_version'"),
             into(name));
        statement.execute();
        std::set<std::string> names;
        while (statement.fetch()) {
            names.insert(name);
        }
        return names;
    });
    std::set<std::string> listed;
    for (const SchemaTable& table : schema_tables()) {
        listed.insert(table.name);
    }
    EXPECT_EQ(*found, listed);
}

LOCARA_WITH_BACKENDS(DatabaseContract);

// ------------------------------------------------------------------------------ PostgreSQL alone

class PostgresqlTest : public testing::Test {
  protected:
    void SetUp() override {
        const auto made = make_postgresql_database();
        if (!made) {
            GTEST_SKIP() << kNoPostgresql;
        }
        url_ = *made;
    }

    std::string url_;
};

TEST_F(PostgresqlTest, is_reached_by_an_address_without_parameters) {
    // postgresql://hub@/NAME?host=FOLDER, as postgresql://hub@FOLDER/NAME
    const std::size_t name = url_.find("@/") + 1;
    const std::size_t parameters = url_.find("?host=");
    std::string host;
    for (const char c : url_.substr(parameters + 6)) {
        host += c == '/' ? "%2F" : std::string(1, c);
    }
    const std::string plain = url_.substr(0, name) + host + url_.substr(name, parameters - name);
    for (const char* const end : {"", "?", "?connect_timeout=5&application_name=a%20b%3D"}) {
        const auto opened = Database::connect(plain + end);
        EXPECT_TRUE(opened) << plain << end << ": " << opened.error().describe();
    }
}

TEST_F(PostgresqlTest, a_server_that_says_nothing_is_not_waited_for_for_ever) {
    const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(listener.get(), any, size), 0);
    ASSERT_EQ(::listen(listener.get(), 8), 0);
    ASSERT_EQ(::getsockname(listener.get(), any, &size), 0);
    const auto began = std::chrono::steady_clock::now();
    const auto opened = Database::connect(
        "postgresql://ana@127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/hub");
    EXPECT_EQ(opened.error().code(), ErrorCode::Unavailable) << opened.error().describe();
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
}

TEST_F(PostgresqlTest, goes_on_after_the_server_dropped_its_connections) {
    const auto database = Database::connect(url_);
    ASSERT_TRUE(database);
    ASSERT_TRUE(Names(*database).list_tokens());
    ASSERT_TRUE((*Database::connect(url_))->with([](soci::session& sql) -> Status {
        sql << "SELECT COUNT(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
               " WHERE pid <> pg_backend_pid() AND datname = current_database()";
        return {};
    }));
    const auto found = Names(*database).list_tokens();
    EXPECT_TRUE(found) << found.error().describe();
}

TEST_F(PostgresqlTest, says_that_it_cannot_be_reached_without_telling_the_password) {
    const auto opened = Database::connect("postgresql://ana:secret@/x?host=/nonexistent");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), ErrorCode::Unavailable);
    EXPECT_EQ(opened.error().describe().find("secret"), std::string::npos)
        << opened.error().describe();
}

TEST_F(PostgresqlTest, refuses_a_text_that_is_no_utf8_as_the_callers_mistake) {
    const auto database = Database::connect(url_);
    const auto found = Names(*database).find_account("\xff");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(found.error().describe(),
              "the hub's database cannot keep such a text or number (SQLSTATE 22021)");
}

TEST_F(PostgresqlTest, is_refused_when_a_newer_program_made_its_tables) {
    ASSERT_TRUE((*Database::connect(url_))->with([](soci::session& sql) -> Status {
        sql << "UPDATE schema_version SET version = 1000";
        return {};
    }));
    EXPECT_EQ(Database::connect(url_).error().code(), ErrorCode::Unsupported);
}

TEST_F(PostgresqlTest, is_found_by_what_the_data_folder_says) {
    const auto folder = TempFolder::create("/tmp", "locara-choice-");
    const auto data = folder->path() / "hub";
    const auto open_in = [&data](Database::IfMissing missing) {
        return Database::open_in(data, missing);
    };
    EXPECT_EQ(open_in(Database::IfMissing::Fail).error().code(), ErrorCode::NotFound);
    // What cannot be reached is not noted.
    EXPECT_FALSE(choose_database(data, "postgresql:///x?host=/nonexistent"));
    ASSERT_TRUE(choose_database(data, url_));
    ASSERT_TRUE(choose_database(data, url_));
    ASSERT_TRUE(Names(*open_in(Database::IfMissing::Make)).add_repo(repo_named("one")));
    EXPECT_FALSE(std::filesystem::exists(data / "names.db"));
    EXPECT_EQ(Names(*Database::connect(url_)).list_repos(RepoType::Model)->size(), 1U);
    EXPECT_TRUE(open_in(Database::IfMissing::Fail));
    EXPECT_EQ(choose_database(data, url_ + "&x=1").error().code(), ErrorCode::Conflict);
    EXPECT_EQ(choose_database(data, "mysql://x/y").error().code(), ErrorCode::InvalidArgument);
    const auto permissions = std::filesystem::status(data / "database").permissions();
    EXPECT_EQ(permissions,
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(PostgresqlTest, is_of_one_data_folder) {
    const auto folder = TempFolder::create("/tmp", "locara-choice-");
    const auto first = folder->path() / "first";
    const auto second = folder->path() / "second";
    const auto open = [](const std::filesystem::path& data) {
        return Database::open_in(data, Database::IfMissing::Fail);
    };
    ASSERT_TRUE(choose_database(first, url_));
    ASSERT_TRUE(open(first));
    ASSERT_TRUE(open(first)) << "as one that joins does";

    const Status refused = choose_database(second, url_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::Conflict);
    EXPECT_NE(refused.error().message().find("--join"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(second / "database"));

    // Nor if the address was written down by hand.
    std::filesystem::copy(first / "database", second / "database");
    EXPECT_EQ(open(second).error().code(), ErrorCode::Conflict);
    ASSERT_TRUE(write_file_atomically(second / "hub-id", as_bytes("another\n")));
    EXPECT_EQ(open(second).error().code(), ErrorCode::Conflict);
    EXPECT_TRUE(open(first));
}

TEST_F(PostgresqlTest, of_an_earlier_hub_gets_an_id_and_is_no_new_folders) {
    const auto folder = TempFolder::create("/tmp", "locara-choice-");
    const auto earlier = folder->path() / "earlier";
    ASSERT_TRUE(choose_database(earlier, url_));
    const auto database = Database::open_in(earlier, Database::IfMissing::Fail);
    ASSERT_TRUE(Names(*database).add_repo(repo_named("one")));
    std::filesystem::remove(earlier / "hub-id");
    ASSERT_TRUE((*database)->with([](soci::session& sql) -> Status {
        sql << "DELETE FROM hub";
        return {};
    }));
    EXPECT_EQ(choose_database(folder->path() / "new", url_).error().code(), ErrorCode::Conflict);
    ASSERT_TRUE(Database::open_in(earlier, Database::IfMissing::Fail));
    EXPECT_TRUE(std::filesystem::exists(earlier / "hub-id"));
    EXPECT_TRUE(Database::open_in(earlier, Database::IfMissing::Fail));
}

TEST_F(PostgresqlTest, is_not_taken_for_a_folder_that_has_names_already) {
    const auto folder = TempFolder::create("/tmp", "locara-choice-");
    ASSERT_TRUE(Database::open(folder->path() / "names.db"));
    EXPECT_EQ(choose_database(folder->path(), url_).error().code(), ErrorCode::Conflict);
}

} // namespace
} // namespace locara::hub
