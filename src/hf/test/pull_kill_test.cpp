// Real processes: a puller that is killed anywhere, and two that want the same file.
#include "hub_fixture.hpp"

#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace locara::hf {
namespace {

using test::answer_file;
using test::WireConnection;
using test::WireRequest;
using test::WireServer;
using namespace std::chrono_literals;

class PullKillTest : public HubFixture {
  protected:
    pid_t start(const WireServer& server) {
        std::vector<std::string> words = {LOCARA_HF_PULLER,
                                          server.url(),
                                          (folder.path() / "store").string(),
                                          file.repo,
                                          file.revision,
                                          file.path,
                                          std::to_string(file.size),
                                          file.sha256.render(),
                                          "65536",
                                          "65536"};
        std::vector<char*> argv;
        for (std::string& word : words) {
            argv.push_back(word.data());
        }
        argv.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(
            &actions, 1, (folder.path() / "output").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        pid_t child = -1;
        const int failed = ::posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        EXPECT_EQ(failed, 0);
        return child;
    }

    static int wait_for(pid_t child) {
        int status = -1;
        ::waitpid(child, &status, 0);
        return status;
    }

    /// Lets the child live until the server has had so many more requests, then kills it.
    /// False when it came to its end before.
    bool kill_after(const WireServer& server, std::uint64_t requests, pid_t child) {
        const std::uint64_t until = server.requests() + requests;
        int status = 0;
        while (server.requests() < until) {
            if (::waitpid(child, &status, WNOHANG) == child) {
                EXPECT_EQ(status, 0) << output();
                return false;
            }
            std::this_thread::sleep_for(200us);
        }
        ::kill(child, SIGKILL);
        status = wait_for(child);
        EXPECT_TRUE(WIFSIGNALED(status) || status == 0) << output();
        return WIFSIGNALED(status);
    }

    std::string output() { return read_file(folder.path() / "output", 1U << 20U).value(); }

    void use_text(std::size_t size) {
        text = random_text(size);
        file.size = text.size();
        file.sha256 = crypto::sha256(as_bytes(text));
    }
};

TEST_F(PullKillTest, killed_many_times_the_store_holds_whole_files_and_it_resumes) {
    use_text(8'000'000);
    std::atomic<bool> slow = true;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        if (slow) {
            std::this_thread::sleep_for(3ms);
        }
        answer_file(request, c, text, commit_header);
    });
    int kills = 0;
    int resumed = 0;
    std::mt19937 random(20261122);
    while (kills < 30) {
        kills += kill_after(server, random() % 45, start(server)) ? 1 : 0;
        store = store::Store::open(folder.path() / "store").value();
        const auto report = store.verify_all();
        ASSERT_TRUE(report && report->bad.empty());
        const auto parts = store.list_parts();
        ASSERT_TRUE(parts);
        for (const auto& part : *parts) {
            resumed += part.received_bytes > 0 ? 1 : 0;
        }
        if (store.has(file.sha256)) { // it came to its end: once more from nothing
            ASSERT_EQ(read_file(*store.path_of(file.sha256), 1U << 30U).value(), text);
            ASSERT_TRUE(store.remove(file.sha256));
        }
    }
    EXPECT_GT(resumed, 5) << "hardly a kill hit the middle of a pull: the test shows little";
    slow = false;
    ASSERT_EQ(wait_for(start(server)), 0) << output();
    expect_stored();
}

TEST_F(PullKillTest, kills_cost_little_more_than_what_was_in_flight) {
    use_text(16'000'000);
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        std::this_thread::sleep_for(5ms);
        answer_file(request, c, text, commit_header);
    });
    int kills = 0;
    std::mt19937 random(7);
    while (kills < 30 && !store.has(file.sha256)) {
        kills += kill_after(server, random() % 30, start(server)) ? 1 : 0;
    }
    if (!store.has(file.sha256)) {
        ASSERT_EQ(wait_for(start(server)), 0) << output();
    }
    expect_stored();
    EXPECT_GE(kills, 5);
    // Each kill may lose what its four connections had under way and what was not yet noted.
    const std::uint64_t loss = static_cast<std::uint64_t>(kills) * 16U * 65'536U;
    EXPECT_LT(server.sent_bytes(), text.size() + loss);
    EXPECT_LT(server.sent_bytes(), static_cast<std::uint64_t>(kills) * text.size() / 2);
    RecordProperty("kills", kills);
    RecordProperty("sent_bytes", static_cast<int>(server.sent_bytes()));
}

TEST_F(PullKillTest, processes_that_want_one_file_fetch_it_once) {
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        std::this_thread::sleep_for(5ms);
        answer_file(request, c, text, commit_header);
    });
    std::vector<pid_t> children;
    for (int i = 0; i < 3; ++i) {
        children.push_back(start(server));
    }
    for (const pid_t child : children) {
        EXPECT_EQ(wait_for(child), 0) << output();
    }
    expect_stored();
    EXPECT_EQ(server.requests(), 16U);
}

TEST_F(PullKillTest, a_second_process_goes_on_where_a_killed_one_ended) {
    std::atomic<int> calls = 0;
    std::atomic<bool> hold = true;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        if (++calls > 8 && hold) {
            c.wait_for_end();
        } else {
            answer_file(request, c, text, commit_header);
        }
    });
    const pid_t first = start(server);
    while (calls < 12) {
        std::this_thread::sleep_for(1ms);
    }
    const pid_t second = start(server); // waits for the lock of the first
    std::this_thread::sleep_for(50ms);
    hold = false;
    ::kill(first, SIGKILL);
    wait_for(first);
    EXPECT_EQ(wait_for(second), 0) << output();
    expect_stored();
    EXPECT_LT(server.sent_bytes(), text.size() + 6U * 65'536U + 20'000U);
}

} // namespace
} // namespace locara::hf
