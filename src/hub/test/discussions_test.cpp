#include "../discussions.hpp"
#include "test_database.hpp"

#include <locara/base/secret.hpp>

#include <gmock/gmock.h>

namespace locara::hub {
namespace {

using testing::ElementsAre;

class DiscussionsTest : public DatabaseTest {
  protected:
    void SetUp() override {
        DatabaseTest::SetUp();
        if (IsSkipped()) {
            return;
        }
        database_ = open();
        names_.emplace(database_);
        discussions_.emplace(database_);
        ana_ = make_account("ana");
        ben_ = make_account("ben");
        repo_ = make_repo("tiny");
    }

    std::int64_t make_account(const std::string& name) {
        EXPECT_TRUE(names_->add_account(name, name + " the user", now_));
        return (*names_->find_account(name))->key;
    }

    std::int64_t make_repo(const std::string& name) {
        Repo repo;
        repo.internal = random_hex(12);
        repo.id = {RepoType::Model, "ana", name};
        repo.created = now_;
        const auto made = names_->add_repo(repo);
        EXPECT_TRUE(made) << made.error().describe();
        return made->key;
    }

    Discussion add(const std::string& title,
                   std::int64_t author,
                   Discussion::Kind kind = Discussion::Kind::Talk,
                   DiscussionStatus status = DiscussionStatus::Open) {
        Discussion discussion;
        discussion.repo = repo_;
        discussion.kind = kind;
        discussion.status = status;
        discussion.title = title;
        if (kind == Discussion::Kind::PullRequest) {
            discussion.base = "refs/heads/main";
        }
        const auto made = discussions_->add(discussion, "about " + title, {author, now_});
        EXPECT_TRUE(made) << made.error().describe();
        return *made;
    }

    std::vector<std::int64_t>
    numbers(const DiscussionFilter& filter = {}, std::size_t skip = 0, std::size_t limit = 100) {
        const auto page = discussions_->list(repo_, filter, skip, limit);
        EXPECT_TRUE(page) << page.error().describe();
        std::vector<std::int64_t> found;
        for (const Discussion& discussion : page->discussions) {
            found.push_back(discussion.number);
        }
        return found;
    }

