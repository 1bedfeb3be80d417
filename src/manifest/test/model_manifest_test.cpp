#include "samples.hpp"

#include <locara/manifest/verified.hpp>
#include <locara/test_support/golden.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::manifest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class Change> std::string message(Change change) {
    Json json = sample_model();
    change(json);
    const auto parsed = ModelManifest::parse(render_json(json));
    return parsed ? "" : parsed.error().describe();
}

TEST(ModelManifest, reads_every_field) {
    const auto model = ModelManifest::parse(render_json(sample_model()));
    ASSERT_TRUE(model) << model.error().describe();
    EXPECT_EQ(model->source.revision, "0123456789abcdef0123456789abcdef01234567");
    EXPECT_EQ(model->get_default().download_bytes(), 1000U);
    EXPECT_EQ(model->get_default().files[0].format, FileFormat::Gguf);
    EXPECT_EQ(model->get_default().quality->value, 0.97);
    EXPECT_FALSE(model->get_default().speed);
    EXPECT_EQ(model->recommended.max_tokens, 160);
    EXPECT_FALSE(model->recommended.top_p);
    EXPECT_EQ(model->validation->probes[0].messages[0].content, "call mom");
    EXPECT_FALSE(model->license.terms.needs_consent());
    EXPECT_EQ(model->license.text_sha256, "");
    EXPECT_EQ(model->find_variant("q4"), nullptr);
}

TEST(ModelManifest, errors_name_path_rule_found_and_fix) {
    Mistakes<ModelManifest> mistakes(sample_model());
    mistakes.set("/source/revision", R"("main")");
    mistakes.set("/default", R"("q4")");
    mistakes.set("/variants", "[]");
    mistakes.set("/variants/0/files/0/format", R"("pickle")");
    mistakes.set("/variants/0/files/0/path", R"("pytorch_model.bin")");
    mistakes.set("/variants/0/files/0/path", R"("model.safetensors")");
    mistakes.set("/variants/0/files/0/path", R"("../model.gguf")");
    mistakes.set("/variants/0/files/0/sha256", R"("00")");
    mistakes.set("/validation/results/passed", "2");
    mistakes.set("/recommended/temprature", "1");
    mistakes.set("/license/terms/gated", "");
    mistakes.set("/license/id", R"("MIT or later")");
    mistakes.set("/license/text_sha256", R"("00")");
    Json with_base = sample_model();
    with_base["lineage"] = {{{"repo", "acme/base"},
                             {"revision", "0123456789abcdef0123456789abcdef01234567"},
                             {"relation", "finetune"},
                             {"license", "(MIT"}}};
    mistakes.add("a base whose license is no expression", with_base);
    Json json = sample_model();
    json["variants"].push_back(json["variants"][0]);
    mistakes.add("a variant twice", json);
    json["variants"][1]["name"] = "q8";
    json["variants"][1]["files"][0]["size"] = 2;
    mistakes.add("a file of another size in another variant", json);
    json = sample_model();
    json["variants"][0]["files"][0]["path"] = "config.json";
    json["variants"][0]["files"][0]["format"] = "json";
    mistakes.add("a variant without weights", json);
    EXPECT_GOLDEN("errors/model.txt", mistakes.text());
}

TEST(ModelManifest, nulls_and_absent_optional_keys_are_the_same) {
    EXPECT_EQ(message([](Json& j) {
                  j.erase("chat_template");
                  j.erase("tokenizer");
                  j.erase("validation");
                  j.erase("recommended");
                  j["variants"][0].erase("quality");
                  j["variants"][0].erase("speed");
                  j["variants"][0]["files"][0].erase("xet_hash");
              }),
              "");
}

/// As if every variant had been asked the probes that are there now.
void note_probes(Json& json) {
    const auto model = ModelManifest::parse(render_json(json));
    ASSERT_TRUE(model) << model.error().describe();
    for (Json& record : json["validation"]["variants"]) {
        record["probes_sha256"] =
            probes_sha256(model->validation->probes, model->recommended).render();
    }
}

