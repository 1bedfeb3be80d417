#include <locara/base/path.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara {
namespace {

using testing::HasSubstr;

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
        {"COM\xC2\xB9", "device"}, // a superscript
        {"lpt\xC2\xB3.txt", "device"},
        {"CON .txt", "device"},
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
    EXPECT_FALSE(validate_path_set({"a/b", "a"}));
    EXPECT_FALSE(validate_path_set({"a/b/c", "A/B"}));
    PathSet set;
    EXPECT_TRUE(set.add_folder("a"));
    EXPECT_TRUE(set.add("a/b"));
    EXPECT_TRUE(set.add_folder("A"));
    EXPECT_FALSE(set.add("a"));
    EXPECT_FALSE(set.add_folder("a/b/c"));
    EXPECT_FALSE(set.add_folder("a/B"));
}

} // namespace
} // namespace locara
