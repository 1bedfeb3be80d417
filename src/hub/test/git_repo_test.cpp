#include "git_handles.hpp"
#include "git_journal.hpp"
#include "git_leftovers.hpp"
#include "git_refs.hpp"

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

TEST_F(GitRepoTest, moves_all_refs_or_none) {
    GitSnapshot more = sample();
    more.message = "more";
    const auto next = repo_->write_snapshot(more);
    ASSERT_TRUE(next);
    const auto nothing = [] { return Status(); };
    const std::vector<RefMove> moves = {{"refs/heads/main", commit_, *next},
                                        {"refs/heads/new", std::nullopt, *next}};
    // One that is not where it is said to be; one that is there; a step before that fails.
    EXPECT_EQ(
        repo_->move_refs({moves[0], {"refs/heads/new", commit_, *next}}, nothing).error().code(),
        ErrorCode::Conflict);
    EXPECT_EQ(repo_->move_refs({moves[1], {"refs/heads/main", std::nullopt, *next}}, nothing)
                  .error()
                  .message(),
              "refs/heads/main was moved meanwhile");
    EXPECT_FALSE(repo_->move_refs(moves, [] { return Status(Error(ErrorCode::Io, "no")); }));
    ASSERT_EQ(repo_->refs()->size(), 1U);
    EXPECT_EQ(repo_->refs()->front().commit, commit_);
    ASSERT_TRUE(repo_->move_refs(moves, nothing));
    EXPECT_EQ(repo_->refs()->size(), 2U);
    ASSERT_TRUE(repo_->move_refs(
        {{"refs/heads/new", *next, std::nullopt}, {"refs/tags/a/b", std::nullopt, *next}},
        nothing));
    EXPECT_EQ(repo_->refs()->back().name, "refs/tags/a/b");
    EXPECT_EQ(repo_->refs()->back().object, *next);
    // The last one of a folder takes it along; another one stays there.
    ASSERT_TRUE(repo_->move_refs({{"refs/tags/a/b", *next, std::nullopt}}, nothing));
    ASSERT_TRUE(repo_->move_refs(
        {{"refs/heads/x/y/z", std::nullopt, *next}, {"refs/heads/x/w", std::nullopt, *next}},
        nothing));
    ASSERT_TRUE(repo_->move_refs({{"refs/heads/x/y/z", *next, std::nullopt}}, nothing));
    EXPECT_EQ(repo_->refs()->back().name, "refs/heads/x/w");
    // One that cannot be written when others have moved.
    const auto before = repo_->refs().value();
    ASSERT_TRUE(create_folders(folder_->path() / "r/refs/tags/t"));
    ASSERT_TRUE(write_file_atomically(folder_->path() / "r/refs/tags/t/no ref", as_bytes("x")));
    EXPECT_FALSE(repo_->move_refs(
        {{"refs/heads/main", *next, commit_}, {"refs/tags/t", std::nullopt, commit_}}, nothing));
    const auto after = repo_->refs().value();
    ASSERT_EQ(after.size(), before.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
        EXPECT_EQ(after[i].object, before[i].object) << after[i].name;
    }
    EXPECT_TRUE(list_journals(folder_->path() / "r")->empty());
}

TEST_F(GitRepoTest, ends_a_push_that_was_killed_between_two_refs) {
    GitSnapshot more = sample();
    more.message = "more";
    const auto next = repo_->write_snapshot(more);
    ASSERT_TRUE(next);
    ASSERT_TRUE(repo_->set_ref("refs/heads/old", commit_));
    const auto folder = folder_->path() / "r";
    ASSERT_TRUE(
        write_file_atomically(folder / "locara-push.journal",
                              as_bytes(commit_ + " " + *next + " refs/heads/main\n" + "- " + *next +
                                       " refs/heads/new\n" + commit_ + " - refs/heads/old\n")));
    ASSERT_TRUE(write_file_atomically(folder / "locara-push-2.journal",
                                      as_bytes("- " + *next + " refs/tags/second\n")));
    ASSERT_TRUE(repo_->set_ref("refs/heads/main", *next)); // So far it had come.
    ASSERT_TRUE(create_folders(folder / "objects/tmp_objdir-incoming-x/pack"));
    ASSERT_TRUE(create_folders(folder / "objects/pack"));
    ASSERT_TRUE(write_file_atomically(folder / "objects/pack/pack-1.pack", as_bytes("half")));
    ASSERT_TRUE(remove_git_leftovers(folder_->path()));
    const auto refs = repo_->refs();
    ASSERT_TRUE(refs);
    ASSERT_EQ(refs->size(), 3U);
    EXPECT_EQ((*refs)[0].commit, *next);
    EXPECT_EQ((*refs)[1].name, "refs/heads/new");
    EXPECT_EQ((*refs)[2].name, "refs/tags/second");
    EXPECT_TRUE(list_journals(folder)->empty());
    for (const char* const gone : {"objects/tmp_objdir-incoming-x", "objects/pack/pack-1.pack"}) {
        EXPECT_FALSE(std::filesystem::exists(folder / gone)) << gone;
    }
}

