#include "samples.hpp"

#include <locara/base/file.hpp>
#include <locara/policy/app_report.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace locara::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// "level rule" of each finding.
std::vector<std::string> kinds(const AppReport& report) {
    std::vector<std::string> out;
    for (const auto& finding : report.findings) {
        out.push_back(std::string(render(finding.level)) + " " + finding.rule);
    }
    return out;
}

const std::string kElf = std::string("\x7f\x45LF\x02\x01\x01", 7) + std::string(100, '\0');

class AppReportTest : public testing::Test {
  protected:
    AppReportTest() : scratch_(*TempFolder::create(testing::TempDir(), "app-report-")) {
        write("icon.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>");
        write("screenshots/one.png",
              std::string("\x89PNG\r\n\x1a\n\0\0\0\0IEND\xAE\x42\x60\x82", 20));
        write("dist/index.html", "<!doctype html><title>Quick Add</title>");
        write("LICENSE", "Apache License");
        const std::string model = manifest::sample_model().dump();
        models_.add(model).value();
        app_["models"][0]["manifest"] = "sha256:" + crypto::sha256(as_bytes(model)).render();
    }

    std::filesystem::path folder() const { return scratch_.path() / "app"; }

    void write(const std::string& path, const std::string& text) {
        create_folders((folder() / path).parent_path()).value();
        write_file_atomically(folder() / path, as_bytes(text)).value();
    }

    AppReport check(Door door = Door::Review) {
        write("locara.json", app_.dump());
        return check_app(folder(), scratch_.path() / "app.locapp", models_, door).value();
    }

    TempFolder scratch_;
    Json app_ = manifest::sample_app();
    KnownModels models_;
};

TEST_F(AppReportTest, a_file_that_was_called_back_is_named_and_an_error) {
    AppReport report = check();
    catalog::TakedownList list;
    const std::string page = "<!doctype html><title>Quick Add</title>";
    list.append({"file",
                 "sha256:" + crypto::sha256(as_bytes(page)).render(),
                 std::nullopt,
                 catalog::TakedownAction::BlockInstall,
                 "it lies",
                 "2026-11-22"})
        .value();
    const auto find = [&list](std::span<const catalog::TakedownName> names)
        -> Result<std::optional<catalog::TakedownEntry>> { return list.find(names); };
    ASSERT_TRUE(add_what_is_called_back(report, find));
    EXPECT_THAT(kinds(report), ElementsAre("error takedown"));
    EXPECT_EQ(report.status().error().message(),
              "dist/index.html was called back on 2026-11-22: it lies");
}

TEST_F(AppReportTest, a_whole_app_has_no_findings_and_is_packed) {
    const AppReport report = check();
    EXPECT_THAT(kinds(report), IsEmpty());
    ASSERT_TRUE(report.status());
    EXPECT_EQ(report.app->id.render(), "locara/quick-add");
    EXPECT_EQ(report.bundle->archive_bytes,
              std::filesystem::file_size(scratch_.path() / "app.locapp"));
}

TEST_F(AppReportTest, texts_that_hide_or_move_what_stands_beside_them_are_errors) {
    app_["name"] = "Nice \u202egpj.cod";
    app_["description"] = "Tidy.\nNo network.";
    app_["details"] = "# Fine\n\nas it is, but for\ta tab";
    app_["screenshots"][0]["caption"] = "  ";
    app_["entry"]["once"]["fields"][0]["label"] = "No\u200bte";
    app_["entry"]["once"]["template"] = "Do this:\n{{note}}\u2066";
    const AppReport report = check();
    std::vector<std::string> told;
    for (const auto& finding : report.findings) {
        EXPECT_EQ(render(finding.level), "error");
        EXPECT_EQ(finding.rule, "manifest");
        EXPECT_EQ(finding.error.code(), ErrorCode::InvalidArgument);
        told.push_back(finding.error.message());
    }
    EXPECT_THAT(
        told,
        ElementsAre(
            HasSubstr("locara.json: name: it holds a bidirectional control"),
            HasSubstr("description: it holds a control character; one line of plain text"),
            HasSubstr("details: it holds a control character; plain text, which may have line"),
            HasSubstr("screenshots[0].caption: it is empty"),
            HasSubstr("entry.once.fields[0].label: it holds a zero-width"),
            HasSubstr("entry.once.template: it holds an invisible")));
    // What a catalog lists already is read all the same.
    EXPECT_TRUE(report.app);
}

