#include "../layout.hpp"
#include "../names.hpp"
#include "test_database.hpp"

#include <locara/base/file.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::hub {
namespace {

using std::chrono::hours;

class NamesTest : public DatabaseTest {
  protected:
    Names open() const { return Names(DatabaseTest::open()); }

    Repo make_repo(Names& names, const std::string& name, Visibility visibility) const {
        Repo repo;
        repo.internal = crypto::sha256(as_bytes(name)).render().substr(0, 24);
        repo.id = {RepoType::Model, "ana", name};
        repo.visibility = visibility;
        repo.created = now_;
        auto made = names.add_repo(repo);
        EXPECT_TRUE(made) << made.error().describe();
        return *made;
    }

    const TimePoint now_ = *parse_time("2026-11-22T19:00:00Z");
    const crypto::Sha256Digest digest_ = crypto::sha256(as_bytes("content"));
};

TEST_P(NamesTest, keeps_accounts_and_tells_them_apart_without_regard_to_case) {
    {
        Names names = open();
        ASSERT_TRUE(names.add_account("Ana", "Ana A.", now_));
        EXPECT_EQ(names.add_account("aNA", "", now_).error().code(), ErrorCode::Conflict);
    }
    const auto found = open().find_account("ana");
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->name, "Ana");
    EXPECT_EQ((*found)->id.size(), 24U);
    EXPECT_EQ((*found)->created, now_);
    EXPECT_EQ((*found)->email, "");
    ASSERT_TRUE(open().set_email("ANA", "ana@example.org"));
    EXPECT_EQ((*open().find_account("ana"))->email, "ana@example.org");
    EXPECT_EQ(open().set_email("ben", "").error().code(), ErrorCode::NotFound);
    EXPECT_FALSE(*open().find_account("ben"));
}

TEST_P(NamesTest, knows_a_token_by_its_digest_until_it_expires_or_is_revoked) {
    Names names = open();
    const auto ana = names.add_account("ana", "Ana", now_);
    ASSERT_TRUE(ana);
    const NewToken wanted{"ci", TokenRole::Write, now_ + hours(1)};
    const auto made = names.add_token(*ana, wanted, digest_, now_);
    ASSERT_TRUE(made) << made.error().describe();
    EXPECT_EQ(names.add_token(*ana, wanted, crypto::sha256({}), now_).error().code(),
              ErrorCode::Conflict);

    const auto found = names.find_token(digest_, now_);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->account.name, "ana");
    EXPECT_EQ((*found)->token.role, TokenRole::Write);
    EXPECT_EQ((*found)->token.expires, now_ + hours(1));
    EXPECT_FALSE(*names.find_token(digest_, now_ + hours(1)));
    EXPECT_FALSE(*names.find_token(crypto::sha256({}), now_));

    // A second process, as the command line is.
    Names other = open();
    ASSERT_EQ(other.list_tokens()->size(), 1U);
    ASSERT_TRUE(other.remove_token(made->id));
    EXPECT_EQ(other.remove_token(made->id).error().code(), ErrorCode::NotFound);
    EXPECT_FALSE(*names.find_token(digest_, now_));
}

TEST_P(NamesTest, keeps_repositories_apart_by_type_and_not_by_case) {
    Names names = open();
    const Repo made = make_repo(names, "Tiny", Visibility::Public);
    Repo again = made;
    again.internal = std::string(24, '0');
    again.id.name = "tiny";
    EXPECT_EQ(names.add_repo(again).error().code(), ErrorCode::Conflict);
    again.id.type = RepoType::Dataset;
    EXPECT_TRUE(names.add_repo(again));
    ASSERT_TRUE(names.set_facts(made.key, {"text-generation", "mit", "abc"}));
    const auto found = names.find_repo(RepoId{RepoType::Model, "ANA", "TINY"});
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->id.render(), "ana/Tiny");
    EXPECT_EQ((*found)->facts.license, "mit");
    EXPECT_EQ(names.list_repos(RepoType::Model)->size(), 1U);
    EXPECT_FALSE(*names.find_repo(RepoId{RepoType::Space, "ana", "tiny"}));
}

TEST_P(NamesTest, gives_a_file_to_its_own_repository_only) {
    Names names = open();
    const Repo one = make_repo(names, "one", Visibility::Private);
    const Repo two = make_repo(names, "two", Visibility::Private);
    const StoredFile file{digest_, *xet::FileHash::parse(std::string(64, '1')), 1ULL << 40U};
    ASSERT_TRUE(names.add_file(one.key, file, TimePoint()));
    ASSERT_TRUE(names.add_file(one.key, file, TimePoint()));
    const auto by_sha = names.find_file(one.key, file.sha256);
    ASSERT_TRUE(by_sha && *by_sha);
    EXPECT_EQ((*by_sha)->xet, file.xet);
    EXPECT_EQ((*by_sha)->size, file.size);
    EXPECT_TRUE(*names.find_file(one.key, file.xet));
    EXPECT_FALSE(*names.find_file(two.key, file.xet));
    EXPECT_FALSE(*names.find_file(two.key, file.sha256));
}