TEST_F(GitRepoTest, goes_on_where_a_killed_process_held_a_ref) {
    // libgit2 makes these by O_EXCL and moves them into place; a kill in between leaves them.
    const auto folder = folder_->path() / "r";
    const auto lock = folder / "refs/heads/main.lock";
    const auto object = folder / "objects/tmp_object_git2_aBcDeF";
    ASSERT_TRUE(write_file_atomically(lock, as_bytes("")));
    ASSERT_TRUE(write_file_atomically(object, as_bytes("half")));
    GitSnapshot more = sample();
    more.message = "more";
    const auto next = repo_->write_snapshot(more);
    ASSERT_TRUE(next);
    EXPECT_EQ(repo_->move_ref("refs/heads/main", commit_, *next).error().code(),
              ErrorCode::Conflict);
    ASSERT_TRUE(remove_git_leftovers(folder_->path()));
    EXPECT_FALSE(std::filesystem::exists(lock));
    EXPECT_FALSE(std::filesystem::exists(object));
    EXPECT_TRUE(repo_->move_ref("refs/heads/main", commit_, *next));
    EXPECT_EQ(*repo_->resolve("main"), *next);
}

TEST_F(GitRepoTest, an_empty_head_is_found_and_mended) {
    const auto folder = folder_->path() / "r";
    EXPECT_TRUE(read_head(folder));
    ASSERT_TRUE(write_file_atomically(folder / "HEAD", as_bytes("")));
    EXPECT_EQ(read_head(folder).error().code(), ErrorCode::Io);
    ASSERT_TRUE(remove_git_leftovers(folder_->path()));
    EXPECT_TRUE(read_head(folder));
    EXPECT_EQ(*repo_->resolve("HEAD"), commit_);
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

TEST(GitFailure, tells_a_full_disk_from_others) {
    start_git();
    for (const auto& [words, code] :
         {std::pair("failed to write out file: No space left on device", ErrorCode::NoSpace),
          std::pair("failed to write out file: Disk quota exceeded", ErrorCode::NoSpace),
          std::pair("failed to write out file: Input/output error", ErrorCode::Io)}) {
        git_error_set_str(GIT_ERROR_OS, words);
        EXPECT_EQ(git_failure("writing a blob").code(), code) << words;
    }
}

TEST(GitRepo, that_is_not_there_is_a_fault_of_the_disk) {
    EXPECT_EQ(GitRepo::open("/nonexistent/repo").error().code(), ErrorCode::Io);
}

// --------------------------------------------------------------------------------------- changes

class GitChangeTest : public GitRepoTest {
  protected:
    GitChange put(const std::string& path, std::string_view content) {
        auto blob = repo_->write_blob(content);
        EXPECT_TRUE(blob);
        return {GitChange::Kind::Put, path, *blob};
    }

    /// Commits changes to main on top of what it is, an hour after the commit before.
    std::string commit(const std::vector<GitChange>& changes) {
        const auto head = repo_->resolve("main");
        const auto tree = repo_->write_tree(*head, changes);
        EXPECT_TRUE(tree) << tree.error().describe();
        clock_ += std::chrono::hours(1);
        const auto made = repo_->write_commit(*tree, {*head}, {"more\n", "ana", "a@b", clock_});
        EXPECT_TRUE(made) << made.error().describe();
        const Status moved = repo_->move_ref("refs/heads/main", *head, *made);
        EXPECT_TRUE(moved) << moved.error().describe();
        return *made;
    }

    std::string content(const std::string& revision, const std::string& path) {
        const auto commit_id = repo_->resolve(revision);
        const auto entry = repo_->find(*commit_id, path);
        EXPECT_TRUE(entry && *entry) << path;
        return entry && *entry ? *repo_->read_blob((*entry)->oid, 1000) : "";
    }

    TimePoint clock_ = *parse_time("2026-01-01T00:00:00Z");
};

TEST_F(GitChangeTest, puts_and_removes_files_and_folders_and_keeps_the_rest) {
    commit({put("a.txt", "two"),
            put("new/deep/c.txt", "c"),
            {GitChange::Kind::RemoveFile, "m.gguf", ""},
            {GitChange::Kind::RemoveFolder, "sub", ""}});
    EXPECT_EQ(content("main", "a.txt"), "two");
    EXPECT_EQ(content("main", "new/deep/c.txt"), "c");
    const auto all = repo_->list(*repo_->resolve("main"), "", GitRepo::Recursive::Yes);
    EXPECT_EQ(all->size(), 4U); // a.txt, new, new/deep, new/deep/c.txt
    EXPECT_EQ(content(commit_, "a.txt"), "hi");
}

TEST_F(GitChangeTest, refuses_to_remove_what_is_not_there_and_to_mix_files_and_folders) {
    const auto code = [this](const GitChange& change) {
        const auto tree = repo_->write_tree(commit_, {change});
        EXPECT_FALSE(tree) << change.path;
        return tree ? ErrorCode::Internal : tree.error().code();
    };
    EXPECT_EQ(code({GitChange::Kind::RemoveFile, "none", ""}), ErrorCode::NotFound);
    EXPECT_EQ(code({GitChange::Kind::RemoveFile, "sub", ""}), ErrorCode::NotFound);
    EXPECT_EQ(code({GitChange::Kind::RemoveFolder, "a.txt", ""}), ErrorCode::NotFound);
    EXPECT_EQ(code(put("sub", "x")), ErrorCode::Conflict);
    EXPECT_EQ(code(put("a.txt/b", "x")), ErrorCode::Conflict);
    EXPECT_TRUE(repo_->write_tree(
        commit_, {{GitChange::Kind::RemoveFile, "a.txt", ""}, put("a.txt/b", "x")}));
}

TEST_F(GitChangeTest, moves_a_ref_only_from_where_the_caller_thinks_it_is) {
    const std::string next = commit({put("a.txt", "two")});
    EXPECT_EQ(repo_->move_ref("refs/heads/main", commit_, commit_).error().code(),
              ErrorCode::Conflict);
    EXPECT_EQ(repo_->move_ref("refs/heads/main", std::nullopt, commit_).error().code(),
              ErrorCode::Conflict);
    EXPECT_EQ(repo_->move_ref("refs/heads/none", commit_, next).error().code(),
              ErrorCode::Conflict);
    EXPECT_TRUE(repo_->move_ref("refs/heads/side", std::nullopt, commit_));
    EXPECT_EQ(*repo_->resolve("main"), next);
    EXPECT_EQ(*repo_->resolve("side"), commit_);
}

TEST_F(GitChangeTest, finds_the_commit_that_last_changed_each_path) {
    const std::string second = commit({put("sub/b.txt", "b")});
    const std::string third = commit({put("a.txt", "two")});
    const auto last = repo_->last_changes(third, {"a.txt", "sub", "sub/b.txt", "m.gguf"});
    ASSERT_TRUE(last) << last.error().describe();
    EXPECT_EQ((*last)[0]->id, third);
    EXPECT_EQ((*last)[1]->id, second);
    EXPECT_EQ((*last)[2]->id, second);
    EXPECT_EQ((*last)[3]->id, commit_);
}

TEST_F(GitChangeTest, finds_the_commit_of_a_path_however_far_back_it_is) {
    auto repo = GitRepo::create_in_memory(); // Where nothing is synced.
    ASSERT_TRUE(repo);
    const auto next = [&](const std::string& parent, const char* path, std::string_view content) {
        const auto blob = repo->write_blob(content);
        EXPECT_TRUE(blob);
        const auto tree = repo->write_tree(parent, {{GitChange::Kind::Put, path, *blob}});
        EXPECT_TRUE(tree) << tree.error().describe();
        const auto made = repo->write_commit(*tree, {parent}, {"more\n", "ana", "a@b", clock_});
        EXPECT_TRUE(made) << made.error().describe();
        return *made;
    };
    const std::string first = *repo->write_snapshot(sample());
    const std::string second = next(first, "sub/b.txt", "b");
    std::string tip = second;
    for (int i = 0; i < 1200; ++i) {
        tip = next(tip, "sub/busy.txt", std::to_string(i));
    }
    const std::vector<std::string> paths = {"m.gguf", "sub/b.txt", "sub/busy.txt", "sub"};
    const auto last = repo->last_changes(tip, paths);
    ASSERT_TRUE(last) << last.error().describe();
    EXPECT_EQ((*last)[0]->id, first);
    EXPECT_EQ((*last)[1]->id, second);
    EXPECT_EQ((*last)[2]->id, tip);
    EXPECT_EQ((*last)[3]->id, tip);
    // Who is not to look so far says nothing, and nothing wrong.
    const auto some = repo->last_changes(tip, paths, 1000);
    ASSERT_TRUE(some) << some.error().describe();
    EXPECT_FALSE((*some)[0]);
    EXPECT_FALSE((*some)[1]);
    EXPECT_EQ((*some)[2]->id, tip);
}

TEST_F(GitChangeTest, compares_by_lines_what_is_not_too_large) {
    constexpr std::uint64_t kLimit = 8U << 20U;
    const std::string many = std::string(19'999, '\n');
    const std::string before = commit({put("a.txt", "1\n"), put("b.txt", "1" + many)});
    const std::string after = commit({put("a.txt", "2\n"), put("b.txt", "2" + many)});
    const auto small = repo_->diff(before, after, kLimit);
    ASSERT_TRUE(small) << small.error().describe();
    EXPECT_NE(small->find("-1\n+2\n"), std::string::npos);
    EXPECT_EQ(small->find("Binary"), std::string::npos);
    for (const std::string& large : {"3" + many + "\n", std::string((1U << 20U) + 1, 'x')}) {
        const auto text =
            repo_->diff(after, commit({put("a.txt", "3\n"), put("b.txt", large)}), kLimit);
        ASSERT_TRUE(text) << text.error().describe();
        EXPECT_NE(text->find("-2\n+3\n"), std::string::npos) << text->substr(0, 1000);
        EXPECT_NE(text->find("Binary files a/b.txt and b/b.txt differ\n"), std::string::npos)
            << text->substr(0, 1000);
    }
}

TEST_F(GitChangeTest, compares_no_more_lines_at_once_than_it_has_time_for) {
    std::vector<GitChange> before;
    std::vector<GitChange> after;
    for (int i = 0; i < 6; ++i) {
        before.push_back(put(std::to_string(i), "1" + std::string(19'000, '\n')));
        after.push_back(put(std::to_string(i), "2" + std::string(19'000, '\n')));
    }
    const std::string from = commit(before);
    EXPECT_EQ(repo_->diff(from, commit(after), 8U << 20U).error().code(), ErrorCode::TooLarge);
    after.pop_back();
    const std::string again = commit(before);
    EXPECT_TRUE(repo_->diff(again, commit(after), 8U << 20U));
}

TEST_F(GitChangeTest, reads_attributes_of_a_commit_and_ignore_rules) {
    const std::string rules = commit({put(".gitattributes",
                                          "*.bin filter=lfs -text\n*.lfs.* filter=lfs\n"
                                          "/a[[:space:]]b.txt filter=lfs\n"),
                                      put("sub/.gitattributes", "keep.bin -filter\n")});
    for (const char* path : {"x.bin", "deep/y.bin", "a.lfs.txt", "a b.txt"}) {
        EXPECT_TRUE(*repo_->is_lfs(rules, path)) << path;
    }
    for (const char* path : {"x.txt", "sub/keep.bin", "c/a b.txt"}) {
        EXPECT_FALSE(*repo_->is_lfs(rules, path)) << path;
    }
    EXPECT_FALSE(*repo_->is_lfs(commit_, "x.bin"));
    EXPECT_TRUE(*repo_->is_ignored("*.log\n!keep.log\n", "a/b.log"));
    EXPECT_FALSE(*repo_->is_ignored("*.log\n!keep.log\n", "keep.log"));
    EXPECT_FALSE(*repo_->is_ignored("", "b.log"));
}

} // namespace
} // namespace locara::hub