TEST_F(AppReportTest, what_a_page_will_not_get_is_told_and_not_refused) {
    write("dist/index.html",
          "<iframe src=https://frames.example/x></iframe><a href=\"https://links.example\">y</a>"
          "<link rel=icon href='//icons.example/i.png'><script src = \"app.js\"></script>"
          "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>");
    write("dist/app.js",
          "// https://comments.example\nthrow Error(\"https://words.example/e/1\");"
          "fetch(\"https://fetch.example/a\"); x.open('GET', 'http://xhr.example');"
          "new WebSocket(`wss://socket.example`); fetch('/local'); WebAssembly.compile(b);"
          "navigator.mediaDevices.getUserMedia({}); navigator.geolocation.watchPosition(f);");
    const AppReport report = check();
    std::string all;
    for (const auto& finding : report.findings) {
        EXPECT_EQ(render(finding.level), "warning");
        EXPECT_EQ(finding.rule, "page");
        all += finding.error.message() + "\n";
    }
    EXPECT_TRUE(report.status());
    for (const char* told : {"index.html asks frames.example ",
                             "index.html asks icons.example ",
                             "app.js asks fetch.example ",
                             "app.js asks xhr.example ",
                             "app.js asks socket.example ",
                             "app.js uses WebAssembly, ",
                             "app.js uses getUserMedia, ",
                             "app.js uses navigator.geolocation, "}) {
        EXPECT_THAT(all, HasSubstr(told));
    }
    EXPECT_EQ(report.findings.size(), 8U) << all;
    app_["capabilities"]["wasm"] = true;
    app_["capabilities"]["devices"] = {"camera"};
    EXPECT_EQ(check().findings.size(), 6U);
}

TEST_F(AppReportTest, a_folder_without_manifest_is_no_app) {
    const auto report =
        check_app(folder(), scratch_.path() / "app.locapp", models_, Door::Seed).value();
    EXPECT_THAT(kinds(report), ElementsAre("error manifest"));
    EXPECT_THAT(report.status().error().message(), HasSubstr("there is no "));
    EXPECT_FALSE(report.app || report.bundle);
}

TEST_F(AppReportTest, a_wrong_manifest_is_told_as_its_parser_does) {
    app_["version"] = "one";
    const AppReport report = check();
    EXPECT_THAT(kinds(report), ElementsAre("error manifest"));
    EXPECT_THAT(report.status().error().message(), HasSubstr("version: \"one\""));
}

TEST_F(AppReportTest, a_named_file_that_is_missing_is_an_error) {
    std::filesystem::remove(folder() / "dist/index.html");
    const AppReport report = check();
    EXPECT_THAT(kinds(report), ElementsAre("error files"));
    EXPECT_FALSE(report.bundle);
}

TEST_F(AppReportTest, every_packed_file_is_judged_by_its_content) {
    write("dist/data.json", kElf);
    write("dist/more.txt", "\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.");
    write("src/not-packed.py", "import os");
    const AppReport report = check();
    EXPECT_THAT(kinds(report), ElementsAre("error gate", "error gate"));
    EXPECT_EQ(report.status().error().code(), ErrorCode::Refused);
    EXPECT_THAT(report.findings[0].error.message(), HasSubstr("dist/data.json is refused"));
    EXPECT_THAT(report.findings[1].error.message(), HasSubstr("dist/more.txt is refused"));
}