Json validated_model() {
    Json json = sample_model();
    const auto files = ModelManifest::parse(render_json(json))->get_default().files_sha256();
    json["validation"]["variants"] = {{{"variant", json["variants"][0]["name"]},
                                       {"files_sha256", files.render()},
                                       {"date", "2026-11-22T10:00:00Z"},
                                       {"engine_version", "v0.5.0 b1"},
                                       {"machine", "a machine"},
                                       {"passed", 1},
                                       {"failed", 0},
                                       {"prompt_tokens_per_second", 100.5},
                                       {"tokens_per_second", 10},
                                       {"peak_memory_bytes", 1000},
                                       {"perplexity",
                                        {{"value", 1.5},
                                         {"base", nullptr},
                                         {"base_variant", nullptr},
                                         {"text_sha256", files.render()},
                                         {"tokens", 12}}}}};
    note_probes(json);
    return json;
}

/// Why a changed one does not count as validated; empty if it does.
template <class Change> std::string why_not(Change change) {
    Json json = validated_model();
    change(json);
    const auto model = ModelManifest::parse(render_json(json));
    if (!model) {
        return "does not parse: " + model.error().describe();
    }
    const auto status = model->check_validated();
    return status ? "" : status.error().message();
}

TEST(ModelManifest, is_validated_only_with_the_files_and_probes_that_it_has) {
    EXPECT_EQ(why_not([](Json&) {}), "");
    const auto changes = {
        std::pair(
            "no probes", +[](Json& j) { j.erase("validation"); }),
        std::pair(
            "were not run",
            +[](Json& j) {
                for (const char* key : {"date", "engine_version", "results", "variants"}) {
                    j["validation"][key] = nullptr;
                }
            }),
        std::pair(
            "was not run", +[](Json& j) { j["validation"].erase("variants"); }),
        std::pair(
            "was not run",
            +[](Json& j) {
                j["variants"].push_back(j["variants"][0]);
                j["variants"][1]["name"] = "another";
            }),
        std::pair(
            "variant f16 has no perplexity",
            +[](Json& j) { j["validation"]["variants"][0]["perplexity"] = nullptr; }),
        std::pair(
            "variant f16 has no perplexity",
            +[](Json& j) { j["validation"]["variants"][0]["perplexity"]["tokens"] = 0; }),
        std::pair(
            "does not tell the quality", +[](Json& j) { j["variants"][0]["quality"] = nullptr; }),
        std::pair(
            "another quality than was measured",
            +[](Json& j) {
                j["variants"][0]["quality"] = {
                    {"metric", "perplexity"}, {"value", 1.0}, {"base", nullptr}, {"how", "h"}};
            }),
        std::pair(
            "another speed than was measured",
            +[](Json& j) {
                j["variants"][0]["speed"] = {{"tokens_per_second", 9e9}, {"machine", "a machine"}};
            }),
        std::pair(
            "other files",
            +[](Json& j) { j["variants"][0]["files"][0]["sha256"] = std::string(64, '7'); }),
        std::pair(
            "0 of 1",
            +[](Json& j) {
                j["validation"]["variants"][0]["passed"] = 0;
                j["validation"]["variants"][0]["failed"] = 1;
            }),
        std::pair(
            "other probes",
            +[](Json& j) {
                j["validation"]["probes"].push_back(j["validation"]["probes"][0]);
                j["validation"]["results"]["passed"] = 2;
            }),
        std::pair(
            "variant f16 was asked other probes, or with other parameters: validate it again",
            +[](Json& j) { j["validation"]["probes"][0]["expected"] = "4, and nobody asked"; }),
        std::pair(
            "other probes",
            +[](Json& j) {
                j["validation"]["probes"][0]["messages"][0]["content"] = "What is 2+2?";
            }),
        std::pair(
            "other parameters", +[](Json& j) { j["recommended"]["stop"] = {"}"}; }),
        std::pair(
            "variant f16 has no record of which probes it was asked (probes_sha256): validate it",
            +[](Json& j) { j["validation"]["variants"][0].erase("probes_sha256"); }),
    };
    for (const auto& [words, change] : changes) {
        EXPECT_THAT(why_not(change), HasSubstr(words));
    }
    EXPECT_THAT(why_not([](Json& j) { j["validation"]["date"] = nullptr; }),
                HasSubstr("belong together"));
}

