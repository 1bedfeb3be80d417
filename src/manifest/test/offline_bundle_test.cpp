#include <locara/base/json.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/manifest/offline_bundle.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::manifest {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kText =
    R"({"schema":"locara.dev/offline-bundle/v1","hub":"https://hub.example.org","root":1,"apps":["locara/quick-add@1.0.0","acme/notes@2.0.0"],"check":"fd6a379f28c8762d48b8dd3299227225d9583138473c3e9d366cc5ab48b61955"})"
    "\n";

/// With the check that its members should have.
std::string checked(Json json) {
    json.erase("check");
    const auto check = crypto::sha256(as_bytes(render_json(json))).render();
    json["check"] = check;
    return render_json(json);
}

TEST(OfflineBundleTest, parse_is_the_inverse_of_render) {
    const auto bundle = OfflineBundle::parse(kText);
    ASSERT_TRUE(bundle) << bundle.error().describe();
    EXPECT_EQ(bundle->hub, "https://hub.example.org");
    EXPECT_EQ(bundle->root, 1U);
    ASSERT_EQ(bundle->apps.size(), 2U);
    EXPECT_EQ(bundle->apps[1].id.render(), "acme/notes");
    EXPECT_EQ(bundle->apps[1].version, "2.0.0");
    EXPECT_EQ(bundle->render(), kText);
}

TEST(OfflineBundleTest, what_is_wrong_is_named) {
    const auto with = [](const char* key, Json value) {
        Json json = *parse_json(kText);
        json[key] = std::move(value);
        return checked(std::move(json));
    };
    const auto without = [](const char* key) {
        Json json = *parse_json(kText);
        json.erase(key);
        return checked(std::move(json));
    };
    const std::vector<std::tuple<std::string, ErrorCode, std::string>> cases = {
        {with("schema", "locara.dev/offline-bundle/v2"), ErrorCode::Unsupported, "schema"},
        {"[]", ErrorCode::Unsupported, "schema"},
        {with("files", Json::array()), ErrorCode::InvalidArgument, "files"},
        {with("hub", ""), ErrorCode::InvalidArgument, "hub"},
        {with("hub", std::string(1025, 'a')), ErrorCode::InvalidArgument, "hub"},
        {without("hub"), ErrorCode::InvalidArgument, "hub"},
        {with("root", 0), ErrorCode::InvalidArgument, "root"},
        {with("root", -1), ErrorCode::InvalidArgument, "root"},
        {with("root", 1.5), ErrorCode::InvalidArgument, "root"},
        {without("root"), ErrorCode::InvalidArgument, "root"},
        {with("apps", Json::array()), ErrorCode::InvalidArgument, "apps"},
        {without("apps"), ErrorCode::InvalidArgument, "apps"},
        {with("apps", {1}), ErrorCode::InvalidArgument, "apps[0]"},
        {with("apps", {"locara/quick-add"}), ErrorCode::InvalidArgument, "apps[0]"},
        {with("apps", {"locara/quick-add@1.0.0", "../x@1.0.0"}), ErrorCode::InvalidArgument, "[1]"},
        {with("apps", {"acme/notes@1.0.0", "acme/notes@1.0.1"}),
         ErrorCode::InvalidArgument,
         "twice"},
        {std::string(kText) + std::string(kOfflineBundleLimitBytes, ' '), ErrorCode::TooLarge, ""},
    };
    for (const auto& [text, code, words] : cases) {
        const auto bundle = OfflineBundle::parse(text);
        ASSERT_FALSE(bundle) << text;
        EXPECT_EQ(bundle.error().code(), code) << bundle.error().describe();
        EXPECT_THAT(bundle.error().describe(), HasSubstr(words));
    }
}

TEST(OfflineBundleTest, every_byte_counts) {
    for (std::size_t at = 0; at < kText.size(); ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            std::string flipped(kText);
            flipped[at] = static_cast<char>(static_cast<unsigned char>(flipped[at]) ^ (1U << bit));
            const auto bundle = OfflineBundle::parse(flipped);
            // White space at the end is no part of what is said.
            EXPECT_TRUE(!bundle || at + 1 == kText.size()) << at << ": " << flipped;
        }
        EXPECT_TRUE(!OfflineBundle::parse(kText.substr(0, at)) || at + 1 == kText.size());
    }
}

TEST(OfflineBundleTest, as_many_apps_as_the_limit_and_no_more) {
    Json json = *parse_json(kText);
    Json apps = Json::array();
    for (std::size_t i = 0; i < kOfflineBundleAppLimit; ++i) {
        apps.push_back("acme/app-" + std::to_string(i) + "@1.0.0");
    }
    json["apps"] = apps;
    EXPECT_TRUE(OfflineBundle::parse(checked(json)));
    apps.push_back("acme/one-more@1.0.0");
    json["apps"] = apps;
    EXPECT_EQ(OfflineBundle::parse(checked(json)).error().code(), ErrorCode::TooLarge);
}

} // namespace
} // namespace locara::manifest
