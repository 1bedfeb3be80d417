// With the real llama-server and a real, tiny GGUF (test/data/make_tiny_gguf.py).
#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/engine/engine.hpp>
#include <locara/http/local_client.hpp>
#include <locara/test_support/folders.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

std::string slurp(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

class Engine : public testing::Test {
  protected:
    void SetUp() override {
        auto folder = TempFolder::create("/tmp", "locara-engine-");
        ASSERT_TRUE(folder);
        folder_.emplace(std::move(*folder));
        auto store = store::Store::open(folder_->path() / "store");
        ASSERT_TRUE(store) << store.error().describe();
        store_.emplace(std::move(*store));
        files_ = std::make_unique<ModelFiles>(*store_);
        auto server = find_llama_server();
        ASSERT_TRUE(server) << server.error().describe();
        auto tools = sandbox::Tools::find();
        ASSERT_TRUE(tools) << tools.error().describe();
        options_.llama_server = *server;
        options_.tools = *tools;
        options_.runtime_folder = folder_->path() / "run";
        options_.first_backoff = milliseconds(50);
    }

    std::unique_ptr<Supervisor> create() {
        auto made = Supervisor::create(options_);
        EXPECT_TRUE(made) << made.error().describe();
        return std::move(*made);
    }

    // A GGUF file put into a store and handed out by it.
    ModelFile stored(const std::filesystem::path& path) {
        const auto put = store_->put_file(path);
        EXPECT_TRUE(put) << put.error().describe();
        auto file = files_->open(put->digest);
        EXPECT_TRUE(file) << file.error().describe();
        return *file;
    }

    EngineSpec tiny_spec() {
        EngineSpec spec;
        spec.model_id = "locara/tiny";
        spec.weights = {stored(test_support::data_dir() / "tiny.gguf")};
        spec.model = spec.weights[0].digest();
        spec.context_tokens = 256;
        spec.threads = 2;
        spec.kv_bytes_per_token = 256;
        return spec;
    }

    EngineSpec spec_of_bytes(const char* name, const std::string& bytes) {
        const auto path = folder_->path() / name;
        std::ofstream(path, std::ios::binary) << bytes;
        EngineSpec spec = tiny_spec();
        spec.weights = {stored(path)};
        spec.model = spec.weights[0].digest();
        return spec;
    }

    static Result<http::LocalResponse> ask(const Lease& lease, const char* path, Json body) {
        http::LocalRequest request;
        request.method = "POST";
        request.target = path;
        request.headers.add("Content-Type", "application/json");
        request.body = render_json(body);
        return http::local_request_blocking(lease.socket(), request);
    }

    /// Answers of exactly this length: random weights may end an answer anywhere.
    static Json chat(int max_tokens) {
        return {{"messages", {{{"role", "user"}, {"content", "hi"}}}},
                {"max_tokens", max_tokens},
                {"ignore_eos", true}};
    }

    std::optional<TempFolder> folder_;
    std::optional<store::Store> store_;
    std::unique_ptr<ModelFiles> files_;
    SupervisorOptions options_;
};

TEST_F(Engine, answers_chat_completion_and_embeddings) {
    const auto supervisor = create();
    {
        auto lease = supervisor->ensure_running(tiny_spec());
        ASSERT_TRUE(lease) << lease.error().describe();
        const auto answer = ask(*lease, "/v1/chat/completions", chat(8));
        ASSERT_TRUE(answer) << answer.error().describe();
        ASSERT_EQ(answer->status, 200) << answer->body;
        const auto json = parse_json(answer->body);
        ASSERT_TRUE(json);
        EXPECT_EQ((*json)["usage"]["completion_tokens"], 8);
        EXPECT_EQ((*json)["model"], "locara/tiny");
        const auto plain =
            ask(*lease, "/v1/completions", Json{{"prompt", "hello"}, {"max_tokens", 4}});
        ASSERT_TRUE(plain);
        EXPECT_EQ(plain->status, 200) << plain->body;
    }
    EngineSpec spec = tiny_spec();
    spec.purpose = Purpose::Embeddings;
    auto lease = supervisor->ensure_running(spec);
    ASSERT_TRUE(lease) << lease.error().describe();
    const auto answer = ask(*lease, "/v1/embeddings", Json{{"input", "hello"}});
    ASSERT_TRUE(answer) << answer.error().describe();
    ASSERT_EQ(answer->status, 200) << answer->body;
    EXPECT_EQ((*parse_json(answer->body))["data"][0]["embedding"].size(), 32U);
    EXPECT_EQ(supervisor->status().size(), 2U);
}

// The kernel's own words about the running engine, read from outside.
TEST_F(Engine, has_no_network_no_rights_and_a_filter) {
    const auto supervisor = create();
    auto lease = supervisor->ensure_running(tiny_spec());
    ASSERT_TRUE(lease) << lease.error().describe();
    const std::filesystem::path process = "/proc/" + std::to_string(lease->pid());
    EXPECT_THAT(slurp(process / "comm"), HasSubstr("llama-server"));

    EXPECT_NE(std::filesystem::read_symlink(process / "ns/net"),
              std::filesystem::read_symlink("/proc/self/ns/net"));
    std::istringstream devices(slurp(process / "net/dev"));
    std::vector<std::string> names;
    for (std::string line; std::getline(devices, line);) {
        if (const auto colon = line.find(':'); colon != std::string::npos) {
            names.push_back(
                line.substr(line.find_first_not_of(' '), colon - line.find_first_not_of(' ')));
        }
    }
    EXPECT_THAT(names, testing::ElementsAre("lo"));
    // No routes but the loopback's, no listening TCP socket.
    EXPECT_THAT(slurp(process / "net/route"), Not(HasSubstr("eth")));
    std::istringstream sockets(slurp(process / "net/tcp"));
    int lines = 0;
    for (std::string line; std::getline(sockets, line); ++lines) {
    }
    EXPECT_EQ(lines, 1) << "only the heading";

    const std::string status = slurp(process / "status");
    EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
    EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
    EXPECT_THAT(status, HasSubstr("CapEff:\t0000000000000000"));
    EXPECT_THAT(status, HasSubstr("CapBnd:\t0000000000000000"));

    // What it sees of the disk: /usr, its weights (read-only), its socket's folder.
    std::istringstream mounts(slurp(process / "mountinfo"));
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream words(line);
        std::string word;
        std::string target;
        std::string mode;
        for (int at = 0; at < 6 && words >> word; ++at) {
            target = at == 4 ? word : target;
            mode = at == 5 ? word : mode;
        }
        if (target.rfind("/run/locara/weights", 0) == 0 || target == "/usr") {
            EXPECT_EQ(mode.rfind("ro", 0), 0U) << line;
        }
        EXPECT_THAT(target, Not(testing::StartsWith("/home"))) << line;
        EXPECT_THAT(target, Not(testing::StartsWith("/root"))) << line;
    }

    struct stat info {};

    ASSERT_EQ(stat(lease->socket().parent_path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

TEST_F(Engine, is_shared_by_those_who_ask_at_once) {
    const auto supervisor = create();
    std::vector<std::thread> threads;
    std::mutex mutex;
    std::vector<pid_t> pids;
    for (int n = 0; n < 4; ++n) {
        threads.emplace_back([&] {
            auto lease = supervisor->ensure_running(tiny_spec());
            ASSERT_TRUE(lease) << lease.error().describe();
            const std::lock_guard lock(mutex);
            pids.push_back(lease->pid());
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    ASSERT_EQ(pids.size(), 4U);
    EXPECT_THAT(pids, testing::Each(pids.front()));
    EXPECT_EQ(supervisor->status().front().starts, 1U);
}

TEST_F(Engine, a_crash_while_answering_is_told_and_the_next_request_works) {
    const auto supervisor = create();
    auto lease = supervisor->ensure_running(tiny_spec());
    ASSERT_TRUE(lease) << lease.error().describe();
    const pid_t first = lease->pid();
    std::thread killer([first] {
        std::this_thread::sleep_for(milliseconds(100));
        kill(first, SIGKILL);
    });
    Json body = chat(100000); // Far more than fits into 100 ms.
    body["ignore_eos"] = true;
    EngineSpec long_spec = tiny_spec();
    auto answer = ask(*lease, "/v1/chat/completions", body);
    for (int more = 0; answer && more < 1000; ++more) {
        answer = ask(*lease, "/v1/chat/completions", body);
    }
    killer.join();
    ASSERT_FALSE(answer);
    const Error told = lease->explain(answer.error());
    EXPECT_EQ(told.code(), ErrorCode::Unavailable);
    EXPECT_EQ(told.message(),
              "the engine stopped while answering (signal 9); it will be restarted");

    auto second = supervisor->ensure_running(tiny_spec());
    ASSERT_TRUE(second) << second.error().describe();
    EXPECT_NE(second->pid(), first);
    const auto again = ask(*second, "/v1/chat/completions", chat(2));
    ASSERT_TRUE(again) << again.error().describe();
    EXPECT_EQ(again->status, 200);
}

TEST_F(Engine, waits_longer_after_each_crash_in_a_row) {
    options_.first_backoff = milliseconds(100);
    const auto supervisor = create();
    std::vector<milliseconds> waits;
    for (int crash = 0; crash < 3; ++crash) {
        auto lease = supervisor->ensure_running(tiny_spec());
        ASSERT_TRUE(lease) << lease.error().describe();
        kill(lease->pid(), SIGSEGV);
        static_cast<void>(lease->explain(Error(ErrorCode::Unavailable, "")));
        const auto began = std::chrono::steady_clock::now();
        ASSERT_TRUE(supervisor->ensure_running(tiny_spec()));
        waits.push_back(
            std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began));
    }
    EXPECT_GE(waits[0], milliseconds(100));
    EXPECT_GE(waits[1], milliseconds(200));
    EXPECT_GE(waits[2], milliseconds(400));
}

TEST_F(Engine, stops_when_idle_and_starts_again) {
    options_.idle_timeout = milliseconds(150);
    const auto supervisor = create();
    pid_t pid = 0;
    {
        auto lease = supervisor->ensure_running(tiny_spec());
        ASSERT_TRUE(lease) << lease.error().describe();
        pid = lease->pid();
        std::this_thread::sleep_for(milliseconds(500));
        EXPECT_EQ(kill(pid, 0), 0) << "stopped while in use";
    }
    for (int tries = 0; tries < 300 && kill(pid, 0) == 0; ++tries) {
        std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_NE(kill(pid, 0), 0) << "still there when idle";
    EXPECT_FALSE(supervisor->status().front().running);
    EXPECT_TRUE(supervisor->ensure_running(tiny_spec()));
}

TEST_F(Engine, a_cut_model_yields_the_engines_own_words) {
    const auto supervisor = create();
    const std::string whole = slurp(test_support::data_dir() / "tiny.gguf");
    const auto lease =
        supervisor->ensure_running(spec_of_bytes("cut.gguf", whole.substr(0, 60000)));
    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code(), ErrorCode::Corrupt);
    EXPECT_THAT(lease.error().describe(), HasSubstr("is not within the file bounds"));
    EXPECT_THAT(lease.error().describe(), HasSubstr("locara/tiny"));
}

TEST_F(Engine, a_model_of_an_unknown_architecture_is_unsupported) {
    const auto supervisor = create();
    std::string bytes = slurp(test_support::data_dir() / "tiny.gguf");
    const std::string key = "general.architecture";
    bytes.replace(bytes.find("llama", bytes.find(key)), 5, "lxama");
    const auto lease = supervisor->ensure_running(spec_of_bytes("foreign.gguf", bytes));
    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code(), ErrorCode::Unsupported) << lease.error().describe();
    EXPECT_THAT(lease.error().describe(), HasSubstr("unknown model architecture: 'lxama'"));
}

TEST_F(Engine, a_file_that_is_no_model_is_corrupt) {
    const auto supervisor = create();
    const auto lease = supervisor->ensure_running(spec_of_bytes("text.gguf", "this is no model"));
    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code(), ErrorCode::Corrupt) << lease.error().describe();
}

TEST_F(Engine, starting_can_be_stopped) {
    const auto supervisor = create();
    std::stop_source source;
    source.request_stop();
    const auto lease = supervisor->ensure_running(tiny_spec(), source.get_token());
    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code(), ErrorCode::Cancelled);
}

TEST_F(Engine, one_that_is_starting_is_stopped_with_its_model) {
    const auto supervisor = create();
    const EngineSpec spec = tiny_spec();
    std::atomic<bool> done = false;
    std::optional<Result<Lease>> lease;
    std::thread waiting([&] {
        lease.emplace(supervisor->ensure_running(spec));
        done = true;
    });
    while (!done) {
        supervisor->stop_model(spec.model); // Loading takes far longer than the step between two.
        std::this_thread::sleep_for(milliseconds(1));
    }
    waiting.join();
    ASSERT_FALSE(*lease);
    EXPECT_EQ(lease->error().code(), ErrorCode::Unavailable) << lease->error().describe();
    EXPECT_THAT(lease->error().message(), HasSubstr("stopped while it was starting"));
    EXPECT_FALSE(supervisor->status().front().running);
    EXPECT_EQ(supervisor->status().front().starts, 0U);
    EXPECT_TRUE(std::filesystem::is_empty(options_.runtime_folder));
    EXPECT_TRUE(supervisor->ensure_running(spec)) << "nothing of it stays";
}

TEST_F(Engine, who_leaves_while_it_starts_does_not_end_it_for_others) {
    const auto supervisor = create();
    const EngineSpec spec = tiny_spec();
    std::stop_source source;
    std::optional<Result<Lease>> first;
    std::thread leaving(
        [&] { first.emplace(supervisor->ensure_running(spec, source.get_token())); });
    while (supervisor->status().empty()) {
        std::this_thread::sleep_for(milliseconds(1));
    }
    std::optional<Result<Lease>> second;
    std::thread staying([&] { second.emplace(supervisor->ensure_running(spec)); });
    std::this_thread::sleep_for(milliseconds(20));
    source.request_stop();
    leaving.join();
    staying.join();
    ASSERT_TRUE(*second) << second->error().describe();
}

TEST_F(Engine, nothing_runs_after_the_supervisor_is_gone) {
    pid_t pid = 0;
    {
        const auto supervisor = create();
        auto lease = supervisor->ensure_running(tiny_spec());
        ASSERT_TRUE(lease) << lease.error().describe();
        pid = lease->pid();
    }
    EXPECT_NE(kill(pid, 0), 0);
    EXPECT_TRUE(std::filesystem::is_empty(options_.runtime_folder));
}

TEST_F(Engine, a_long_prompt_is_an_error_and_never_cut) {
    const auto supervisor = create();
    auto lease = supervisor->ensure_running(tiny_spec());
    ASSERT_TRUE(lease) << lease.error().describe();
    Json body = chat(4);
    body["messages"][0]["content"] = std::string(1000, 'x');
    const auto answer = ask(*lease, "/v1/chat/completions", body);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 400) << answer->body;
    EXPECT_THAT(answer->body, HasSubstr("exceed_context_size_error"));
}

} // namespace
} // namespace locara::engine
