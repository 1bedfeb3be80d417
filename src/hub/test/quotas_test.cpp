#include "../layout.hpp"
#include "../names.hpp"
#include "test_database.hpp"

#include <locara/base/clock.hpp>
#include <locara/base/secret.hpp>
#include <locara/hub/organizations.hpp>
#include <locara/hub/quotas.hpp>

#include <gtest/gtest.h>

#include <filesystem>

namespace locara::hub {
namespace {

class QuotasTest : public DatabaseTest {
  protected:
    void SetUp() override {
        DatabaseTest::SetUp();
        if (IsSkipped()) {
            return;
        }
        auto database = open();
        names_.emplace(database);
        quotas_.emplace(database, repos_.path());
        const TimePoint now = *parse_time("2026-11-22T19:00:00Z");
        ASSERT_TRUE(names_->add_account("Ana", "", now));
        ASSERT_TRUE(Organizations(database).create("lab", "", now));
        quotas_->set_defaults({1000, 0});
    }

    std::int64_t add_repo(RepoType type, const std::string& space, const std::string& name) {
        Repo repo;
        repo.id = {type, space, name};
        repo.internal = random_hex(12);
        const auto made = names_->add_repo(repo);
        EXPECT_TRUE(made) << made.error().describe();
        return made ? made->key : 0;
    }

    void add_file(std::int64_t repo, char digit, std::uint64_t size) {
        const std::string text(64, digit);
        EXPECT_TRUE(names_->add_file(
            repo, {*crypto::Sha256Digest::parse(text), *xet::FileHash::parse(text), size}, {}));
    }

    TempFolder repos_ = *TempFolder::create("/tmp", "locara-quotas-");
    std::optional<Names> names_;
    std::optional<Quotas> quotas_;
};

TEST_P(QuotasTest, are_those_of_the_configuration_unless_set) {
    const auto ana = quotas_->find("ana");
    ASSERT_TRUE(ana && *ana);
    EXPECT_EQ((*ana)->name, "Ana");
    EXPECT_EQ((*ana)->origin, QuotaRule::Origin::Default);
    EXPECT_EQ((*ana)->quota, 1000U);
    EXPECT_FALSE((*quotas_->find("lab"))->quota);
    EXPECT_FALSE(*quotas_->find("nobody"));
    ASSERT_TRUE(quotas_->set("ana", 5'000'000'000U));
    ASSERT_TRUE(quotas_->set("LAB", 7U));
    EXPECT_EQ((*quotas_->find("Ana"))->quota, 5'000'000'000U);
    EXPECT_EQ((*quotas_->find("lab"))->quota, 7U);
    ASSERT_TRUE(quotas_->set("ana", Quota()));
    EXPECT_FALSE((*quotas_->find("ana"))->quota);
    EXPECT_EQ((*quotas_->find("ana"))->origin, QuotaRule::Origin::Own);
    const auto all = quotas_->list();
    ASSERT_TRUE(all && all->size() == 2U);
    EXPECT_EQ(all->front().name, "Ana");
    EXPECT_EQ(all->back().owner, QuotaRule::Owner::Organization);
    ASSERT_TRUE(quotas_->reset("ana"));
    EXPECT_EQ((*quotas_->find("ana"))->quota, 1000U);
    EXPECT_EQ(quotas_->set("nobody", 1U).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(quotas_->reset("nobody").error().code(), ErrorCode::NotFound);
}

TEST_P(QuotasTest, count_a_file_once_for_all_repositories_of_an_owner) {
    EXPECT_EQ(*quotas_->used("ana"), 0U);
    EXPECT_EQ(*quotas_->room("ana"), 1000U);
    const std::int64_t model = add_repo(RepoType::Model, "Ana", "m");
    const std::int64_t bucket = add_repo(RepoType::Bucket, "ana", "b");
    add_file(model, '1', 300);
    add_file(bucket, '1', 300);
    add_file(bucket, '2', 500);
    add_file(add_repo(RepoType::Model, "lab", "m"), '3', 1'000'000);
    EXPECT_EQ(*quotas_->used("ana"), 800U);
    EXPECT_EQ(*quotas_->room("ana"), 200U);
    add_file(model, '4', std::uint64_t{1} << 40U);
    EXPECT_EQ(*quotas_->used("ana"), 800U + (std::uint64_t{1} << 40U));
    EXPECT_EQ(*quotas_->room("ana"), 0U);
    EXPECT_FALSE(*quotas_->room("lab"));
    EXPECT_FALSE(*quotas_->room("nobody"));
}

TEST_P(QuotasTest, count_what_git_holds) {
    Repo repo;
    repo.id = {RepoType::Model, "ana", "m"};
    repo.internal = "0123456789abcdef01234567";
    ASSERT_TRUE(names_->add_repo(repo));
    const auto folder = repo_folder(repos_.path(), repo.internal);
    std::filesystem::create_directories(folder);
    const std::uint64_t before = *quotas_->used("ana");
    ASSERT_TRUE(write_file_atomically(folder / "pack", as_bytes(std::string(100'000, 'x'))));
    EXPECT_GE(*quotas_->used("ana"), before + 100'000);
}

LOCARA_WITH_BACKENDS(QuotasTest);

} // namespace
} // namespace locara::hub
