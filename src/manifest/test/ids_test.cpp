#include <locara/manifest/ids.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::manifest {
namespace {

using ::testing::HasSubstr;

TEST(AppId, takes_the_documented_form_only) {
    for (const auto* good : {"locara/quick-add", "abc/de", "a1-b2/c3-d4"}) {
        const auto id = AppId::parse(good);
        ASSERT_TRUE(id) << good;
        EXPECT_EQ(id->render(), good);
        EXPECT_EQ(*AppId::parse_label(id->label()), *id);
        EXPECT_LE(id->label().size(), 63U);
    }
    for (const auto* bad : {"",
                            "locara",
                            "lo/app",
                            "locara/a",
                            "Locara/app",
                            "locara/-app",
                            "locara/app-",
                            "locara/a--b",
                            "locara/a/b",
                            "locara/a.b",
                            "abcdefghijklmnopqrstuvwxyz/app",
                            "locara/..",
                            "locara/app "}) {
        EXPECT_FALSE(AppId::parse(bad)) << bad;
    }
    EXPECT_FALSE(AppId::parse_label("locara-quick-add"));
}

TEST(ModelId, allows_single_dots) {
    EXPECT_TRUE(ModelId::parse("locara/qwen2.5-0.5b"));
    EXPECT_FALSE(ModelId::parse("locara/qwen2..5"));
    EXPECT_FALSE(ModelId::parse("locara/.hidden"));
}

TEST(Version, orders_as_semver_says) {
    // The example of semver.org 2.0.0, rule 11.
    const std::vector<std::string> ordered = {"1.0.0-alpha",
                                              "1.0.0-alpha.1",
                                              "1.0.0-alpha.beta",
                                              "1.0.0-beta",
                                              "1.0.0-beta.2",
                                              "1.0.0-beta.11",
                                              "1.0.0-rc.1",
                                              "1.0.0",
                                              "1.0.1",
                                              "1.2.0",
                                              "1.10.0"};
    for (std::size_t i = 0; i < ordered.size(); ++i) {
        EXPECT_EQ(Version::parse(ordered[i])->render(), ordered[i]);
        for (std::size_t j = 0; j < ordered.size(); ++j) {
            EXPECT_EQ(*Version::parse(ordered[i]) < *Version::parse(ordered[j]), i < j)
                << ordered[i] << " " << ordered[j];
        }
    }
    for (const auto* bad : {"",
                            "1",
                            "1.0",
                            "1.0.0.0",
                            "01.0.0",
                            "1.0.0-",
                            "1.0.0-01",
                            "1.0.0+build",
                            "v1.0.0",
                            "1.0.x",
                            "9999999999.0.0"}) {
        EXPECT_FALSE(Version::parse(bad)) << bad;
    }
}

TEST(AppRef, splits_off_the_version) {
    EXPECT_EQ(AppRef::parse("locara/quick-add@1.2.3")->version, "1.2.3");
    EXPECT_EQ(AppRef::parse("locara/quick-add")->version, "");
    EXPECT_FALSE(AppRef::parse("locara/quick-add@latest"));
}

TEST(Path, takes_what_the_rules_allow) {
    for (const auto* good : {"a",
                             "a/b/c.txt",
                             "model-00001-of-00002.gguf",
                             "dist/assets/index.abc123.js",
                             "a b/c#1.txt",
                             "caf\xC3\xA9.txt",
                             ".hidden",
                             "..a"}) {
        EXPECT_TRUE(validate_path(good)) << good;
    }
    EXPECT_TRUE(validate_path(std::string(255, 'a')));
}

TEST(Path, refuses_each_rule_with_its_reason) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", "empty"},
        {"/a", "part is empty"},
        {"a//b", "part is empty"},
        {"a/", "part is empty"},
        {".", "\".\""},
        {"a/../b", "\"..\""},
        {std::string(256, 'a'), "255"},
        {std::string("a\0b", 3), "control"},
        {"a\nb", "control"},
        {"a\x7F", "control"},
        {"a\\b", "backslash"},
        {"C:x", "colon"},
        {"-rf", "dash"},
        {"a/-rf", "dash"},
        {"a.", "ends with"},
        {"a /b", "ends with"},
        {".git/config", "reserved"},
        {"x/.GIT", "reserved"},
        {"git~1", "reserved"},
        {".Locara", "reserved"},
        {"CON", "device"},
        {"nul.txt", "device"},
        {"com1.tar.gz", "device"},
        {"a\xE2\x80\xAE"
         "gpj.exe",
         "bidirectional"},
        {"a\xE2\x80\x8B", "zero-width"},
        {"e\xCC\x81.txt", "combining"},
        {"a\xFF", "UTF-8"},
        {"a\xC0\xAF", "UTF-8"},
        {"a\xED\xA0\x80", "UTF-8"},
    };
    for (const auto& [path, reason] : cases) {
        const auto ok = validate_path(path);
        ASSERT_FALSE(ok) << path;
        EXPECT_EQ(ok.error().code(), ErrorCode::InvalidArgument);
        EXPECT_THAT(ok.error().message(), HasSubstr(reason)) << path;
    }
    std::string deep = "a";
    for (int i = 0; i < 32; ++i) {
        deep += "/a";
    }
    EXPECT_THAT(validate_path(deep).error().message(), HasSubstr("32 parts"));
    std::string longest;
    for (int i = 0; i < 5; ++i) {
        longest += (i > 0 ? "/" : "") + std::string(250, 'a');
    }
    EXPECT_THAT(validate_path(longest).error().message(), HasSubstr("1024"));
}

TEST(PathSet, refuses_names_that_a_file_system_would_mix_up) {
    EXPECT_TRUE(validate_path_set({"a", "b/c", "b/d"}));
    EXPECT_FALSE(validate_path_set({"README.md", "readme.md"}));
    EXPECT_FALSE(validate_path_set({"\xC3\x89.txt", "\xC3\xA9.txt"}));
    EXPECT_FALSE(validate_path_set({"a", "a/b"}));
    EXPECT_FALSE(validate_path_set({"A", "a/b"}));
    EXPECT_TRUE(validate_path_set({"a", "a.b", "ab/c"}));
}

} // namespace
} // namespace locara::manifest
