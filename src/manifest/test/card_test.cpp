#include <locara/manifest/card.hpp>

#include <gtest/gtest.h>

namespace locara::manifest {
namespace {

TEST(CardTest, reads_what_decides_something) {
    const auto card = ModelCard::parse("---\n"
                                       "license: other\n"
                                       "license_name: tiny-terms\n"
                                       "license_link: https://hub.example/terms\n"
                                       "base_model:\n- acme/a\n- acme/b\n"
                                       "base_model_relation: merge\n"
                                       "pipeline_tag: text-generation\n"
                                       "tags: [no, 1.0]\n"
                                       "---\n# Title\nlicense: mit\n");
    ASSERT_TRUE(card) << card.error().describe();
    EXPECT_EQ(card->license, "other");
    EXPECT_EQ(card->license_name, "tiny-terms");
    EXPECT_EQ(card->license_link, "https://hub.example/terms");
    EXPECT_EQ(card->base_models, (std::vector<std::string>{"acme/a", "acme/b"}));
    EXPECT_EQ(card->base_model_relation, "merge");
    EXPECT_EQ(card->pipeline_tag, "text-generation");
}

TEST(CardTest, a_card_without_front_matter_says_nothing) {
    for (const char* text :
         {"", "# Title", "---\nlicense: mit\n", " ---\nlicense: mit\n---\n", "---\n---\n"}) {
        const auto card = ModelCard::parse(text);
        ASSERT_TRUE(card) << text << card.error().describe();
        EXPECT_TRUE(card->license.empty() && card->base_models.empty()) << text;
    }
    const auto card =
        ModelCard::parse("\xEF\xBB\xBF---\r\nlicense: mit\r\nbase_model:\r\n--- \r\n");
    ASSERT_TRUE(card) << card.error().describe();
    EXPECT_EQ(card->license, "mit");
}

TEST(CardTest, says_which_line_is_wrong) {
    const auto code = [](const std::string& matter) {
        return ModelCard::parse("---\n" + matter + "\n---\n").error();
    };
    EXPECT_NE(code("a: b\nlicense: {a: b}").message().find("line 3"), std::string::npos);
    EXPECT_EQ(code("license: [[mit]]").code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(code("license: [mit").code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(code("just words").code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(code("x: " + std::string(10'000, '[')).code(), ErrorCode::InvalidArgument);
    std::string bases = "base_model:";
    for (int i = 0; i < 17; ++i) {
        bases += "\n- acme/x";
    }
    EXPECT_EQ(code(bases).code(), ErrorCode::TooLarge);
    EXPECT_EQ(code("x: " + std::string(kFrontMatterLimitBytes, 'a')).code(), ErrorCode::TooLarge);
}

} // namespace
} // namespace locara::manifest
