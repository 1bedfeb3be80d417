#include "test/support.hpp"

#include <locara/formats/gguf.hpp>

#include <gtest/gtest.h>

#include <functional>

namespace locara::formats {
namespace {

using test::array_pair;
using test::clean_gguf;
using test::gguf_text;
using test::GgufBuilder;
using test::pair;
using test::text_pair;
using test::tokens_pair;
using test::u32;
using test::u32_pair;
using test::u64;

std::string rule_of(const std::string& bytes) {
    const auto checked = check_gguf(MemorySource(as_bytes(bytes)));
    return checked ? "valid" : checked.error().rule;
}

/// The rule that a clean file breaks after one change.
std::string rule_after(const std::function<void(GgufBuilder&)>& change) {
    GgufBuilder b = clean_gguf();
    change(b);
    return rule_of(b.build());
}

/// The rule for a file with one more pair, or with this one in place of that of the same key.
std::string rule_with(const std::string& key, const std::string& whole_pair) {
    return rule_after([&](GgufBuilder& b) {
        std::erase_if(b.pairs, [&](const std::string& p) { return p.starts_with(gguf_text(key)); });
        b.pairs.push_back(whole_pair);
    });
}

TEST(Gguf, reads_what_callers_want_to_know) {
    const std::string bytes = clean_gguf().build();
    const auto parsed = parse_gguf(MemorySource(as_bytes(bytes)));
    ASSERT_TRUE(parsed) << parsed.error().describe();
    EXPECT_EQ(parsed->version, 3U);
    EXPECT_EQ(parsed->alignment, 32U);
    EXPECT_EQ(parsed->architecture(), "llama");
    EXPECT_EQ(parsed->name(), "Clean");
    EXPECT_EQ(parsed->license(), std::nullopt);
    EXPECT_EQ(parsed->context_length(), 256U);
    EXPECT_EQ(parsed->embedding_length(), 32U);
    EXPECT_EQ(parsed->layer_count(), 2U);
    EXPECT_EQ(parsed->head_count(), 4U);
    EXPECT_EQ(parsed->head_count_kv(), 2U);
    EXPECT_EQ(parsed->chat_template(), "{{ messages[0].content }}");
    EXPECT_EQ(parsed->tokenizer_model(), "llama");
    EXPECT_EQ(parsed->vocabulary_size(), 6U);
    EXPECT_EQ(parsed->parameter_count(), 192U + 3U + 64U);
    EXPECT_EQ(parsed->tensor_bytes(), 384U + 12U + 68U);
    ASSERT_EQ(parsed->tensors.size(), 3U);
    EXPECT_EQ(parsed->tensors[2].type->name, "Q8_0");
    EXPECT_EQ(parsed->tensors[2].offset, parsed->data_offset + 416);
    EXPECT_EQ(bytes[parsed->tensors[2].offset], '\3');
    const GgufValue* scores = parsed->find("tokenizer.ggml.scores");
    ASSERT_NE(scores, nullptr);
    EXPECT_EQ(scores->numbers.size(), 6U);
    const GgufValue* tokens = parsed->find("tokenizer.ggml.tokens");
    EXPECT_FALSE(tokens->held);
    EXPECT_EQ(bytes.substr(tokens->offset + 8, 5), "<unk>");
}

TEST(Gguf, says_how_it_was_quantized_and_what_its_cache_takes) {
    const auto read = [](GgufBuilder b) {
        const std::string bytes = b.build();
        return parse_gguf(MemorySource(as_bytes(bytes))).value();
    };
    GgufBuilder b = clean_gguf();
    EXPECT_EQ(read(b).quantization(), "F16"); // most bytes
    // Two layers of two heads, with keys and values of 32 / 4 float16 each.
    EXPECT_EQ(read(b).kv_bytes_per_token(), 2U * 2U * (8U + 8U) * 2U);
    b.pairs.push_back(u32_pair("general.file_type", 15));
    b.pairs.push_back(u32_pair("llama.attention.key_length", 10));
    EXPECT_EQ(read(b).quantization(), "Q4_K_M");
    EXPECT_EQ(read(b).kv_bytes_per_token(), 2U * 2U * (10U + 8U) * 2U);
    b = clean_gguf();
    b.pairs.push_back(u32_pair("general.file_type", 4'000));
    EXPECT_EQ(read(b).quantization(), "F16"); // a number that the engine does not know
    std::erase_if(b.pairs, [](const std::string& p) {
        return p.find(".attention.head_count") != std::string::npos;
    });
    EXPECT_EQ(read(b).kv_bytes_per_token(), 0U); // nothing attends
}

TEST(Gguf, checks_the_header) {
    EXPECT_EQ(rule_of(""), "gguf.header");
    EXPECT_EQ(rule_of(clean_gguf().build().substr(0, 23)), "gguf.header");
    EXPECT_EQ(rule_after([](auto& b) { b.magic = "GGUX"; }), "gguf.magic");
    EXPECT_EQ(rule_after([](auto& b) { b.version = 1; }), "gguf.version");
    EXPECT_EQ(rule_after([](auto& b) { b.version = 2; }), "valid");
    EXPECT_EQ(rule_after([](auto& b) { b.version = 4; }), "gguf.version");
    EXPECT_EQ(rule_after([](auto& b) { b.version = 0x03000000; }), "gguf.version"); // big-endian
    EXPECT_EQ(rule_after([](auto& b) { b.add_tensors = 65'536; }), "gguf.tensor.count");
    EXPECT_EQ(rule_after([](auto& b) { b.add_tensors = 60'000; }), "gguf.tensor.count"); // no room
    EXPECT_EQ(rule_after([](auto& b) { b.add_tensors = -4; }), "gguf.tensor.count");     // wraps
    EXPECT_EQ(rule_after([](auto& b) { b.add_pairs = 65'536; }), "gguf.metadata.count");
    EXPECT_EQ(rule_after([](auto& b) { b.add_pairs = 60'000; }), "gguf.metadata.count");
    EXPECT_EQ(rule_after([](auto& b) { b.add_pairs = -17; }), "gguf.metadata.count");
}

TEST(Gguf, counts_keys_and_tensors_up_to_the_limit) {
    const auto keys = [](std::uint64_t count) {
        GgufBuilder b;
        for (std::uint64_t i = 1; i < count; ++i) {
            b.pairs.push_back(pair("k" + std::to_string(i), 0, "x"));
        }
        return rule_of(b.build());
    };
    EXPECT_EQ(keys(65'536), "valid");
    EXPECT_EQ(keys(65'537), "gguf.metadata.count");
    const auto tensors = [](std::uint64_t count) {
        GgufBuilder b;
        b.pairs.push_back(u32_pair("general.alignment", 8));
        b.alignment = 8;
        for (std::uint64_t i = 0; i < count; ++i) {
            b.tensors.push_back({"t" + std::to_string(i), {2}, 0, i * 8});
        }
        b.data = std::string(count * 8, 'x');
        return rule_of(b.build());
    };
    EXPECT_EQ(tensors(65'536), "valid");
    EXPECT_EQ(tensors(65'537), "gguf.tensor.count");
}

TEST(Gguf, checks_keys) {
    const auto key = [](const std::string& name) {
        return rule_after([&](GgufBuilder& b) { b.pairs.push_back(pair(name, 0, "x")); });
    };
    EXPECT_EQ(key(""), "gguf.key.length");
    EXPECT_EQ(key("k"), "valid");
    EXPECT_EQ(key("general.base_model.0.name"), "valid");
    EXPECT_EQ(key("gpt-oss.context_length"), "valid");
    EXPECT_EQ(key(std::string(65'535, 'k')), "valid");
    EXPECT_EQ(key(std::string(65'536, 'k')), "gguf.key.length");
    for (const char* bad : {".a", "a.", "a..b", "a b", "a\n", "gr\xc3\xb6sse", "a/b"}) {
        EXPECT_EQ(key(bad), "gguf.key.characters") << bad;
    }
    EXPECT_EQ(key("general.name"), "gguf.key.duplicate");
    EXPECT_EQ(rule_after([](GgufBuilder& b) {
                  for (char c = 'a'; c < 'a' + 26; ++c) {
                      for (char d = 'a'; d < 'a' + 5; ++d) {
                          b.pairs.push_back(pair(std::string(65'533, 'k') + c + d, 0, "x"));
                      }
                  }
              }),
              "gguf.key.length"); // 130 long keys pass 8 MiB together
}

TEST(Gguf, checks_values) {
    const auto value = [](std::uint32_t type, const std::string& bytes) {
        return rule_after([&](GgufBuilder& b) { b.pairs.push_back(pair("x.y", type, bytes)); });
    };
    const std::vector<std::pair<std::uint32_t, std::size_t>> widths = {
        {0, 1}, {1, 1}, {2, 2}, {3, 2}, {4, 4}, {5, 4}, {6, 4}, {10, 8}, {11, 8}, {12, 8}};
    for (const auto& [type, width] : widths) {
        EXPECT_EQ(value(type, std::string(width, '\x7F')), "valid") << type;
        EXPECT_EQ(value(9, u32(type) + u64(3) + std::string(3 * width, 'x')), "valid") << type;
        EXPECT_EQ(value(9, u32(type) + u64(0)), "valid") << type;
        EXPECT_EQ(value(9, u32(type) + u64(~0ULL) + "x"), "gguf.value.length") << type;
        EXPECT_EQ(value(9, u32(type) + u64(1ULL << 61U) + "x"), "gguf.value.length") << type;
    }
    EXPECT_EQ(value(7, std::string(1, '\0')), "valid");
    EXPECT_EQ(value(7, std::string(1, '\1')), "valid");
    EXPECT_EQ(value(7, std::string(1, '\2')), "gguf.value.bool");
    EXPECT_EQ(value(9, u32(7) + u64(2) + "\1\2"), "gguf.value.bool");
    EXPECT_EQ(value(9, u32(7) + u64(10'000) + std::string(9'999, '\1') + "\2"),
              "gguf.value.bool"); // in an array too long to be held
    EXPECT_EQ(value(9, u32(7) + u64(10'000) + std::string(10'000, '\1')), "valid");
    EXPECT_EQ(value(13, "x"), "gguf.value.type");
    EXPECT_EQ(value(9, u32(9) + u64(0)), "gguf.value.nested");
    EXPECT_EQ(value(9, u32(13) + u64(0)), "gguf.value.type");
    EXPECT_EQ(value(8, u64(~0ULL) + "x"), "gguf.value.length");
    EXPECT_EQ(value(9, u32(8) + u64(2) + gguf_text("a") + u64(~0ULL)), "gguf.value.length");
    EXPECT_EQ(value(9, u32(8) + u64(1ULL << 61U)), "gguf.value.length");
}

TEST(Gguf, holds_long_values_only_by_their_place) {
    GgufBuilder b = clean_gguf();
    b.pairs.push_back(text_pair("long.text", std::string((1U << 20U) + 1, 'x')));
    b.pairs.push_back(text_pair("short.text", std::string(1U << 20U, 'y')));
    b.pairs.push_back(array_pair("long.array", 0, 4'097, std::string(4'097, 'x')));
    b.pairs.push_back(array_pair("short.array", 0, 4'096, std::string(4'096, 'x')));
    const std::string bytes = b.build();
    const auto parsed = parse_gguf(MemorySource(as_bytes(bytes)));
    ASSERT_TRUE(parsed) << parsed.error().describe();
    EXPECT_FALSE(parsed->find("long.text")->held);
    EXPECT_EQ(parsed->find_text("long.text"), std::nullopt);
    EXPECT_EQ(parsed->find("long.text")->size, (1U << 20U) + 1);
    EXPECT_EQ(bytes[parsed->find("long.text")->offset], 'x');
    EXPECT_EQ(parsed->find_text("short.text")->size(), 1U << 20U);
    EXPECT_FALSE(parsed->find("long.array")->held);
    EXPECT_EQ(parsed->find("short.array")->numbers.size(), 4'096U);
}

TEST(Gguf, asks_for_an_architecture_and_a_right_alignment) {
    const auto architecture = [](const std::string& p) {
        return rule_with("general.architecture", p);
    };
    EXPECT_EQ(rule_after([](auto& b) { b.pairs.erase(b.pairs.begin()); }), "gguf.architecture");
    EXPECT_EQ(architecture(u32_pair("general.architecture", 1)), "gguf.architecture");
    EXPECT_EQ(architecture(text_pair("general.architecture", "")), "gguf.architecture");
    EXPECT_EQ(architecture(text_pair("general.architecture", "a b")), "gguf.architecture");

    const auto alignment = [](std::uint32_t value) {
        GgufBuilder b;
        b.pairs.push_back(u32_pair("general.alignment", value));
        b.alignment = value == 0 ? 32 : value;
        b.tensors = {{"t", {1}, 24, 0}};
        b.data = "x";
        return rule_of(b.build());
    };
    EXPECT_EQ(alignment(0), "gguf.alignment");
    EXPECT_EQ(alignment(4), "gguf.alignment");
    EXPECT_EQ(alignment(8), "valid");
    EXPECT_EQ(alignment(12), "gguf.alignment");
    EXPECT_EQ(alignment(65'536), "valid");
    EXPECT_EQ(alignment(131'072), "gguf.alignment");
    EXPECT_EQ(rule_with("general.alignment", pair("general.alignment", 10, u64(32))),
              "gguf.alignment");
}

TEST(Gguf, checks_the_tensor_table) {
    const auto tensor = [](const std::function<void(GgufBuilder::Tensor&)>& change) {
        return rule_after([&](GgufBuilder& b) { change(b.tensors[0]); });
    };
    EXPECT_EQ(tensor([](auto& t) { t.name = ""; }), "gguf.tensor.name");
    EXPECT_EQ(tensor([](auto& t) { t.name = std::string(63, 'n'); }), "valid");
    EXPECT_EQ(tensor([](auto& t) { t.name = std::string(64, 'n'); }), "gguf.tensor.name");
    EXPECT_EQ(tensor([](auto& t) { t.name = "a\xff"; }), "gguf.tensor.name");
    EXPECT_EQ(tensor([](auto& t) { t.name = std::string("a\0b", 3); }), "gguf.tensor.name");
    EXPECT_EQ(tensor([](auto& t) { t.name = "output_norm.weight"; }), "gguf.tensor.duplicate");
    EXPECT_EQ(tensor([](auto& t) { t.shape = {}; }), "gguf.tensor.dimensions");
    EXPECT_EQ(tensor([](auto& t) { t.shape = {32, 6, 1, 1}; }), "valid");
    EXPECT_EQ(tensor([](auto& t) { t.shape = {32, 6, 1, 1, 1}; }), "gguf.tensor.dimensions");
    EXPECT_EQ(tensor([](auto& t) { t.shape = {32, 0}; }), "gguf.tensor.shape");
    EXPECT_EQ(tensor([](auto& t) { t.shape = {1ULL << 63U}; }), "gguf.tensor.shape");
    EXPECT_EQ(tensor([](auto& t) { t.shape = {(1ULL << 63U) - 1}; }), "gguf.tensor.outside");
    EXPECT_EQ(tensor([](auto& t) {
                  t.shape = {1ULL << 32U, 1ULL << 31U};
              }),
              "gguf.tensor.overflow");
    EXPECT_EQ(tensor([](auto& t) {
                  t.shape = {1ULL << 32U, 1ULL << 32U};
              }),
              "gguf.tensor.overflow");
    EXPECT_EQ(tensor([](auto& t) {
                  t.shape = {1ULL << 62U};
                  t.type = 28; // F64: 2^65 bytes
              }),
              "gguf.tensor.overflow");
    for (const std::uint32_t type : {4U, 5U, 31U, 32U, 33U, 36U, 37U, 38U, 43U, 0xFFFFFFFFU}) {
        EXPECT_EQ(tensor([&](auto& t) { t.type = type; }), "gguf.tensor.type") << type;
    }
    EXPECT_EQ(tensor([](auto& t) {
                  t.shape = {33, 6};
                  t.type = 8;
              }),
              "gguf.tensor.block");
    EXPECT_EQ(tensor([](auto& t) { t.offset = 32; }), "gguf.tensor.offset");
    EXPECT_EQ(rule_after([](auto& b) { b.tensors[1].offset = 385; }), "gguf.tensor.offset");
    EXPECT_EQ(rule_after([](auto& b) { b.tensors[1].offset = 0; }), "gguf.tensor.offset");
    EXPECT_EQ(rule_after([](auto& b) { b.tensors[1].offset = 416; }), "gguf.tensor.offset");
    EXPECT_EQ(rule_after([](auto& b) { std::swap(b.tensors[0], b.tensors[1]); }),
              "gguf.tensor.offset");
}

TEST(Gguf, wants_the_tensors_to_fill_the_file) {
    const std::string bytes = clean_gguf().build();
    EXPECT_EQ(rule_of(bytes), "valid");
    EXPECT_EQ(rule_of(bytes.substr(0, bytes.size() - 28)), "valid"); // no padding at the end
    EXPECT_EQ(rule_of(bytes.substr(0, bytes.size() - 29)), "gguf.tensor.outside");
    EXPECT_EQ(rule_of(bytes + std::string(1, '\0')), "gguf.layout.trailing");
    EXPECT_EQ(rule_after([](auto& b) { b.data[396] = 'x'; }), "gguf.layout.padding");
    EXPECT_EQ(rule_after([](auto& b) { b.data.back() = 'x'; }), "gguf.layout.padding");
    EXPECT_EQ(rule_after([](auto& b) { b.pad_byte = 'x'; }), "gguf.layout.padding");

    GgufBuilder vocabulary; // no tensors at all
    EXPECT_EQ(rule_of(vocabulary.build()), "valid");
    EXPECT_EQ(rule_of(vocabulary.build() + "x"), "gguf.layout.trailing");
    vocabulary.alignment = 1; // and no padding
    EXPECT_EQ(rule_of(vocabulary.build()), "valid");

    GgufBuilder cut; // inside the first pair, and inside the second
    cut.pairs.push_back(text_pair("general.name", "Clean"));
    EXPECT_EQ(rule_of(cut.build().substr(0, 60)), "gguf.truncated");
    EXPECT_EQ(rule_of(cut.build().substr(0, 80)), "gguf.truncated");
    for (std::size_t size = 0; size < bytes.size() - 28; ++size) {
        EXPECT_NE(rule_of(bytes.substr(0, size)), "valid") << size;
    }
}

TEST(Gguf, knows_every_tensor_type_of_the_engine) {
    // Sizes of blocks as llama.cpp v0.5.0 prints them: name, elements, bytes.
    struct Row {
        std::uint32_t id;
        const char* name;
        unsigned elements;
        unsigned bytes;
    };

    const std::vector<Row> rows = {
        {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},
        {3, "Q4_1", 32, 20},      {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},
        {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},      {10, "Q2_K", 256, 84},
        {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
        {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66},
        {17, "IQ2_XS", 256, 74},  {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},
        {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},  {22, "IQ2_S", 256, 82},
        {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
        {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},
        {29, "IQ1_M", 256, 56},   {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},
        {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},    {40, "NVFP4", 64, 36},
        {41, "Q1_0", 128, 18},    {42, "Q2_0", 64, 18}};
    for (const Row& row : rows) {
        const GgmlType* type = find_ggml_type(row.id);
        ASSERT_NE(type, nullptr) << row.id;
        EXPECT_EQ(type->name, row.name);
        EXPECT_EQ(type->block_elements, row.elements) << row.name;
        EXPECT_EQ(type->block_bytes, row.bytes) << row.name;
        GgufBuilder b;
        b.tensors = {{"t", {row.elements, 3}, row.id, 0}};
        b.data = std::string(row.bytes * 3ULL, 'x');
        EXPECT_EQ(rule_of(b.build()), "valid") << row.name;
        b.data.pop_back();
        EXPECT_EQ(rule_of(b.build()), "gguf.tensor.outside") << row.name;
    }
}

TEST(Gguf, checks_what_loaders_trust) {
    const auto layers = [](std::uint32_t n) {
        return rule_with("llama.block_count", u32_pair("llama.block_count", n));
    };
    EXPECT_EQ(layers(512), "valid");
    EXPECT_EQ(layers(513), "gguf.layers");
    EXPECT_EQ(rule_with("llama.block_count", text_pair("llama.block_count", "2")), "gguf.layers");
    EXPECT_EQ(rule_with("llama.block_count", pair("llama.block_count", 5, u32(0xFFFFFFFF))),
              "gguf.layers"); // -1
    EXPECT_EQ(rule_with("llama.expert_count", u32_pair("llama.expert_count", 1024)), "valid");
    EXPECT_EQ(rule_with("llama.expert_count", u32_pair("llama.expert_count", 1025)),
              "gguf.experts");

    const std::string heads = "llama.attention.head_count";
    EXPECT_EQ(rule_with(heads, u32_pair(heads, 1)), "valid");
    EXPECT_EQ(rule_with(heads, u32_pair(heads, 0)), "gguf.heads");
    EXPECT_EQ(rule_with(heads, text_pair(heads, "4")), "gguf.heads");
    EXPECT_EQ(rule_with(heads, array_pair(heads, 5, 2, u32(4) + u32(0))), "valid");
    EXPECT_EQ(rule_with(heads, array_pair(heads, 5, 2, u32(0) + u32(0))), "gguf.heads");
    EXPECT_EQ(rule_with(heads, array_pair(heads, 5, 2, u32(4) + u32(~0U))), "gguf.heads");
    EXPECT_EQ(rule_with(heads, array_pair(heads, 5, 0, "")), "gguf.heads");
    EXPECT_EQ(rule_with(heads, array_pair(heads, 0, 512, std::string(512, '\1'))), "valid");
    EXPECT_EQ(rule_with(heads, array_pair(heads, 0, 513, std::string(513, '\1'))), "gguf.heads");
    GgufBuilder mamba; // writes 0, having no attention
    mamba.pairs = {text_pair("general.architecture", "mamba"),
                   u32_pair("mamba.attention.head_count", 0)};
    EXPECT_EQ(rule_of(mamba.build()), "valid");
}

TEST(Gguf, checks_the_vocabulary) {
    const std::string tokens = "tokenizer.ggml.tokens";
    const std::string types = "tokenizer.ggml.token_type";
    const std::string scores = "tokenizer.ggml.scores";
    EXPECT_EQ(rule_with(tokens, text_pair(tokens, "a")), "gguf.tokens.type");
    EXPECT_EQ(rule_with(tokens, array_pair(tokens, 0, 6, "aaaaaa")), "gguf.tokens.type");
    EXPECT_EQ(rule_with(tokens, array_pair(tokens, 8, 0, "")), "gguf.tokens.type");
    EXPECT_EQ(
        rule_with(
            tokens,
            array_pair(tokens, 8, kGgufMaxTokens + 1, std::string((kGgufMaxTokens + 1) * 8, '\0'))),
        "gguf.tokens.count");
    EXPECT_EQ(rule_with(tokens, tokens_pair({"a", "b"})), "gguf.tokens.length");
    EXPECT_EQ(rule_with(scores, array_pair(scores, 6, 5, std::string(20, '\0'))),
              "gguf.tokens.length");
    EXPECT_EQ(rule_with(scores, array_pair(scores, 6, 7, std::string(28, '\0'))),
              "gguf.tokens.length");
    EXPECT_EQ(rule_with(scores, array_pair(scores, 5, 6, std::string(24, '\0'))), "valid");
    EXPECT_EQ(rule_with(scores, array_pair(scores, 12, 6, std::string(48, '\0'))),
              "gguf.tokens.type");
    EXPECT_EQ(rule_with(types, array_pair(types, 4, 6, std::string(24, '\0'))), "gguf.tokens.type");
    EXPECT_EQ(rule_with("tokenizer.ggml.merges", u32_pair("tokenizer.ggml.merges", 1)),
              "gguf.tokens.type");

    const std::string eos = "tokenizer.ggml.eos_token_id";
    EXPECT_EQ(rule_with(eos, u32_pair(eos, 5)), "valid");
    EXPECT_EQ(rule_with(eos, u32_pair(eos, 6)), "gguf.tokens.id");
    EXPECT_EQ(rule_with(eos, pair(eos, 5, u32(~0U))), "gguf.tokens.id");
    EXPECT_EQ(rule_with(eos, text_pair(eos, "2")), "gguf.tokens.id");

    const auto byte_token = [&](const std::string& text) {
        return rule_with(tokens, tokens_pair({"<unk>", "<s>", "</s>", text, "a", "b"}));
    };
    EXPECT_EQ(byte_token("<0x00>"), "valid");
    EXPECT_EQ(byte_token("<0xFF>"), "valid");
    for (const char* bad : {"<0xGG>", "<0x0>", "<0x000>", "0x00", "", "<0x0A", "x"}) {
        EXPECT_EQ(byte_token(bad), "gguf.tokens.byte") << bad;
    }
    EXPECT_EQ(rule_with(tokens, tokens_pair({"<unk>", "<s>", "</s>", "<0x0A>", "a", "a"})),
              "gguf.tokens.duplicate");
    EXPECT_EQ(rule_with(tokens, tokens_pair({"<unk>", "<s>", "</s>", "<0x0A>", "", ""})), "valid");
    EXPECT_EQ(
        rule_with(tokens,
                  tokens_pair({"<unk>", "<s>", "</s>", "<0x0A>", "a", std::string(65'536, 'b')})),
        "valid");
    EXPECT_EQ(
        rule_with(tokens,
                  tokens_pair({"<unk>", "<s>", "</s>", "<0x0A>", "a", std::string(65'537, 'b')})),
        "gguf.tokens.text");
}

TEST(Gguf, names_no_byte_beyond_the_end) {
    GgufBuilder b;
    b.tensors = {{"a", {1}, 24, 0}, {"b", {1}, 24, 32}};
    b.data = "x"; // the second one would start after the end of the file
    const std::string bytes = b.build();
    const auto checked = check_gguf(MemorySource(as_bytes(bytes)));
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().rule, "gguf.tensor.outside");
    EXPECT_EQ(checked.error().offset, bytes.size());
}

TEST(Gguf, reports_a_failed_read_as_such) {
    class Failing final : public ByteSource {
      public:
        std::uint64_t size() const override { return 4096; }

        Status read(std::uint64_t, std::span<std::byte>) const override {
            return Error(ErrorCode::Io, "the disk is gone");
        }
    };

    EXPECT_EQ(check_gguf(Failing()).error().rule, "io.read");
    EXPECT_EQ(parse_gguf(Failing()).error().code(), ErrorCode::Io);
}

} // namespace
} // namespace locara::formats
