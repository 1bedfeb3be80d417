// The part of Installer that makes offline bundles, and reads their terms.
#include "bundle_source.hpp"
#include "installer_state.hpp"

#include <locara/base/file.hpp>
#include <locara/base/path.hpp>
#include <locara/base/percent.hpp>
#include <locara/manifest/model_signature.hpp>
#include <locara/store/exchange.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace locara::runtime {

namespace fs = std::filesystem;

namespace {

/// Conflict unless a bundle can be made in `folder`: nothing is there, or one that was begun.
Status check_folder(const fs::path& folder) {
    static const std::set<std::string> kOurs = {"catalog", "files", "licenses"};
    std::error_code failed;
    for (fs::directory_iterator it(folder, failed), end; !failed && it != end;
         it.increment(failed)) {
        const std::string name = it->path().filename().string();
        if (it->path() == bundle_note(folder)) {
            return Error(ErrorCode::Conflict,
                         folder.string() + " holds a finished bundle; choose another folder");
        }
        if (!kOurs.contains(name) && !name.starts_with("bundle.json.tmp-")) {
            return Error(ErrorCode::Conflict,
                         folder.string() + " holds " + name +
                             ", which is no part of a bundle; choose an empty folder");
        }
    }
    if (failed && failed != std::errc::no_such_file_or_directory) {
        return Error(ErrorCode::Io, folder.string() + ": " + failed.message());
    }
    return {};
}

/// License texts by digest.
Result<std::map<crypto::Sha256Digest, std::string>> read_texts(const std::vector<fs::path>& paths) {
    std::map<crypto::Sha256Digest, std::string> texts;
    for (const auto& path : paths) {
        LOCARA_TRY(auto text, read_file(path, kLicenseTextLimitBytes));
        const auto digest = crypto::sha256(as_bytes(text));
        texts.insert_or_assign(digest, std::move(text));
    }
    return texts;
}

/// The text of a license that a manifest pins, and the commit that has it.
struct PinnedText {
    std::string license;
    std::string repo;
    std::string revision;
    std::string url;
    std::string sha256;
};

/// Of the model's own license, and of those of what it was made from.
std::vector<PinnedText> pinned_texts(const manifest::ModelManifest& model) {
    std::vector<PinnedText> texts = {{model.license.id,
                                      model.source.repo,
                                      model.source.revision,
                                      model.license.url,
                                      model.license.text_sha256}};
    for (const auto& one : model.lineage) {
        texts.push_back({one.license.empty() ? "the license of " + one.repo : one.license,
                         one.repo,
                         one.revision,
                         one.license_url,
                         one.license_text_sha256});
    }
    std::erase_if(texts, [](const PinnedText& one) { return one.sha256.empty(); });
    return texts;
}

/// Where the text may lie in its repository: what the manifest's address says (`model pin` writes
/// .../ORG/NAME/blob/COMMIT/PATH), else the usual names. The hash decides.
std::vector<std::string> places_of(const PinnedText& text) {
    const std::string start = "/" + text.repo + "/blob/" + text.revision + "/";
    if (const auto at = text.url.find(start); at != std::string::npos) {
        const auto path = percent_decode(text.url.substr(at + start.size()));
        if (path && validate_path(*path)) {
            return {*path};
        }
    }
    return {"LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING"};
}

/// The text that a manifest pins, out of the pinned commit. NotFound, Corrupt (it is another one),
/// Offline, or as hf::Client::get_text.
Result<std::string> fetch_text(const InstallerOptions& options,
                               const std::vector<std::string>& endpoints,
                               const PinnedText& pinned,
                               const crypto::Sha256Digest& wanted) {
    if (options.network == Network::Offline || options.http == nullptr) {
        return Error(ErrorCode::Offline, "the network is not to be used");
    }
    Error last(ErrorCode::NotFound, "no file of " + pinned.repo + " is it");
    for (const auto& endpoint : endpoints) {
        auto hf_options = hf::Options::from_environment(endpoint);
        hf_options.log = options.log;
        LOCARA_TRY(auto client, hf::Client::create(*options.http, std::move(hf_options)));
        for (const auto& path : places_of(pinned)) {
            auto text = client.get_text(
                pinned.repo, pinned.revision, path, kLicenseTextLimitBytes, options.stop);
            if (text && crypto::sha256(as_bytes(*text)) == wanted) {
                return text;
            }
            if (text) {
                last = Error(ErrorCode::Corrupt,
                             path + " of " + pinned.repo + " at " + endpoint + " is another text");
            } else if (text.error().code() == ErrorCode::Cancelled) {
                return text;
            } else if (text.error().code() != ErrorCode::NotFound) {
                last = std::move(text).error();
                break; // the next endpoint may be there
            }
        }
    }
    return last;
}

} // namespace

