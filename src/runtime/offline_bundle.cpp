// The part of Installer that makes offline bundles, and reads their terms.
#include "bundle_source.hpp"
#include "installer_state.hpp"

#include <locara/base/file.hpp>
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

} // namespace

Result<BundlePlan> Installer::plan_bundle(const BundleRequest& request) {
    auto& state = *state_;
    LOCARA_CHECK(check_folder(request.folder));
    LOCARA_TRY(const auto texts, read_texts(request.licenses));
    BundlePlan plan;
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
        LOCARA_CHECK(state.check_takedown(app.entry, models, plan.warnings));
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
            for (const auto& terms : model.get_license().to_accept) {
                const auto pinned = crypto::Sha256Digest::parse(terms.text_sha256);
                if (!pinned || !texts.contains(*pinned)) {
                    plan.warnings.push_back("the text of " + terms.id +
                                            ", which has to be accepted, is not in the "
                                            "bundle; give it with --license FILE" +
                                            (pinned ? " (SHA-256 " + pinned->render() + ")" : ""));
                }
            }
        }
        plan.bytes += app.entry.bundle_size;
    }
    return plan;
}

Result<std::vector<BundledFile>> Installer::make_bundle(const BundleRequest& request,
                                                        const BundlePlan& plan,
                                                        ProgressSink& progress) {
    auto& state = *state_;
    LOCARA_TRY(const auto turn, state.take_turn());
    LOCARA_CHECK(check_folder(request.folder));
    LOCARA_TRY(const auto texts, read_texts(request.licenses));
    LOCARA_TRY(auto* client, state.client_of(plan.hub));
    LOCARA_CHECK(create_folders(request.folder));
    manifest::OfflineBundle note{plan.hub.url, 0, plan.apps};
    LOCARA_TRY(note.root, client->copy_to(bundle_catalog(request.folder), plan.targets));
    std::vector<BundledFile> done;
    for (const auto& file : plan.files) {
        LOCARA_TRY(const auto link,
                   store::export_file(state.store,
                                      file.sha256,
                                      bundle_file(request.folder, file.sha256),
                                      file.path,
                                      progress,
                                      state.options.stop));
        done.push_back({file, link});
    }
    for (const auto& [digest, text] : texts) {
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
    const auto path = bundle_file(bundle->folder(), file.file.sha256);
    const auto gate = [&](const Fd& fd) {
        return check_format(fd, file.file.path, file.file.format);
    };
    LOCARA_CHECK(store::import_file(store,
                                    path,
                                    {file.file.sha256, file.file.size},
                                    file.file.path,
                                    gate,
                                    progress,
                                    options.stop)
                     .context("taking " + file.file.path + " from the bundle"));
    return {};
}

} // namespace locara::runtime
