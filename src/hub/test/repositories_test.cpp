#include "../layout.hpp"
#include "../names.hpp"
#include "../verdict_store.hpp"
#include "test_database.hpp"

#include <locara/base/file.hpp>
#include <locara/hub/database_choice.hpp>
#include <locara/hub/git_repo.hpp>
#include <locara/hub/organizations.hpp>
#include <locara/hub/repositories.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::hub {
namespace {

using testing::HasSubstr;

/// On a data folder whose names are in either kind of database.
class RepositoriesTest : public DatabaseTest {
  protected:
    void SetUp() override {
        DatabaseTest::SetUp();
        if (IsSkipped()) {
            return;
        }
        if (!url().empty()) {
            ASSERT_TRUE(choose_database(data(), url()));
        }
        auto database = Database::open_in(data(), Database::IfMissing::Make);
        ASSERT_TRUE(database) << database.error().describe();
        names_ = std::make_unique<Names>(*database);
        ASSERT_TRUE(names_->add_account("Ana", "", now_));
        ASSERT_TRUE(Organizations(*database).create("lab", "", now_));
    }

    std::filesystem::path data() const { return file().parent_path(); }

    Repositories open() const {
        auto opened = Repositories::open(data(), clock_, rules_);
        EXPECT_TRUE(opened) << opened.error().describe();
        return std::move(*opened);
    }

    std::filesystem::path folder_of(const OwnRepo& repo) const {
        return repo_folder(data() / kRepos, repo.internal);
    }

