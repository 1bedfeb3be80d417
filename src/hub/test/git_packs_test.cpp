// Many packs become one, and everything can be read at each moment. The packs are git's own.
#include "../git_packs.hpp"

#include <locara/base/file.hpp>
#include <locara/hub/git_repo.hpp>

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;

class GitPacksTest : public testing::Test {
  protected:
    void SetUp() override { ASSERT_TRUE(GitRepo::create(repository_)); }

    /// A commit on main, in no pack.
    std::string commit(const std::string& content) {
        auto git = *GitRepo::open(repository_);
        const auto blob = git.write_blob(content);
        const auto base = git.find_ref("refs/heads/main");
        const std::optional<std::string> parent =
            *base ? std::optional((**base).commit) : std::nullopt;
        const auto tree = git.write_tree(parent, {{GitChange::Kind::Put, "a.txt", *blob}});
        const auto made =
            git.write_commit(*tree,
                             parent ? std::vector{*parent} : std::vector<std::string>(),
                             {content, "ana", "ana@example.org", TimePoint()});
        EXPECT_TRUE(made);
        EXPECT_TRUE(git.set_ref("refs/heads/main", *made));
        all_.push_back({*made, content});
        return *made;
    }

    /// A pack of what is in none yet.
    void pack_loose() const {
        const std::string command = "GIT_DIR='" + repository_.string() + "' git repack -d -q";
        ASSERT_EQ(std::system(command.c_str()), 0); // NOLINT(cert-env33-c): a path of our own.
    }

    void commit_and_pack(int count) {
        for (int i = 0; i < count; ++i) {
            commit("content " + std::to_string(all_.size()));
            pack_loose();
        }
    }

    std::size_t packs() const {
        std::size_t found = 0;
        for (const auto& entry : fs::directory_iterator(repository_ / "objects/pack")) {
            found += entry.path().extension() == ".pack" ? 1U : 0U;
        }
        return found;
    }

    PackReport consolidate(TimePoint limit) const {
        auto report = consolidate_packs(repository_, {limit});
        EXPECT_TRUE(report) << report.error().describe();
        return *report;
    }

    void expect_everything_in(const GitRepo& git) const {
        for (const auto& [id, content] : all_) {
            const auto entry = git.find(id, "a.txt");
            ASSERT_TRUE(entry && *entry) << id;
            const auto blob = git.read_blob((**entry).oid, 1000);
            ASSERT_TRUE(blob) << blob.error().describe();
            EXPECT_EQ(*blob, content);
        }
    }

    TempFolder folder_ = *TempFolder::create(fs::temp_directory_path(), "packs-");
    const fs::path repository_ = folder_.path() / "r.git";
    const TimePoint before_ = system_clock().now() - hours(1);
    const TimePoint after_ = system_clock().now() + hours(1);
    std::vector<std::pair<std::string, std::string>> all_;
};

TEST_F(GitPacksTest, many_packs_become_one_after_the_time_of_whoever_reads_the_old_ones) {
    commit_and_pack(10);
    commit("loose");
    ASSERT_EQ(packs(), 10U);
    const auto reader = *GitRepo::open(repository_);
    const PackReport packed = consolidate(before_);
    EXPECT_TRUE(packed.packed);
    EXPECT_EQ(packed.removed_packs, 0U);
    EXPECT_GT(packed.freed_bytes, 0U); // The loose ones.
    EXPECT_EQ(packs(), 11U);
    expect_everything_in(reader);

    EXPECT_FALSE(consolidate(before_).packed); // Once is enough.
    EXPECT_EQ(packs(), 11U);

    PackOptions look{after_};
    look.only_look = true;
    const auto would = consolidate_packs(repository_, look);
    ASSERT_TRUE(would);
    EXPECT_EQ(packs(), 11U);
    const PackReport removed = consolidate(after_);
    EXPECT_EQ(removed.removed_packs, 10U);
    EXPECT_EQ(removed.freed_bytes, would->freed_bytes);
    EXPECT_GT(removed.freed_bytes, 0U);
    EXPECT_EQ(packs(), 1U);
    expect_everything_in(*GitRepo::open(repository_));
}

TEST_F(GitPacksTest, what_no_ref_leads_to_stays) {
    commit_and_pack(9);
    commit("packed, then squashed");
    pack_loose();
    const std::string loose = commit("loose, then squashed");
    auto git = *GitRepo::open(repository_);
    ASSERT_TRUE(git.set_ref("refs/heads/main", all_.front().first));
    EXPECT_TRUE(consolidate(before_).packed);
    EXPECT_EQ(consolidate(after_).removed_packs, 10U);
    EXPECT_EQ(packs(), 1U);
    expect_everything_in(*GitRepo::open(repository_));
}

TEST_F(GitPacksTest, a_pack_with_anything_of_its_own_stays) {
    commit_and_pack(9);
    EXPECT_TRUE(consolidate(before_).packed);
    commit_and_pack(1);
    EXPECT_EQ(consolidate(after_).removed_packs, 9U);
    EXPECT_EQ(packs(), 2U);
    expect_everything_in(*GitRepo::open(repository_));
}

TEST_F(GitPacksTest, a_few_packs_are_left_alone) {
    commit_and_pack(8);
    commit("loose");
    const PackReport report = consolidate(after_);
    EXPECT_FALSE(report.packed);
    EXPECT_EQ(report.freed_bytes, 0U);
    EXPECT_EQ(packs(), 8U);
}

TEST_F(GitPacksTest, what_a_kill_left_between_any_two_steps_is_made_good) {
    commit_and_pack(9);
    EXPECT_TRUE(consolidate(before_).packed);
    // A pack that has lost its index already, as step 3 leaves it when it is cut off.
    fs::path smallest;
    for (const auto& entry : fs::directory_iterator(repository_ / "objects/pack")) {
        if (entry.path().extension() == ".idx" &&
            (smallest.empty() || entry.file_size() < fs::file_size(smallest))) {
            smallest = entry.path();
        }
    }
    ASSERT_TRUE(fs::remove(smallest));
    expect_everything_in(*GitRepo::open(repository_));
    EXPECT_EQ(consolidate(after_).removed_packs, 8U);
    expect_everything_in(*GitRepo::open(repository_));
}

} // namespace
} // namespace locara::hub
