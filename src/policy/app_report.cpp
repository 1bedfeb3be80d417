#include "app_lint.hpp"

#include <locara/base/beneath.hpp>
#include <locara/base/file.hpp>
#include <locara/base/path.hpp>
#include <locara/formats/verdict_json.hpp>
#include <locara/gate/gate.hpp>
#include <locara/manifest/facts_json.hpp>
#include <locara/manifest/license_json.hpp>
#include <locara/manifest/model_manifest.hpp>
#include <locara/policy/app_report.hpp>

#include <algorithm>

namespace locara::policy {
namespace {

namespace fs = std::filesystem;
using Level = AppFinding::Level;

/// One run of check_app.
class Check {
  public:
    Check(const fs::path& folder, const KnownModels& models, Door door)
        : folder_(folder), manifest_path_((folder / "locara.json").string()), models_(models),
          door_(door) {}

    Result<AppReport> run(const fs::path& archive) {
        LOCARA_CHECK(read_manifest());
        if (report_.app) {
            LOCARA_CHECK(pack(archive));
            check_models(*report_.app);
            check_card(*report_.app);
        }
        std::stable_sort(report_.findings.begin(),
                         report_.findings.end(),
                         [](const auto& a, const auto& b) { return a.level < b.level; });
        return std::move(report_);
    }

  private:
    void add(Level level, std::string rule, Error error) {
        report_.findings.push_back({level, std::move(rule), std::move(error)});
    }

    /// A failure that the app is to blame for becomes a finding; others end the check.
    Status blame(const std::string& rule, Error error) {
        if (error.code() == ErrorCode::Io || error.code() == ErrorCode::NoSpace) {
            return error;
        }
        add(Level::Error, rule, std::move(error));
        return {};
    }

    Status read_manifest() {
        const auto json = read_file(manifest_path_, manifest::kManifestLimitBytes);
        if (!json) {
            if (json.error().code() == ErrorCode::NotFound) {
                return blame(
                    "manifest",
                    Error(ErrorCode::NotFound,
                          "there is no " + manifest_path_ + "; an app is a folder with that file"));
            }
            return blame("manifest", json.error());
        }
        auto app = manifest::AppManifest::parse(*json).context("reading " + manifest_path_);
        if (!app) {
            return blame("manifest", app.error());
        }
        report_.app = *std::move(app);
        report_.manifest_json = *json;
        for (const std::string& text : manifest::check_texts(*report_.app)) {
            add(Level::Error,
                "manifest",
                Error(ErrorCode::InvalidArgument, manifest_path_ + ": " + text));
        }
        return {};
    }

    Status pack(const fs::path& archive) {
        LOCARA_TRY(below_, open_folder(folder_));
        auto bundle =
            manifest::pack_bundle(folder_, archive).context("packing " + folder_.string());
        if (!bundle) {
            return blame("files", bundle.error());
        }
        report_.bundle = *std::move(bundle);
        for (const manifest::BundleFile& file : report_.bundle->list.files) {
            LOCARA_CHECK(judge(file));
        }
        return {};
    }

    Status judge(const manifest::BundleFile& file) {
        const fs::path path = folder_ / file.path;
        LOCARA_TRY(const Fd fd, open_beneath(below_, file.path));
        LOCARA_TRY(const auto warnings, lint_file(fd, file.path, *report_.app));
        for (const std::string& warning : warnings) {
            add(Level::Warning, "page", Error(ErrorCode::Refused, warning));
        }
        auto verdict = gate::judge(fd, path.filename().string());
        const Answer said = answer(door_, verdict);
        if (said == Answer::Admit) {
            return {};
        }
        if (said == Answer::Later) {
            return check(door_, path.string(), verdict);
        }
        const bool left = said == Answer::Curator;
        add(left ? Level::Warning : Level::Error,
            "gate",
            Error(ErrorCode::Refused,
                  path.string() +
                      (left ? " is flagged by the format gate, a curator decides: "
                            : " is refused by the format gate: ") +
                      verdict.reason + " (found: " + verdict.format + ", rule: " + verdict.rule +
                      ")"));
        report_.verdicts.push_back({file.path, file.sha256, std::move(verdict)});
        return {};
    }

