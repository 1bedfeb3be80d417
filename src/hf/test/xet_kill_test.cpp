// Real processes: pulls by chunks that are killed anywhere, and how much memory one takes.
#include "hub_fixture.hpp"
#include "xet_hub.hpp"

#include <locara/xet/chunker.hpp>

#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace locara::hf {
namespace {

using test::WireConnection;
using test::WireRequest;
using test::XetHub;
using namespace std::chrono_literals;

class XetKillTest : public HubFixture {
  protected:
    void use(XetHub& hub, std::size_t size) {
        text = random_text(size);
        file.size = text.size();
        file.sha256 = crypto::sha256(as_bytes(text));
        file.xet_hash = hub.add(file.repo, file.path, text);
    }

    pid_t start(const XetHub& hub) {
        std::vector<std::string> words = {LOCARA_HF_PULLER,
                                          hub.url(),
                                          (folder.path() / "store").string(),
                                          file.repo,
                                          file.revision,
                                          file.path,
                                          std::to_string(file.size),
                                          file.sha256.render(),
                                          "65536",
                                          "65536",
                                          file.xet_hash->render()};
        std::vector<char*> argv;
        for (std::string& word : words) {
            argv.push_back(word.data());
        }
        argv.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(
            &actions, 1, (folder.path() / "output").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        pid_t child = -1;
        EXPECT_EQ(::posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ), 0);
        posix_spawn_file_actions_destroy(&actions);
        return child;
    }

    static int wait_for(pid_t child) {
        int status = -1;
        ::waitpid(child, &status, 0);
        return status;
    }

    std::string output() { return read_file(folder.path() / "output", 1U << 20U).value(); }
};

TEST_F(XetKillTest, killed_again_and_again_it_fetches_hardly_more_than_the_file) {
    XetHub hub(256U << 10U);
    use(hub, 12'000'000);
    hub.before = [](const std::string& what, const WireRequest&, WireConnection&) {
        if (what == "data") {
            std::this_thread::sleep_for(3ms);
        }
        return false;
    };
    std::mt19937 random(20261127);
    int kills = 0;
    while (kills < 12 && !store.has(file.sha256)) {
        const int until = hub.count("data") + static_cast<int>(random() % 10);
        const pid_t child = start(hub);
        int status = 0;
        bool ended = false;
        while (hub.count("data") < until && !ended) {
            ended = ::waitpid(child, &status, WNOHANG) == child;
            std::this_thread::sleep_for(200us);
        }
        if (ended) {
            ASSERT_EQ(status, 0) << output();
            break;
        }
        ::kill(child, SIGKILL);
        wait_for(child);
        ++kills;
        const auto report = store::Store::open(folder.path() / "store")->verify_all();
        ASSERT_TRUE(report && report->bad.empty());
    }
    if (!store.has(file.sha256)) {
        ASSERT_EQ(wait_for(start(hub)), 0) << output();
    }
    expect_stored();
    EXPECT_GE(kills, 4);
    // Each kill may lose what the server had sent to its four connections, a xorb each at most, and
    // what had not landed yet; nothing that had.
    const std::uint64_t loss = static_cast<std::uint64_t>(kills) * 4U * (260U << 10U);
    EXPECT_LT(hub.data_bytes(), text.size() + loss);
    EXPECT_EQ(hub.token_faults(), std::vector<std::string>());
}

TEST_F(XetKillTest, memory_does_not_grow_with_the_file) {
    XetHub hub(16U << 20U);
    use(hub, 96'000'000);
    ASSERT_EQ(wait_for(start(hub)), 0) << output();
    expect_stored();
    long fetched = 0;
    long kibibytes = 0;
    ASSERT_EQ(std::sscanf(output().c_str(), "fetched %ld\nmemory %ld", &fetched, &kibibytes), 2)
        << output();
    EXPECT_GT(fetched, 96'000'000);
    EXPECT_LT(kibibytes, 24L << 10U) << "a whole xorb, or all of the file, is held somewhere";
}

} // namespace
} // namespace locara::hf