namespace {

/// A bundle is made to be carried to other machines, which is no passing on as long as they are
/// one's own.
void add_passing_on(BundlePlan& plan, const PlannedModel& model) {
    const manifest::EffectiveFact& fact =
        model.get_license().fact(manifest::FactKind::Redistribution);
    if (fact.answer == manifest::Answer::No) {
        plan.warnings.push_back(
            model.manifest->id.render() +
            " may not be passed on: give the bundle to machines of your own alone (" +
            manifest::describe(manifest::FactKind::Redistribution, fact) + ")");
    }
}

} // namespace

Result<BundlePlan> Installer::plan_bundle(const BundleRequest& request) {
    auto& state = *state_;
    LOCARA_CHECK(check_folder(request.folder));
    BundlePlan plan;
    LOCARA_TRY(plan.texts, read_texts(request.licenses));
    std::set<crypto::Sha256Digest> counted;
    for (const auto& ref : request.apps) {
        LOCARA_TRY(const auto installed, get(ref.id));
        const std::string version = installed.lock.version.render();
        if (!ref.version.empty() && ref.version != version) {
            return Error(ErrorCode::NotFound,
                         ref.id.render() + "@" + ref.version + " is not installed, but " + version +
                             " is; a bundle carries what is installed");
        }
        LOCARA_TRY(auto app, find({ref.id, version}));
        if (!plan.apps.empty() && plan.hub.url != app.hub.url) {
            return Error(ErrorCode::InvalidArgument,
                         "a bundle carries apps of one hub; " + plan.apps[0].id.render() +
                             " is of " + plan.hub.url + ", " + ref.id.render() + " of " +
                             app.hub.url);
        }
        plan.hub = app.hub;
        LOCARA_TRY(auto* client, state.client_of(app.hub));
        LOCARA_CHECK(client->check_fresh(catalog::Expiry::OfflineBundle)
                         .context("catalog of " + app.hub.url));
        LOCARA_TRY(const auto models, resolve_models(app));
        LOCARA_CHECK(state.check_takedown(
            app.entry, state.files_of(app.entry).files, models, plan.warnings));
        plan.roles = client->roles();
        plan.apps.push_back({ref.id, version});
        plan.targets.push_back({app.target, {}});
        plan.targets.push_back({app.entry.bundle_target, installed.folder / kArchiveName});
        for (const auto& model : models) {
            LOCARA_TRY(const auto target, find_model_target(*client, model.manifest.digest()));
            plan.targets.push_back({target.name, {}});
            if (!model.signed_by.empty()) {
                plan.targets.push_back(
                    {manifest::model_signature_target(model.manifest->id, model.manifest->version),
                     {}});
            }
            for (const auto& file : model.files) {
                if (!file.here) {
                    return Error(ErrorCode::NotFound,
                                 file.file.path + " of " + model.manifest->id.render() +
                                     " is not here, though the catalog has " + ref.id.render() +
                                     " use it; `locara install " + ref.id.render() +
                                     "` fetches it");
                }
                if (counted.insert(file.file.sha256).second) {
                    plan.files.push_back({file.file.path, file.file.size, file.file.sha256});
                    plan.bytes += file.file.size;
                }
            }
            LOCARA_CHECK(state.add_text(plan, model));
            add_passing_on(plan, model);
        }
        plan.bytes += app.entry.bundle_size;
    }
    return plan;
}

