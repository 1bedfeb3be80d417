// git behind its walls: it does its work, and what it must not get at it does not. Everything that
// is tried is tried by git itself, and works for a git without walls.
#include "../git_program.hpp"

#include <locara/base/file.hpp>
#include <locara/hub/git_repo.hpp>
#include <locara/sandbox/profile.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace locara::hub {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using testing::HasSubstr;

struct Ended {
    int code = 0;
    std::string output;
    std::string message;
};

asio::awaitable<Status> run_to_end(GitProgram::Call call, std::string input, Ended& ended) {
    const auto executor = co_await asio::this_coro::executor;
    LOCARA_CO_TRY(auto program, GitProgram::start(executor, std::move(call)));
    LOCARA_CO_CHECK(co_await program->write(as_bytes(input)));
    program->close_input();
    Bytes block(4096);
    for (std::size_t count = 1; count > 0;) {
        LOCARA_CO_TRY(count, co_await program->read(block));
        ended.output += as_text(ByteView(block).first(count));
    }
    LOCARA_CO_TRY(const GitProgram::End end, co_await program->wait());
    ended.code = end.code;
    ended.message = end.message;
    co_return Status();
}

/// A server that git could talk to; what comes is counted and sent away.
class Listener {
  public:
    Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(::listen(fd_.get(), 4), 0);
        EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] {
            while (true) {
                const Fd client(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
                if (!client.valid()) {
                    return;
                }
                ++clients_;
            }
        });
    }

    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    ~Listener() { stop(); }

    /// How many came.
    int stop() {
        if (thread_.joinable()) {
            ::shutdown(fd_.get(), SHUT_RDWR);
            thread_.join();
        }
        return clients_;
    }

    std::string url() const { return "git://127.0.0.1:" + std::to_string(port_) + "/x"; }

  private:
    Fd fd_;
    std::uint16_t port_ = 0;
    int clients_ = 0; ///< Of the thread, until it was joined.
    std::thread thread_;
};

class GitProgramTest : public testing::Test {
  protected:
    void SetUp() override {
        for (const fs::path& folder : {own_, other_}) {
            ASSERT_TRUE(GitRepo::create(folder));
            auto git = *GitRepo::open(folder);
            const auto blob = git.write_blob("of " + folder.filename().string());
            const auto tree =
                git.write_tree(std::nullopt, {{GitChange::Kind::Put, "a.txt", *blob}});
            const auto commit =
                git.write_commit(*tree, {}, {"first", "ana", "ana@example.org", TimePoint()});
            ASSERT_TRUE(git.set_ref("refs/heads/main", *commit));
        }
        std::ofstream(database_) << "SQLite format 3";
        fs::permissions(database_, fs::perms::owner_read | fs::perms::owner_write);
    }

    GitProgram::Call call(std::vector<std::string> arguments) const {
        GitProgram::Call call;
        call.repository = own_;
        call.arguments = std::move(arguments);
        call.time = std::chrono::seconds(60);
        return call;
    }

    static Ended run(GitProgram::Call call, std::string input = "") {
        asio::io_context context;
        Ended ended;
        Status status = Error(ErrorCode::Internal, "it did not end");
        asio::co_spawn(context,
                       run_to_end(std::move(call), std::move(input), ended),
                       [&status](const std::exception_ptr& thrown, Status result) {
                           status = thrown ? Status(Error(ErrorCode::Internal, "thrown")) : result;
                       });
        context.run();
        EXPECT_TRUE(status) << status.error().describe();
        return ended;
    }

    /// The same git without walls; whether it ended well.
    static bool run_free(const std::string& words) {
        const std::string command = "timeout 60 git " + words + " > /dev/null 2>&1 < /dev/null";
        return std::system(command.c_str()) == 0; // NOLINT(cert-env33-c): words of our own.
    }

    static bool has_landlock() { return sandbox::landlock_abi() > 0; }

    TempFolder folder_ = *TempFolder::create(fs::temp_directory_path(), "git-program-");
    const fs::path own_ = folder_.path() / "own.git";
    const fs::path other_ = folder_.path() / "other.git";
    const fs::path database_ = folder_.path() / "names.db";
};

TEST_F(GitProgramTest, reads_its_repository) {
    const Ended ended = run(call({"cat-file", "blob", "main:a.txt"}));
    EXPECT_EQ(ended.code, 0) << ended.message;
    EXPECT_EQ(ended.output, "of own.git");
}

TEST_F(GitProgramTest, reads_no_other_repository) {
    if (!has_landlock()) {
        GTEST_SKIP() << "this kernel has no Landlock";
    }
    const Ended ended = run(call({"--git-dir=" + other_.string(), "cat-file", "-p", "main:a.txt"}));
    EXPECT_NE(ended.code, 0);
    EXPECT_EQ(ended.output, "");
    EXPECT_TRUE(run_free("--git-dir=" + other_.string() + " cat-file -p main:a.txt"));

    // Nor by the way that a repository may name another one.
    std::ofstream(own_ / "objects/info/alternates") << (other_ / "objects").string() << "\n";
    const auto git = *GitRepo::open(other_);
    const std::string commit = (**git.find_ref("refs/heads/main")).commit;
    EXPECT_NE(run(call({"cat-file", "-p", commit + ":a.txt"})).code, 0);
    EXPECT_TRUE(run_free("--git-dir=" + own_.string() + " cat-file -p " + commit + ":a.txt"));
}

