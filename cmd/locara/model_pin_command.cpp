// locara model pin
#include "model_commands.hpp"
#include "target_hub.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/file.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/manifest/effective_license.hpp>
#include <locara/runtime/model_pin.hpp>

#include <filesystem>

namespace locara::cli {

namespace {

Json as_json(const runtime::PinnedModel& pinned, const std::string& hub, bool dry_run) {
    const auto& model = pinned.manifest;
    Json variants = Json::array();
    for (const auto& variant : model.variants) {
        variants.push_back({{"name", variant.name},
                            {"quantization", variant.quantization},
                            {"bytes", variant.download_bytes()},
                            {"memory_bytes", runtime::estimate_memory(model, variant)},
                            {"default", variant.name == model.default_variant},
                            {"validated", false}});
    }
    const auto license = manifest::effective_license(model);
    return {{"schema", "locara.model-pin/1"},
            {"dry_run", dry_run},
            {"hub", hub},
            {"repo", model.source.repo},
            {"revision", model.source.revision},
            {"model", model.id.render() + "@" + model.version.render()},
            {"sha256", crypto::sha256(as_bytes(pinned.text)).render()},
            {"license", license.licenses},
            {"conflicts", license.conflicts},
            {"variants", std::move(variants)},
            {"fetched_bytes", pinned.fetched_bytes},
            {"notes", pinned.notes},
            {"manifest", parse_json(pinned.text).value()}}; // we rendered it
}

void tell(Context& context, const runtime::PinnedModel& pinned) {
    const auto& model = pinned.manifest;
    context.say("pinned  hf:" + model.source.repo + "@" + model.source.revision + " as " +
                model.id.render() + " " + model.version.render());
    for (const auto& variant : model.variants) {
        context.say("variant " + variant.name + ", " + render_size(variant.download_bytes()) +
                    ", about " + render_memory(runtime::estimate_memory(model, variant)) +
                    " of memory" + (variant.name == model.default_variant ? "; the default" : "") +
                    "; not validated");
    }
    for (const auto& base : model.lineage) {
        context.say("from    " + clean(manifest::describe(base)));
    }
    const auto license = manifest::effective_license(model);
    context.say("terms   " + clean(model.license.id) + ": " + clean(manifest::describe(license)));
    for (const auto& conflict : license.conflicts) {
        context.say("warning " + clean(conflict));
    }
    for (const auto& note : pinned.notes) {
        context.say("note    " + clean(note));
    }
}

} // namespace

Result<int> run_model_pin(Context& context, const ModelPinRequest& request) {
    const bool writes = !request.output.empty() && !context.flags.dry_run;
    if (std::error_code ignored; writes && std::filesystem::exists(std::filesystem::symlink_status(
                                               request.output, ignored))) {
        return Error(ErrorCode::Conflict,
                     clean(request.output) +
                         " is there already, perhaps with probes of yours; move it away, or pass "
                         "another name");
    }
    runtime::PinRequest wanted;
    const auto at = request.ref.find('@');
    wanted.repo = request.ref.substr(0, at);
    if (at != std::string::npos) {
        wanted.revision = request.ref.substr(at + 1);
    }
    if (wanted.revision.empty()) {
        return Error(ErrorCode::InvalidArgument,
                     "no revision follows the @ in " + clean(request.ref));
    }
    wanted.id = request.id;
    wanted.version = request.version;
    wanted.license = request.license;
    wanted.license_instead_of = request.license_instead_of;
    wanted.default_variant = request.default_variant;
    LOCARA_CHECK(context.prepare_gate());
    LOCARA_TRY(auto client, open_source_hub(context));
    const auto progress = context.progress();
    const auto pinned = runtime::pin_model(client, wanted, *progress, interrupt_token());
    progress->clear();
    if (!pinned) {
        return pinned.error();
    }
    LOCARA_TRY(const auto installer, context.installer());
    LOCARA_CHECK(
        installer.check_takedown(pinned->manifest, crypto::sha256(as_bytes(pinned->text))));
    tell(context, *pinned);
    if (writes) {
        LOCARA_CHECK(write_file_atomically(request.output, as_bytes(pinned->text)));
        context.say("Wrote " + clean(request.output) +
                    ". Next: add probes to it, then `locara model validate`.");
    }
    if (context.flags.json) {
        context.print_json(as_json(*pinned, client.endpoint(), context.flags.dry_run));
    } else if (request.output.empty()) {
        context.print(pinned->text.substr(0, pinned->text.size() - 1));
    }
    return kDone;
}

} // namespace locara::cli
