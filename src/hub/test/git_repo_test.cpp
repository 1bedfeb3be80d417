#include <locara/hub/git_repo.hpp>

#include <gtest/gtest.h>

#include <cstdlib>

namespace locara::hub {
namespace {

using Kind = GitEntry::Kind;

GitSnapshot sample() {
    GitSnapshot snapshot;
    const LfsPointer pointer{crypto::sha256(as_bytes("weights")), 7};
    snapshot.files = {{"m.gguf", pointer.render()}, {"a.txt", "hi"}, {"sub/b.txt", ""}};
    snapshot.message = "Publish sample 1.0.0\n\nMore words.";
    snapshot.author_name = "Locara";
    snapshot.author_email = "noreply@locara.dev";
    snapshot.date = *parse_time("2026-01-01T00:00:00Z");
    return snapshot;
}

class GitRepoTest : public testing::Test {
  protected:
    void SetUp() override {
        auto folder = TempFolder::create("/tmp", "locara-git-");
        ASSERT_TRUE(folder);
        folder_.emplace(std::move(*folder));
        auto repo = GitRepo::create(folder_->path() / "r");
        ASSERT_TRUE(repo) << repo.error().describe();
        repo_.emplace(std::move(*repo));
        auto commit = repo_->write_snapshot(sample());
        ASSERT_TRUE(commit) << commit.error().describe();
        commit_ = *commit;
        ASSERT_TRUE(repo_->set_ref("refs/heads/main", commit_));
    }

    std::optional<TempFolder> folder_;
    std::optional<GitRepo> repo_;
    std::string commit_;
};

TEST_F(GitRepoTest, gives_one_snapshot_one_id_wherever_it_is_written) {
    auto other = GitRepo::create(folder_->path() / "other");
    ASSERT_TRUE(other);
    GitSnapshot shuffled = sample();
    std::swap(shuffled.files[0], shuffled.files[2]);
    EXPECT_EQ(*other->write_snapshot(shuffled), commit_);
    EXPECT_EQ(*GitRepo::create_in_memory()->write_snapshot(shuffled), commit_);
    shuffled.files[0].content += "!";
    EXPECT_NE(*other->write_snapshot(shuffled), commit_);
}

TEST_F(GitRepoTest, writes_what_git_itself_finds_right) {
    // fsck hashes every object anew and looks for anything malformed.
    const std::string command = "GIT_CONFIG_NOSYSTEM=1 git -c safe.directory=* --git-dir=" +
                                (folder_->path() / "r").string() +
                                " fsck --strict --no-dangling >/dev/null 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST_F(GitRepoTest, resolves_branches_tags_commits_and_short_commits) {
    ASSERT_TRUE(repo_->set_ref("refs/tags/v1", commit_));
    ASSERT_TRUE(repo_->set_ref("refs/heads/feat/x", commit_));
    for (const std::string& revision : {std::string("main"),
                                        std::string("refs/heads/main"),
                                        std::string("HEAD"),
                                        std::string("v1"),
                                        std::string("refs/tags/v1"),
                                        std::string("feat/x"),
                                        commit_,
                                        commit_.substr(0, 8)}) {
        const auto found = repo_->resolve(revision);
        ASSERT_TRUE(found) << revision << ": " << found.error().describe();
        EXPECT_EQ(*found, commit_) << revision;
    }
}

TEST_F(GitRepoTest, resolves_nothing_else) {
    for (const std::string revision : {"",
                                       "other",
                                       "main~0",
                                       "HEAD^",
                                       "main@{0}",
                                       ":/Publish",
                                       "../main",
                                       "abcdef",
                                       "0000000000000000000000000000000000000000"}) {
        const auto found = repo_->resolve(revision);
        ASSERT_FALSE(found) << revision;
        EXPECT_EQ(found.error().code(), ErrorCode::NotFound) << revision;
    }
}

TEST_F(GitRepoTest, lists_with_real_sizes_and_pointers) {
    const auto flat = repo_->list(commit_, "", GitRepo::Recursive::No);
    ASSERT_TRUE(flat);
    ASSERT_EQ(flat->size(), 3U);
    EXPECT_EQ((*flat)[1].path, "m.gguf");
    EXPECT_EQ((*flat)[1].size(), 7U);
    EXPECT_GT((*flat)[1].blob_size, 100U);
    EXPECT_EQ((*flat)[1].lfs->sha256, crypto::sha256(as_bytes("weights")));
    EXPECT_EQ((*flat)[2].kind, Kind::Directory);

    const auto deep = repo_->list(commit_, "", GitRepo::Recursive::Yes);
    ASSERT_EQ(deep->size(), 4U);
    EXPECT_EQ((*deep)[3].path, "sub/b.txt");
    const auto sub = repo_->list(commit_, "sub", GitRepo::Recursive::No);
    EXPECT_EQ((*sub)[0].path, "sub/b.txt");
    EXPECT_EQ(repo_->list(commit_, "a.txt", GitRepo::Recursive::No).error().code(),
              ErrorCode::NotFound);
}

TEST_F(GitRepoTest, finds_and_reads_files) {
    const auto file = repo_->find(commit_, "a.txt");
    ASSERT_TRUE(file && *file);
    EXPECT_EQ(*repo_->read_blob((*file)->oid, 2), "hi");
    EXPECT_EQ(repo_->read_blob((*file)->oid, 1).error().code(), ErrorCode::TooLarge);
    EXPECT_FALSE(*repo_->find(commit_, "a.txt/x"));
    EXPECT_FALSE(*repo_->find(commit_, "nothing"));
    EXPECT_EQ((*repo_->find(commit_, "sub"))->kind, Kind::Directory);
    EXPECT_EQ(repo_->commit(commit_)->title, "Publish sample 1.0.0");
}

TEST(LfsPointer, is_parsed_only_in_its_exact_form) {
    const LfsPointer pointer{crypto::sha256(as_bytes("x")), 12};
    EXPECT_EQ(LfsPointer::parse(pointer.render()), pointer);
    const std::string text = pointer.render();
    EXPECT_FALSE(LfsPointer::parse(text + "x"));
    EXPECT_FALSE(LfsPointer::parse(text.substr(0, text.size() - 1)));
    EXPECT_FALSE(LfsPointer::parse(""));
    std::string zero = text;
    zero.replace(zero.find("size 12"), 7, "size 012");
    EXPECT_FALSE(LfsPointer::parse(zero));
}

TEST(GitRepo, reports_absence) {
    EXPECT_EQ(GitRepo::open("/nonexistent/repo").error().code(), ErrorCode::NotFound);
}

} // namespace
} // namespace locara::hub
