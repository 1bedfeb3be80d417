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

TEST(CardTest, gives_the_whole_front_matter_as_json) {
    const auto json = [](const std::string& matter) {
        const auto read = read_front_matter("---\n" + matter + "\n---\n# Title\n");
        return read ? (*read ? (*read)->dump() : "nothing") : read.error().describe();
    };
    EXPECT_EQ(json("license: mit\ntags: [a, 1.0, '1.0', true, ~, -3, 1e3, 0x1F, 2026-01-02]\n"
                   "model-index:\n- name: x\n  results: {}\nempty:"),
              R"({"license":"mit","tags":["a",1.0,"1.0",true,null,-3,1000.0,"0x1F","2026-01-02"],)"
              R"("model-index":[{"name":"x","results":{}}],"empty":null})");
    EXPECT_EQ(json("a: &x [1]\nb: *x"), R"({"a":[1],"b":[1]})");
    EXPECT_EQ(json("a: .inf\nb: 99999999999999999999\nc: +7\nd: '-'\nf: 1.2.3"),
              R"({"a":".inf","b":1e+20,"c":7,"d":"-","f":"1.2.3"})");
    EXPECT_EQ(json(""), "nothing");
    EXPECT_FALSE(*read_front_matter("# no front matter"));
    EXPECT_NE(json("a: 1\na: 2").find("line 3: a is given twice"), std::string::npos);
    EXPECT_NE(json("[a]: 1").find("a key must be text"), std::string::npos);
    EXPECT_NE(json("- a").find("must be a list of members"), std::string::npos);
}

TEST(CardTest, a_front_matter_of_aliases_of_aliases_is_too_large) {
    std::string bomb = "---\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 9; ++i) {
        const std::string before = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int n = 0; n < 10; ++n) {
            bomb += (n > 0 ? ", " : "") + before;
        }
        bomb += "]\n";
    }
    EXPECT_EQ(read_front_matter(bomb + "---\n").error().code(), ErrorCode::TooLarge);
    std::string deep = "---\nx: ";
    deep += std::string(40, '[') + std::string(40, ']') + "\n---\n";
    EXPECT_EQ(read_front_matter(deep).error().code(), ErrorCode::TooLarge);
}

} // namespace
} // namespace locara::manifest
