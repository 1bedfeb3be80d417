// What the smaller classes keep in the database, over each backend: organizations, scopes of
// tokens, requests for access, collections, sessions. Their rules as seen from outside are
// api_test.cpp's and access_test.cpp's.
#include "../access_requests.hpp"
#include "../collections.hpp"
#include "../names.hpp"
#include "../scopes.hpp"
#include "../sessions.hpp"
#include "test_database.hpp"

#include <locara/base/secret.hpp>
#include <locara/hub/organizations.hpp>

#include <gmock/gmock.h>

namespace locara::hub {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::IsEmpty;

class TablesTest : public DatabaseTest {
  protected:
    void SetUp() override {
        DatabaseTest::SetUp();
        if (IsSkipped()) {
            return;
        }
        database_ = open();
        names_.emplace(database_);
        ana_ = make_account("ana");
        ben_ = make_account("Ben");
    }

    Account make_account(const std::string& name) {
        const auto made = names_->add_account(name, "", now_);
        EXPECT_TRUE(made) << made.error().describe();
        return **names_->find_account(name); // with its key
    }

    Repo make_repo(const std::string& space, const std::string& name) {
        Repo repo;
        repo.internal = random_hex(12);
        repo.id = {RepoType::Model, space, name};
        repo.created = now_;
        const auto made = names_->add_repo(repo);
        EXPECT_TRUE(made) << made.error().describe();
        return *made;
    }

    std::string make_token(const Account& account) {
        const NewToken wanted{"token", TokenRole::FineGrained, {}};
        const auto made =
            names_->add_token(account, wanted, crypto::sha256(as_bytes(account.name)), now_);
        EXPECT_TRUE(made) << made.error().describe();
        return made->id;
    }

    const TimePoint now_ = *parse_time("2026-11-28T19:00:00Z");
    std::shared_ptr<Database> database_;
    std::optional<Names> names_;
    Account ana_;
    Account ben_;
};

TEST_P(TablesTest, organizations_share_names_with_users_and_have_members_in_roles) {
    Organizations organizations(database_);
    ASSERT_TRUE(organizations.create("Lab", "The lab", now_));
    EXPECT_EQ(organizations.create("lab", "", now_).error().code(), ErrorCode::Conflict);
    EXPECT_EQ(organizations.create("ANA", "", now_).error().code(), ErrorCode::Conflict);
    const auto lab = organizations.find("LAB");
    ASSERT_TRUE(lab && *lab);
    EXPECT_EQ((*lab)->name, "Lab");
    EXPECT_FALSE(*organizations.find("ana"));
    EXPECT_FALSE(*names_->find_account("lab"));

    ASSERT_TRUE(organizations.add_member("lab", "ben", OrgRole::Read));
    ASSERT_TRUE(organizations.add_member("lab", "ana", OrgRole::Admin));
    EXPECT_EQ(organizations.add_member("lab", "BEN", OrgRole::Write).error().code(),
              ErrorCode::Conflict);
    EXPECT_EQ(organizations.add_member("lab", "eve", OrgRole::Read).error().code(),
              ErrorCode::NotFound);
    ASSERT_TRUE(organizations.set_role("lab", "ben", OrgRole::Contributor));
    const auto members = organizations.members((*lab)->key);
    ASSERT_TRUE(members && members->size() == 2U);
    EXPECT_EQ(members->front().account.name, "ana");
    EXPECT_EQ(members->back().role, OrgRole::Contributor);
    const auto of_ben = organizations.memberships(ben_.key);
    ASSERT_TRUE(of_ben && of_ben->size() == 1U);
    EXPECT_EQ(of_ben->front().organization.name, "Lab");

    ASSERT_TRUE(organizations.remove_member("lab", "ben"));
    EXPECT_EQ(organizations.remove_member("lab", "ben").error().code(), ErrorCode::NotFound);
    const Repo repo = make_repo("lab", "tiny");
    EXPECT_EQ(organizations.remove("lab").error().code(), ErrorCode::Conflict);
    ASSERT_TRUE(names_->remove_repo(repo.key));
    ASSERT_TRUE(organizations.remove("lab"));
    EXPECT_THAT(*organizations.list(), IsEmpty());
    EXPECT_THAT(*organizations.memberships(ana_.key), IsEmpty());
}

TEST_P(TablesTest, scopes_follow_what_they_name_and_go_with_it) {
    const Repo tiny = make_repo("ana", "tiny");
    const std::string token = make_token(ana_);
    Scopes scopes(database_);
    const auto wanted =
        scopes.resolve({{"ANA/Tiny", Permission::Read}, {"ben", Permission::Write}});
    ASSERT_TRUE(wanted) << wanted.error().describe();
    ASSERT_TRUE(scopes.add(token, *wanted));
    EXPECT_EQ(scopes.resolve({{"ana/none", Permission::Read}}).error().code(), ErrorCode::NotFound);
    ASSERT_TRUE(
        scopes.add(token, *scopes.resolve({{"ana/tiny", Permission::Write}}))); // The last counts.

    ASSERT_TRUE(names_->move_repo(tiny.key, {RepoType::Model, "ana", "small"}));
    const auto listed = scopes.list(token);
    ASSERT_TRUE(listed && listed->size() == 2U);
    EXPECT_EQ(listed->front().name, "ana/small");
    EXPECT_EQ(listed->front().permission, Permission::Write);
    EXPECT_EQ(listed->back().name, "Ben");
    EXPECT_EQ(listed->back().id, ben_.id);

    ASSERT_TRUE(names_->remove_repo(tiny.key));
    EXPECT_EQ(scopes.list(token)->size(), 1U);
    ASSERT_TRUE(names_->remove_token(token));
    EXPECT_THAT(*scopes.list(token), IsEmpty());
}

TEST_P(TablesTest, a_request_for_access_is_decided_once_and_ends) {
    const Repo tiny = make_repo("ana", "tiny");
    AccessRequests requests(database_);
    AccessRequest asked;
    asked.account = ben_;
    asked.made = now_;
    asked.fields = R"({"why":"it's \"research\": no :more; é"})";
    ASSERT_TRUE(requests.add(tiny.key, asked, now_));
    EXPECT_EQ(requests.add(tiny.key, asked, now_).error().code(), ErrorCode::Conflict);
    EXPECT_THAT(*requests.admitted(ben_.key, now_), IsEmpty());

    AccessRequest decided = asked;
    decided.state = RequestState::Accepted;
    decided.expires = now_ + hours(1);
    ASSERT_TRUE(requests.decide(tiny.key, decided, now_));
    EXPECT_EQ(requests.decide(tiny.key, decided, now_).error().code(), ErrorCode::Conflict);
    EXPECT_THAT(*requests.admitted(ben_.key, now_), ElementsAre(tiny.key));
    EXPECT_THAT(*requests.admitted(ben_.key, now_ + hours(1)), IsEmpty());
    const auto found = requests.find(tiny.key, ben_.key);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->fields, asked.fields);
    EXPECT_EQ((*found)->expires, decided.expires);
    EXPECT_THAT(*requests.list(tiny.key, RequestState::Pending), IsEmpty());
    EXPECT_EQ(requests.list(tiny.key)->size(), 1U);

