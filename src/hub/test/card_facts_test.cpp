#include "card_facts.hpp"
#include "repo_search.hpp"

#include <gtest/gtest.h>

namespace locara::hub {
namespace {

using Texts = std::vector<std::string>;

Json json_of(const char* text) {
    return parse_json(text).value();
}

http::Request asking(const std::string& query) {
    http::Request request;
    request.query = http::Query::parse(query).value();
    return request;
}

TEST(CardFactsTest, of_a_model_are_what_it_is_and_comes_from) {
    const CardFacts facts = CardFacts::of(
        json_of(
            R"({"license": ["mit", "apache-2.0"], "base_model": ["a/b", "c/d"], "tags": ["x", "x"],
                    "base_model_relation": "merge", "language": "en", "datasets": ["squad", 7]})"),
        RepoType::Model);
    EXPECT_EQ(facts.tags,
              (Texts{"x",
                     "en",
                     "dataset:squad",
                     "base_model:a/b",
                     "base_model:c/d",
                     "base_model:merge:a/b",
                     "base_model:merge:c/d",
                     "license:mit",
                     "license:apache-2.0"}));
    EXPECT_EQ(facts.task, "");
}

TEST(CardFactsTest, of_a_dataset_say_their_kind) {
    const CardFacts facts = CardFacts::of(
        json_of(R"({"language": ["en"], "task_ids": ["t"], "pipeline_tag": "x", "tags": ["y"]})"),
        RepoType::Dataset);
    EXPECT_EQ(facts.tags, (Texts{"task_ids:t", "language:en", "y"}));
    EXPECT_EQ(facts.task, "");
}

TEST(CardFactsTest, are_bounded) {
    Json tags = Json::array({std::string(1000, 'a'), ""});
    for (int i = 0; i < 1000; ++i) {
        tags.push_back("t" + std::to_string(i));
    }
    EXPECT_EQ(CardFacts::of({{"tags", tags}}, RepoType::Space).tags.size(), kCardTagsLimit);
    EXPECT_TRUE(CardFacts::of(nullptr, RepoType::Model).tags.empty());
    EXPECT_TRUE(CardFacts::of({{"tags", {{"a", 1}}}}, RepoType::Model).tags.empty());
}

TEST(RepoSearchTest, takes_lists_in_each_spelling) {
    EXPECT_EQ(listed(asking("x=a&x=b,c&x[]=d"), "x"), (Texts{"a", "b", "c", "d"}));
    EXPECT_EQ(listed(asking("y=a"), "x"), Texts());
}

TEST(RepoSearchTest, wants_all_that_is_asked_for) {
    const Json repo = json_of(
        R"({"id": "Ana/Tiny", "gated": "auto", "tags": ["en", "license:mit", "language:de", "gguf"]})");
    for (const char* const query : {"",
                                    "search=tiny",
                                    "search=ana/&search=ny",
                                    "filter=en,gguf",
                                    "license=mit",
                                    "language=en&language=de",
                                    "library=gguf",
                                    "gated=true",
                                    "unknown=x"}) {
        EXPECT_TRUE(fits(asking(query), repo)) << query;
    }
    for (const char* const query : {"search=big",
                                    "filter=en&filter=fr",
                                    "license=x",
                                    "gated=false",
                                    "pipeline_tag=en2",
                                    "filter="}) {
        EXPECT_FALSE(fits(asking(query), repo)) << query;
    }
}

TEST(RepoSearchTest, sorts_largest_first_and_ids_from_a_to_z) {
    const std::vector<Json> repos = {json_of(R"({"id": "b", "likes": 2})"),
                                     json_of(R"({"id": "a", "likes": 1})"),
                                     json_of(R"({"id": "c"})")};
    const auto order = [&](const std::string& query) {
        auto sorted = repos;
        EXPECT_TRUE(sort_by_query(asking(query), sorted)) << query;
        std::string ids;
        for (const Json& repo : sorted) {
            ids += repo["id"].get<std::string>();
        }
        return ids;
    };
    EXPECT_EQ(order(""), "bac");
    EXPECT_EQ(order("sort=likes"), "bac");
    EXPECT_EQ(order("sort=likes&direction=1"), "cab");
    EXPECT_EQ(order("sort=id"), "abc");
    EXPECT_EQ(order("sort=id&direction=-1"), "cba");
    EXPECT_EQ(order("sort=trendingScore"), "bac") << "nobody has one";
    auto sorted = repos;
    EXPECT_EQ(sort_by_query(asking("sort=sha"), sorted).error().code(), ErrorCode::InvalidArgument);
}

} // namespace
} // namespace locara::hub
