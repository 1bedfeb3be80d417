// locara lint, locara publish
#include "context.hpp"
#include "target_hub.hpp"

#include <locara/base/bytes.hpp>
#include <locara/policy/app_report.hpp>

#include <filesystem>

namespace locara::cli {

namespace {

using policy::AppFinding;

/// A checked app, its archive, and the newest version that a known catalog has.
struct Checked {
    TempFolder scratch;
    policy::AppReport report;
    std::optional<manifest::AppEntry> published;
};

Result<Checked> check(Context& context, const std::filesystem::path& folder) {
    LOCARA_CHECK(context.prepare_gate());
    LOCARA_TRY(auto installer, context.installer());
    policy::KnownModels models;
    models.others = policy::KnownModels::Others::Possible;
    std::optional<manifest::AppEntry> published;
    const auto json = read_file(folder / "locara.json", manifest::kManifestLimitBytes);
    // What is wrong with the manifest is told by the check below.
    const auto app = json ? manifest::AppManifest::parse(*json) : json.error();
    if (app) {
        LOCARA_TRY(const auto manifests, installer.find_manifests(*app));
        for (const std::string& bytes : manifests) {
            LOCARA_CHECK(models.add(bytes));
        }
        if (auto found = installer.find(manifest::AppRef{app->id, ""})) {
            published = std::move(found->entry);
        }
    }
    LOCARA_TRY(const auto home, context.home());
    LOCARA_CHECK(create_folders(home.temporary(), 0700));
    LOCARA_TRY(auto scratch, TempFolder::create(home.temporary(), "lint-"));
    LOCARA_TRY(
        auto report,
        policy::check_app(folder, scratch.path() / "app.locapp", models, policy::Door::Review));
    LOCARA_CHECK(policy::add_what_is_called_back(
        report, [&installer](std::span<const catalog::TakedownName> names) {
            return installer.find_takedown(names);
        }));
    if (published && report.app && report.app->version <= published->manifest.version) {
        report.findings.push_back(
            {AppFinding::Level::Warning,
             "version",
             Error(ErrorCode::Conflict,
                   "the catalog has version " + published->manifest.version.render() +
                       " already; raise \"version\" above it, since what was published once "
                       "stays as it is")});
    }
    return Checked{std::move(scratch), std::move(report), std::move(published)};
}

/// What people read: the findings, what the app may do, and what of that is new.
std::string render_report(const Checked& checked, const Style& style) {
    const auto& report = checked.report;
    std::string out;
    if (report.app) {
        out += style.paint(Tone::Heading,
                           clean(report.app->name) + " " + report.app->version.render()) +
               " (" + report.app->id.render() + ")\n";
    }
    std::vector<std::vector<std::string>> rows;
    for (const AppFinding& finding : report.findings) {
        rows.push_back({std::string(policy::render(finding.level)),
                        finding.rule,
                        clean(finding.error.describe())});
    }
    if (!rows.empty()) {
        out += render_table(rows,
                            [&style](const std::string& level) {
                                const bool error =
                                    level == policy::render(AppFinding::Level::Error);
                                return style.paint(error ? Tone::Bad : Tone::Notice, level);
                            }) +
               "\n";
    }
    if (!report.app) {
        return out;
    }
    out += "People are told:\n";
    for (const auto& fact : manifest::facts(*report.app)) {
        out += "  " + clean(fact.text) + "\n";
    }
    if (checked.published) {
        const auto changed = manifest::changed_facts(checked.published->manifest, *report.app);
        out += "Since " + checked.published->manifest.version.render() + ":" +
               (changed.empty() ? " no change of these\n" : "\n");
        for (const auto& fact : changed.gone) {
            out += "  - " + clean(fact.text) + "\n";
        }
        for (const auto& fact : changed.come) {
            out += "  + " + clean(fact.text) + "\n";
        }
    }
    if (report.bundle) {
        out += "Bundle: " + count(report.bundle->list.files.size(), "file") + ", " +
               render_size(report.bundle->archive_bytes) + "\n";
    }
    return out;
}

std::string render_outcome(const policy::AppReport& report) {
    std::size_t errors = 0;
    for (const AppFinding& finding : report.findings) {
        errors += finding.level == AppFinding::Level::Error ? 1 : 0;
    }
    const std::string warnings = count(report.findings.size() - errors, "warning");
    return errors == 0 ? "It may be published; " + warnings
                       : "It may not be published: " + count(errors, "error") + ", " + warnings;
}

hf::Upload make_upload(const std::filesystem::path& folder,
                       const policy::AppReport& report,
                       const std::string& message) {
    hf::Upload upload;
    upload.kind = hf::RepoKind::App;
    upload.repo = report.app->id.render();
    upload.message = message.empty()
                         ? "Publish " + report.app->name + " " + report.app->version.render()
                         : message;
    // What an earlier version had and this one lacks must not come back with it.
    upload.others = hf::Upload::Others::Remove;
    for (const auto& file : report.bundle->list.files) {
        upload.files.push_back({folder / file.path, file.path});
    }
    return upload;
}

} // namespace

Result<int> run_lint(Context& context, const std::string& folder) {
    LOCARA_TRY(const Checked checked, check(context, folder));
    if (context.flags.json) {
        Json out = policy::render_app_report(checked.report, checked.published);
        out["folder"] = folder;
        out["schema"] = "locara.lint/1";
        context.print_json(out);
    } else {
        std::string text = render_report(checked, context.out_style());
        text.pop_back(); // print() ends the line
        context.print(text);
    }
    context.say(render_outcome(checked.report));
    return checked.report.status() ? kDone : kRefused;
}

Result<int> run_publish(Context& context, const std::string& folder, const std::string& message) {
    LOCARA_TRY(const Checked checked, check(context, folder));
    if (!checked.report.status()) {
        context.say(render_report(checked, context.err_style()));
        return Error(ErrorCode::Refused,
                     "nothing was published; `locara lint " + folder +
                         "` shows what is wrong: " + checked.report.status().error().describe());
    }
    const hf::Upload upload = make_upload(folder, checked.report, message);
    LOCARA_TRY(auto client, open_target_hub(context));
    context.say(render_report(checked, context.err_style()) + "To " + clean(client.endpoint()) +
                "/spaces/" + upload.repo);
    if (context.flags.dry_run) {
        return kDone;
    }
    LOCARA_CHECK(client.create_repo(upload.kind, upload.repo, interrupt_token()));
    const auto progress = context.progress();
    const auto done = client.upload(upload, *progress, interrupt_token());
    progress->clear();
    LOCARA_CHECK(done);
    for (const std::string& path : done->removed) {
        context.say("Removed from the repository: " + clean(path));
    }
    context.say(done->committed ? "Commit " + done->commit
                                : "Nothing to commit: the repository has this version");
    LOCARA_TRY(const auto submitted,
               client.submit_app(upload.repo, done->commit, interrupt_token()));
    context.say("Submission " + std::to_string(submitted.number) + ": " + clean(submitted.state) +
                (submitted.why.empty() ? "" : ": " + clean(submitted.why)));
    if (context.flags.json) {
        Json out = policy::render_app_report(checked.report, checked.published);
        out["folder"] = folder;
        out["schema"] = "locara.publish/1";
        out["hub"] = client.endpoint();
        out["repo"] = upload.repo;
        out["commit"] = done->commit;
        out["committed"] = done->committed;
        out["removed"] = done->removed;
        out["submission"] = {{"number", submitted.number},
                             {"state", submitted.state},
                             {"why", submitted.why.empty() ? Json() : Json(submitted.why)}};
        out["sent_bytes"] = done->sent_bytes;
        context.print_json(out);
    } else {
        context.print(std::to_string(submitted.number));
    }
    return submitted.state == "rejected" ? kRefused : kDone;
}

} // namespace locara::cli
