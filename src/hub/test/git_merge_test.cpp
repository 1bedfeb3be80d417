#include "git_merge.hpp"

#include <locara/base/file.hpp>
#include <locara/hub/git_repo.hpp>

#include <gmock/gmock.h>

#include <algorithm>
#include <map>

namespace locara::hub {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class GitMergeTest : public testing::Test {
  protected:
    void SetUp() override {
        auto repo = GitRepo::create(path());
        ASSERT_TRUE(repo) << repo.error().describe();
        repo_.emplace(std::move(*repo));
        base_ = commit({}, {{"a.txt", "one\ntwo\nthree\nfour\nfive\n"}, {"b.txt", "b\n"}});
    }

    std::filesystem::path path() const { return folder_.path() / "r"; }

    /// A commit on top of others; no content removes the file.
    std::string commit(const std::vector<std::string>& parents,
                       const std::map<std::string, std::optional<std::string>>& files) {
        std::vector<GitChange> changes;
        for (const auto& [name, content] : files) {
            GitChange change;
            change.path = name;
            change.kind = content ? GitChange::Kind::Put : GitChange::Kind::RemoveFile;
            change.blob = content ? *repo_->write_blob(*content) : "";
            changes.push_back(change);
        }
        const auto tree = repo_->write_tree(
            parents.empty() ? std::nullopt : std::optional(parents.front()), changes);
        EXPECT_TRUE(tree) << tree.error().describe();
        const auto made = repo_->write_commit(*tree, parents, {"m\n", "Ana", "a@b.c", TimePoint()});
        EXPECT_TRUE(made) << made.error().describe();
        return *made;
    }

    std::size_t count_objects() const {
        const std::filesystem::recursive_directory_iterator all(path() / "objects");
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }

