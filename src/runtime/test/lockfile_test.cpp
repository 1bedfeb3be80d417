#include <locara/base/json.hpp>
#include <locara/runtime/device.hpp>
#include <locara/runtime/home.hpp>
#include <locara/runtime/lockfile.hpp>
#include <locara/test_support/golden.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace locara::runtime {
namespace {

using ::testing::HasSubstr;

Lock sample_lock() {
    Lock lock;
    lock.app = *manifest::AppId::parse("locara/quick-add");
    lock.version = *manifest::Version::parse("1.0.0-beta.1");
    lock.hub = "http://127.0.0.1:17864";
    lock.installed = "2026-11-22T19:06:28Z";
    lock.entry_target = "apps/locara/quick-add-1.0.0-beta.1.json";
    lock.entry_sha256 = crypto::sha256(as_bytes("entry"));
    lock.bundle_sha256 = crypto::sha256(as_bytes("bundle"));
    lock.files_sha256 = crypto::sha256(as_bytes("files"));
    lock.unpacked_bytes = 41234;
    LockedModel model;
    model.role = "text";
    model.id = *manifest::ModelId::parse("locara/quick-add");
    model.version = *manifest::Version::parse("1.0.0");
    model.manifest = crypto::sha256(as_bytes("manifest"));
    model.variant = "f16";
    model.repo = "locara/quick-add";
    model.revision = std::string(40, 'a');
    model.files.push_back({"model.gguf", "gguf", 1000, crypto::sha256(as_bytes("weights"))});
    lock.models.push_back(std::move(model));
    return lock;
}

TEST(Lock, renders_and_parses_back) {
    const auto text = sample_lock().render();
    const auto lock = Lock::parse(text);
    ASSERT_TRUE(lock) << lock.error().describe();
    EXPECT_EQ(lock->render(), text);
    EXPECT_GOLDEN("lock.json", text);
    EXPECT_EQ(lock->models[0].files[0].size, 1000U);
    EXPECT_EQ(lock->version.render(), "1.0.0-beta.1");
}

TEST(Lock, names_what_is_wrong) {
    std::string all;
    const auto set = [&all](const char* pointer, const std::string& value) {
        auto json = Json::parse(sample_lock().render());
        json[Json::json_pointer(pointer)] = Json::parse(value);
        const auto lock = Lock::parse(render_json(json));
        EXPECT_FALSE(lock) << pointer;
        all += std::string(pointer) + " = " + value + "\n    " +
               (lock ? "" : lock.error().describe()) + "\n";
    };
    set("", "[]");
    set("/schema", R"("locara.dev/lock/v9")");
    set("/bundle", "null");
    set("/app/id", R"("../x")");
    set("/models", "1");
    set("/models/0/manifest", R"("latest")");
    set("/models/0/files/0/size", "-1");
    set("/models/0/files/0/path", R"("../../x")");
    EXPECT_GOLDEN("lock-errors.txt", all);
}

TEST(HubUrl, is_normalized_and_plain_http_stays_on_this_machine) {
    EXPECT_EQ(*normalize_hub_url("HTTPS://Hub.Example.org:443//"), "https://hub.example.org");
    EXPECT_EQ(*normalize_hub_url("http://127.0.0.1:17864/"), "http://127.0.0.1:17864");
    EXPECT_EQ(*normalize_hub_url("https://example.org/hub/"), "https://example.org/hub");
    EXPECT_THAT(normalize_hub_url("http://hub.example.org").error().message(),
                HasSubstr("write https://"));
    for (const auto* bad :
         {"", "hub", "ftp://x", "https://user:pass@host", "https://host?x", "file:///etc"}) {
        EXPECT_FALSE(normalize_hub_url(bad)) << bad;
    }
}

class Variables : public ::testing::Test {
  protected:
    void SetUp() override {
        for (const auto* name : kNames) {
            const char* value = std::getenv(name);
            saved_.emplace_back(
                name, value != nullptr ? std::optional<std::string>(value) : std::nullopt);
            ::unsetenv(name);
        }
    }

    void TearDown() override {
        for (const auto& [name, value] : saved_) {
            value ? ::setenv(name, value->c_str(), 1) : ::unsetenv(name);
        }
    }

    static constexpr const char* kNames[] = {"LOCARA_HOME",
                                             "LOCARA_STORE",
                                             "LOCARA_CONFIG",
                                             "XDG_DATA_HOME",
                                             "XDG_CONFIG_HOME",
                                             "XDG_STATE_HOME",
                                             "XDG_CACHE_HOME",
                                             "XDG_RUNTIME_DIR",
                                             "HOME"};
    std::vector<std::pair<const char*, std::optional<std::string>>> saved_;
};

TEST_F(Variables, place_the_folders) {
    EXPECT_FALSE(Home::from_environment());
    ::setenv("HOME", "/home/u", 1);
    auto home = Home::from_environment();
    ASSERT_TRUE(home);
    EXPECT_EQ(home->store, "/home/u/.local/share/locara/store");
    EXPECT_EQ(home->run, "/home/u/.local/state/locara/run");
    ::setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
    ::setenv("LOCARA_STORE", "/big/store", 1);
    home = Home::from_environment();
    EXPECT_EQ(home->broker_socket(), "/run/user/1/locara/broker.sock");
    EXPECT_EQ(home->store, "/big/store");
    ::setenv("LOCARA_HOME", "/all", 1);
    home = Home::from_environment();
    EXPECT_EQ(home->data, "/all/data");
    EXPECT_EQ(home->broker_socket(), "/all/run/broker.sock");
    ::setenv("LOCARA_HOME", "relative", 1);
    EXPECT_THAT(Home::from_environment().error().message(),
                HasSubstr("LOCARA_HOME is \"relative\""));
}

TEST(Device, is_a_machine) {
    const auto device = probe_device("/nonexistent/below/root");
    ASSERT_TRUE(device) << device.error().describe();
    EXPECT_GE(device->processors, 1U);
    EXPECT_GT(device->memory_total_bytes, 1U << 20U);
    EXPECT_LE(device->memory_available_bytes, device->memory_total_bytes);
}

} // namespace
} // namespace locara::runtime
