#include "catalog_summary.hpp"

#include "catalog_files.hpp"
#include "published_catalog.hpp"
#include "routes.hpp"

#include <locara/base/file.hpp>
#include <locara/manifest/app_entry.hpp>
#include <locara/manifest/effective_license.hpp>
#include <locara/manifest/license_json.hpp>

#include <algorithm>
#include <utility>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

Json render_license_of(const manifest::ModelManifest& model) {
    return manifest::render_license(model.license.id, manifest::effective_license(model));
}

Json render_takedown(const CalledBack::Entries& entries, const std::string& id) {
    const auto found = entries.find(id);
    return found == entries.end() ? Json()
                                  : Json{{"action", catalog::render(found->second.action)},
                                         {"reason", found->second.reason},
                                         {"date", found->second.date}};
}

Json render_need(const CatalogContents& contents,
                 const manifest::ModelNeed& need,
                 const crypto::Sha256Digest& pin) {
    const auto found = contents.models.find(pin);
    Json license;
    if (found != contents.models.end()) {
        license = render_license_of(found->second);
    }
    return {{"role", need.role},
            {"id", found == contents.models.end() ? need.id.render() : found->second.id.render()},
            {"manifest", "sha256:" + pin.render()},
            {"commercial", license.is_object() ? license.at("commercial") : Json(false)},
            {"license", license}};
}

/// Over the app and all models that it may come to run with.
manifest::EffectiveLicense license_of(const CatalogContents& contents,
                                      const manifest::AppManifest& app) {
    std::vector<manifest::AppModelLicense> models;
    for (const manifest::ModelNeed& need : app.models) {
        for (const crypto::Sha256Digest& pin : need.pins()) {
            const auto found = contents.models.find(pin);
            if (found != contents.models.end()) {
                models.push_back(
                    {need.role, found->second.id, manifest::effective_license(found->second)});
            }
        }
    }
    return manifest::effective_license(app, models);
}

} // namespace

std::vector<const manifest::ModelManifest*> CatalogContents::newest_models() const {
    std::map<std::string, const manifest::ModelManifest*> newest;
    for (const auto& [digest, model] : models) {
        const manifest::ModelManifest*& slot = newest[model.id.render()];
        if (slot == nullptr || slot->version < model.version) {
            slot = &model;
        }
    }
    std::vector<const manifest::ModelManifest*> out;
    for (const auto& [id, model] : newest) {
        out.push_back(model);
    }
    return out;
}

Result<CatalogContents> read_contents(const fs::path& tree, const catalog::Repository& repository) {
    CatalogContents out;
    for (const catalog::Target& target : repository.targets()) {
        if (fs::path(target.name).extension() != ".json") {
            continue;
        }
        if (target.role == "models") {
            LOCARA_TRY(const std::string text, read_target(tree, target));
            LOCARA_TRY(auto model, manifest::ModelManifest::parse(text));
            out.models.insert_or_assign(crypto::sha256(as_bytes(text)), std::move(model));
        } else if (target.role == "apps") {
            LOCARA_TRY(const std::string text, read_target(tree, target));
            LOCARA_TRY(auto entry, manifest::AppEntry::parse(text));
            const std::string id = entry.manifest.id.render();
            const auto found = out.apps.find(id);
            if (found == out.apps.end() || found->second.version < entry.manifest.version) {
                out.apps.insert_or_assign(id, std::move(entry.manifest));
            }
        }
    }
    return out;
}

Json render_contents(const CatalogContents& contents, const CalledBack& called_back) {
    Json apps = Json::array();
    for (const auto& [id, app] : contents.apps) {
        Json needs = Json::array();
        for (const manifest::ModelNeed& need : app.models) {
            for (const crypto::Sha256Digest& pin : need.pins()) {
                needs.push_back(render_need(contents, need, pin));
            }
        }
        apps.push_back({{"id", id},
                        {"version", app.version.render()},
                        {"name", app.name},
                        {"license", app.license},
                        {"commercial", app.commercial},
                        {"effective_license",
                         manifest::render_license(app.license, license_of(contents, app))},
                        {"takedown", render_takedown(called_back.apps, id)},
                        {"models", std::move(needs)}});
    }
    Json models = Json::array();
    for (const manifest::ModelManifest* model : contents.newest_models()) {
        models.push_back({{"id", model->id.render()},
                          {"version", model->version.render()},
                          {"name", model->name},
                          {"repo", model->source.repo},
                          {"revision", model->source.revision},
                          {"license", render_license_of(*model)},
                          {"takedown", render_takedown(called_back.models, model->id.render())}});
    }
    return {{"schema", "locara-hub.catalog/1"},
            {"apps", std::move(apps)},
            {"models", std::move(models)}};
}

std::string describe_license(const manifest::ModelManifest& model) {
    const auto license = manifest::effective_license(model);
    if (!license.restricts(manifest::FactKind::CommercialUse)) {
        return model.license.id;
    }
    const auto answer = license.fact(manifest::FactKind::CommercialUse).answer;
    return model.license.id + (answer == manifest::Answer::Unknown ? ", commercial use unknown"
                                                                   : ", no commercial use");
}

namespace {

void note(CalledBack::Entries& entries,
          const std::string& id,
          std::optional<catalog::TakedownEntry> taken) {
    if (!taken) {
        return;
    }
    const auto known = entries.find(id);
    auto strictest =
        known == entries.end() ? std::move(taken) : stricter(known->second, std::move(taken));
    entries.insert_or_assign(id, *std::move(strictest));
}

/// Without the digests of its files, each of which may be called back by itself.
std::optional<catalog::TakedownEntry> find_model(const catalog::TakedownList& list,
                                                 const manifest::ModelManifest& model,
                                                 const crypto::Sha256Digest& digest) {
    return list.find(catalog::takedown_names(model, digest, {}));
}

} // namespace

Result<CalledBack> find_called_back(const fs::path& tree,
                                    const catalog::Repository& repository,
                                    const CatalogContents& contents,
                                    BundleFiles& files) {
    constexpr std::string_view kDigest = "sha256:";
    const catalog::TakedownList& list = repository.takedown();
    CalledBack out;
    for (const catalog::TakedownEntry& entry : list.entries()) {
        if (entry.kind == "file" && entry.id.starts_with(kDigest)) {
            note(out.files, entry.id.substr(kDigest.size()), list.find("file", entry.id));
        }
    }
    const auto newest = contents.newest_models();
    for (const auto& [digest, model] : contents.models) {
        const auto taken = find_model(list, model, digest);
        if (std::find(newest.begin(), newest.end(), &model) != newest.end()) {
            note(out.models, model.id.render(), list.find(catalog::takedown_names(model, digest)));
        }
        for (const manifest::Variant& variant : model.variants) {
            for (const manifest::ModelFile& file : variant.files) {
                note(out.files, file.sha256.render(), taken);
            }
        }
    }
    LOCARA_TRY(const auto bundles, list_bundles(tree, repository));
    for (const PublishedBundle& bundle : bundles) {
        const auto taken = find_takedown(list, bundle, files);
        note(out.bundles, bundle.sha256.render(), taken);
        const auto app = contents.apps.find(bundle.app.render());
        if (app != contents.apps.end() && app->second.version == bundle.version) {
            note(out.apps, app->first, taken);
        }
    }
    return out;
}

void add_catalog_summary_route(Routes& routes, PublishedCatalog& published) {
    routes.get("/api/catalog", [&published](const http::Request&) -> Answer<http::Response> {
        LOCARA_TRY(const auto catalog, published.get());
        return json_answer(catalog->summary);
    });
}

} // namespace locara::hub
