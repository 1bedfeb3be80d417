#include "test_database.hpp"

#include <locara/test_support/folders.hpp>

#include <array>
#include <atomic>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace locara::hub {
namespace {

/// scripts/postgresql.sh, which ends when its standard input does.
class Server {
  public:
    Server() : folder_(*TempFolder::create("/tmp", "locara-pg-")) {
        std::array<int, 2> in{};
        std::array<int, 2> out{};
        if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) {
            std::abort();
        }
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in[0], 0);
        posix_spawn_file_actions_adddup2(&actions, out[1], 1);
        std::string script = (test_support::source_dir() / "scripts/postgresql.sh").string();
        std::string folder = folder_.path().string();
        std::array<char*, 3> arguments = {script.data(), folder.data(), nullptr};
        const int started =
            posix_spawn(&process_, script.c_str(), &actions, nullptr, arguments.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        ::close(in[0]);
        ::close(out[1]);
        stop_ = Fd(in[1]);
        const Fd said(out[0]);
        char c = 0;
        while (started == 0 && ::read(said.get(), &c, 1) == 1 && c != '\n') {
            url_ += c;
        }
    }

    ~Server() {
        stop_.reset();
        ::waitpid(process_, nullptr, 0);
    }

    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Of the database `postgres`; empty if the server did not start.
    const std::string& url() const { return url_; }

    /// The exit status of a server that did not start.
    int exit_status() {
        int status = 0;
        ::waitpid(process_, &status, 0);
        process_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

  private:
    TempFolder folder_;
    pid_t process_ = -1;
    Fd stop_;
    std::string url_;
};

constexpr int kNotInstalled = 77;

} // namespace

std::string render(Backend backend) {
    return backend == Backend::Sqlite ? "Sqlite" : "Postgresql";
}

std::optional<std::string> make_postgresql_database() {
    static Server server;
    static const int failed = server.url().empty() ? server.exit_status() : 0;
    if (failed == kNotInstalled) {
        return std::nullopt;
    }
    if (failed != 0) {
        ADD_FAILURE() << "scripts/postgresql.sh says why";
        return std::nullopt;
    }
    static std::atomic<int> made = 0;
    const std::string name = "test" + std::to_string(++made);
    const auto database = Database::connect(server.url());
    EXPECT_TRUE(database && (*database)->with([&name](soci::session& sql) -> Status {
        sql << "CREATE DATABASE " + name;
        return {};
    }));
    std::string url = server.url();
    url.replace(url.find("/postgres?"), 10, "/" + name + "?");
    return url;
}

TestDatabase::TestDatabase() : folder_(*TempFolder::create("/tmp", "locara names ")) {}

bool TestDatabase::make(Backend backend) {
    if (backend == Backend::Sqlite) {
        return true;
    }
    const auto made = make_postgresql_database();
    url_ = made.value_or("");
    return made.has_value();
}

Result<std::shared_ptr<Database>> TestDatabase::open() const {
    return url_.empty() ? Database::open(file()) : Database::connect(url_);
}

void DatabaseTest::SetUp() {
    if (!made_.make(GetParam())) {
        GTEST_SKIP() << kNoPostgresql;
    }
}

std::shared_ptr<Database> DatabaseTest::open() const {
    auto opened = made_.open();
    EXPECT_TRUE(opened) << opened.error().describe();
    return std::move(*opened);
}

} // namespace locara::hub
