#include "config.hpp"
#include "test/repo.hpp"

#include <gtest/gtest.h>

namespace locara::convert {
namespace {

ModelConfig parse(const Json& json) {
    auto out = parse_config(json.dump());
    EXPECT_TRUE(out) << out.error().describe();
    return out ? *out : ModelConfig();
}

TEST(Config, says_what_a_model_is) {
    const auto model = parse(test::config());
    EXPECT_EQ(model.architecture->gguf, "llama");
    EXPECT_EQ(model.head_width, 4U);
    EXPECT_EQ(model.extent(Extent::Keys), 8U);
    EXPECT_EQ(model.special[1], 257U);
    EXPECT_FALSE(model.special[0]);
    EXPECT_TRUE(model.tied);
}

TEST(Config, what_may_be_absent_has_the_value_of_the_class) {
    Json json = test::config();
    json.erase("num_key_value_heads");
    json.erase("rope_theta");
    json.erase("tie_word_embeddings");
    const auto model = parse(json);
    EXPECT_EQ(model.kv_heads, 4U);
    EXPECT_EQ(model.rope.theta, 10'000.0);
    EXPECT_FALSE(model.tied);
    json["architectures"] = {"Qwen2ForCausalLM"};
    EXPECT_EQ(parse_config(json.dump()).error().code(), ErrorCode::Corrupt);
}

TEST(Config, knows_both_ways_to_write_rope) {
    Json json = test::config();
    json["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", 32.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", 8192}};
    EXPECT_EQ(parse(json).rope.kind, Rope::Kind::Llama3);
    json.erase("rope_scaling");
    json.erase("rope_theta");
    json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 500000}};
    EXPECT_EQ(parse(json).rope.kind, Rope::Kind::Plain);
    EXPECT_EQ(parse(json).rope.theta, 500'000.0);
    json["rope_parameters"] = {{"type", "yarn"},
                               {"factor", 4},
                               {"original_max_position_embeddings", 32768},
                               {"beta_fast", 32}};
    EXPECT_EQ(parse(json).rope.kind, Rope::Kind::Yarn);
    EXPECT_EQ(parse(json).rope.original_context, 32'768U);
    EXPECT_EQ(parse(json).rope.beta_fast, 32.0);
}

TEST(Config, what_it_does_not_know_it_names) {
    struct Case {
        const char* key;
        Json value;
        const char* named;
        ErrorCode code;
    };

    const std::vector<Case> cases = {
        {"architectures",
         {"BertModel"},
         "LlamaForCausalLM, MistralForCausalLM",
         ErrorCode::Unsupported},
        {"architectures", Json::array(), "architecture", ErrorCode::Corrupt},
        {"hidden_act", "gelu", "gelu", ErrorCode::Unsupported},
        {"quantization_config", Json::object(), "quantization_config", ErrorCode::Unsupported},
        {"num_local_experts", 8, "num_local_experts", ErrorCode::Unsupported},
        {"use_sliding_window", true, "use_sliding_window", ErrorCode::Unsupported},
        {"rope_scaling", {{"type", "longrope"}, {"factor", 2}}, "longrope", ErrorCode::Unsupported},
        {"num_hidden_layers", 513, "num_hidden_layers", ErrorCode::Corrupt},
        {"num_hidden_layers", 0, "num_hidden_layers", ErrorCode::Corrupt},
        {"num_hidden_layers", "2", "num_hidden_layers", ErrorCode::Corrupt},
        {"vocab_size", 4'194'305, "vocab_size", ErrorCode::Corrupt},
        {"hidden_size", -1, "hidden_size", ErrorCode::Corrupt},
        {"hidden_size", 18, "hidden_size", ErrorCode::Corrupt},
        {"num_key_value_heads", 3, "heads", ErrorCode::Corrupt},
        {"head_dim", 3, "wide", ErrorCode::Corrupt},
        {"rms_norm_eps", 0, "rms_norm_eps", ErrorCode::Corrupt},
        {"rms_norm_eps", 1e300, "rms_norm_eps", ErrorCode::Corrupt},
        {"rope_theta", 0, "rope_theta", ErrorCode::Corrupt},
        {"max_position_embeddings", nullptr, "max_position_embeddings", ErrorCode::Corrupt},
    };
    for (const auto& one : cases) {
        Json json = test::config();
        json[one.key] = one.value;
        const auto parsed = parse_config(json.dump());
        ASSERT_FALSE(parsed) << one.key << one.value;
        EXPECT_EQ(parsed.error().code(), one.code) << parsed.error().describe();
        EXPECT_NE(parsed.error().message().find(one.named), std::string::npos)
            << parsed.error().message();
    }
    EXPECT_EQ(parse_config("[]").error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(parse_config("{").error().code(), ErrorCode::Corrupt);
}

} // namespace
} // namespace locara::convert
