// locara model build
#include "model_commands.hpp"
#include "model_weights.hpp"
#include "target_hub.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/clock.hpp>
#include <locara/base/file.hpp>
#include <locara/engine/quantize.hpp>
#include <locara/gate/gate.hpp>
#include <locara/manifest/provenance.hpp>
#include <locara/runtime/model_build.hpp>
#include <locara/runtime/model_pin.hpp>

#include <memory>

#include <fcntl.h>

namespace locara::cli {

namespace {

namespace fs = std::filesystem;

/// The variant that is meant: the one named, else the only one that can be made of another.
Result<const manifest::Variant*> choose_variant(const manifest::ModelManifest& model,
                                                const std::string& name) {
    if (!name.empty()) {
        const auto* variant = model.find_variant(name);
        if (variant == nullptr) {
            return Error(ErrorCode::NotFound, model.id.render() + " has no variant " + clean(name));
        }
        return variant;
    }
    const manifest::Variant* found = nullptr;
    for (const auto& variant : model.variants) {
        if (!runtime::find_base(model, variant) &&
            runtime::find_base_elsewhere(model, variant) == nullptr) {
            continue;
        }
        if (found != nullptr) {
            return Error(ErrorCode::InvalidArgument,
                         "which variant? Several can be made again: pass --variant " + found->name +
                             ", or another");
        }
        found = &variant;
    }
    if (found == nullptr) {
        return &model.get_default(); // find_base says why not
    }
    return found;
}

/// What a variant is made from: in the same repository, or in the one that the manifest names as
/// its base.
struct Base {
    std::unique_ptr<ModelWeights> weights; ///< Of the other repository; else null.
    const manifest::ModelManifest* model = nullptr;
    const manifest::Variant* variant = nullptr;
};

Result<Base> find_base(Context& context,
                       const ModelBuildRequest& request,
                       const manifest::VerifiedModelManifest& model,
                       const manifest::Variant& variant) {
    Base out;
    const auto* ancestor = runtime::find_base_elsewhere(*model, variant);
    if (ancestor == nullptr || model->find_variant(request.base) != nullptr) {
        out.model = &*model;
        LOCARA_TRY(out.variant, runtime::find_base(*model, variant, request.base));
        return out;
    }
    LOCARA_TRY(auto client, open_source_hub(context));
    const auto progress = context.progress();
    auto text =
        runtime::pin_ancestor(client, model.bytes(), *ancestor, *progress, interrupt_token());
    progress->clear();
    LOCARA_CHECK(text);
    LOCARA_TRY(auto weights,
               ModelWeights::open_text(context, *std::move(text), ancestor->repo, request.from));
    out.weights = std::make_unique<ModelWeights>(std::move(weights));
    out.model = &*out.weights->manifest();
    LOCARA_TRY(out.variant, runtime::choose_base(*out.model, request.base));
    return out;
}

std::string render(const manifest::Source& source) {
    return "hf:" + source.repo + "@" + source.revision;
}

Status check_free(const fs::path& path) {
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(path, ignored))) {
        return Error(ErrorCode::Conflict,
                     clean(path.string()) + " is there already; move it away, or pass -o DIR");
    }
    return {};
}

Result<crypto::Sha256Digest> hash(const fs::path& path) {
    LOCARA_TRY(const Fd fd, open_file(path, O_RDONLY));
    return crypto::sha256_file(fd, [](std::size_t) { return !interrupt_token().stop_requested(); });
}

} // namespace

Result<int> run_model_build(Context& context, const ModelBuildRequest& request) {
    LOCARA_TRY(auto weights, ModelWeights::open(context, request.manifest, request.from));
    const auto& model = *weights.manifest();
    LOCARA_TRY(const auto* variant, choose_variant(model, request.variant));
    LOCARA_TRY(auto base, find_base(context, request, weights.manifest(), *variant));
    const auto& published = variant->files.front();
    const fs::path folder = request.output.empty() ? "." : request.output;
    const fs::path made = folder / fs::path(published.path).filename();
    const fs::path statement = made.string() + ".provenance.json";
    LOCARA_CHECK(check_free(made));
    LOCARA_CHECK(check_free(statement));
    context.say("builds  " + model.id.render() + ":" + variant->name + " from " +
                base.variant->name + " of " + render(base.model->source));
    LOCARA_TRY(auto base_files,
               (base.weights ? *base.weights : weights).get(context, *base.variant));
    if (context.flags.dry_run) {
        if (context.flags.json) {
            context.print_json({{"schema", "locara.model-build/1"},
                                {"dry_run", true},
                                {"model", model.id.render() + "@" + model.version.render()},
                                {"variant", variant->name},
                                {"base", base.variant->name},
                                {"base_source", render(base.model->source)}});
        }
        return kDone;
    }
    LOCARA_TRY(const auto program, engine::find_llama_quantize());
    LOCARA_TRY(const auto tools, sandbox::Tools::find());
    LOCARA_CHECK(create_folders(folder));
    LOCARA_TRY(const auto work, TempFolder::create(fs::absolute(folder), ".build-"));
    engine::QuantizeSpec spec;
    spec.model_id = model.id.render();
    spec.base = std::move(base_files);
    spec.type = variant->quantization;
    spec.folder = work.path();
    spec.expected_bytes = published.size;
    manifest::Provenance provenance;
    provenance.started = system_clock().now();
    const auto progress = context.progress();
    const auto done = engine::quantize(spec, program, tools, *progress, interrupt_token());
    progress->clear();
    LOCARA_CHECK(done);
    provenance.finished = system_clock().now();
    const fs::path result = work.path() / engine::kQuantized;
    LOCARA_TRY(const auto digest, hash(result));
    const bool equal = digest == published.sha256;
    std::vector<std::string> differences;
    if (equal) {
        provenance.model = &model;
        provenance.variant = variant->name;
        provenance.base_source = &base.model->source;
        provenance.base = base.variant;
        provenance.command = engine::quantize_command(spec);
        provenance.engine_version = runtime::kPinnedEngine;
        LOCARA_TRY(provenance.program, hash(program));
        provenance.locara_version = LOCARA_VERSION;
    } else {
        LOCARA_TRY(const auto theirs, weights.get(context, *variant));
        LOCARA_TRY(differences, runtime::compare_gguf(result, theirs.front().path()));
    }
    LOCARA_CHECK(rename_file(result, made, Replace::No));
    if (equal) {
        LOCARA_CHECK(write_file_atomically(statement, as_bytes(provenance.render())));
        context.say("equal   " + clean(made.string()) + ", " + render_size(published.size) +
                    ": every byte is what was published (sha256:" + digest.render() +
                    "). Statement: " + clean(statement.string()));
    } else {
        context.say("differs " + clean(made.string()) + " has sha256:" + digest.render() +
                    ", published is sha256:" + published.sha256.render());
        for (const auto& one : differences) {
            context.say("  " + clean(one));
        }
    }
    if (context.flags.json) {
        context.print_json({{"schema", "locara.model-build/1"},
                            {"dry_run", false},
                            {"model", model.id.render() + "@" + model.version.render()},
                            {"variant", variant->name},
                            {"base", base.variant->name},
                            {"base_source", render(base.model->source)},
                            {"file", made.string()},
                            {"sha256", digest.render()},
                            {"published_sha256", published.sha256.render()},
                            {"equal", equal},
                            {"differences", differences},
                            {"provenance", equal ? Json(statement.string()) : Json()}});
    }
    return equal ? kDone : kVerification;
}

} // namespace locara::cli