TEST_P(NamesTest, tells_which_files_nobody_used_since_and_forgets_no_other) {
    Names names = open();
    const Repo repo = make_repo(names, "one", Visibility::Private);
    const TimePoint then(std::chrono::seconds(1'800'000'000));
    const StoredFile file{digest_, *xet::FileHash::parse(std::string(64, '1')), 7};
    ASSERT_TRUE(names.add_file(repo.key, file, then));
    EXPECT_EQ(names.list_unused_files(repo.key, then)->size(), 0U);
    EXPECT_EQ(names.list_unused_files(repo.key, then + std::chrono::hours(1))->size(), 1U);

    const auto later = then + std::chrono::hours(2);
    const auto used = names.use_file(repo.key, digest_, later);
    ASSERT_TRUE(used && *used);
    EXPECT_EQ((*used)->size, 7U);
    EXPECT_EQ(names.list_unused_files(repo.key, later)->size(), 0U);
    EXPECT_FALSE(*names.remove_unused_file(repo.key, digest_, later));
    EXPECT_TRUE(*names.remove_unused_file(repo.key, digest_, later + std::chrono::seconds(1)));
    EXPECT_FALSE(*names.use_file(repo.key, digest_, later));
}

TEST_P(NamesTest, lets_a_xorb_be_used_by_who_brought_it_or_once_it_is_public) {
    Names names = open();
    const Repo mine = make_repo(names, "mine", Visibility::Private);
    const Repo other = make_repo(names, "other", Visibility::Private);
    const Repo open_one = make_repo(names, "open", Visibility::Public);
    const auto xorb = *xet::XorbHash::parse(std::string(64, '2'));
    ASSERT_TRUE(names.add_xorb(other.key, xorb));
    EXPECT_FALSE(*names.may_use_xorb(mine.key, xorb));
    EXPECT_TRUE(*names.may_use_xorb(other.key, xorb));
    ASSERT_TRUE(names.add_xorb(open_one.key, xorb));
    EXPECT_TRUE(*names.may_use_xorb(mine.key, xorb));
}

TEST_P(NamesTest, counts_xorbs_that_no_file_is_made_of_once) {
    Names names = open();
    const Repo one = make_repo(names, "one", Visibility::Public);
    const Repo two = make_repo(names, "two", Visibility::Public);
    const std::string& space = one.id.space;
    const auto a = *xet::XorbHash::parse(std::string(64, 'a'));
    const auto b = *xet::XorbHash::parse(std::string(64, 'b'));
    using IsNew = Names::IsNew;
    ASSERT_TRUE(names.add_unnamed_xorb(one.key, a, 100, IsNew::Yes));
    ASSERT_TRUE(names.add_unnamed_xorb(two.key, a, 100, IsNew::No));
    ASSERT_TRUE(names.add_unnamed_xorb(two.key, b, 1000, IsNew::Yes));
    EXPECT_TRUE(*names.may_use_xorb(one.key, a));
    EXPECT_EQ(*names.unnamed_bytes(space, {}), 1100U);
    EXPECT_EQ(*names.unnamed_bytes(space, b), 100U);
    EXPECT_EQ(*names.unnamed_bytes("other", {}), 0U);
    EXPECT_EQ(names.list_unnamed_xorbs()->size(), 2U);
    // A file is made of it, in whichever repository: it counts as that.
    ASSERT_TRUE(names.add_xorb(one.key, a));
    EXPECT_EQ(*names.unnamed_bytes(space, {}), 1000U);
    ASSERT_TRUE(names.add_unnamed_xorb(two.key, a, 100, IsNew::No));
    EXPECT_EQ(*names.unnamed_bytes(space, {}), 1000U) << "brought again, the file is still there";
    ASSERT_TRUE(names.add_unnamed_xorb(one.key, a, 100, IsNew::Yes));
    EXPECT_EQ(*names.unnamed_bytes(space, {}), 1100U) << "brought anew after it was gone";
    ASSERT_TRUE(names.settle_xorb(a));
    ASSERT_TRUE(names.settle_xorb(b));
    EXPECT_EQ(*names.unnamed_bytes(space, {}), 0U);
    EXPECT_TRUE(names.list_unnamed_xorbs()->empty());
    EXPECT_TRUE(*names.may_use_xorb(two.key, b));
}

TEST_P(NamesTest, removes_a_repository_with_what_belongs_to_it_and_never_gives_its_key_again) {
    Names names = open();
    const Repo gone = make_repo(names, "gone", Visibility::Public);
    const auto xorb = *xet::XorbHash::parse(std::string(64, '2'));
    ASSERT_TRUE(names.add_xorb(gone.key, xorb));
    ASSERT_TRUE(names.add_file(gone.key, {digest_, {}, 1}, TimePoint()));
    ASSERT_TRUE(names.remove_repo(gone.key));
    const Repo next = make_repo(names, "gone", Visibility::Public);
    EXPECT_NE(next.key, gone.key);
    EXPECT_FALSE(*names.may_use_xorb(next.key, xorb));
    EXPECT_FALSE(*names.find_file(gone.key, digest_));
}

TEST_P(NamesTest, leads_from_an_old_id_to_the_repository_until_another_has_it) {
    Names names = open();
    const Repo one = make_repo(names, "one", Visibility::Private);
    const Repo two = make_repo(names, "two", Visibility::Public);
    const RepoId new_id{RepoType::Model, "ben", "new"};
    EXPECT_EQ(names.move_repo(one.key, two.id).error().code(), ErrorCode::Conflict);
    EXPECT_FALSE(*names.find_moved_repo(one.id));
    ASSERT_TRUE(names.move_repo(one.key, new_id));
    EXPECT_FALSE(*names.find_repo(one.id));
    EXPECT_EQ((*names.find_repo(new_id))->key, one.key);
    EXPECT_EQ((*names.find_moved_repo({RepoType::Model, "ANA", "One"}))->id.render(), "ben/new");
    EXPECT_FALSE(*names.find_moved_repo({RepoType::Dataset, "ana", "one"}));
    // Through two moves, and back.
    ASSERT_TRUE(names.move_repo(one.key, {RepoType::Model, "ana", "third"}));
    EXPECT_EQ((*names.find_moved_repo(one.id))->id.render(), "ana/third");
    EXPECT_EQ((*names.find_moved_repo(new_id))->id.render(), "ana/third");
    ASSERT_TRUE(names.move_repo(one.key, one.id));
    EXPECT_FALSE(*names.find_moved_repo(one.id));
    ASSERT_TRUE(names.set_visibility(one.key, Visibility::Public));
    EXPECT_EQ((*names.find_repo(one.id))->visibility, Visibility::Public);
    ASSERT_TRUE(names.remove_repo(one.key));
    EXPECT_FALSE(*names.find_moved_repo(new_id));
}

TEST_P(NamesTest, what_was_mirrored_gives_way_to_what_is_moved_there) {
    Names names = open();
    const Repo own = make_repo(names, "own", Visibility::Public);
    Repo mirrored;
    mirrored.id = {RepoType::Model, "ana", "theirs"};
    mirrored.internal = "m";
    mirrored.origin = Origin::Upstream;
    mirrored = *names.add_repo(mirrored);
    ASSERT_TRUE(names.move_repo(own.key, mirrored.id));
    EXPECT_EQ((*names.find_repo(mirrored.id))->key, own.key);
    EXPECT_FALSE(*names.find_repo(mirrored.key));
}

LOCARA_WITH_BACKENDS(NamesTest);

TEST(NamesFile, is_for_its_owner_alone) {
    const auto folder = TempFolder::create("/tmp", "locara names ");
    ASSERT_TRUE(Database::open(folder->path() / kNamesFile));
    const auto permissions = std::filesystem::status(folder->path() / kNamesFile).permissions();
    EXPECT_EQ(permissions,
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(RepoNames, take_only_what_is_safe_in_paths) {
    for (const char* fine : {"a", "A-b_c.d", "0"}) {
        EXPECT_TRUE(is_repo_part(fine)) << fine;
    }
    for (const char* bad : {"", ".a", "a.", "-a", "a..b", "a/b", "a.git", "a b", "\xc3\xa9"}) {
        EXPECT_FALSE(is_repo_part(bad)) << bad;
    }
    EXPECT_TRUE(is_reserved_space("Datasets"));
    EXPECT_TRUE(is_reserved_space("collections")); // they have pages there
    EXPECT_FALSE(is_reserved_space("ana"));
}

TEST(RepoId, is_two_parts_with_the_type_in_front) {
    const auto model = RepoId::parse(RepoType::Model, "ana/tiny-1.0");
    ASSERT_TRUE(model);
    EXPECT_EQ(model->space, "ana");
    EXPECT_EQ(model->name, "tiny-1.0");
    for (const char* const text :
         {"ana/tiny", "datasets/ana/words", "spaces/ana/app", "buckets/ana/box"}) {
        const auto id = RepoId::parse_web(text);
        ASSERT_TRUE(id) << text;
        EXPECT_EQ(id->render_web(), text);
        EXPECT_EQ(RepoId::parse(id->type, id->render())->render_web(), text);
    }
    EXPECT_EQ(RepoId::parse_web("spaces/ana/app")->type, RepoType::Space);
    for (const char* const text : {"",
                                   "/",
                                   "ana",
                                   "ana/",
                                   "/tiny",
                                   "a/b/c",
                                   "ana/..",
                                   "ana/a b",
                                   "datasets/ana",
                                   "models/a/b"}) {
        EXPECT_FALSE(RepoId::parse_web(text)) << text;
    }
}

} // namespace
} // namespace locara::hub
