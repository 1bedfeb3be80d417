#include <locara/base/json.hpp>
#include <locara/runtime/model_validate.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::runtime {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

Json variant(const char* name, const char* quantization, char digit) {
    return {{"name", name},
            {"quantization", quantization},
            {"files",
             {{{"path", std::string(name) + ".gguf"},
               {"size", 1},
               {"sha256", std::string(64, digit)},
               {"format", "gguf"}}}},
            {"engine", {{"name", "llama.cpp"}, {"minimum_version", "v0.5.0"}}},
            {"weights_bytes", 1000},
            {"kv_bytes_per_token", 512}};
}

std::string sample() {
    Json json = Json::parse(R"({
      "schema": "locara.dev/model/v1", "id": "acme/tiny", "version": "1.0.0", "name": "Tiny",
      "description": "Notes to tasks", "task": "text-generation",
      "modality": {"input": ["text"], "output": ["text"]}, "context_length": 512,
      "source": {"repo": "acme/tiny", "revision": "0123456789abcdef0123456789abcdef01234567"},
      "default": "f16", "lineage": [],
      "license": {"id": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0",
        "terms": {"commercial": true, "redistribution": true, "attribution": true,
                  "use_restrictions": [], "gated": false}},
      "recommended": {"temperature": 0.5, "max_tokens": 160}})");
    json["variants"] = {variant("f16", "F16", 'a'), variant("q8_0", "Q8_0", 'b')};
    return render_json(json);
}

std::vector<manifest::Probe> probes(const std::string& expected) {
    return {{{{"user", "call mom"}}, expected}};
}

/// As Validator::measure leaves it behind, of a variant that passed.
Measurement measured(const std::string& text,
                     const std::string& name,
                     const std::vector<manifest::Probe>& asked) {
    const auto model = manifest::ModelManifest::parse(text);
    EXPECT_TRUE(model) << model.error().describe();
    Measurement out;
    auto& record = out.record;
    record.variant = name;
    record.files_sha256 = model->find_variant(name)->files_sha256();
    record.probes_sha256 = manifest::probes_sha256(asked, model->recommended);
    record.date = "2026-11-28T10:00:00Z";
    record.engine_version = "v0.5.0";
    record.machine = "a machine";
    record.passed = asked.size();
    out.answers.assign(asked.size(), {asked.front().expected, true});
    return out;
}

std::vector<std::string> recorded(const std::string& text) {
    const auto model = manifest::ModelManifest::parse(text);
    EXPECT_TRUE(model) << model.error().describe();
    std::vector<std::string> out;
    for (const auto& one : model->validation->variants) {
        out.push_back(one.variant);
    }
    return out;
}

TEST(ValidationRecord, stays_only_while_the_probes_are_those_that_were_asked) {
    const auto first = probes("{}");
    const auto text = sample();
    const auto both =
        add_validation(text, first, {measured(text, "f16", first), measured(text, "q8_0", first)});
    ASSERT_TRUE(both) << both.error().describe();
    EXPECT_THAT(recorded(*both), UnorderedElementsAre("f16", "q8_0"));
    const auto same = add_validation(*both, first, {measured(*both, "q8_0", first)});
    ASSERT_TRUE(same) << same.error().describe();
    EXPECT_THAT(recorded(*same), UnorderedElementsAre("f16", "q8_0"));
    // As many, but another one.
    const auto second = probes("[]");
    const auto other = add_validation(*both, second, {measured(*both, "q8_0", second)});
    ASSERT_TRUE(other) << other.error().describe();
    EXPECT_THAT(recorded(*other), ElementsAre("q8_0"));
    // With another parameter.
    Json json = Json::parse(*both);
    json["recommended"]["max_tokens"] = 1;
    const auto shorter = render_json(json);
    const auto asked = add_validation(shorter, first, {measured(shorter, "q8_0", first)});
    ASSERT_TRUE(asked) << asked.error().describe();
    EXPECT_THAT(recorded(*asked), ElementsAre("q8_0"));
    // What temperature is recommended has no part in it: probes are asked greedily.
    json = Json::parse(*both);
    json["recommended"]["temperature"] = 1;
    const auto warmer = render_json(json);
    const auto greedy = add_validation(warmer, first, {measured(warmer, "q8_0", first)});
    ASSERT_TRUE(greedy) << greedy.error().describe();
    EXPECT_THAT(recorded(*greedy), UnorderedElementsAre("f16", "q8_0"));
    // A record that does not say what was asked.
    json = Json::parse(*both);
    json["validation"]["variants"][0].erase("probes_sha256");
    const auto old = render_json(json);
    const auto anew = add_validation(old, first, {measured(old, "q8_0", first)});
    ASSERT_TRUE(anew) << anew.error().describe();
    EXPECT_THAT(recorded(*anew), ElementsAre("q8_0"));
}

} // namespace
} // namespace locara::runtime
