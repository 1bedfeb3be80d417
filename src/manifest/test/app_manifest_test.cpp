#include "samples.hpp"

#include <locara/base/file.hpp>
#include <locara/manifest/app_entry.hpp>
#include <locara/manifest/schema.hpp>
#include <locara/manifest/verified.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace locara::manifest {
namespace {

using ::testing::HasSubstr;

/// The message that a changed sample gets; "" if it is accepted.
template <class Change> std::string message(Change change) {
    Json json = sample_app();
    change(json);
    const auto parsed = AppManifest::parse(render_json(json));
    return parsed ? "" : parsed.error().describe();
}

TEST(AppManifest, reads_every_field) {
    const auto app = AppManifest::parse(render_json(sample_app()));
    ASSERT_TRUE(app) << app.error().describe();
    EXPECT_EQ(app->id.render(), "locara/quick-add");
    EXPECT_EQ(app->version.render(), "1.0.0");
    EXPECT_EQ(app->entry.kind, Entry::Kind::Web);
    EXPECT_EQ(app->entry.root, "dist");
    ASSERT_TRUE(app->entry.prompt);
    EXPECT_EQ(app->entry.prompt->fields[0].name, "note");
    EXPECT_EQ(app->entry.prompt->output_schema, R"({"type":"object"})");
    EXPECT_TRUE(app->capabilities.save);
    ASSERT_NE(app->find_model("text"), nullptr);
    EXPECT_EQ(app->find_model("text")->manifest.render(), std::string(64, 'a'));
    EXPECT_EQ(app->find_model("other"), nullptr);
    EXPECT_EQ(app->memory_bytes, 64'000'000U);
    EXPECT_EQ(app->repository, "");
}

TEST(AppManifest, unknown_capability_is_named_with_path_choices_and_suggestion) {
    EXPECT_EQ(
        message([](Json& j) { j["capabilities"]["network"] = {"example.org"}; }),
        "capabilities.network: unknown capability \"network\"; known: net, files, save, devices, "
        "background, wasm; did you mean \"net\"?");
}

// One line each: what is wrong, and the whole answer. The texts are part of what we promise.
TEST(AppManifest, errors_name_path_rule_found_and_fix) {
    const auto digest = "sha256:" + std::string(64, 'a');
    EXPECT_EQ(
        message([](Json& j) { j.erase("license"); }),
        "license: is missing; it says: License of the app's own code and files, as an SPDX id.");
    EXPECT_THAT(message([](Json& j) { j["licence"] = "MIT"; }),
                HasSubstr("did you mean \"license\"?"));
    EXPECT_EQ(message([](Json& j) { j["id"] = "Locara/QuickAdd"; }),
              "id: \"Locara/QuickAdd\" is not of the right form; write publisher/name with "
              "lower-case letters, "
              "digits and single hyphens (publisher 3 to 24 characters, name 2 to 32)");
    EXPECT_THAT(message([](Json& j) { j["id"] = "lo/quick-add"; }),
                HasSubstr("id: \"lo/quick-add\" is no app id"));
    EXPECT_EQ(message([](Json& j) { j["version"] = "1.0"; }),
              "version: \"1.0\" is not of the right form; write a semantic version such as 1.0.0 "
              "or 1.2.0-beta.1");
    EXPECT_EQ(message([](Json& j) { j["entry"]["kind"] = "wasm"; }),
              "entry.kind: \"wasm\" is not one of: web, prompt, process");
    EXPECT_EQ(message([](Json& j) { j["entry"]["kind"] = "webb"; }),
              "entry.kind: \"webb\" is not one of: web, prompt, process; did you mean \"web\"?");
    EXPECT_EQ(message([](Json& j) { j["models"][0]["manifest"] = "latest"; }),
              "models[0].manifest: \"latest\" is not of the right form; write sha256: and 64 "
              "lower-case hex digits");
    EXPECT_EQ(message([](Json& j) { j["requires"]["memory_bytes"] = "1 GB"; }),
              "requires.memory_bytes: must be of type integer, found \"1 GB\"");
    EXPECT_EQ(message([](Json& j) { j["requires"]["memory_bytes"] = -1; }),
              "requires.memory_bytes: -1 is too small, at least 0 is wanted");
    EXPECT_EQ(message([](Json& j) { j["capabilities"]["files"] = "all"; }),
              "capabilities.files: \"all\" is not one of: none, picker");
    EXPECT_EQ(message([](Json& j) { j["capabilities"]["net"] = {"https://example.org/"}; }),
              "capabilities.net[0]: \"https://example.org/\" is not of the right form; write a "
              "plain host name such "
              "as api.example.org: no scheme, port, path or wildcard");
    EXPECT_EQ(message([](Json& j) { j["name"] = ""; }), "name: must not be empty");
    EXPECT_EQ(message([](Json& j) { j["name"] = std::string(61, 'x'); }),
              "name: has 61 characters, at most 60 are allowed");
    EXPECT_EQ(message([](Json& j) {
                  j["tags"] = {"a", "b", "a"};
              }),
              "tags[2]: \"a\" stands in the list already; remove one");
    EXPECT_THAT(
        message([](Json& j) { j["icon"] = "../icon.svg"; }),
        HasSubstr("icon: the path \"../icon.svg\" is not allowed: a part is \".\" or \"..\""));
    EXPECT_THAT(message([](Json& j) { j["entry"]["root"] = "/etc"; }),
                HasSubstr("entry.root: the path"));
    EXPECT_EQ(message([](Json& j) { j["entry"]["once"]["role"] = "chat"; }),
              "entry.once.role: no model has the role \"chat\"; roles in models: text");
    EXPECT_EQ(
        message([](Json& j) { j["models"][0]["task"] = "embeddings"; }),
        "entry.once.role: the model \"text\" is for embeddings; a prompt needs text-generation");
    EXPECT_EQ(message([](Json& j) { j["entry"]["once"]["template"] = "{{note}} {{who}}"; }),
              "entry.once.template: {{who}} names no field; fields: note");
    EXPECT_EQ(message([](Json& j) { j["entry"]["once"]["template"] = "hello"; }),
              "entry.once.fields[0]: the template never uses \"note\"; write {{note}} in it, or "
              "remove the field");
    EXPECT_THAT(message([](Json& j) { j["entry"]["once"]["template"] = "{{note"; }),
                HasSubstr("never closed"));
    EXPECT_EQ(message([](Json& j) { j["entry"]["once"]["fields"][0]["kind"] = "choice"; }),
              "entry.once.fields[0].choices: is missing; a field of kind choice lists what can be "
              "chosen");
    EXPECT_THAT(message([&](Json& j) { j["models"][0]["fallbacks"] = {digest}; }),
                HasSubstr("models[0].fallbacks: a model cannot stand in for itself"));
    EXPECT_THAT(message([](Json& j) { j["models"].push_back(j["models"][0]); }),
                HasSubstr("models[1].role: \"text\" is taken"));
}

TEST(AppManifest, duplicate_keys_and_broken_json_are_refused) {
    std::string text = render_json(sample_app());
    text.insert(1, "\"name\":\"Other\",");
    const auto twice = AppManifest::parse(text);
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().code(), ErrorCode::InvalidArgument);
    EXPECT_THAT(twice.error().message(), HasSubstr("\"name\" stands twice"));
    EXPECT_EQ(AppManifest::parse("{").error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(AppManifest::parse("[]").error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(AppManifest::parse(std::string(kManifestLimitBytes + 1, ' ')).error().code(),
              ErrorCode::TooLarge);
}

TEST(AppManifest, a_newer_schema_is_unsupported_rather_than_wrong) {
    Json json = sample_app();
    json["schema"] = "locara.dev/app/v2";
    const auto parsed = AppManifest::parse(render_json(json));
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code(), ErrorCode::Unsupported);
    EXPECT_THAT(parsed.error().message(), HasSubstr("update Locara"));
}

TEST(AppManifest, a_very_long_string_does_not_reach_the_pattern_matcher) {
    // std::regex recurses; a megabyte would end the program.
    EXPECT_THAT(message([](Json& j) { j["id"] = "a/" + std::string(900'000, 'a'); }),
                HasSubstr("at most 57"));
}

/// Every pattern of a schema stands beside a maxLength, which keeps the test above true.
void expect_bounded_patterns(const Json& schema, const std::string& where) {
    if (schema.is_object()) {
        if (schema.contains("pattern") && schema["pattern"].is_string()) {
            EXPECT_TRUE(schema.contains("maxLength")) << where;
        }
        for (const auto& [key, value] : schema.items()) {
            expect_bounded_patterns(value, where + "/" + key);
        }
    } else if (schema.is_array()) {
        for (const auto& value : schema) {
            expect_bounded_patterns(value, where + "/");
        }
    }
}

TEST(Schema, every_pattern_is_bounded) {
    expect_bounded_patterns(Json::parse(schema_text(SchemaName::App)), "app");
    expect_bounded_patterns(Json::parse(schema_text(SchemaName::Model)), "model");
}

TEST(AppManifest, those_of_this_repository_are_valid) {
    int seen = 0;
    for (const auto& folder : std::filesystem::directory_iterator(LOCARA_SOURCE_DIR "/apps")) {
        if (const auto text = read_file(folder.path() / "locara.json", kManifestLimitBytes)) {
            const auto app = AppManifest::parse(*text);
            EXPECT_TRUE(app) << folder.path() << ": " << app.error().describe();
            ++seen;
        }
    }
    EXPECT_GE(seen, 2);
}

TEST(Facts, say_what_an_app_can_do_in_plain_words) {
    const auto app = AppManifest::parse(render_json(sample_app()));
    ASSERT_TRUE(app);
    const auto list = facts(*app);
    EXPECT_EQ(list[0].subject, "network");
    EXPECT_EQ(list[0].text, "No network.");
    EXPECT_EQ(list[0].mark, "enforced");
    Json json = sample_app();
    json["capabilities"]["net"] = {"example.org"};
    const auto open = AppManifest::parse(render_json(json));
    ASSERT_TRUE(open) << open.error().describe();
    EXPECT_EQ(facts(*open)[0].text, "Can send what it knows to example.org.");
}

TEST(Prompt, fills_fields_once_and_checks_them) {
    Prompt prompt;
    prompt.role = "text";
    prompt.template_text = "Note: {{note}} ({{ tone }})";
    prompt.fields = {{"note", "Note", PromptField::Kind::Line, {}, "", true},
                     {"tone", "Tone", PromptField::Kind::Choice, {"kind", "short"}, "", false}};
    EXPECT_EQ(*fill_prompt(prompt, {{"note", "hi {{tone}}"}, {"tone", "kind"}}),
              "Note: hi {{tone}} (kind)");
    EXPECT_EQ(*fill_prompt(prompt, {{"note", "hi"}}), "Note: hi ()");
    EXPECT_THAT(fill_prompt(prompt, {}).error().message(), HasSubstr("\"note\" must be filled in"));
    EXPECT_THAT(fill_prompt(prompt, {{"note", "a\nb"}}).error().message(), HasSubstr("one line"));
    EXPECT_THAT(fill_prompt(prompt, {{"note", "a"}, {"tone", "loud"}}).error().message(),
                HasSubstr("choose one of: kind, short"));
    EXPECT_THAT(fill_prompt(prompt, {{"note", "a"}, {"x", "y"}}).error().message(),
                HasSubstr("no field \"x\""));
    EXPECT_EQ(fill_prompt(prompt, {{"note", std::string(100'001, 'a')}}).error().code(),
              ErrorCode::TooLarge);
}

TEST(AppEntry, renders_and_parses_back) {
    const auto zero = crypto::sha256({});
    const auto text = AppEntry::render(render_json(sample_app()), 1234, zero, zero);
    ASSERT_TRUE(text) << text.error().describe();
    const auto entry = AppEntry::parse(*text);
    ASSERT_TRUE(entry) << entry.error().describe();
    EXPECT_EQ(entry->bundle_target, "apps/locara/quick-add-1.0.0.locapp");
    EXPECT_EQ(entry->bundle_size, 1234U);
    EXPECT_EQ(entry->files_sha256, zero);
    EXPECT_EQ(Json::parse(entry->manifest_json), sample_app());
    Json wrong = Json::parse(*text);
    wrong["bundle"]["target"] = "apps/other/app-1.0.0.locapp";
    EXPECT_THAT(AppEntry::parse(render_json(wrong)).error().message(), HasSubstr("bundle.target"));
}

TEST(Verified, is_made_only_from_the_expected_bytes) {
    const auto text = render_json(sample_app());
    EXPECT_TRUE(VerifiedAppManifest::verify(text, crypto::sha256(as_bytes(text))));
    const auto other = VerifiedAppManifest::verify(text + " ", crypto::sha256(as_bytes(text)));
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code(), ErrorCode::Corrupt);
}

} // namespace
} // namespace locara::manifest
