#include "listing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::hub {
namespace {

using testing::HasSubstr;

constexpr const char* kOid = "0123456789012345678901234567890123456789";
constexpr const char* kSha = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string file(const std::string& path) {
    return R"({"type":"file","oid":")" + std::string(kOid) + R"(","size":7,"path":")" + path +
           R"("})";
}

std::string folder(const std::string& path) {
    return R"({"type":"directory","oid":")" + std::string(kOid) + R"(","size":0,"path":")" + path +
           R"("})";
}

TEST(Listing, gathers_pages_and_finds_by_path) {
    Listing listing;
    ASSERT_TRUE(listing.add_page("[" + folder("a") + "," + file("a/b.txt") + "]"));
    ASSERT_TRUE(
        listing.add_page("[" + folder("a/c") + "," + file("a/c/d") + "," + file("e") + "]"));
    ASSERT_NE(listing.find("a/c/d"), nullptr);
    EXPECT_EQ(listing.find("a/c/d")->size(), 7U);
    EXPECT_EQ(listing.find("a/x"), nullptr);
    const auto paths = [&](const std::string& below, GitRepo::Recursive recursive) {
        std::vector<std::string> found;
        for (const GitEntry& entry : listing.below(below, recursive)) {
            found.push_back(entry.path);
        }
        return found;
    };
    EXPECT_EQ(paths("", GitRepo::Recursive::No), (std::vector<std::string>{"a", "e"}));
    EXPECT_EQ(paths("a", GitRepo::Recursive::No), (std::vector<std::string>{"a/b.txt", "a/c"}));
    EXPECT_EQ(paths("a", GitRepo::Recursive::Yes),
              (std::vector<std::string>{"a/b.txt", "a/c", "a/c/d"}));
}

TEST(Listing, keeps_large_files_with_their_pointers_through_rendering) {
    const std::string large = R"([{"type":"file","oid":")" + std::string(kOid) +
                              R"(","size":5,"path":"w.gguf","lfs":{"oid":")" + kSha +
                              R"(","size":5,"pointerSize":126},"xetHash":"x","lastCommit":null}])";
    Listing listing;
    ASSERT_TRUE(listing.add_page(large));
    const GitEntry* const entry = listing.find("w.gguf");
    ASSERT_NE(entry, nullptr);
    ASSERT_TRUE(entry->lfs);
    EXPECT_EQ(entry->lfs->sha256.render(), kSha);
    EXPECT_EQ(entry->blob_size, 126U);
    Listing again;
    ASSERT_TRUE(again.add_page(listing.render()));
    EXPECT_EQ(again.render(), listing.render());
    EXPECT_THAT(listing.render(), Not(HasSubstr("xetHash"))); // Upstream's is no use here.
}

TEST(Listing, says_what_is_wrong_with_an_entry) {
    const std::string lfs =
        R"({"type":"file","oid":")" + std::string(kOid) + R"(","size":5,"path":"w","lfs":)";
    const std::pair<std::string, std::string> wrong[] = {
        {"{}", "no list"},
        {"[1]", "entry 0 of the tree has no fields"},
        {"[" + file("../x") + "]", "a path that can be in no repository"},
        {"[" + file("/x") + "]", "a path"},
        {"[" + file("a//x") + "]", "a path"},
        {"[" + file("a\\\\x") + "]", "a path"},
        {"[" + file("a/./x") + "]", "a path"},
        {"[" + file("a\\u0000x") + "]", "a path"},
        {"[" + file(std::string(2000, 'x')) + "]", "a path"},
        {"[" + file("x") + "," + file("x") + "]", "entry 1 of the tree has a path that is there"},
        {R"([{"type":"link"}])", "a type"},
        {R"([{"type":"file","path":"x","oid":"12","size":1}])", "an oid"},
        {R"([{"type":"file","path":"x","oid":")" + std::string(kOid) + R"(","size":-1}])",
         "no size"},
        {"[" + lfs + R"({"oid":"12","size":5}}])", "an lfs part"},
        {"[" + lfs + R"({"oid":")" + kSha + R"(","size":6}}])", "an lfs part"},
        {"[" + lfs + "1}]", "an lfs part"},
    };
    for (const auto& [page, message] : wrong) {
        Listing listing;
        const Status added = listing.add_page(page);
        ASSERT_FALSE(added) << page;
        EXPECT_EQ(added.error().code(), ErrorCode::Corrupt);
        EXPECT_THAT(added.error().message(), HasSubstr(message)) << page;
    }
}

} // namespace
} // namespace locara::hub
