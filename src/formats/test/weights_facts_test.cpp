#include "support.hpp"

#include <locara/formats/scan.hpp>

#include <gtest/gtest.h>

namespace locara::formats {
namespace {

using namespace test;

std::optional<WeightsFacts> facts(const std::string& bytes, const std::string& name = "m.bin") {
    return examine_source(MemorySource(as_bytes(bytes)), name).facts;
}

TEST(WeightsFacts, say_what_the_header_of_gguf_says) {
    const auto found = facts(clean_gguf().build());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->format, "gguf");
    EXPECT_EQ(found->parameters, 32U * 6 + 3 + 64);
    EXPECT_EQ(found->types,
              (std::map<std::string, std::uint64_t>{{"F16", 192}, {"F32", 3}, {"Q8_0", 64}}));
    EXPECT_EQ(found->architecture, "llama");
    EXPECT_EQ(found->context_length, 256U);
    EXPECT_EQ(found->chat_template, "{{ messages[0].content }}");
    EXPECT_EQ(found->bos_token, "<s>");
    EXPECT_EQ(found->eos_token, "</s>");
}

TEST(WeightsFacts, leave_out_what_the_file_does_not_say_or_says_at_length) {
    GgufBuilder b;
    b.pairs.push_back(
        text_pair("tokenizer.chat_template", "{# " + std::string(kMaxFactTemplate, 'x') + " #}"));
    b.pairs.push_back(tokens_pair({std::string(65'536, 't'), "<s>", std::string(257, 'e')}));
    b.pairs.push_back(u32_pair("tokenizer.ggml.bos_token_id", 1));
    b.pairs.push_back(u32_pair("tokenizer.ggml.eos_token_id", 2));
    const auto found = facts(b.build());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->parameters, 0U);
    EXPECT_FALSE(found->context_length || found->chat_template || found->eos_token);
    EXPECT_EQ(found->bos_token, "<s>") << "behind a long one";
}

TEST(WeightsFacts, count_the_elements_of_safetensors_by_type) {
    const auto found = facts(clean_safetensors());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->format, "safetensors");
    EXPECT_EQ(found->parameters, 7U);
    EXPECT_EQ(found->types, (std::map<std::string, std::uint64_t>{{"BF16", 3}, {"F32", 4}}));
    EXPECT_FALSE(found->architecture);
}

TEST(WeightsFacts, are_of_weights_that_pass_alone) {
    EXPECT_FALSE(facts("text\n"));
    EXPECT_FALSE(facts(clean_gguf().build() + "x"));
    ZipBuilder zip;
    const std::string data = clean_gguf().build();
    zip.members = {{.name = "m.gguf", .data = data}};
    EXPECT_FALSE(facts(zip.build())) << "the archive has no tensors";
}

TEST(WeightsFacts, come_back_from_their_text) {
    for (const std::string& bytes : {clean_gguf().build(), clean_safetensors()}) {
        const auto found = facts(bytes);
        ASSERT_TRUE(found);
        const auto again = parse_facts(render_facts(*found));
        ASSERT_TRUE(again) << again.error().describe();
        EXPECT_EQ(*again, *found);
    }
}

} // namespace
} // namespace locara::formats