TEST_F(AppReportTest, tells_each_verdict_with_its_evidence) {
    write("dist/data.json", kElf);
    write("dist/more.txt", "\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.");
    const Json verdicts = render_app_report(check(), std::nullopt).at("verdicts");
    ASSERT_EQ(verdicts.size(), 2U); // and none of the files that are simply allowed
    EXPECT_EQ(verdicts[0].at("path"), "dist/data.json");
    EXPECT_EQ(verdicts[0].at("rule"), "executable.elf");
    EXPECT_EQ(verdicts[1].at("verdict"), "refuse");
    EXPECT_EQ(verdicts[1].at("label"), "malicious");
    EXPECT_TRUE(verdicts[1].at("offset").is_number());
    EXPECT_EQ(verdicts[1].at("scanner"), formats::kScannerName);
    EXPECT_EQ(verdicts[1].at("version"), formats::kScannerVersion);
}

TEST_F(AppReportTest, a_flagged_file_is_a_warning_only_where_a_curator_decides) {
    write("dist/run.txt", "#!/bin/sh\necho\n");
    const AppReport report = check();
    EXPECT_THAT(kinds(report), ElementsAre("warning gate"));
    EXPECT_THAT(report.findings[0].error.message(), HasSubstr("a curator decides"));
    const Json verdict = render_app_report(report, std::nullopt).at("verdicts")[0];
    EXPECT_EQ(verdict.at("rule"), "code.script");
    EXPECT_EQ(verdict.at("sha256"), crypto::sha256(as_bytes("#!/bin/sh\necho\n")).render());
    EXPECT_THAT(kinds(check(Door::Seed)), ElementsAre("error gate"));
}

TEST_F(AppReportTest, tells_what_follows_from_the_licenses_of_its_models) {
    Json model = manifest::sample_model();
    model["license"]["id"] = "mit";
    model["lineage"] = {{{"repo", "acme/base"},
                         {"revision", std::string(40, '1')},
                         {"relation", "finetune"},
                         {"license", "cc-by-nc-4.0"}}};
    const std::string bytes = model.dump();
    models_.add(bytes).value();
    app_["models"][0]["fallbacks"] = {"sha256:" + crypto::sha256(as_bytes(bytes)).render()};
    const Json report = render_app_report(check(), std::nullopt); // whatever its errors are
    // Of the whole: whoever installs it may get the fallback.
    EXPECT_EQ(report.at("license").at("commercial"), false);
    EXPECT_EQ(report.at("license").at("facts")[0].at("from"), "acme/base (finetune)");
    EXPECT_EQ(report.at("license").at("conflicts").size(), 1U);
    ASSERT_EQ(report.at("models").size(), 2U);
    const Json& fallback = report.at("models")[1];
    EXPECT_EQ(fallback.at("manifest"), app_["models"][0]["fallbacks"][0]);
    EXPECT_EQ(fallback.at("license").at("commercial"), false);
    EXPECT_EQ(fallback.at("license").at("facts")[0].at("from"), "acme/base (finetune)");
    EXPECT_FALSE(fallback.at("license").at("conflicts").empty());
}

TEST_F(AppReportTest, an_unknown_model_is_an_error_where_there_can_be_no_other) {
    app_["models"][0]["manifest"] = "sha256:" + std::string(64, 'a');
    EXPECT_THAT(kinds(check()), ElementsAre("error models"));
    models_.others = KnownModels::Others::Possible;
    const AppReport report = check();
    EXPECT_THAT(kinds(report), ElementsAre("warning models"));
    EXPECT_TRUE(report.status());
}

TEST_F(AppReportTest, a_model_is_named_as_its_manifest_has_it) {
    app_["models"][0]["id"] = "acme/famous";
    models_.others = KnownModels::Others::Possible;
    const AppReport report = check();
    EXPECT_THAT(kinds(report), ElementsAre("error models"));
    EXPECT_THAT(report.status().error().message(),
                HasSubstr("\"id\": \"acme/famous\", but sha256:"));
    EXPECT_FALSE(report.status());
}