    // One that is over may be asked for again.
    ASSERT_TRUE(requests.add(tiny.key, asked, now_ + hours(2)));
    EXPECT_EQ((*requests.find(tiny.key, ben_.key))->state, RequestState::Pending);
    ASSERT_TRUE(requests.remove(tiny.key, ben_.key));
    EXPECT_EQ(requests.remove(tiny.key, ben_.key).error().code(), ErrorCode::NotFound);
}

TEST_P(TablesTest, collections_keep_their_items_in_order) {
    Collections collections(database_);
    Collection shelf;
    shelf.space = "ana";
    shelf.title = "Small ones";
    shelf.updated = now_;
    const auto made = collections.add(shelf);
    ASSERT_TRUE(made) << made.error().describe();
    shelf.space = "ANA";
    EXPECT_EQ(collections.add(shelf).error().code(), ErrorCode::Conflict);

    const auto titles = [&] {
        std::vector<std::string> targets;
        for (const CollectionItem& item : *collections.items(*made)) {
            EXPECT_EQ(item.position, targets.size());
            targets.push_back(item.target);
        }
        return targets;
    };
    for (const char* const target : {"ana/a", "ana/b", "ana/c"}) {
        ASSERT_TRUE(collections.add_item(*made, {"", "model", target, "", 0}, now_));
    }
    EXPECT_EQ(collections.add_item(*made, {"", "model", "ana/a", "", 0}, now_).error().code(),
              ErrorCode::Conflict);
    const std::string last = collections.items(*made)->back().id;
    ASSERT_TRUE(collections.change_item(*made, last, "the best", 0, now_ + hours(1)));
    EXPECT_THAT(titles(), ElementsAre("ana/c", "ana/a", "ana/b"));
    EXPECT_EQ(collections.items(*made)->front().note, "the best");
    ASSERT_TRUE(collections.remove_item(*made, last, now_ + hours(2)));
    EXPECT_THAT(titles(), ElementsAre("ana/a", "ana/b"));
    EXPECT_EQ(collections.remove_item(*made, last, now_).error().code(), ErrorCode::NotFound);

    Collection renamed = **collections.find("whatever-" + made->id);
    EXPECT_EQ(renamed.updated, now_ + hours(2));
    renamed.title = "Tiny ones";
    ASSERT_TRUE(collections.update(renamed));
    EXPECT_FALSE(*collections.find_titled("ana", "Small ones"));
    EXPECT_TRUE(*collections.find(made->slug())); // The old slug leads to it.
    ASSERT_TRUE(collections.remove(renamed));
    EXPECT_THAT(*collections.list(), IsEmpty());
}

TEST_P(TablesTest, a_session_stands_for_its_token_until_either_ends) {
    Sessions sessions(database_);
    const std::string token = make_token(ana_);
    const auto cookie = sessions.begin(token, now_);
    ASSERT_TRUE(cookie) << cookie.error().describe();
    const std::string text(cookie->reveal());
    const auto found = sessions.find(text, now_);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ(**found, crypto::sha256(as_bytes(ana_.name)));
    EXPECT_FALSE(*sessions.find(text, now_ + kSessionLife));
    EXPECT_FALSE(*sessions.find("x' OR '1'='1", now_));
    ASSERT_TRUE(sessions.end(text));
    EXPECT_FALSE(*sessions.find(text, now_));

    const auto second = sessions.begin(token, now_);
    ASSERT_TRUE(names_->remove_token(token));
    EXPECT_FALSE(*sessions.find(std::string(second->reveal()), now_));
}

LOCARA_WITH_BACKENDS(TablesTest);

} // namespace
} // namespace locara::hub
