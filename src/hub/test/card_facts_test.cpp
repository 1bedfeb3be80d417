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

Texts errors_of(const std::string& front_matter, RepoType type = RepoType::Model) {
    return check_card("---\nlicense: mit\n" + front_matter + "\n---\n", type).errors;
}

Texts warnings_of(const std::string& front_matter, RepoType type = RepoType::Model) {
    return check_card("---\nlicense: mit\n" + front_matter + "\n---\n", type).warnings;
}

TEST(CheckCardTest, knows_tasks_and_languages_and_only_warns_of_others) {
    EXPECT_EQ(warnings_of("pipeline_tag: text-generation\nlanguage: [en, nds, code]"), Texts());
    EXPECT_EQ(warnings_of("pipeline_tag: text-generator"),
              Texts{"pipeline_tag \"text-generator\" is no id of a task"});
    EXPECT_EQ(warnings_of("language: [en, xx, English, en-GB]"),
              (Texts{"language \"xx\" is no id of a language",
                     "language \"English\" is no id of a language",
                     "language \"en-GB\" is no id of a language"}));
    const std::string tasks = "task_categories: [other, nothing]";
    EXPECT_EQ(warnings_of(tasks, RepoType::Dataset),
              Texts{"task_categories \"nothing\" is no id of a task"});
    EXPECT_EQ(warnings_of(tasks), Texts()) << "models have none";
    EXPECT_EQ(errors_of("language: xx\npipeline_tag: x"), Texts());
}

TEST(CheckCardTest, wants_words_where_words_belong) {
    EXPECT_EQ(errors_of("metrics: [accuracy, f1]"), Texts());
    EXPECT_EQ(errors_of("metrics: {accuracy: 1}"),
              Texts{"metrics must be text or a list of texts"});
    EXPECT_EQ(errors_of("task_categories: [[a]]", RepoType::Dataset),
              Texts{"task_categories must be text or a list of texts"});
}

TEST(CheckCardTest, holds_results_of_evaluations_to_their_form) {
    const auto error_of = [](const std::string& json) {
        const Texts errors = errors_of("model-index: " + json);
        return errors.empty() ? "" : errors.front();
    };
    const std::string task = R"("task": {"type": "text-generation"})";
    const std::string data = R"("dataset": {"type": "squad", "name": "SQuAD"})";
    const auto with = [](const std::string& result) {
        return R"([{"name": "m", "results": [)" + result + "]}]";
    };
    const auto full = [&](const std::string& metrics) {
        return with("{" + task + ", " + data + R"(, "metrics": )" + metrics + "}");
    };
    EXPECT_EQ(error_of(full(R"([{"type": "f1", "value": 0.5}, {"type": "x", "value": [1]}])")), "");
    EXPECT_EQ(error_of("[]"), "");
    EXPECT_EQ(error_of("null"), "");
    for (const auto& [json, error] : {
             std::pair<std::string, std::string>("1", "model-index must be a list"),
             {"[1]", "model-index[0] must have members"},
             {"[{}]", "model-index[0].name is required"},
             {R"([{"name": [1], "results": []}])", "model-index[0].name must be text"},
             {R"([{"name": "m"}])", "model-index[0].results must be a list"},
             {with("1"), "model-index[0].results[0] must have members"},
             {with("{" + data + "}"), "model-index[0].results[0].task is required, with members"},
             {with(R"({"task": {"name": "x"}, )" + data + "}"),
              "model-index[0].results[0].task.type is required"},
             {with("{" + task + R"(, "dataset": {"type": "squad"}})"),
              "model-index[0].results[0].dataset.name is required"},
             {with("{" + task + ", " + data + "}"),
              "model-index[0].results[0].metrics must be a list"},
             {full("[1]"), "model-index[0].results[0].metrics[0] must have members"},
             {full(R"([{"value": 1}])"), "model-index[0].results[0].metrics[0].type is required"},
             {full(R"([{"type": "f1", "value": 1}, {"type": "f1"}])"),
              "model-index[0].results[0].metrics[1].value is required"},
         }) {
        EXPECT_EQ(error_of(json), error);
    }
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
                                    "gguf=true",
                                    "gguf=1",
                                    "gated=true",
                                    "unknown=x"}) {
        EXPECT_TRUE(fits(asking(query), repo)) << query;
    }
    for (const char* const query : {"search=big",
                                    "filter=en&filter=fr",
                                    "license=x",
                                    "gated=false",
                                    "gguf=false",
                                    "pipeline_tag=en2",
                                    "filter="}) {
        EXPECT_FALSE(fits(asking(query), repo)) << query;
    }
}

TEST(RepoSearchTest, tells_weights_for_llama_cpp_from_others) {
    const Json other = json_of(R"({"id": "a/b", "gated": false, "tags": ["safetensors"]})");
    EXPECT_TRUE(fits(asking("gguf=false"), other));
    EXPECT_FALSE(fits(asking("gguf=true"), other));
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