TEST(ModelManifest, knows_which_ancestors_are_gated) {
    Json json = sample_model();
    const Json base = {{"repo", "acme/base"},
                       {"revision", "0123456789abcdef0123456789abcdef01234567"},
                       {"relation", "finetune"}};
    json["lineage"] = {base, base, base};
    json["lineage"][1]["gated"] = true;
    json["lineage"][2]["gated"] = nullptr;
    const auto model = ModelManifest::parse(render_json(json));
    ASSERT_TRUE(model) << model.error().describe();
    EXPECT_FALSE(model->lineage[0].gated);
    EXPECT_TRUE(model->lineage[1].gated);
    EXPECT_FALSE(model->lineage[2].gated);
}

TEST(ModelManifest, hashes_probes_in_one_form_that_others_can_make) {
    const std::vector<Probe> asked = {{{{"system", "Be \"short\""}, {"user", "añ\n"}}, "\x7f"}};
    Recommended parameters;
    parameters.temperature = 0.5;
    parameters.seed = 7;
    parameters.top_p = 1;
    parameters.top_k = 40;
    parameters.stop = {"}"};
    EXPECT_EQ(probes_sha256(asked, parameters),
              crypto::sha256(as_bytes(std::string(R"({"probes":[{"expected":")") + '\x7f' +
                                      R"(","messages":[{"content":"Be \"short\"","role":"system"},)"
                                      R"({"content":"añ\n","role":"user"}]}],)"
                                      R"("recommended":{"stop":["}"],"top_k":40,"top_p":1.0}})")));
    const std::vector<Probe> near = {{{}, "", "cat", "kitten", "bank"}};
    EXPECT_EQ(
        probes_sha256(near, {}),
        crypto::sha256(as_bytes(std::string_view(
            R"({"probes":[{"far":"bank","near":"kitten","text":"cat"}],"recommended":{}})"))));
}

/// With a second variant, of 8 bits, whose quality was measured against the first.
void add_quant(Json& json) {
    json["variants"].push_back(json["variants"][0]);
    json["variants"][1]["name"] = "q8_0";
    json["variants"][1]["quantization"] = "Q8_0";
    auto& records = json["validation"]["variants"];
    records.push_back(records[0]);
    records[1]["variant"] = "q8_0";
    records[1]["perplexity"]["base"] = 1.5;
    records[1]["perplexity"]["base_variant"] = "f16";
}

TEST(ModelManifest, is_validated_only_with_the_quality_of_each_variant_against_its_base) {
    EXPECT_EQ(why_not(add_quant), "");
    for (const auto& [member, value] : {std::pair<const char*, Json>("base", Json()),
                                        {"base", 1.25},
                                        {"base_variant", Json()},
                                        {"text_sha256", std::string(64, '7')}}) {
        const std::string said = why_not([m = member, v = value](Json& j) {
            add_quant(j);
            j["validation"]["variants"][1]["perplexity"][m] = v;
        });
        EXPECT_THAT(said, HasSubstr("variant q8_0 was not measured against f16")) << member;
        EXPECT_THAT(said, HasSubstr("validate FILE --variant f16 --variant q8_0`")) << member;
    }
    // Where there is nothing without quantization, there is nothing to compare with.
    EXPECT_EQ(why_not([](Json& j) {
                  add_quant(j);
                  j["variants"].erase(0);
                  j["default"] = "q8_0";
                  j["validation"]["variants"].erase(0);
              }),
              "");
}