    const TempFolder folder_ = *TempFolder::create("/tmp", "locara-merge-");
    std::optional<GitRepo> repo_;
    std::string base_;
};

TEST_F(GitMergeTest, brings_the_changes_of_both_sides_together_line_by_line) {
    const std::string ours = commit({base_}, {{"a.txt", "ONE\ntwo\nthree\nfour\nfive\n"}});
    const std::string theirs = commit(
        {base_},
        {{"a.txt", "one\ntwo\nthree\nfour\nFIVE\n"}, {"b.txt", std::nullopt}, {"c/d.txt", "new"}});
    const auto merged = merge_commits(path(), ours, theirs, Keep::Yes);
    ASSERT_TRUE(merged) << merged.error().describe();
    EXPECT_THAT(merged->conflicts, IsEmpty());
    const auto made =
        repo_->write_commit(merged->tree, {ours, theirs}, {"m\n", "Ana", "a@b.c", TimePoint()});
    ASSERT_TRUE(made);
    EXPECT_THAT(repo_->commit(*made)->parents, ElementsAre(ours, theirs));
    const auto file = repo_->find(*made, "a.txt");
    EXPECT_EQ(*repo_->read_blob((*file)->oid, 100), "ONE\ntwo\nthree\nfour\nFIVE\n");
    EXPECT_FALSE(*repo_->find(*made, "b.txt"));
    EXPECT_TRUE(*repo_->find(*made, "c/d.txt"));
    EXPECT_EQ(*find_merge_base(path(), *made, theirs), theirs);
    // What the one brought that the other has not.
    const auto history = repo_->history(*made, 0, 10, ours);
    ASSERT_EQ(history->total, 2U);
    EXPECT_EQ(history->commits[1].id, theirs);
}

TEST_F(GitMergeTest, names_the_files_that_conflict_and_makes_nothing) {
    const std::string ours = commit({base_}, {{"a.txt", "mine\n"}, {"b.txt", "mine\n"}});
    const std::string theirs = commit({base_}, {{"a.txt", "theirs\n"}, {"b.txt", std::nullopt}});
    const auto merged = merge_commits(path(), ours, theirs, Keep::Yes);
    ASSERT_TRUE(merged) << merged.error().describe();
    EXPECT_THAT(merged->conflicts, ElementsAre("a.txt", "b.txt"));
    EXPECT_EQ(merged->tree, "");
}

TEST_F(GitMergeTest, leaves_no_trace_of_a_look) {
    const std::string ours = commit({base_}, {{"a.txt", "ONE\ntwo\nthree\nfour\nfive\n"}});
    const std::string theirs = commit({base_}, {{"a.txt", "one\ntwo\nthree\nfour\nFIVE\n"}});
    const std::size_t before = count_objects();
    const auto looked = merge_commits(path(), ours, theirs, Keep::No);
    ASSERT_TRUE(looked) << looked.error().describe();
    EXPECT_EQ(count_objects(), before);
    const auto kept = merge_commits(path(), ours, theirs, Keep::Yes);
    EXPECT_EQ(looked->tree, kept->tree);
    EXPECT_GT(count_objects(), before);
}

TEST_F(GitMergeTest, takes_histories_that_never_met) {
    const std::string other = commit({}, {{"b.txt", "other\n"}, {"z.txt", "z"}});
    EXPECT_FALSE(*find_merge_base(path(), base_, other));
    EXPECT_THAT(merge_commits(path(), base_, other, Keep::No)->conflicts, ElementsAre("b.txt"));
}

std::string lines(std::size_t count, const std::string& first = "x") {
    std::string text = first;
    for (std::size_t i = 1; i < count; ++i) {
        text += "\n" + std::to_string(i);
    }
    return text;
}

TEST_F(GitMergeTest, texts_that_are_too_large_to_merge_by_lines_conflict) {
    const auto merge = [this](const std::string& middle) {
        const std::string base = commit({}, {{"a.txt", "1\n" + middle + "\n2"}});
        const std::string ours = commit({base}, {{"a.txt", "one\n" + middle + "\n2"}});
        const std::string theirs = commit({base}, {{"a.txt", "1\n" + middle + "\ntwo"}});
        const auto merged = merge_commits(path(), ours, theirs, Keep::No);
        EXPECT_TRUE(merged) << merged.error().describe();
        return merged->conflicts;
    };
    EXPECT_THAT(merge(lines(19'998)), IsEmpty());
    EXPECT_THAT(merge(lines(19'999)), ElementsAre("a.txt"));
    EXPECT_THAT(merge(std::string(1'000'000, 'x')), IsEmpty());
    EXPECT_THAT(merge(std::string(1U << 20U, 'x')), ElementsAre("a.txt"));
    // What only one side changed is no work.
    const std::string base = commit({}, {{"a.txt", lines(30'000)}, {"b.txt", "b"}});
    const std::string ours = commit({base}, {{"a.txt", lines(30'000, "y")}});
    const std::string theirs = commit({base}, {{"b.txt", "c"}});
    EXPECT_THAT(merge_commits(path(), ours, theirs, Keep::No)->conflicts, IsEmpty());
}

TEST_F(GitMergeTest, merges_by_lines_no_more_files_than_it_has_time_for) {
    std::map<std::string, std::optional<std::string>> base;
    std::map<std::string, std::optional<std::string>> ours;
    std::map<std::string, std::optional<std::string>> theirs;
    for (char name = 'a'; name <= 'f'; ++name) {
        const std::string middle = lines(14'998);
        base[std::string(1, name)] = "1\n" + middle + "\n2";
        ours[std::string(1, name)] = "one\n" + middle + "\n2";
        theirs[std::string(1, name)] = "1\n" + middle + "\ntwo";
    }
    const std::string from = commit({}, base);
    const auto merged =
        merge_commits(path(), commit({from}, ours), commit({from}, theirs), Keep::No);
    ASSERT_TRUE(merged) << merged.error().describe();
    EXPECT_THAT(merged->conflicts, ElementsAre("e", "f")); // 45,000 lines each.
    EXPECT_EQ(merged->tree, "");
}

TEST_F(GitMergeTest, names_that_a_file_system_mixes_up_conflict) {
    const std::string ours = commit({base_}, {{"d/New.txt", "1"}, {"Up/x", "1"}});
    const std::string theirs = commit({base_}, {{"d/new.txt", "1"}, {"up/y", "2"}});
    const auto merged = merge_commits(path(), ours, theirs, Keep::Yes);
    ASSERT_TRUE(merged) << merged.error().describe();
    EXPECT_THAT(merged->conflicts, ElementsAre("Up", "d/New.txt", "d/new.txt", "up"));
    EXPECT_EQ(merged->tree, "");
}

} // namespace
} // namespace locara::hub
