#include "plan_text.hpp"

#include "exit_codes.hpp"

#include <locara/base/bytes.hpp>
#include <locara/manifest/facts_json.hpp>
#include <locara/manifest/license_json.hpp>

#include <algorithm>

namespace locara::cli {

namespace {

std::string join(const std::vector<std::string>& words, const char* separator) {
    std::string out;
    for (const auto& word : words) {
        out += (out.empty() ? "" : separator) + word;
    }
    return out;
}

std::string describe_model(const runtime::PlannedModel& model) {
    const auto& variant = model.get_variant();
    std::uint64_t here = 0;
    for (const auto& file : model.files) {
        here += file.here ? file.file.size : std::min(file.received_bytes, file.file.size);
    }
    const auto size = variant.download_bytes();
    std::string out =
        clean(model.manifest->name) + ", " + variant.quantization + ", " + render_size(size);
    if (here == size) {
        out += "    already here";
    } else if (here > 0) {
        out += "    " + render_size(here) + " already here";
    }
    return out + (model.is_fallback ? "    (stands in for the one the app prefers)" : "");
}

} // namespace

std::string describe_touches(const manifest::Capabilities& can) {
    std::vector<std::string> parts;
    if (can.files == manifest::Capabilities::Files::Picker) {
        parts.emplace_back("files you pick");
    }
    for (const auto& device : can.devices) {
        parts.push_back(device + ": asks first");
    }
    if (can.save) {
        parts.emplace_back("saves files when you say so");
    }
    if (can.background) {
        parts.emplace_back("may go on in the background");
    }
    if (parts.empty()) {
        parts.emplace_back("nothing but what you type");
    }
    parts.push_back("network: " + (can.net.empty() ? "none" : join(can.net, ", ")));
    return join(parts, " | ");
}

std::string render_plan(const runtime::Plan& plan, const Style& style) {
    const auto& app = plan.app.entry.manifest;
    std::string out = style.paint(Tone::Heading, clean(app.name) + " " + app.version.render()) +
                      " by " + app.id.publisher + " (" + clean(plan.app.hub.url) + ", signed)\n";
    out += "Does      " + clean(app.description) + "\n";
    out += "Touches   " + describe_touches(app.capabilities) + "\n";
    for (const auto& power : plan.new_powers) {
        out += style.paint(Tone::Notice, "New") + "       " + clean(power.text) + " Version " +
               plan.replaces->render() + " could not.\n";
    }
    for (std::size_t i = 0; i < plan.models.size(); ++i) {
        out += (i == 0 ? "Needs     " : "          ") + describe_model(plan.models[i]) + "\n";
    }
    out += (plan.models.empty() ? "Needs     " : "          ") + render_memory(plan.memory_bytes) +
           " memory (" + render_memory(plan.device.memory_available_bytes) + " free)\n";
    out += "Terms     app " + clean(app.license);
    for (const auto& model : plan.models) {
        const auto license = model.get_license();
        out += "; model " + clean(join(license.licenses, ", ")) + ": " +
               clean(manifest::describe(license));
    }
    if (!plan.allows_commercial_use()) {
        out += "\n          " + style.paint(Tone::Notice, "No commercial use");
    }
    out += "\nDownload  " + render_size(plan.fetch_bytes);
    if (plan.here_bytes > 0) {
        out += " (" + render_size(plan.here_bytes) + " already here)";
    }
    out += "    Disk after " +
           render_size(plan.device.disk_free_bytes -
                       std::min(plan.disk_bytes, plan.device.disk_free_bytes)) +
           " free";
    if (plan.replaces && !plan.up_to_date) {
        out += "\nReplaces  version " + plan.replaces->render();
        if (plan.app.entry.manifest.version < *plan.replaces) {
            out += ", " + style.paint(Tone::Notice, "which is newer");
        }
    }
    for (const auto& warning : plan.warnings) {
        out += "\n" + style.paint(Tone::Notice, "Warning") + "   " + clean(warning);
    }
    return out;
}

Json license_json(const runtime::PlannedModel& model) {
    return manifest::render_license(model.manifest->license.id, model.get_license());
}

Json receipts_json(const std::vector<runtime::Receipt>& receipts) {
    Json out = Json::array();
    for (const auto& one : receipts) {
        out.push_back({{"license", one.license},
                       {"url", one.url},
                       {"text_sha256", one.text_sha256.empty() ? Json() : Json(one.text_sha256)},
                       {"terms_sha256", one.digest.render()},
                       {"model", one.model},
                       {"manifest", "sha256:" + one.manifest.render()},
                       {"when", one.when},
                       {"by", runtime::render(one.by)}});
    }
    return out;
}

Json plan_json(const runtime::Plan& plan) {
    const auto& app = plan.app.entry.manifest;
    Json models = Json::array();
    for (const auto& model : plan.models) {
        Json files = Json::array();
        for (const auto& file : model.files) {
            files.push_back({{"path", file.file.path},
                             {"size", file.file.size},
                             {"sha256", file.file.sha256.render()},
                             {"here", file.here},
                             {"received_bytes", file.received_bytes}});
        }
        models.push_back({{"role", model.role},
                          {"id", model.manifest->id.render()},
                          {"manifest", "sha256:" + model.manifest.digest().render()},
                          {"variant", model.variant},
                          {"repo", model.manifest->source.repo},
                          {"revision", model.manifest->source.revision},
                          {"license", license_json(model)},
                          {"fallback", model.is_fallback},
                          {"files", std::move(files)}});
    }
    Json open = Json::array();
    for (const auto& one : plan.open_terms) {
        open.push_back({{"license", one.terms.id},
                        {"url", one.terms.url},
                        {"from", one.terms.from},
                        {"terms", one.terms.terms},
                        {"terms_sha256", one.terms.digest().render()}});
    }
    Json powers = Json::array();
    for (const auto& power : plan.new_powers) {
        powers.push_back(power.text);
    }
    return {{"app",
             {{"id", app.id.render()},
              {"version", app.version.render()},
              {"name", app.name},
              {"license", app.license},
              {"commercial", plan.allows_commercial_use()}}},
            {"hub", plan.app.hub.url},
            {"fetch_bytes", plan.fetch_bytes},
            {"here_bytes", plan.here_bytes},
            {"disk_bytes", plan.disk_bytes},
            {"disk_free_bytes", plan.device.disk_free_bytes},
            {"memory_bytes", plan.memory_bytes},
            {"memory_available_bytes", plan.device.memory_available_bytes},
            {"license",
             manifest::render_license(app.license, runtime::effective_license(app, plan.models))},
            {"models", std::move(models)},
            {"facts", manifest::render_facts(manifest::facts(app))},
            {"new_powers", std::move(powers)},
            {"licenses_to_accept", plan.licenses_to_accept()},
            {"terms_to_accept", std::move(open)},
            {"warnings", plan.warnings},
            {"replaces", plan.replaces ? Json(plan.replaces->render()) : Json()},
            {"up_to_date", plan.up_to_date}};
}

Json takedown_json(const std::optional<catalog::TakedownEntry>& taken) {
    return taken ? Json({{"action", catalog::render(taken->action)},
                         {"reason", taken->reason},
                         {"date", taken->date}})
                 : Json();
}

namespace {

/// Why it is refused, if it is.
std::optional<Error> refusal_of(const Result<policy::Decision>& said) {
    const Status status = said ? said->status() : Status(said.error());
    return status ? std::nullopt : std::optional(status.error());
}

} // namespace

Json policy_json(const Result<policy::Decision>& said) {
    const auto refusal = refusal_of(said);
    return refusal ? Json({{"reason", refusal->describe()}}) : Json();
}

std::string policy_mark(const Result<policy::Decision>& said) {
    return refusal_of(said) ? "[refused by policy] " : "";
}

std::string takedown_mark(const std::optional<catalog::TakedownEntry>& taken) {
    return taken ? "[called back: " + std::string(catalog::render(taken->action)) + "] " : "";
}

} // namespace locara::cli