    const TimePoint now_ = *parse_time("2026-11-22T19:00:00Z");
    FakeClock clock_{now_};
    RepoConfig rules_{{"app", "model", "dataset"}};
    std::unique_ptr<Names> names_;
};

TEST_P(RepositoriesTest, makes_a_repository_as_the_api_does) {
    const auto made = open().create("ana/tiny", Visibility::Private);
    ASSERT_TRUE(made) << made.error().describe();
    EXPECT_EQ(made->id, "Ana/tiny");
    EXPECT_EQ(made->type, "model");
    EXPECT_EQ(made->visibility, Visibility::Private);
    EXPECT_EQ(made->created, now_);
    const auto git = GitRepo::open(folder_of(*made));
    ASSERT_TRUE(git);
    const auto commit = git->resolve("main");
    ASSERT_TRUE(commit);
    EXPECT_TRUE(*git->is_lfs(*commit, "model.gguf"));
    const auto attributes = git->find(*commit, ".gitattributes");
    ASSERT_TRUE(attributes && *attributes);
    const VerdictStore verdicts(*Database::open_in(data(), Database::IfMissing::Fail));
    const auto judged = verdicts.find((*attributes)->oid, ".gitattributes");
    ASSERT_TRUE(judged && *judged); // As if it had come by the API: nothing waits for a rescan.
    EXPECT_EQ((*judged)->verdict.decision, formats::Decision::Allow);
    EXPECT_EQ((*judged)->made, now_);
    EXPECT_EQ(open().create("ANA/Tiny", Visibility::Public).error().code(), ErrorCode::Conflict);

    const auto box = open().create("buckets/lab/box", Visibility::Public);
    ASSERT_TRUE(box) << box.error().describe();
    EXPECT_FALSE(std::filesystem::exists(folder_of(*box)));
    EXPECT_EQ(open().set("buckets/lab/box", {}, Gate::Manual).error().code(),
              ErrorCode::InvalidArgument);
}

TEST_P(RepositoriesTest, takes_ids_of_this_hubs_own_repositories_only) {
    for (const std::string wrong : {"",
                                    "tiny",
                                    "ana/",
                                    "ana/a/b",
                                    "ana/..",
                                    "api/x",
                                    "models/a/b",
                                    "datasets/x",
                                    "ana/a'--"}) {
        EXPECT_EQ(open().create(wrong, Visibility::Public).error().code(),
                  ErrorCode::InvalidArgument)
            << wrong;
        EXPECT_EQ(open().remove(wrong).error().code(), ErrorCode::InvalidArgument) << wrong;
    }
    EXPECT_EQ(open().create("bob/tiny", Visibility::Public).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(open().remove("ana/tiny").error().code(), ErrorCode::NotFound);
    Repo mirrored;
    mirrored.internal = std::string(24, '1');
    mirrored.id = {RepoType::Model, "org", "far"};
    mirrored.created = now_;
    mirrored.origin = Origin::Upstream;
    ASSERT_TRUE(names_->add_repo(mirrored));
    const auto removed = open().remove("org/far");
    EXPECT_EQ(removed.error().code(), ErrorCode::NotFound);
    EXPECT_THAT(removed.error().message(), HasSubstr("locara-hub mirror"));
    EXPECT_TRUE(open().list()->empty());
}

TEST_P(RepositoriesTest, moves_changes_and_removes) {
    const auto made = open().create("datasets/ana/notes", Visibility::Public);
    ASSERT_TRUE(made);
    ASSERT_TRUE(open().create("datasets/lab/words", Visibility::Public));
    const Repo repo = **names_->find_repo(RepoId{RepoType::Dataset, "ana", "notes"});
    ASSERT_TRUE(names_->add_file(
        repo.key,
        {crypto::sha256(as_bytes("x")), *xet::FileHash::parse(std::string(64, '1')), 1ULL << 33U},
        now_));

    EXPECT_EQ(open().move("datasets/ana/notes", "lab/words").error().code(), ErrorCode::Conflict);
    EXPECT_EQ(open().move("datasets/ana/notes", "bob/words").error().code(), ErrorCode::NotFound);
    EXPECT_EQ(open().move("datasets/ana/notes", "lab").error().code(), ErrorCode::InvalidArgument);
    const auto was = open().move("datasets/ana/notes", "LAB/Notes");
    ASSERT_TRUE(was) << was.error().describe();
    EXPECT_EQ(was->id, "datasets/Ana/notes");
    const auto now = open().set("datasets/lab/notes", Visibility::Private, Gate::Automatic);
    ASSERT_TRUE(now) << now.error().describe();
    EXPECT_EQ(now->id, "datasets/lab/Notes");
    EXPECT_EQ(now->gate, Gate::Automatic);
    ASSERT_TRUE(open().set("datasets/lab/notes", {}, Gate::Manual));
    const auto listed = open().list();
    ASSERT_TRUE(listed);
    ASSERT_EQ(listed->size(), 2U);
    const OwnRepo& moved = listed->front().name == "lab/Notes" ? listed->front() : listed->back();
    EXPECT_EQ(moved.visibility, Visibility::Private);
    EXPECT_EQ(moved.gate, Gate::Manual);
    EXPECT_EQ(moved.files, 1U);
    EXPECT_EQ(moved.bytes, 1ULL << 33U);
    EXPECT_TRUE(*names_->find_moved_repo(RepoId{RepoType::Dataset, "ana", "notes"}));

    ASSERT_TRUE(std::filesystem::exists(folder_of(*made)));
    const auto removed = open().remove("datasets/lab/NOTES");
    ASSERT_TRUE(removed) << removed.error().describe();
    EXPECT_EQ(removed->was.bytes, 1ULL << 33U);
    EXPECT_GT(removed->freed, 0U);
    EXPECT_FALSE(std::filesystem::exists(folder_of(*made)));
    EXPECT_EQ(open().list()->size(), 1U);
}

TEST_P(RepositoriesTest, are_public_only_where_hub_toml_says_so) {
    rules_ = {};
    for (const std::string kind : {"", "datasets/"}) {
        for (const auto asked : {std::optional<Visibility>(), std::optional(Visibility::Public)}) {
            const auto refused = open().create(kind + "ana/tiny", asked);
            EXPECT_EQ(refused.error().code(), ErrorCode::Refused);
            EXPECT_THAT(refused.error().message(), HasSubstr("[repos] in hub.toml"));
        }
        ASSERT_TRUE(open().create(kind + "ana/tiny", Visibility::Private));
        EXPECT_EQ(open().set(kind + "ana/tiny", Visibility::Public, Gate::Manual).error().code(),
                  ErrorCode::Refused);
        const auto kept = open().set(kind + "ana/tiny", Visibility::Private, {});
        ASSERT_TRUE(kept);
        EXPECT_EQ(kept->visibility, Visibility::Private);
        EXPECT_EQ(kept->gate, Gate::Open);
    }
    EXPECT_EQ(open().create("spaces/ana/app", {})->visibility, Visibility::Public);
    EXPECT_EQ(open().create("buckets/ana/box", {})->visibility, Visibility::Public);
}

TEST_P(RepositoriesTest, are_as_their_organization_has_them_if_nobody_says) {
    Organizations organizations(*Database::open_in(data(), Database::IfMissing::Fail));
    EXPECT_EQ(*organizations.default_visibility("lab"), Visibility::Public);
    ASSERT_TRUE(organizations.set_default_visibility("LAB", Visibility::Private));
    EXPECT_EQ(*organizations.default_visibility("Lab"), Visibility::Private);
    EXPECT_EQ(*organizations.default_visibility("ana"), Visibility::Public);
    EXPECT_EQ(*organizations.default_visibility("nobody"), Visibility::Public);
    for (const char* const none : {"ana", "nobody"}) {
        EXPECT_EQ(organizations.set_default_visibility(none, Visibility::Private).error().code(),
                  ErrorCode::NotFound);
    }
    EXPECT_EQ(open().create("lab/silent", {})->visibility, Visibility::Private);
    EXPECT_EQ(open().create("buckets/lab/silent", {})->visibility, Visibility::Private);
    EXPECT_EQ(open().create("lab/said", Visibility::Public)->visibility, Visibility::Public);
    EXPECT_EQ(open().create("ana/silent", {})->visibility, Visibility::Public);
}

TEST(Repositories, are_those_of_a_hub) {
    const auto folder = TempFolder::create(std::filesystem::temp_directory_path(), "repositories-");
    ASSERT_TRUE(folder);
    EXPECT_EQ(Repositories::open(folder->path(), system_clock(), {}).error().code(),
              ErrorCode::NotFound);
    EXPECT_FALSE(std::filesystem::exists(folder->path() / kNamesFile));
    EXPECT_FALSE(parse_visibility("Public"));
    EXPECT_FALSE(parse_gate("automatic"));
    for (const std::string text : {"open", "auto", "manual"}) {
        EXPECT_EQ(render_gate(*parse_gate(text)), text);
    }
}

LOCARA_WITH_BACKENDS(RepositoriesTest);

} // namespace
} // namespace locara::hub
