// A store, a client with a clock that never waits, and a file to pull from a WireServer.
#pragma once

#include "wire_server.hpp"

#include <locara/hf/client.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <random>

namespace locara::hf {

inline const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";

inline std::string random_text(std::size_t size, unsigned seed = 1) {
    std::mt19937_64 random(seed);
    std::string text(size, '\0');
    for (char& c : text) {
        c = static_cast<char>(random());
    }
    return text;
}

class Recorder : public ProgressSink {
  public:
    void report(const Progress& progress) override { events.push_back(progress); }

    std::vector<Progress> events;
};

class HubFixture : public testing::Test {
  protected:
    TempFolder folder =
        TempFolder::create(std::filesystem::temp_directory_path(), "locara-hf-").value();
    store::Store store = store::Store::open(folder.path() / "store").value();
    http::Client http = http::Client::create().value();
    FakeTimer timer;
    std::string text = random_text(1'000'000);
    FileRef file{
        "locara/quick-add", kCommit, "model.gguf", text.size(), crypto::sha256(as_bytes(text))};
    PullOptions options;
    std::string target = "/locara/quick-add/resolve/" + kCommit + "/model.gguf";
    std::string commit_header = "X-Repo-Commit: " + kCommit + "\r\n";
    Recorder recorder;

    HubFixture() { options.range_bytes = 64U << 10U; }

    Client client(const std::string& endpoint, Options with = {}) {
        with.endpoint = endpoint;
        with.timer = &timer;
        return Client::create(http, std::move(with)).value();
    }

    Result<PullResult> pull(const test::WireServer& server, Options with = {}) {
        return client(server.url(), std::move(with)).pull(file, store, recorder, {}, options);
    }

    /// The store has the file, whole; nothing else lies around.
    void expect_stored() {
        ASSERT_TRUE(store.has(file.sha256));
        EXPECT_EQ(read_file(*store.path_of(file.sha256), 1U << 30U).value(), text);
        EXPECT_EQ(store.usage()->parts, 0U);
    }

    /// The store has nothing, and nothing to resume.
    void expect_nothing_stored() {
        EXPECT_EQ(store.usage()->files, 0U);
        EXPECT_EQ(store.usage()->parts, 0U);
    }
};

} // namespace locara::hf