    void check_models(const manifest::AppManifest& app) {
        std::vector<manifest::AppModelLicense> licenses;
        for (const manifest::ModelNeed& need : app.models) {
            std::vector<crypto::Sha256Digest> pins = need.fallbacks;
            pins.insert(pins.begin(), need.manifest);
            // Fallbacks count: whoever installs the app may get one.
            for (const crypto::Sha256Digest& pin : pins) {
                const auto found = models_.manifests.find(pin);
                if (found == models_.manifests.end()) {
                    add_unknown(need, pin);
                } else {
                    check_named(need, pin, found->second.id);
                    licenses.push_back({need.role, found->second.id, found->second.license});
                    report_.models.push_back({need.role, pin, found->second});
                }
            }
        }
        for (const std::string& fault : manifest::check_app_license(app, licenses)) {
            add(Level::Error, "license", Error(ErrorCode::Refused, manifest_path_ + ": " + fault));
        }
    }

    /// People are told that the app uses `need.id`: that must be what it pins. A fallback is
    /// another model, and shown by its own name.
    void check_named(const manifest::ModelNeed& need,
                     const crypto::Sha256Digest& pin,
                     const manifest::ModelId& found) {
        if (pin == need.manifest && !(found == need.id)) {
            add(Level::Error,
                "models",
                Error(ErrorCode::Corrupt,
                      manifest_path_ + ": models: role " + need.role + " has \"id\": \"" +
                          need.id.render() + "\", but sha256:" + pin.render() +
                          " is the manifest of " + found.render() + "; name that"));
        }
    }

    void add_unknown(const manifest::ModelNeed& need, const crypto::Sha256Digest& pin) {
        const std::string what =
            manifest_path_ + ": models: role " + need.role + " pins sha256:" + pin.render();
        if (models_.others == KnownModels::Others::Possible) {
            add(Level::Warning,
                "models",
                Error(ErrorCode::NotFound,
                      what + ", which no catalog that you know has: its license was not looked "
                             "at; `locara hub add` the hub that has it"));
            return;
        }
        std::string known;
        for (const auto& [digest, terms] : models_.manifests) {
            known += (known.empty() ? "sha256:" : ", sha256:") + digest.render();
        }
        add(Level::Error,
            "models",
            Error(ErrorCode::Corrupt,
                  what + ", but the model manifests here are " + (known.empty() ? "none" : known) +
                      "; an app pins what its catalog has, or what comes with it in a seed"));
    }

    /// What people look at before they install.
    void check_card(const manifest::AppManifest& app) {
        const auto warn = [this](const std::string& what) {
            add(Level::Warning,
                "card",
                Error(ErrorCode::InvalidArgument, manifest_path_ + ": " + what));
        };
        if (app.icon.empty()) {
            warn("there is no icon; lists show a blank one");
        }
        if (app.screenshots.empty()) {
            warn("there are no screenshots; nobody sees what the app looks like before it is "
                 "installed");
        }
        if (app.details.empty()) {
            warn("details is empty; say what the app is for, what it keeps, and its known limits");
        }
        if (!fs::exists(folder_ / "LICENSE")) {
            warn("there is no file LICENSE with the text of " + app.license + " beside it");
        }
    }

