// What the record of reviews says, against what the catalog lists.
#include "sample_seed.hpp"

#include <locara/hub/review_catalog.hpp>
#include <locara/manifest/app_entry.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::hub {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kApp = "locara/note-taker";
constexpr const char* kEntry = "apps/locara/note-taker-1.0.0.json";

class ReviewCatalog : public testing::Test {
  protected:
    static crypto::Sha256Digest digest(const std::string& files) {
        return crypto::sha256(as_bytes(files));
    }

    /// A submission that was checked, with a bundle of these files.
    std::uint64_t submit(const std::string& files = "files", bool passes = true) {
        const auto made = reviews_.submit(kApp, "1.0.0", std::string(40, 'a'), "ana").value();
        const Json report = {{"findings", {{{"rule", "version"}, {"message", "it has that"}}}},
                             {"bundle", {{"id", "sha256:" + digest(files).render()}}}};
        EXPECT_TRUE(reviews_.note_check(made.number, report, passes));
        return made.number;
    }

    void step(std::uint64_t number, ReviewState to) {
        EXPECT_TRUE(reviews_.step(number, {to, "carol", "", "as seen"}));
    }

    ReviewState state(std::uint64_t number) { return reviews_.get(number)->state; }

    /// Lists the entry of a bundle of these files.
    void list(const std::string& files = "files") {
        const std::string manifest = test::app_manifest(std::string(64, 'a')).dump();
        const auto entry =
            manifest::AppEntry::render(manifest, 7, digest("the archive"), digest(files));
        ASSERT_TRUE(entry) << entry.error().describe();
        ASSERT_TRUE(repository_.put_target(kEntry, as_bytes(*entry)));
    }

    /// What follow_catalog moves.
    std::vector<Submission> follow(const std::vector<catalog::Target>& before) {
        return follow_catalog(reviews_, before, tree_, repository_, "dora", "").value();
    }

    std::vector<std::string> disagreements() {
        return find_disagreements(reviews_, tree_, repository_).value();
    }

    TempFolder folder_ = *TempFolder::create(testing::TempDir(), "review-catalog-");
    Reviews reviews_{folder_.path(), system_clock()};
    std::filesystem::path tree_ = folder_.path() / "catalog";
    catalog::Repository repository_ =
        catalog::Repository::create(tree_, folder_.path() / "keys", system_clock()).value();
};

TEST_F(ReviewCatalog, is_followed_where_an_approved_entry_comes_and_goes) {
    const auto number = submit();
    const auto empty = repository_.targets();
    list();
    EXPECT_THAT(follow(empty), IsEmpty()); // nobody approved it
    step(number, ReviewState::Approved);
    EXPECT_THAT(disagreements(), ElementsAre(HasSubstr("is approved, and the catalog lists it")));
    EXPECT_THAT(follow(repository_.targets()), IsEmpty()); // it did not come now
    EXPECT_THAT(follow(empty), SizeIs(1));
    EXPECT_EQ(state(number), ReviewState::Published);
    EXPECT_THAT(disagreements(), IsEmpty());

    const auto listed = repository_.targets();
    ASSERT_TRUE(repository_.remove_target(kEntry));
    EXPECT_THAT(disagreements(), ElementsAre(HasSubstr("the catalog does not list it")));
    EXPECT_THAT(follow(listed), SizeIs(1));
    EXPECT_EQ(state(number), ReviewState::Yanked);
    const Json last = reviews_.steps(number)->back();
    EXPECT_EQ(last.at("by"), "dora");
    EXPECT_THAT(last.at("why").get<std::string>(), HasSubstr("no longer in the catalog"));
    EXPECT_THAT(disagreements(), IsEmpty());
}

TEST_F(ReviewCatalog, notes_no_other_bundle_as_the_approved_one) {
    const auto number = submit();
    step(number, ReviewState::Approved);
    const auto empty = repository_.targets();
    list("others");
    EXPECT_THAT(follow(empty), IsEmpty());
    EXPECT_EQ(state(number), ReviewState::Approved);
    const std::string other = "sha256:" + digest("others").render();
    EXPECT_THAT(disagreements(),
                ElementsAre(HasSubstr("another bundle, whose files are " + other)));
    const auto entry = find_entry(reviews_, *reviews_.get(number), tree_, repository_).value();
    ASSERT_TRUE(entry);
    EXPECT_FALSE(entry->same);
    EXPECT_EQ(entry->bundle, other);
    step(number, ReviewState::Rejected);
    EXPECT_THAT(disagreements(), ElementsAre(HasSubstr("is rejected")));
}

TEST_F(ReviewCatalog, has_more_than_was_submitted) {
    list(); // by a seed, before there is any record
    EXPECT_THAT(disagreements(), IsEmpty());
    submit("files", false); // whose check says that the version is there
    submit("others", false);
    EXPECT_THAT(disagreements(), IsEmpty());
}

} // namespace
} // namespace locara::hub
