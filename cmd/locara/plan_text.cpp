#include "plan_text.hpp"

#include "exit_codes.hpp"

#include <locara/base/bytes.hpp>

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
    for (std::size_t i = 0; i < plan.models.size(); ++i) {
        out += (i == 0 ? "Needs     " : "          ") + describe_model(plan.models[i]) + "\n";
    }
    out += (plan.models.empty() ? "Needs     " : "          ") + render_memory(plan.memory_bytes) +
           " memory (" + render_memory(plan.device.memory_available_bytes) + " free)\n";
    out += "Terms     app " + clean(app.license);
    for (const auto& model : plan.models) {
        out += "; model " + clean(model.manifest->license.id) + ": " +
               clean(manifest::describe(model.manifest->license.terms));
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
    }
    for (const auto& warning : plan.warnings) {
        out += "\n" + style.paint(Tone::Notice, "Warning") + "   " + clean(warning);
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
        const auto& license = model.manifest->license;
        models.push_back({{"role", model.role},
                          {"id", model.manifest->id.render()},
                          {"manifest", "sha256:" + model.manifest.digest().render()},
                          {"variant", model.variant},
                          {"repo", model.manifest->source.repo},
                          {"revision", model.manifest->source.revision},
                          {"license",
                           {{"id", license.id},
                            {"commercial", license.terms.commercial},
                            {"redistribution", license.terms.redistribution},
                            {"attribution", license.terms.attribution},
                            {"use_restrictions", license.terms.use_restrictions},
                            {"gated", license.terms.gated}}},
                          {"fallback", model.is_fallback},
                          {"files", std::move(files)}});
    }
    Json facts = Json::array();
    for (const auto& fact : manifest::facts(app)) {
        facts.push_back({{"subject", fact.subject}, {"text", fact.text}, {"mark", fact.mark}});
    }
    return {{"app",
             {{"id", app.id.render()},
              {"version", app.version.render()},
              {"name", app.name},
              {"license", app.license}}},
            {"hub", plan.app.hub.url},
            {"fetch_bytes", plan.fetch_bytes},
            {"here_bytes", plan.here_bytes},
            {"disk_bytes", plan.disk_bytes},
            {"disk_free_bytes", plan.device.disk_free_bytes},
            {"memory_bytes", plan.memory_bytes},
            {"memory_available_bytes", plan.device.memory_available_bytes},
            {"models", std::move(models)},
            {"facts", std::move(facts)},
            {"licenses_to_accept", plan.licenses_to_accept()},
            {"warnings", plan.warnings},
            {"replaces", plan.replaces ? Json(plan.replaces->render()) : Json()},
            {"up_to_date", plan.up_to_date}};
}

} // namespace locara::cli