Status Installer::State::add_text(BundlePlan& plan, const PlannedModel& model) const {
    const auto missing = [&plan](const std::string& sha256) {
        const auto digest = crypto::Sha256Digest::parse(sha256);
        return !digest || !plan.texts.contains(*digest);
    };
    const auto texts = pinned_texts(*model.manifest);
    std::map<std::string, std::string> why; // one is not there, by its SHA-256
    for (const auto& one : texts) {
        const auto digest = crypto::Sha256Digest::parse(one.sha256);
        if (!digest || !missing(one.sha256)) {
            continue;
        }
        auto text = fetch_text(options, endpoints(plan.hub), one, *digest);
        if (text) {
            plan.texts.emplace(*digest, *std::move(text));
        } else if (text.error().code() == ErrorCode::Cancelled) {
            return text.error();
        } else {
            why[one.sha256] = ": " + text.error().describe();
        }
    }
    std::set<std::string> told;
    const auto warn = [&](const std::string& id, const std::string& sha256, const char* role) {
        plan.warnings.push_back("the text of " + id + role + " is not in the bundle" + why[sha256] +
                                "; give it with --license FILE" +
                                (sha256.empty() ? "" : " (SHA-256 " + sha256 + ")"));
        told.insert(sha256);
    };
    for (const auto& terms : model.get_license().to_accept) {
        if (missing(terms.text_sha256)) {
            warn(terms.id, terms.text_sha256, ", which has to be accepted,");
        }
    }
    for (const auto& one : texts) {
        if (missing(one.sha256) && !told.contains(one.sha256)) {
            warn(one.license, one.sha256, "");
        }
    }
    return {};
}

Result<std::vector<BundledFile>> Installer::make_bundle(const BundleRequest& request,
                                                        const BundlePlan& plan,
                                                        ProgressSink& progress) {
    auto& state = *state_;
    LOCARA_TRY(const auto turn, state.take_turn());
    LOCARA_CHECK(check_folder(request.folder));
    LOCARA_TRY(auto* client, state.client_of(plan.hub));
    LOCARA_CHECK(create_folders(request.folder));
    manifest::OfflineBundle note{plan.hub.url, 0, plan.apps};
    LOCARA_TRY(note.root, client->copy_to(bundle_catalog(request.folder), plan.targets));
    std::vector<BundledFile> done;
    for (const auto& file : plan.files) {
        LOCARA_TRY(const auto link,
                   store::export_file(state.store,
                                      file.sha256,
                                      request.folder / bundle_file(file.sha256),
                                      file.path,
                                      progress,
                                      state.options.stop));
        done.push_back({file, link});
    }
    for (const auto& [digest, text] : plan.texts) {
        const auto path = bundle_license(request.folder, digest);
        LOCARA_CHECK(create_folders(path.parent_path()));
        LOCARA_CHECK(write_file_atomically(path, as_bytes(text)));
    }
    if (state.options.stop.stop_requested()) {
        return Error(ErrorCode::Cancelled, "stopped");
    }
    LOCARA_CHECK(write_file_atomically(bundle_note(request.folder), as_bytes(note.render())));
    return done;
}

const manifest::OfflineBundle* Installer::bundle() const {
    return state_->bundle ? &state_->bundle->note() : nullptr;
}

Result<std::optional<fs::path>> Installer::find_license_text(const OpenTerms& open) const {
    const auto digest = crypto::Sha256Digest::parse(open.terms.text_sha256);
    if (!state_->bundle || !digest) {
        return std::optional<fs::path>();
    }
    return state_->bundle->find_license(*digest);
}

Status Installer::State::import_file(const PlannedFile& file, ProgressSink& progress) {
    const auto gate = [&](const Fd& fd) {
        return check_format(fd, file.file.path, file.file.format);
    };
    LOCARA_CHECK(store::import_file(store,
                                    bundle->folder(),
                                    bundle_file(file.file.sha256),
                                    {file.file.sha256, file.file.size},
                                    file.file.path,
                                    gate,
                                    progress,
                                    options.stop)
                     .context("taking " + file.file.path + " from the bundle"));
    return {};
}

} // namespace locara::runtime
