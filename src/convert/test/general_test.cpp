#include "general.hpp"

#include <locara/formats/gguf.hpp>

#include <gtest/gtest.h>

namespace locara::convert {
namespace {

// What llama.cpp's own tests say (gguf-py/tests/test_metadata.py, v0.5.0).
TEST(General, takes_names_apart) {
    struct Case {
        const char* name;
        double parameters;
        const char *organization, *basename, *finetune, *version, *size;
    };

    const std::vector<Case> cases = {
        {"Mistral", 0, "", "", "", "", ""},
        {"Mixtral-8x7B-v0.1", 0, "", "Mixtral", "", "v0.1", "8x7B"},
        {"Mixtral-8x7B-Instruct-v0.1", 0, "", "Mixtral", "Instruct", "v0.1", "8x7B"},
        {"microsoft/Phi-3-mini-4k-instruct", 4e9, "microsoft", "Phi-3", "4k-instruct", "", "mini"},
        {"Qwen/Qwen2-1.5B-Instruct", 1.5e9, "Qwen", "Qwen2", "Instruct", "", "1.5B"},
        {"NousResearch/Meta-Llama-3-8B", 8e9, "NousResearch", "Meta-Llama-3", "", "", "8B"},
        {"bigscience/bloom-7b1-petals", 7e9, "bigscience", "bloom", "petals", "", "7.1B"},
        {"MaziyarPanahi/GreenNode-mini-7B-multilingual-v1.0-base-Mistral-7B-Instruct-v0.1",
         7e9,
         "MaziyarPanahi",
         "GreenNode-mini",
         "multilingual-base-Mistral-Instruct",
         "v1.0-v0.1",
         "7B"},
        {"locara/quick-add", 1.3e6, "locara", "", "", "", ""},
    };
    for (const auto& one : cases) {
        const auto parts = parse_model_name(one.name, static_cast<std::uint64_t>(one.parameters));
        EXPECT_EQ(parts.organization, one.organization) << one.name;
        EXPECT_EQ(parts.basename, one.basename) << one.name;
        EXPECT_EQ(parts.finetune, one.finetune) << one.name;
        EXPECT_EQ(parts.version, one.version) << one.name;
        EXPECT_EQ(parts.size_label, one.size) << one.name;
    }
    EXPECT_EQ(parse_model_name("I've a name", 0).name, "I've a name");
}

TEST(General, makes_titles) {
    EXPECT_EQ(to_title("Mixtral-8x7B-Instruct-v0.1"), "Mixtral 8x7B Instruct v0.1");
    EXPECT_EQ(to_title("quick-add"), "Quick Add");
    EXPECT_EQ(to_title("qwen2.5-0.5b--instruct"), "Qwen2.5 0.5b Instruct");
    EXPECT_EQ(to_title("a1b"), "A1B");
    EXPECT_EQ(to_title(""), "");
    const std::string endless = "v" + std::string(1'000'000, '1');
    EXPECT_EQ(to_title(endless), endless);
    EXPECT_EQ(parse_model_name(endless, 0).name, endless);
}

TEST(General, labels_sizes_with_two_digits) {
    EXPECT_EQ(size_label(1'316'480), "1.3M");
    EXPECT_EQ(size_label(494'032'768), "494M");
    EXPECT_EQ(size_label(7'615'616'512), "7.6B");
    EXPECT_EQ(size_label(1'000'000), "1000K");
    EXPECT_EQ(size_label(400), "0.40K");
    EXPECT_EQ(size_label(2'000'000'000'000), "2.0T");
}

TEST(General, a_card_says_whose_it_is_and_where_it_comes_from) {
    GeneralFacts facts;
    facts.repo = "acme/tiny-2b-chat";
    facts.parameters = 2'000'000'000;
    facts.card = Json{{"license", "apache-2.0"},
                      {"language", "en"},
                      {"tags", {"a", "b"}},
                      {"pipeline_tag", "text-generation"},
                      {"model_creator", "Ann"},
                      {"base_model", {"acme/root-7b", "https://huggingface.co/x/y-1.0"}},
                      {"datasets", "acme/words"},
                      {"version", 1.0}}; // no text: passed over
    facts.generation = Json{{"top_k", 20}, {"temperature", 0.5}, {"top_p", nullptr}};
    GgufHeader header;
    header.add_text("general.architecture", "llama");
    add_general(header, facts);
    const std::string bytes = header.render();
    const auto parsed = formats::parse_gguf(formats::MemorySource(as_bytes(bytes)));
    ASSERT_TRUE(parsed) << parsed.error().describe();
    std::string keys;
    for (const auto& [key, value] : parsed->metadata) {
        keys += key + (value.type == formats::GgufType::String ? "=" + value.text : "") + "\n";
    }
    EXPECT_EQ(keys,
              "general.architecture=llama\n"
              "general.type=model\n"
              "general.sampling.top_k\n"
              "general.sampling.temp\n"
              "general.name=Tiny 2b Chat\n"
              "general.author=Ann\n"
              "general.finetune=chat\n"
              "general.basename=tiny\n"
              "general.size_label=2B\n"
              "general.license=apache-2.0\n"
              "general.base_model.count\n"
              "general.base_model.0.name=Root 7b\n"
              "general.base_model.0.organization=Acme\n"
              "general.base_model.0.repo_url=https://huggingface.co/acme/root-7b\n"
              "general.base_model.1.name=Y 1.0\n"
              "general.base_model.1.version=1.0\n"
              "general.base_model.1.organization=X\n"
              "general.base_model.1.repo_url=https://huggingface.co/x/y-1.0\n"
              "general.dataset.count\n"
              "general.dataset.0.name=Words\n"
              "general.dataset.0.organization=Acme\n"
              "general.dataset.0.repo_url=https://huggingface.co/acme/words\n"
              "general.tags\n"
              "general.languages\n");
}

} // namespace
} // namespace locara::convert
