#include "../resolve.hpp"

#include <gtest/gtest.h>

namespace locara::hf {
namespace {

std::string url(std::string_view repo, std::string_view revision, std::string_view path) {
    const auto made = make_resolve_url("https://hub.example", repo, revision, path);
    return made ? *made : made.error().message();
}

TEST(ResolveTest, encodes_each_part) {
    EXPECT_EQ(url("org/name", "main", "a/b.gguf"),
              "https://hub.example/org/name/resolve/main/a/b.gguf");
    EXPECT_EQ(url("org/n.a_m-e", "refs/pr/1", "a b/c#1%.txt"),
              "https://hub.example/org/n.a_m-e/resolve/refs%2Fpr%2F1/a%20b/c%231%25.txt");
    EXPECT_EQ(url("o/n", "v1", "caf\xc3\xa9?x=1&y+z"),
              "https://hub.example/o/n/resolve/v1/caf%C3%A9%3Fx%3D1%26y%2Bz");
}

TEST(ResolveTest, refuses_what_could_not_belong_to_a_repository) {
    const auto code = [](std::string_view repo, std::string_view revision, std::string_view path) {
        const auto made = make_resolve_url("https://h", repo, revision, path);
        return made ? ErrorCode::Internal : made.error().code();
    };
    for (const char* repo : {"",
                             "name",
                             "/name",
                             "org/",
                             "org/a/b",
                             "org/..",
                             "../name",
                             "org/a b",
                             "org/a%2fb",
                             ".org/name",
                             "org/-name",
                             "org/na\nme"}) {
        EXPECT_EQ(code(repo, "main", "f"), ErrorCode::InvalidArgument) << repo;
    }
    EXPECT_EQ(code("o/" + std::string(97, 'n'), "main", "f"), ErrorCode::InvalidArgument);
    for (const char* revision : {"", "a..b", "a\nb"}) {
        EXPECT_EQ(code("o/n", revision, "f"), ErrorCode::InvalidArgument) << revision;
    }
    for (const char* path :
         {"", "/a", "a/", "a//b", "..", "../a", "a/../b", ".", "a/./b", "a\rb"}) {
        EXPECT_EQ(code("o/n", "main", path), ErrorCode::InvalidArgument) << path;
    }
    EXPECT_EQ(code("o/n", "main", std::string("a\0b", 3)), ErrorCode::InvalidArgument);
    EXPECT_EQ(code("o/n", "main", std::string(1025, 'p')), ErrorCode::InvalidArgument);
}

TEST(ResolveTest, only_forty_lower_case_digits_are_a_commit) {
    EXPECT_TRUE(is_commit("0123456789abcdef0123456789abcdef01234567"));
    EXPECT_FALSE(is_commit("0123456789ABCDEF0123456789abcdef01234567"));
    EXPECT_FALSE(is_commit("0123456789abcdef0123456789abcdef0123456"));
    EXPECT_FALSE(is_commit("main"));
}

} // namespace
} // namespace locara::hf
