#include "test/repo.hpp"
#include "tokenizer.hpp"
#include "tokenizer_json.hpp"

#include <gtest/gtest.h>

namespace locara::convert {
namespace {

constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

Json split(std::string_view regex) {
    return {{"type", "Sequence"},
            {"pretokenizers",
             {{{"type", "Split"},
               {"pattern", {{"Regex", regex}}},
               {"behavior", "Isolated"},
               {"invert", false}},
              test::byte_level()}}};
}

Result<Tokenizer>
read(const Json& tokenizer, const Json& config = nullptr, const Json& model = test::config()) {
    const auto parsed = parse_config(model.dump());
    EXPECT_TRUE(parsed);
    return read_tokenizer(tokenizer.dump(), config.is_null() ? "" : config.dump(), "", *parsed);
}

using Special = std::vector<std::pair<std::string, std::uint64_t>>;
using Adds = std::vector<std::pair<std::string, bool>>;

TEST(Tokenizer, has_a_token_of_a_type_for_each_number) {
    const auto out = read(test::tokenizer());
    ASSERT_TRUE(out) << out.error().describe();
    EXPECT_EQ(out->pre, "gpt-2");
    ASSERT_EQ(out->tokens.size(), 260U);
    EXPECT_EQ(out->tokens[' '], "\xC4\xA0");
    EXPECT_EQ(out->tokens[256], "ab");
    EXPECT_EQ(out->types[256], 1);
    EXPECT_EQ(out->tokens[257], "<|end|>");
    EXPECT_EQ(out->types[257], 3);
    EXPECT_EQ(out->types[258], 4);
    EXPECT_EQ(out->tokens[259], "[PAD259]");
    EXPECT_EQ(out->types[259], 5);
    EXPECT_EQ(out->merges, std::vector<std::string>{"a b"});
    EXPECT_EQ(out->special, (Special{{"tokenizer.ggml.eos_token_id", 257}}));
    EXPECT_TRUE(out->adds.empty());
}

TEST(Tokenizer, added_tokens_are_as_a_decoder_shows_them) {
    Json json = test::tokenizer();
    json["added_tokens"][0]["special"] = false; // looks special all the same
    json["added_tokens"][1]["content"] = "\xC4\xA0"
                                         "to";
    json["added_tokens"].push_back({{"id", 259},
                                    {"content",
                                     "a\xE2\x96\x81"
                                     "b"},
                                    {"normalized", true},
                                    {"special", false}});
    auto out = read(json);
    ASSERT_TRUE(out) << out.error().describe();
    EXPECT_EQ(out->types[257], 3);
    EXPECT_EQ(out->tokens[258], " to");
    EXPECT_EQ(out->tokens[259], "a b");
    json["added_tokens"][1]["content"] = "\xC3\xA9t\xC3\xA9"; // bytes that are no text
    out = read(json);
    ASSERT_TRUE(out);
    EXPECT_EQ(out->tokens[258], "\xC3\xA9t\xC3\xA9");
}

TEST(Tokenizer, merges_come_in_two_ways) {
    Json json = test::tokenizer();
    json["model"]["merges"] = Json::array({Json::array({"a", "b"}), Json::array({"c ", "d"})});
    const auto out = read(json);
    ASSERT_TRUE(out) << out.error().describe();
    EXPECT_EQ(out->merges, (std::vector<std::string>{"a b", "c\xC4\xA0 d"}));
    for (const Json& bad : {Json("ab"),
                            Json("a b c"),
                            Json(" b"),
                            Json::array({"a"}),
                            Json::array({"a", "b", "c"}),
                            Json(1)}) {
        json["model"]["merges"] = Json::array({bad});
        const auto refused = read(json);
        ASSERT_FALSE(refused) << bad;
        EXPECT_EQ(refused.error().code(), ErrorCode::Corrupt);
    }
}

TEST(Tokenizer, a_pre_tokenizer_is_known_by_its_structure) {
    Json json = test::tokenizer();
    json["pre_tokenizer"] = split(kQwen2);
    json["normalizer"] = {{"type", "NFC"}};
    EXPECT_EQ(read(json)->pre, "qwen2");
    json["pre_tokenizer"] = split(kLlama3);
    EXPECT_FALSE(read(json)); // its name makes the engine ignore merges
    json["model"]["ignore_merges"] = true;
    EXPECT_EQ(read(json)->pre, "llama-bpe");
    json["model"]["ignore_merges"] = false;
    json["pre_tokenizer"] = {
        {"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Digits"}, {"individual_digits", true}}, test::byte_level(true)}}};
    EXPECT_EQ(read(json)->pre, "smollm");
}

