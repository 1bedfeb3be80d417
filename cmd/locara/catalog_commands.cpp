// locara search, locara show: from the local copies of the catalogs, so they work offline.
#include "context.hpp"
#include "plan_text.hpp"

#include <locara/base/bytes.hpp>
#include <locara/manifest/facts_json.hpp>
#include <locara/manifest/license_json.hpp>

namespace locara::cli {

namespace {

Json app_json(const manifest::AppManifest& app) {
    return {{"id", app.id.render()},
            {"version", app.version.render()},
            {"name", app.name},
            {"description", app.description},
            {"category", app.category},
            {"kind", manifest::render(app.entry.kind)},
            {"license", app.license},
            {"commercial", app.commercial},
            {"network", app.capabilities.net}};
}

std::string render_card(const manifest::AppManifest& app,
                        const std::vector<runtime::PlannedModel>& models,
                        const std::vector<runtime::Receipt>& receipts,
                        const Style& style) {
    std::string out = style.paint(Tone::Heading, clean(app.name)) + "  " + app.id.render() + " " +
                      app.version.render() + "  (" + std::string(manifest::render(app.entry.kind)) +
                      ")\n" + clean(app.description) + "\n\n";
    for (const auto& fact : manifest::facts(app)) {
        out += pad(fact.subject, 11) + clean(fact.text) + "  [" + fact.mark + "]\n";
    }
    out += pad("needs", 11) + render_memory(app.memory_bytes) + " memory, " +
           render_size(app.disk_bytes) + " disk, GPU " + app.gpu + "  [declared]\n";
    const auto whole = runtime::effective_license(app, models);
    out += pad("license", 11) + clean(app.license) + "; with its models " +
           clean(manifest::describe(whole)) + "\n";
    for (const auto& conflict : whole.conflicts) {
        out += pad("", 11) + style.paint(Tone::Notice, "conflict") + " " + clean(conflict) + "\n";
    }
    for (const auto& model : models) {
        const auto& manifest = *model.manifest;
        out += pad("model", 11) + clean(manifest.name) + " (" + model.role +
               "): " + manifest.source.repo + "@" + manifest.source.revision.substr(0, 12) + ", " +
               model.get_variant().quantization + ", " +
               render_size(model.get_variant().download_bytes()) +
               (model.signed_by.empty() ? ", not signed: only the catalog vouches for it" : "") +
               "\n";
        const auto license = model.get_license();
        std::string ids;
        for (const auto& id : license.licenses) {
            ids += (ids.empty() ? "" : ", ") + id;
        }
        out += pad("", 11) + clean(ids) + ": " + clean(manifest::describe(license)) + "\n";
        for (const auto kind : manifest::kFactKinds) {
            // Where a limit comes from, if not from the model's own card.
            const auto& fact = license.fact(kind);
            if (license.restricts(kind) && fact.from != manifest.id.render()) {
                out += pad("", 11) + clean(manifest::describe(kind, fact)) + "\n";
            }
        }
        for (const auto& conflict : license.conflicts) {
            out +=
                pad("", 11) + style.paint(Tone::Notice, "conflict") + " " + clean(conflict) + "\n";
        }
        if (const auto& quality = model.get_variant().quality) {
            std::string value = std::to_string(quality->value);
            value.erase(value.find_last_not_of('0') + 1);
            out += pad("", 11) + clean(quality->metric) + " " + value + " (" + clean(quality->how) +
                   ")  [measured]\n";
        }
    }
    for (const auto& receipt : receipts) {
        out += pad("accepted", 11) + clean(receipt.license) + " on " + receipt.when + " (" +
               std::string(runtime::render(receipt.by)) + ")\n";
    }
    if (!app.repository.empty()) {
        out += pad("source", 11) + clean(app.repository) + "\n";
    }
    return out + pad("install", 11) + "locara install " + app.id.render();
}

void tell_policy(Context& context,
                 const manifest::AppId& app,
                 const Result<policy::Decision>& said) {
    if (const Json refused = policy_json(said); !refused.is_null()) {
        context.print(context.out_style().paint(Tone::Bad, "refused") + " " +
                      clean(refused.at("reason").get<std::string>()) + "; `locara policy test " +
                      app.render() + "`");
    }
}

/// What is installed, when no catalog can say.
Result<int>
show_installed(Context& context, runtime::Installer& installer, const manifest::AppId& id) {
    LOCARA_TRY(const auto entry, installer.get(id));
    // A card is worth showing although its models' manifests are broken; `verify` says so.
    const auto read = installer.receipts(entry);
    const auto receipts = read ? *read : std::vector<runtime::Receipt>();
    const auto said = installer.judge(entry);
    if (context.flags.json) {
        Json out = {{"schema", "locara.show/1"}};
        out["app"] = app_json(entry.manifest);
        out["installed"] = entry.lock.version.render();
        out["hub"] = entry.lock.hub;
        out["receipts"] = receipts_json(receipts);
        out["policy"] = policy_json(said);
        context.print_json(out);
    } else {
        context.print(render_card(entry.manifest, {}, receipts, context.out_style()));
        tell_policy(context, id, said);
    }
    return kDone;
}

/// What was called back by the app's own names and, if this version of it is installed, by those
/// of its models; of others that takes their manifests, which `show` and `install` fetch.
Result<std::optional<catalog::TakedownEntry>>
find_takedown(runtime::Installer& installer,
              const runtime::CatalogApp& app,
              const std::vector<runtime::InstalledEntry>& installed) {
    LOCARA_TRY(auto taken, installer.find_takedown(app, {}));
    for (const auto& one : installed) {
        if (one.lock.app == app.entry.manifest.id &&
            one.lock.version == app.entry.manifest.version) {
            LOCARA_TRY(auto here, installer.find_takedown(one));
            taken = catalog::stricter(std::move(taken), std::move(here));
        }
    }
    return taken;
}

} // namespace

Result<int> run_search(Context& context, const std::vector<std::string>& words, bool refresh) {
    LOCARA_TRY(auto installer, context.installer());
    std::string text;
    for (const auto& word : words) {
        text += word + " ";
    }
    if (refresh) {
        LOCARA_CHECK(installer.refresh());
    }
    LOCARA_TRY(const auto apps, installer.search(text));
    LOCARA_TRY(const auto installed, installer.list());
    Json list = Json::array();
    std::vector<std::vector<std::string>> rows;
    for (const auto& app : apps) {
        const auto& manifest = app.entry.manifest;
        const bool here = std::any_of(installed.begin(), installed.end(), [&](const auto& one) {
            return one.lock.app == manifest.id;
        });
        Json one = app_json(manifest);
        one["hub"] = app.hub.url;
        one["installed"] = here;
        LOCARA_TRY(const auto taken, find_takedown(installer, app, installed));
        one["takedown"] = takedown_json(taken);
        const auto said = installer.judge(app);
        one["policy"] = policy_json(said);
        list.push_back(std::move(one));
        rows.push_back(
            {manifest.id.render(),
             manifest.version.render(),
             here ? "installed" : "",
             "leaves: " + (manifest.capabilities.net.empty() ? std::string("nothing")
                                                             : manifest.capabilities.net.front()),
             takedown_mark(taken) + policy_mark(said) +
                 (manifest.commercial ? "" : "[no commercial use] ") + manifest.description});
        if (context.flags.quiet) {
            context.print(manifest.id.render());
        }
    }
    if (context.flags.json) {
        context.print_json({{"schema", "locara.search/1"}, {"apps", std::move(list)}});
    } else if (rows.empty()) {
        context.say("Nothing found. `locara search` without words lists every app.");
    } else if (!context.flags.quiet) {
        context.print(render_table(rows));
    }
    return kDone;
}

Result<int> run_show(Context& context, const std::string& text) {
    LOCARA_TRY(const auto ref, manifest::AppRef::parse(text));
    LOCARA_TRY(auto installer, context.installer());
    auto app = installer.find(ref);
    if (!app) {
        if (app.error().code() == ErrorCode::NotFound && installer.get(ref.id)) {
            return show_installed(context, installer, ref.id);
        }
        return std::move(app).error();
    }
    auto resolved = installer.resolve_models(*app);
    // A card is worth showing without its models too (never fetched, and no network now).
    const auto models = resolved ? std::move(*resolved) : std::vector<runtime::PlannedModel>();
    LOCARA_TRY(const auto taken, installer.find_takedown(*app, models));
    const auto said = installer.judge(app->entry.manifest, models);
    const auto installed = installer.get(ref.id);
    LOCARA_TRY(const auto receipts, installer.receipts(models));
    if (context.flags.json) {
        LOCARA_TRY(const auto manifest, parse_json(app->entry.manifest_json));
        Json list = Json::array();
        for (const auto& model : models) {
            LOCARA_TRY(auto one, parse_json(model.manifest.bytes()));
            list.push_back({{"role", model.role},
                            {"manifest_sha256", model.manifest.digest().render()},
                            {"license", license_json(model)},
                            {"signed_by", model.signed_by.empty() ? Json() : Json(model.signed_by)},
                            {"manifest", std::move(one)}});
        }
        Json out = {{"schema", "locara.show/1"}};
        out["app"] = app_json(app->entry.manifest);
        out["manifest"] = manifest;
        out["hub"] = app->hub.url;
        out["bundle"] = {{"size", app->entry.bundle_size},
                         {"sha256", app->entry.bundle_sha256.render()},
                         {"files_sha256", app->entry.files_sha256.render()}};
        out["facts"] = manifest::render_facts(manifest::facts(app->entry.manifest));
        out["license"] = manifest::render_license(
            app->entry.manifest.license, runtime::effective_license(app->entry.manifest, models));
        out["models"] = std::move(list);
        out["receipts"] = receipts_json(receipts);
        out["installed"] = installed ? Json(installed->lock.version.render()) : Json();
        out["takedown"] = takedown_json(taken);
        out["policy"] = policy_json(said);
        context.print_json(out);
        return kDone;
    }
    context.print(render_card(app->entry.manifest, models, receipts, context.out_style()));
    if (taken) {
        context.print(context.out_style().paint(Tone::Bad, "called back") + " " +
                      clean(taken->date) + " (" + std::string(catalog::render(taken->action)) +
                      "): " + clean(taken->reason));
    }
    tell_policy(context, ref.id, said);
    if (!resolved) {
        context.say("Models are not shown: " + resolved.error().describe());
    }
    return kDone;
}

} // namespace locara::cli