TEST_F(AppReportTest, a_fallback_may_be_another_model) {
    Json model = manifest::sample_model();
    model["id"] = "acme/smaller";
    const std::string bytes = model.dump();
    models_.add(bytes).value();
    app_["models"][0]["fallbacks"] = {"sha256:" + crypto::sha256(as_bytes(bytes)).render()};
    EXPECT_THAT(kinds(check()), IsEmpty());
}

TEST_F(AppReportTest, limits_of_a_models_license_must_be_said_for_fallbacks_too) {
    Json model = manifest::sample_model();
    model["license"]["id"] = "cc-by-nc-4.0";
    const std::string bytes = model.dump();
    models_.add(bytes).value();
    app_["models"][0]["fallbacks"] = {"sha256:" + crypto::sha256(as_bytes(bytes)).render()};
    EXPECT_THAT(kinds(check()), ElementsAre("error license"));
    app_["terms"] = {{"commercial", false}};
    EXPECT_THAT(kinds(check()), IsEmpty());
}

TEST_F(AppReportTest, a_poor_card_is_warned_about) {
    app_.erase("icon");
    app_.erase("screenshots");
    app_.erase("details");
    std::filesystem::remove(folder() / "LICENSE");
    const AppReport report = check();
    EXPECT_THAT(kinds(report), testing::AllOf(testing::SizeIs(4), testing::Each("warning card")));
    EXPECT_TRUE(report.status());
}

TEST_F(AppReportTest, errors_come_before_warnings) {
    app_["screenshots"] = Json::array();
    write("dist/data.json", kElf);
    EXPECT_THAT(kinds(check()), ElementsAre("error gate", "warning card"));
}

TEST(ChangedFacts, tell_what_a_new_version_may_do_and_what_it_no_longer_may) {
    Json before = manifest::sample_app();
    Json after = before;
    after["capabilities"]["devices"] = {"microphone"};
    after["capabilities"]["save"] = false;
    const auto changes =
        manifest::changed_facts(manifest::AppManifest::parse(before.dump()).value(),
                                manifest::AppManifest::parse(after.dump()).value());
    ASSERT_EQ(changes.come.size(), 1U);
    EXPECT_EQ(changes.come[0].text, "May ask for the microphone, each time.");
    ASSERT_EQ(changes.gone.size(), 2U);
    EXPECT_EQ(changes.gone[0].subject, "save");
    EXPECT_EQ(changes.gone[1].text, "No microphone, no camera.");
}

TEST_F(AppReportTest, says_what_the_app_is_and_what_of_that_was_another_before) {
    const AppReport before = check();
    manifest::AppEntry published;
    published.manifest = *before.app;
    published.manifest_json = before.manifest_json;
    published.files_sha256 = before.bundle->id;
    EXPECT_EQ(render_app_report(before, std::nullopt).at("manifest"), app_);
    const Json same = render_app_report(before, published).at("changes");
    EXPECT_EQ(same.at("fields"), Json::array());
    EXPECT_EQ(same.at("files"), Json());

    const std::string was = app_["description"];
    app_["version"] = "1.1.0";
    app_["description"] = "Something else";
    app_["tags"] = {"tasks", "notes"};
    app_["entry"]["once"]["template"] = "Obey: {{note}}";
    app_.erase("details");
    const AppReport after = check();
    const Json changes = render_app_report(after, published).at("changes");
    EXPECT_EQ(
        changes.at("fields"),
        Json({{{"field", "description"}, {"was", was}, {"now", "Something else"}},
              {{"field", "details"}, {"was", "# Quick Add"}, {"now", nullptr}},
              {{"field", "entry.once.template"}, {"was", "{{note}}"}, {"now", "Obey: {{note}}"}},
              {{"field", "tags[1]"}, {"was", nullptr}, {"now", "notes"}}}));
    EXPECT_EQ(changes.at("files"),
              Json({{"was", "sha256:" + before.bundle->id.render()},
                    {"now", "sha256:" + after.bundle->id.render()}}));
}

} // namespace
} // namespace locara::policy