TEST(Tokenizer, what_it_does_not_know_it_names) {
    const auto refuses = [](const char* pointer, const Json& value, const char* named) {
        Json json = test::tokenizer();
        json[Json::json_pointer(pointer)] = value;
        const auto out = read(json);
        ASSERT_FALSE(out) << pointer;
        EXPECT_EQ(out.error().code(), ErrorCode::Unsupported) << out.error().describe();
        EXPECT_NE(out.error().message().find(named), std::string::npos) << out.error().message();
    };
    refuses("/model",
            {{"type", "Unigram"}, {"vocab", Json::array({Json::array({"a", -1.5})})}},
            "Unigram");
    refuses("/model/type", "WordPiece", "WordPiece");
    refuses("/model/byte_fallback", true, "SentencePiece");
    refuses("/model/end_of_word_suffix", "</w>", "</w>");
    refuses("/pre_tokenizer", nullptr, "byte-level");
    refuses("/pre_tokenizer", {{"type", "Metaspace"}}, "Metaspace");
    refuses("/pre_tokenizer", split("\\w+"), "\\w+");
    refuses("/pre_tokenizer", split(kQwen2)["pretokenizers"][0], "byte-level");
    refuses("/normalizer", {{"type", "Lowercase"}}, "Lowercase");
    refuses("/decoder", {{"type", "Metaspace"}}, "decoder");
    refuses("/post_processor", {{"type", "RobertaProcessing"}}, "RobertaProcessing");
}

TEST(Tokenizer, special_tokens_come_from_both_files) {
    const auto out = read(test::tokenizer(),
                          {{"bos_token", nullptr},
                           {"eos_token", {{"content", "<|end|>"}}},
                           {"pad_token", "<|end|>"},
                           {"unk_token", "none of these"},
                           {"add_bos_token", false},
                           {"add_prefix_space", false},
                           {"chat_template", "{{ messages }}"}},
                          [] {
                              Json config = test::config();
                              config["bos_token_id"] = 256;
                              config["eos_token_id"] = 258; // tokenizer_config.json comes first
                              return config;
                          }());
    ASSERT_TRUE(out) << out.error().describe();
    EXPECT_EQ(out->special,
              (Special{{"tokenizer.ggml.eos_token_id", 257},
                       {"tokenizer.ggml.padding_token_id", 257},
                       {"tokenizer.ggml.bos_token_id", 256}}));
    EXPECT_EQ(out->adds, (Adds{{"tokenizer.ggml.add_bos_token", false}}));
    EXPECT_EQ(out->chat_template, "{{ messages }}");
    EXPECT_EQ(out->space_prefix, false);
}

/// As Llama 3 has it.
TEST(Tokenizer, a_template_says_what_stands_before_a_text) {
    Json json = test::tokenizer();
    const Json begin = {{"SpecialToken", {{"id", "<|end|>"}, {"type_id", 0}}}};
    const Json a = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
    const Json b = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
    json["post_processor"] = {{"type", "Sequence"},
                              {"processors",
                               {test::byte_level(),
                                {{"type", "TemplateProcessing"},
                                 {"single", {begin, a}},
                                 {"pair", {begin, a, begin, b}}}}}};
    const auto out = read(json, {{"bos_token", "<|end|>"}});
    ASSERT_TRUE(out) << out.error().describe();
    EXPECT_EQ(
        out->adds,
        (Adds{{"tokenizer.ggml.add_bos_token", true}, {"tokenizer.ggml.add_sep_token", false}}));
    EXPECT_EQ(out->special.front(),
              (std::pair<std::string, std::uint64_t>("tokenizer.ggml.bos_token_id", 257)));
}

TEST(Tokenizer, a_template_that_ends_a_text_by_another_token_keeps_the_former) {
    Json json = test::tokenizer();
    const Json end = {{"SpecialToken", {{"id", "task:"}, {"type_id", 0}}}};
    const Json a = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
    json["post_processor"] = {{"type", "TemplateProcessing"}, {"single", {a, end}}};
    const auto out = read(json, {{"eos_token", "<|end|>"}});
    ASSERT_TRUE(out) << out.error().describe();
    EXPECT_EQ(
        out->special,
        (Special{{"tokenizer.ggml.eos_token_id", 258}, {"tokenizer.ggml.eot_token_id", 257}}));
    EXPECT_EQ(out->adds, (Adds{{"tokenizer.ggml.add_eos_token", true}}));
}

