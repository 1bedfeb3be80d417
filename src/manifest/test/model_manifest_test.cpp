#include "samples.hpp"

#include <locara/manifest/license.hpp>
#include <locara/manifest/verified.hpp>

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
    EXPECT_EQ(model->find_variant("q4"), nullptr);
}

TEST(ModelManifest, errors_name_path_rule_found_and_fix) {
    EXPECT_EQ(message([](Json& j) { j["source"]["revision"] = "main"; }),
              "source.revision: \"main\" is not of the right form; pin the commit: 40 lower-case "
              "hex digits, never a "
              "branch or tag");
    EXPECT_EQ(message([](Json& j) { j["default"] = "q4"; }),
              "default: \"q4\" is no variant; variants: f16");
    EXPECT_EQ(message([](Json& j) { j["variants"][0]["files"][0]["format"] = "pickle"; }),
              "variants[0].files[0].format: \"pickle\" is not one of: gguf, safetensors, json, "
              "text; convert the "
              "weights to safetensors or GGUF: formats that can carry code are refused");
    EXPECT_THAT(
        message([](Json& j) { j["variants"][0]["files"][0]["path"] = "pytorch_model.bin"; }),
        HasSubstr("variants[0].files[0].path: \"pytorch_model.bin\" is named like a format that "
                  "can carry code"));
    EXPECT_THAT(
        message([](Json& j) { j["variants"][0]["files"][0]["path"] = "model.safetensors"; }),
        HasSubstr("variants[0].files[0].format: \"model.safetensors\" is declared as gguf"));
    EXPECT_THAT(message([](Json& j) { j["variants"][0]["files"][0]["path"] = "../model.gguf"; }),
                HasSubstr("variants[0].files[0].path: the path"));
    EXPECT_EQ(message([](Json& j) { j["variants"][0]["files"][0]["sha256"] = "00"; }),
              "variants[0].files[0].sha256: \"00\" is not of the right form; write 64 lower-case "
              "hex digits");
    EXPECT_EQ(message([](Json& j) { j["variants"] = Json::array(); }),
              "variants: must not be empty");
    EXPECT_THAT(message([](Json& j) { j["variants"].push_back(j["variants"][0]); }),
                HasSubstr("variants[1].name: \"f16\" is taken"));
    EXPECT_THAT(message([](Json& j) {
                    auto second = j["variants"][0];
                    second["name"] = "q8";
                    second["files"][0]["size"] = 2;
                    j["variants"].push_back(second);
                }),
                HasSubstr("variants[1].files: \"model.gguf\" has another size or hash"));
    EXPECT_THAT(message([](Json& j) {
                    j["variants"][0]["files"][0]["path"] = "config.json";
                    j["variants"][0]["files"][0]["format"] = "json";
                }),
                HasSubstr("variants[0].files: llama.cpp loads only GGUF"));
    EXPECT_EQ(
        message([](Json& j) { j["validation"]["results"]["passed"] = 2; }),
        "validation.results: passed and failed make 2, but there are 1 probes; run them again");
    EXPECT_EQ(message([](Json& j) { j["recommended"]["temprature"] = 1; }),
              "recommended.temprature: unknown parameter \"temprature\"; known: temperature, "
              "top_p, top_k, min_p, "
              "repeat_penalty, max_tokens, seed, stop; did you mean \"temperature\"?");
    EXPECT_THAT(message([](Json& j) { j["license"]["terms"].erase("gated"); }),
                HasSubstr("license.terms.gated: is missing"));
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

TEST(License, knows_ids_in_both_spellings) {
    ASSERT_NE(find_license("apache-2.0"), nullptr);
    EXPECT_EQ(find_license("Apache-2.0")->name, "Apache License 2.0");
    EXPECT_TRUE(find_license("gemma")->use_restrictions);
    EXPECT_EQ(find_license("my-own"), nullptr);
}

TEST(License, reports_terms_that_claim_more_freedom_than_the_license_gives) {
    EXPECT_THAT(check_license({"CC-BY-NC-4.0", "", {true, true, true, {}, false}}),
                ElementsAre(HasSubstr("does not allow commercial use")));
    EXPECT_THAT(check_license({"llama3", "", {true, true, true, {}, false}}),
                ElementsAre(HasSubstr("use_restrictions")));
    EXPECT_TRUE(check_license({"MIT", "", {true, true, true, {}, false}}).empty());
    EXPECT_EQ(describe(LicenseTerms{true, true, true, {}, false}),
              "commercial use yes, attribution yes, passing on yes, field limits none");
}

} // namespace
} // namespace locara::manifest