/// With a second variant, as a model for embeddings.
void make_embeddings(Json& json) {
    add_quant(json);
    json["task"] = "embeddings";
    json["modality"]["output"] = {"embedding"};
    json["validation"]["probes"] = {{{"text", "milk"}, {"near", "cream"}, {"far", "tax"}}};
    for (Json& record : json["validation"]["variants"]) {
        const bool base = record["variant"] == "f16";
        record["similarity"] = {{"minimum", base ? Json() : Json(0.97)},
                                {"mean", base ? Json() : Json(0.99)},
                                {"base_variant", base ? Json() : Json("f16")},
                                {"text_sha256", record["perplexity"]["text_sha256"]},
                                {"texts", 3},
                                {"dimensions", 384}};
        record["perplexity"] = nullptr;
    }
    note_probes(json);
}

TEST(ModelManifest, of_embeddings_is_validated_only_with_vectors_near_those_of_the_base) {
    EXPECT_EQ(why_not(make_embeddings), "");
    const auto with = [](const char* member, const Json& value) {
        return why_not([&](Json& j) {
            make_embeddings(j);
            j["validation"]["variants"][1]["similarity"][member] = value;
        });
    };
    EXPECT_EQ(with("minimum", 0.9), "");
    EXPECT_THAT(with("minimum", 0.89), HasSubstr("a cosine of less than 0.9 to that of f16"));
    for (const char* member : {"minimum", "base_variant"}) {
        EXPECT_THAT(with(member, nullptr), HasSubstr("not measured against f16")) << member;
    }
    EXPECT_THAT(with("text_sha256", std::string(64, '7')), HasSubstr("not measured against f16"));
    EXPECT_THAT(with("dimensions", 385), HasSubstr("other dimensions"));
    EXPECT_THAT(with("texts", 0), HasSubstr("variant q8_0 has no vectors"));
    EXPECT_THAT(why_not([](Json& j) {
                    make_embeddings(j);
                    j["validation"]["variants"][0]["similarity"] = nullptr;
                }),
                HasSubstr("variant f16 has no vectors"));
}

TEST(ModelManifest, is_probed_by_what_its_task_is) {
    EXPECT_THAT(why_not([](Json& j) {
                    make_embeddings(j);
                    j["task"] = "text-generation";
                }),
                HasSubstr("is probed by messages and expected"));
    EXPECT_THAT(why_not([](Json& j) { j["task"] = "embeddings"; }),
                HasSubstr("is probed by text, near and far"));
    EXPECT_THAT(why_not([](Json& j) {
                    make_embeddings(j);
                    j["validation"]["probes"][0].erase("far");
                }),
                HasSubstr("validation.probes[0]"));
}

TEST(ModelManifest, texts_for_people_show_what_stands_in_them) {
    const auto check = [](const char* pointer, const std::string& text) {
        Json json = sample_model();
        json[Json::json_pointer(pointer)] = text;
        const auto model = ModelManifest::parse(render_json(json));
        EXPECT_TRUE(model) << "what is listed is read all the same";
        return model->check_texts();
    };
    EXPECT_TRUE(check("/description", "caf\xC3\xA9: notes to tasks"));
    for (const char* pointer : {"/name",
                                "/description",
                                "/variants/0/quality/how",
                                "/license/terms/use_restrictions/0"}) {
        const auto refused = check(pointer, "no \u202elimits");
        ASSERT_FALSE(refused) << pointer;
        EXPECT_EQ(refused.error().code(), ErrorCode::InvalidArgument);
        EXPECT_NE(refused.error().describe().find("bidirectional control"), std::string::npos);
    }
    EXPECT_FALSE(check("/name", " "));
}

} // namespace
} // namespace locara::manifest