TEST(Tokenizer, files_that_contradict_each_other_are_corrupt) {
    const auto refuses = [](const Json& json, const Json& model = test::config()) {
        const auto out = read(json, nullptr, model);
        ASSERT_FALSE(out) << json;
        EXPECT_EQ(out.error().code(), ErrorCode::Corrupt) << out.error().describe();
    };
    Json json = test::tokenizer();
    json["added_tokens"][0]["id"] = 260;
    refuses(json);
    json = test::tokenizer();
    json["model"]["vocab"]["ab"] = 255;
    refuses(json);
    json["model"]["vocab"]["ab"] = "256";
    refuses(json);
    json = test::tokenizer();
    json["added_tokens"] = {{{"id", 257}}};
    refuses(json);
    Json model = test::config();
    model["eos_token_id"] = 260;
    refuses(test::tokenizer(), model);
}

TEST(TokenizerJson, is_strict_and_bounded) {
    const auto code = [](const std::string& text) {
        const auto out = parse_tokenizer_json(text);
        return out ? "ok" : std::string(render(out.error().code()));
    };
    EXPECT_EQ(code("{}"), "ok");
    EXPECT_EQ(code("[]"), "corrupt");
    EXPECT_EQ(code("1"), "corrupt");
    EXPECT_EQ(code("{\"a\":1,\"a\":2}"), "corrupt");
    EXPECT_EQ(code("{\"model\":{\"vocab\":{\"a\":1,\"a\":2}}}"), "corrupt");
    EXPECT_EQ(code("{\"model\":{\"vocab\":{\"a\":1},\"vocab\":{\"b\":2}}}"), "corrupt");
    EXPECT_EQ(code("{\"model\":{\"merges\":[],\"merges\":1}}"), "corrupt");
    EXPECT_EQ(code("{\"model\":{\"vocab\":{\"a\":{}}}}"), "corrupt");
    EXPECT_EQ(code("{\"model\":{\"vocab\":{\"a\":-1}}}"), "corrupt");
    EXPECT_EQ(code("{\"model\":{\"vocab\":{\"a\":4194304}}}"), "too_large");
    EXPECT_EQ(code("{\"model\":{\"merges\":{}}}"), "ok"); // no list: there are none
    EXPECT_EQ(code("{\"model\":{\"merges\":[[[]]]}}"), "corrupt");
    EXPECT_EQ(code("{\"model\":{\"vocab\":[[\"a\",[{\"b\":1}]]],\"type\":\"Unigram\"},\"x\":1}"),
              "ok");
    EXPECT_EQ(code("{\"vocab\":{\"a\":\"b\"}}"), "ok"); // not that of the model
    EXPECT_EQ(code("\xEF\xBB\xBF{}"), "corrupt");
    EXPECT_EQ(code(std::string("{}\0", 3)), "corrupt");
    EXPECT_EQ(code("{\"a\":\"\xFF\"}"), "corrupt");
    EXPECT_EQ(code(std::string(33, '[') + std::string(33, ']')), "too_large");
    std::string keys = "{";
    for (std::size_t i = 0; i <= kTokenizerKeys; ++i) {
        keys += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":1";
    }
    EXPECT_EQ(code(keys + "}"), "too_large");
    std::string values = "[";
    for (std::size_t i = 0; i <= kTokenizerNodes; ++i) {
        values += i == 0 ? "1" : ",1";
    }
    EXPECT_EQ(code(values + "]"), "too_large");
    const auto parsed = parse_tokenizer_json(
        R"({"model":{"vocab":{"b":1,"a":0},"merges":["a b"],"type":"BPE"},"after":[{"x":[1,2]}]})");
    ASSERT_TRUE(parsed) << parsed.error().describe();
    EXPECT_EQ(parsed->rest.dump(), R"({"model":{"type":"BPE"},"after":[{"x":[1,2]}]})");
    EXPECT_EQ(parsed->vocabulary.front(), (std::pair<std::string, std::uint32_t>("b", 1)));
}

} // namespace
} // namespace locara::convert