    const TimePoint now_ = *parse_time("2026-11-22T19:00:00Z");
    const TimePoint later_ = now_ + std::chrono::hours(1);
    std::shared_ptr<Database> database_;
    std::optional<Names> names_;
    std::optional<Discussions> discussions_;
    std::int64_t ana_ = 0;
    std::int64_t ben_ = 0;
    std::int64_t repo_ = 0;
};

TEST_P(DiscussionsTest, counts_both_kinds_by_one_row_of_numbers_a_repository) {
    EXPECT_EQ(add("one", ana_).number, 1);
    const auto reserved = discussions_->reserve(repo_);
    ASSERT_TRUE(reserved);
    EXPECT_EQ(*reserved, 2);
    EXPECT_EQ(add("three", ana_, Discussion::Kind::PullRequest).number, 3);
    Discussion two;
    two.repo = repo_;
    two.number = *reserved;
    two.kind = Discussion::Kind::PullRequest;
    two.title = "two";
    EXPECT_EQ(discussions_->add(two, "", {ben_, now_})->number, 2);
    EXPECT_EQ(discussions_->add(two, "", {ben_, now_}).error().code(), ErrorCode::Conflict);
    EXPECT_EQ(*discussions_->reserve(make_repo("other")), 1);
    EXPECT_EQ(discussions_->reserve(4711).error().code(), ErrorCode::NotFound);
    EXPECT_THAT(numbers(), ElementsAre(3, 2, 1));
    EXPECT_FALSE(*discussions_->find(repo_, 4));
    EXPECT_FALSE(*discussions_->find(repo_, 1LL << 40U));
    EXPECT_FALSE(*discussions_->find(4711, 1));
}

TEST_P(DiscussionsTest, lists_by_kind_status_and_author_in_pages_with_the_newest_first) {
    using Kind = Discussion::Kind;
    using Wanted = DiscussionFilter::Status;
    add("1", ana_);
    add("2", ben_, Kind::PullRequest, DiscussionStatus::Draft);
    const Discussion third = add("3", ben_, Kind::PullRequest);
    const Discussion fourth = add("4", ana_);
    ASSERT_TRUE(discussions_->set_status(
        third, DiscussionStatus::Merged, std::string(40, 'a'), "", {ana_, later_}));
    ASSERT_TRUE(discussions_->set_status(fourth, DiscussionStatus::Closed, "", "", {ana_, later_}));
    EXPECT_THAT(numbers({Kind::PullRequest, Wanted::All, {}}), ElementsAre(3, 2));
    EXPECT_THAT(numbers({Kind::Talk, Wanted::All, {}}), ElementsAre(4, 1));
    EXPECT_THAT(numbers({{}, Wanted::Open, {}}), ElementsAre(2, 1));
    EXPECT_THAT(numbers({{}, Wanted::Closed, {}}), ElementsAre(4, 3));
    EXPECT_THAT(numbers({{}, Wanted::All, ben_}), ElementsAre(3, 2));
    EXPECT_THAT(numbers({Kind::PullRequest, Wanted::Open, ben_}), ElementsAre(2));
    EXPECT_THAT(numbers({}, 1, 2), ElementsAre(3, 2));
    EXPECT_EQ(discussions_->list(repo_, {}, 1, 2)->total, 4U);
    EXPECT_TRUE(*discussions_->has_pull_under_way(repo_, ben_));
    EXPECT_FALSE(*discussions_->has_pull_under_way(repo_, ana_));
    EXPECT_EQ((*discussions_->find(repo_, 3))->merged, std::string(40, 'a'));
}

TEST_P(DiscussionsTest, keeps_what_was_said_and_done_in_its_order) {
    const Discussion one = add("old", ana_);
    ASSERT_TRUE(discussions_->comment(one, "hello", {ben_, later_}));
    const auto renamed = discussions_->rename(one, "new", {ana_, later_});
    ASSERT_TRUE(renamed);
    EXPECT_EQ(renamed->before, "old");
    const auto closed =
        discussions_->set_status(one, DiscussionStatus::Closed, "", "done", {ana_, later_});
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->text, "closed");
    // Who saw an older status is told so, and nothing happens.
    EXPECT_EQ(discussions_->set_status(one, DiscussionStatus::Closed, "", "x", {ben_, later_})
                  .error()
                  .code(),
              ErrorCode::Conflict);
    const auto events = discussions_->events(one);
    ASSERT_TRUE(events);
    std::vector<std::string> said;
    for (const DiscussionEvent& event : *events) {
        said.push_back(event.author.name + ": " + event.text);
        EXPECT_EQ(event.id.size(), 24U);
    }
    EXPECT_THAT(
        said, ElementsAre("ana: about old", "ben: hello", "ana: new", "ana: done", "ana: closed"));
    EXPECT_EQ((*discussions_->find(repo_, 1))->title, "new");
    EXPECT_EQ((*discussions_->find(repo_, 1))->author.full_name, "ana the user");
}

TEST_P(DiscussionsTest, keeps_what_a_comment_said_until_it_is_hidden) {
    const Discussion one = add("t", ana_);
    const auto said = discussions_->comment(one, "first", {ben_, now_});
    ASSERT_TRUE(said);
    ASSERT_TRUE(discussions_->edit_comment(one, said->id, "second", later_));
    const auto third = discussions_->edit_comment(one, said->id, "third", later_);
    ASSERT_TRUE(third);
    EXPECT_EQ(third->text, "third");
    EXPECT_EQ(third->edited, later_);
    ASSERT_EQ(third->history.size(), 2U);
    EXPECT_EQ(third->history[0].text, "first");
    EXPECT_EQ(third->history[0].written, now_);
    EXPECT_EQ(third->history[1].text, "second");
    EXPECT_EQ(third->history[1].written, later_);
    EXPECT_EQ(discussions_->events(one)->back().history.size(), 2U);

    const auto hidden = discussions_->hide_comment(one, said->id);
    ASSERT_TRUE(hidden);
    EXPECT_TRUE(hidden->hidden);
    EXPECT_EQ(hidden->text, "");
    EXPECT_TRUE(hidden->history.empty());
    EXPECT_EQ(discussions_->edit_comment(one, said->id, "again", later_).error().code(),
              ErrorCode::Conflict);

    // Of another discussion, or no comment at all.
    const Discussion other = add("o", ana_);
    EXPECT_EQ(discussions_->hide_comment(other, said->id).error().code(), ErrorCode::NotFound);
    const auto renamed = discussions_->rename(one, "new", {ana_, later_});
    EXPECT_EQ(discussions_->hide_comment(one, renamed->id).error().code(), ErrorCode::NotFound);
    EXPECT_FALSE(*discussions_->find_comment(one, renamed->id));
    EXPECT_TRUE(*discussions_->find_comment(one, said->id));
}

TEST_P(DiscussionsTest, ends_a_comment_that_is_changed_without_end) {
    const Discussion one = add("t", ana_);
    const auto said = discussions_->comment(one, "0", {ana_, now_});
    for (std::size_t i = 1; i <= kCommentVersions; ++i) {
        ASSERT_TRUE(discussions_->edit_comment(one, said->id, std::to_string(i), now_));
    }
    EXPECT_EQ(discussions_->edit_comment(one, said->id, "x", now_).error().code(),
              ErrorCode::TooLarge);
    EXPECT_EQ((*discussions_->find_comment(one, said->id))->history.back().text,
              std::to_string(kCommentVersions - 1));
}

TEST_P(DiscussionsTest, ends_one_that_has_too_much_text) {
    const Discussion one = add("t", ana_);
    const std::string large(kCommentLimit, 'x');
    const auto said = discussions_->comment(one, large, {ana_, now_});
    ASSERT_TRUE(said);
    std::size_t comments = 1;
    while (discussions_->comment(one, large, {ana_, now_})) {
        ASSERT_LT(++comments, 40U);
    }
    EXPECT_EQ(comments, 30U); // Of 65,536 + 100 each.
    // What it said before counts too, until it is hidden.
    EXPECT_EQ(discussions_->edit_comment(one, said->id, large, now_).error().code(),
              ErrorCode::TooLarge);
    EXPECT_TRUE(discussions_->edit_comment(one, said->id, "short", now_));
    ASSERT_TRUE(discussions_->hide_comment(one, said->id));
    EXPECT_TRUE(discussions_->comment(one, large, {ana_, now_}));
    // It can be closed whatever is in it.
    while (discussions_->comment(one, std::string(2000, 'x'), {ana_, now_})) {
    }
    while (discussions_->comment(one, "x", {ana_, now_})) {
    }
    EXPECT_EQ(discussions_->rename(one, "new", {ana_, now_}).error().code(), ErrorCode::TooLarge);
    EXPECT_EQ(discussions_->check_set_status(one, "x").error().code(), ErrorCode::TooLarge);
    EXPECT_TRUE(discussions_->check_set_status(one, ""));
    EXPECT_TRUE(discussions_->set_status(one, DiscussionStatus::Closed, "", "", {ana_, now_}));
}

TEST_P(DiscussionsTest, goes_along_with_its_repository) {
    const Discussion one = add("t", ana_);
    ASSERT_TRUE(names_->move_repo(repo_, {RepoType::Model, "ana", "small"}));
    EXPECT_TRUE(*discussions_->find(repo_, 1));
    ASSERT_TRUE(names_->remove_repo(repo_));
    EXPECT_FALSE(*discussions_->find(repo_, 1));
    EXPECT_TRUE(discussions_->events(one)->empty());
}

LOCARA_WITH_BACKENDS(DiscussionsTest);

TEST(PullRef, is_one_text_for_one_number) {
    EXPECT_EQ(pull_ref(12), "refs/pr/12");
    EXPECT_EQ(parse_pull_ref("refs/pr/12"), 12);
    for (const char* text : {"refs/pr/",
                             "refs/pr/0",
                             "refs/pr/01",
                             "refs/pr/-1",
                             "refs/pr/+1",
                             "refs/pr/1x",
                             "refs/pr/1/head",
                             "refs/pr/99999999999999999999",
                             "refs/heads/pr/1",
                             "pr/1",
                             ""}) {
        EXPECT_FALSE(parse_pull_ref(text)) << text;
    }
}

} // namespace
} // namespace locara::hub
