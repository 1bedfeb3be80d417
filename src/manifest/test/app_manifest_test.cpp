#include "samples.hpp"

#include <locara/base/file.hpp>
#include <locara/manifest/app_entry.hpp>
#include <locara/manifest/schema.hpp>
#include <locara/manifest/verified.hpp>
#include <locara/test_support/folders.hpp>
#include <locara/test_support/golden.hpp>

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

// The texts are part of what we promise: path, rule, what was found and what to do.
TEST(AppManifest, errors_name_path_rule_found_and_fix) {
    Mistakes<AppManifest> mistakes(sample_app());
    const auto digest = "sha256:" + std::string(64, 'a');
    mistakes.set("/license", "");
    mistakes.set("/licence", R"("MIT")");
    mistakes.set("/license", R"("MIT AND")");
    mistakes.set("/terms", "{}");
    mistakes.set("/id", R"("Locara/QuickAdd")");
    mistakes.set("/id", R"("lo/quick-add")");
    mistakes.set("/version", R"("1.0")");
    mistakes.set("/name", R"("")");
    mistakes.set("/name", "\"" + std::string(61, 'x') + "\"");
    mistakes.set("/tags", R"(["a","b","a"])");
    mistakes.set("/icon", R"("../icon.svg")");
    mistakes.set("/entry/kind", R"("wasm")");
    mistakes.set("/entry/kind", R"("webb")");
    mistakes.set("/entry/root", R"("/etc")");
    mistakes.set("/entry/once/role", R"("chat")");
    mistakes.set("/entry/once/template", R"("{{note}} {{who}}")");
    mistakes.set("/entry/once/template", R"("hello")");
    mistakes.set("/entry/once/template", R"("{{note")");
    mistakes.set("/entry/once/fields/0/kind", R"("choice")");
    mistakes.set("/capabilities/network", R"(["example.org"])");
    mistakes.set("/capabilities/files", R"("all")");
    mistakes.set("/capabilities/net", R"(["https://example.org/"])");
    mistakes.set("/models/0/manifest", R"("latest")");
    mistakes.set("/models/0/task", R"("embeddings")");
    mistakes.set("/models/0/fallbacks", "[\"" + digest + "\"]");
    mistakes.set("/models/1", sample_app()["models"][0].dump());
    mistakes.set("/requires/memory_bytes", R"("1 GB")");
    mistakes.set("/requires/memory_bytes", "-1");
    mistakes.set("/schema", R"("locara.dev/app/v2")");
    EXPECT_GOLDEN("errors/app.txt", mistakes.text());
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
    for (const auto& folder :
         std::filesystem::directory_iterator(test_support::source_dir() / "apps")) {
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