    const fs::path& folder_;
    const std::string manifest_path_;
    const KnownModels& models_;
    const Door door_;
    Fd below_; ///< The folder.
    AppReport report_;
};

} // namespace

Json render_app_report(const AppReport& report,
                       const std::optional<manifest::AppEntry>& published) {
    Json findings = Json::array();
    for (const AppFinding& finding : report.findings) {
        findings.push_back({{"level", render(finding.level)},
                            {"rule", finding.rule},
                            {"message", finding.error.describe()}});
    }
    Json bundle;
    if (report.bundle) {
        bundle = {{"id", "sha256:" + report.bundle->id.render()},
                  {"files", report.bundle->list.files.size()},
                  {"size", report.bundle->archive_bytes}};
    }
    Json license;
    if (report.app) {
        std::vector<manifest::AppModelLicense> licenses;
        for (const PinnedModel& model : report.models) {
            licenses.push_back({model.role, model.terms.id, model.terms.license});
        }
        license = manifest::render_license(report.app->license,
                                           manifest::effective_license(*report.app, licenses));
    }
    Json models = Json::array();
    for (const PinnedModel& model : report.models) {
        models.push_back(
            {{"role", model.role},
             {"model", model.terms.id.render()},
             {"manifest", "sha256:" + model.manifest.render()},
             {"license", manifest::render_license(model.terms.license_id, model.terms.license)}});
    }
    Json verdicts = Json::array();
    for (const AppVerdict& found : report.verdicts) {
        Json one = {{"path", found.path}, {"sha256", found.sha256.render()}};
        one.update(formats::render_verdict(found.verdict));
        verdicts.push_back(std::move(one));
    }
    const Json app = report.app ? Json::parse(report.manifest_json) : Json(); // it was parsed once
    Json changes;
    if (report.app && published) {
        const auto changed = manifest::changed_facts(published->manifest, *report.app);
        changes = {{"since", published->manifest.version.render()},
                   {"gone", manifest::render_facts(changed.gone)},
                   {"come", manifest::render_facts(changed.come)},
                   {"fields", manifest::changed_fields(Json::parse(published->manifest_json), app)},
                   {"files", nullptr}};
        if (report.bundle && report.bundle->id != published->files_sha256) {
            changes["files"] = {{"was", "sha256:" + published->files_sha256.render()},
                                {"now", "sha256:" + report.bundle->id.render()}};
        }
    }
    return {{"app", report.app ? Json(report.app->id.render()) : Json()},
            {"version", report.app ? Json(report.app->version.render()) : Json()},
            {"manifest", app},
            {"passes", report.status().has_value()},
            {"findings", std::move(findings)},
            {"facts",
             report.app ? manifest::render_facts(manifest::facts(*report.app)) : Json::array()},
            {"changes", std::move(changes)},
            {"bundle", std::move(bundle)},
            {"license", std::move(license)},
            {"models", std::move(models)},
            {"verdicts", std::move(verdicts)}};
}

Status KnownModels::add(std::string_view json) {
    LOCARA_TRY(const auto model, manifest::ModelManifest::parse(json));
    manifests.insert_or_assign(
        crypto::sha256(as_bytes(json)),
        ModelTerms{model.id, model.license.id, manifest::effective_license(model)});
    return {};
}

Status add_what_is_called_back(AppReport& report, const FindTakedown& find) {
    if (!report.app || !report.bundle) {
        return {};
    }
    const auto add = [&](const std::string& what,
                         std::span<const catalog::TakedownName> names) -> Status {
        LOCARA_TRY(const auto taken, find(names));
        if (const Status fine = check(Door::Review, what, taken); !fine) {
            report.add_error("takedown", ErrorCode::Refused, fine.error().message());
        }
        return {};
    };
    const std::array bundle = {report.bundle->archive_sha256, report.bundle->id};
    const std::string app = report.app->id.render() + " " + report.app->version.render();
    LOCARA_CHECK(
        add(app, catalog::takedown_names(report.app->id, report.app->version, bundle, {})));
    for (const auto& file : report.bundle->list.files) { // each by its own name
        LOCARA_CHECK(add(file.path, std::array{catalog::takedown_name(file.sha256)}));
    }
    return {};
}

std::string_view render(AppFinding::Level level) {
    return level == AppFinding::Level::Error ? "error" : "warning";
}

void AppReport::add_error(std::string rule, ErrorCode code, std::string message) {
    findings.insert(findings.begin(),
                    {AppFinding::Level::Error, std::move(rule), Error(code, std::move(message))});
}

Status AppReport::status() const {
    for (const AppFinding& finding : findings) {
        if (finding.level == AppFinding::Level::Error) {
            return finding.error;
        }
    }
    return {};
}

Result<AppReport>
check_app(const fs::path& folder, const fs::path& archive, const KnownModels& models, Door door) {
    return Check(folder, models, door).run(archive);
}

} // namespace locara::policy