TEST_F(GitProgramTest, reads_no_other_file) {
    if (!has_landlock()) {
        GTEST_SKIP() << "this kernel has no Landlock";
    }
    for (const std::string& file : {database_.string(), std::string("/etc/passwd")}) {
        const Ended ended = run(call({"hash-object", "--no-filters", file}));
        EXPECT_NE(ended.code, 0) << file;
        EXPECT_THAT(ended.message, HasSubstr("Permission denied"));
        EXPECT_TRUE(run_free("hash-object --no-filters " + file));
    }
}

TEST_F(GitProgramTest, writes_only_where_it_was_let) {
    const auto write = [this](const fs::path& quarantine, GitProgram::Access access) {
        GitProgram::Call put = call({"hash-object", "-w", "--stdin"});
        put.quarantine = quarantine;
        put.access = access;
        return run(std::move(put), "content of a test");
    };
    const fs::path quarantine = own_ / "objects/quarantine";
    fs::create_directory(quarantine);
    Ended ended = write(quarantine, GitProgram::Access::Read);
    EXPECT_EQ(ended.code, 0) << ended.message;
    const std::string name = ended.output.substr(0, 2) + "/" + ended.output.substr(2, 38);
    EXPECT_TRUE(fs::exists(quarantine / name));
    fs::remove_all(quarantine);

    if (has_landlock()) {
        ended = write({}, GitProgram::Access::Read);
        EXPECT_NE(ended.code, 0);
        EXPECT_THAT(ended.message, HasSubstr("insufficient permission"));
        EXPECT_FALSE(fs::exists(own_ / "objects" / name));
    }
    ended = write({}, GitProgram::Access::Write);
    EXPECT_EQ(ended.code, 0) << ended.message;
    EXPECT_TRUE(fs::exists(own_ / "objects" / name));

    if (!has_landlock()) {
        GTEST_SKIP() << "this kernel has no Landlock";
    }
    const fs::path settings = folder_.path() / "settings";
    GitProgram::Call outside = call({"config", "--file", settings.string(), "a.b", "c"});
    outside.access = GitProgram::Access::Write;
    EXPECT_NE(run(std::move(outside)).code, 0);
    EXPECT_FALSE(fs::exists(settings));
    EXPECT_TRUE(run_free("config --file " + settings.string() + " a.b c"));
}

TEST_F(GitProgramTest, connects_to_nothing) {
    Listener listener;
    const Ended ended = run(call({"ls-remote", listener.url()}));
    EXPECT_NE(ended.code, 0);
    EXPECT_THAT(ended.message, HasSubstr("unable to connect"));
    EXPECT_EQ(listener.stop(), 0);

    Listener reached;
    run_free("ls-remote " + reached.url());
    EXPECT_EQ(reached.stop(), 1) << "a git without walls comes here";
}

TEST_F(GitProgramTest, starts_no_other_program) {
    if (!has_landlock()) {
        GTEST_SKIP() << "this kernel has no Landlock";
    }
    const Ended ended = run(call({"-c", "alias.tell=!echo here", "tell"}));
    EXPECT_NE(ended.code, 0);
    EXPECT_EQ(ended.output, "");
    EXPECT_TRUE(run_free("-c 'alias.tell=!echo here' tell"));
}

/// "Max file size             1                    1                    bytes"
std::string limit_of(const std::string& limits, const std::string& name) {
    std::istringstream lines(limits);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(name)) {
            std::istringstream rest(line.substr(name.size()));
            std::string soft;
            std::string hard;
            rest >> soft >> hard;
            return soft == hard ? hard : soft + " of " + hard;
        }
    }
    return "";
}

TEST_F(GitProgramTest, has_limits_for_what_it_is_there_for) {
    const auto limits = [this](const fs::path& quarantine, GitProgram::Access access) {
        GitProgram::Call waiting = call({"cat-file", "--batch"});
        waiting.quarantine = quarantine;
        waiting.access = access;
        asio::io_context context;
        const auto program = GitProgram::start(context.get_executor(), std::move(waiting));
        EXPECT_TRUE(program) << program.error().describe();
        std::ifstream children("/proc/thread-self/children");
        std::string child; // The last of them: others have not been waited for.
        while (children >> child) {
        }
        std::ifstream file("/proc/" + child + "/limits");
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    const std::string reading = limits({}, GitProgram::Access::Read);
    EXPECT_EQ(limit_of(reading, "Max file size"), "1");
    EXPECT_EQ(limit_of(reading, "Max address space"), std::to_string(3ULL << 30U));
    EXPECT_EQ(limit_of(reading, "Max core file size"), "0");
    EXPECT_EQ(limit_of(reading, "Max open files"), "256");
    EXPECT_EQ(limit_of(limits(own_ / "objects", GitProgram::Access::Read), "Max file size"),
              std::to_string(4ULL << 30U));
}

} // namespace
} // namespace locara::hub
