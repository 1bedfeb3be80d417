// locara model build
#include "model_commands.hpp"
#include "model_convert.hpp"
#include "target_hub.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/clock.hpp>
#include <locara/base/file.hpp>
#include <locara/engine/quantize.hpp>
#include <locara/gate/gate.hpp>
#include <locara/manifest/provenance.hpp>
#include <locara/runtime/model_build.hpp>
#include <locara/runtime/model_pin.hpp>
#include <locara/runtime/source_pin.hpp>

#include <memory>
#include <optional>

#include <fcntl.h>

namespace locara::cli {

namespace {

namespace fs = std::filesystem;

/// The variant that is meant: the one named, else the only one that can be made of another, else
/// the default.
Result<const manifest::Variant*> choose_variant(const manifest::ModelManifest& model,
                                                const std::string& name) {
    if (!name.empty()) {
        const auto* variant = model.find_variant(name);
        if (variant == nullptr) {
            return Error(ErrorCode::NotFound, model.id.render() + " has no variant " + clean(name));
        }
        return variant;
    }
    const bool elsewhere = runtime::find_base_elsewhere(model) != nullptr;
    const manifest::Variant* found = nullptr;
    for (const auto& variant : model.variants) {
        if (!variant.is_quantized() || variant.files.size() != 1 ||
            (!elsewhere && !runtime::find_base(model, variant))) {
            continue;
        }
        if (found != nullptr) {
            return Error(ErrorCode::InvalidArgument,
                         "which variant? Several can be made again: pass --variant " + found->name +
                             ", or another");
        }
        found = &variant;
    }
    return found != nullptr ? found : &model.get_default();
}

/// What a variant is made from: a GGUF of the same manifest or of a base's, or safetensors of
/// either repository.
struct Base {
    std::unique_ptr<ModelWeights> weights; ///< Of a manifest made for this; else null.
    const manifest::ModelManifest* model = nullptr;
    const manifest::Variant* variant = nullptr;
    bool is_sources = false;

    /// The files, without that of the variant that is to be made.
    std::vector<manifest::ModelFile> files() const {
        auto out = variant->files;
        std::erase_if(out, [&](const auto& file) {
            return is_sources && file.format == manifest::FileFormat::Gguf;
        });
        return out;
    }
};

class BaseFinder {
  public:
    BaseFinder(Context& context,
               const ModelBuildRequest& request,
               const manifest::VerifiedModelManifest& model,
               const manifest::Variant& variant)
        : context_(context), request_(request), model_(model), variant_(variant),
          from_sources_(request.base == runtime::kSourcesVariant) {}

    /// By order: what was named; a GGUF beside it; safetensors beside it; those two of the nearest
    /// base that it is a quantization of.
    Result<Base> find() {
        if (variant_.files.size() != 1 || model_->find_variant(request_.base) != nullptr ||
            (request_.base.empty() && model_->base_of(variant_) != nullptr)) {
            Base out;
            out.model = &*model_;
            LOCARA_TRY(out.variant, runtime::find_base(*model_, variant_, request_.base));
            return out;
        }
        const bool named = !request_.base.empty() && !from_sources_;
        const auto* ancestor = runtime::find_base_elsewhere(*model_);
        if (named && ancestor == nullptr) {
            return runtime::find_base(*model_, variant_, request_.base).error(); // there is none
        }
        LOCARA_TRY(auto client, open_source_hub(context_));
        if (!named) {
            auto own = find_sources(client, model_->source);
            if (own || own.error().code() != ErrorCode::NotFound) {
                return own;
            }
        }
        if (ancestor == nullptr) {
            return Error(ErrorCode::Unsupported,
                         "the manifest of " + model_->id.render() +
                             " has no F32, BF16 or F16 variant to make " + variant_.name +
                             " from, its repository no safetensors, and its lineage no base");
        }
        if (named || (variant_.is_quantized() && !from_sources_)) {
            auto weights = find_weights(client, *ancestor);
            if (named || weights || weights.error().code() != ErrorCode::Unsupported) {
                return weights;
            }
        }
        return find_sources(client, {ancestor->repo, ancestor->revision});
    }

  private:
    Result<Base> open(std::string text, const std::string& repo) {
        Base out;
        LOCARA_TRY(auto weights,
                   ModelWeights::open_text(context_, std::move(text), repo, request_.from));
        out.weights = std::make_unique<ModelWeights>(std::move(weights));
        out.model = &*out.weights->manifest();
        return out;
    }

    Result<Base> find_weights(hf::Client& client, const manifest::Ancestor& ancestor) {
        const auto progress = context_.progress();
        auto text =
            runtime::pin_ancestor(client, model_.bytes(), ancestor, *progress, interrupt_token());
        progress->clear();
        LOCARA_CHECK(text);
        LOCARA_TRY(auto out, open(*std::move(text), ancestor.repo));
        LOCARA_TRY(out.variant, runtime::choose_base(*out.model, request_.base));
        return out;
    }

    Result<Base> find_sources(hf::Client& client, const manifest::Source& source) {
        const auto progress = context_.progress();
        auto text = runtime::pin_sources(
            client, model_.bytes(), source, variant_, *progress, interrupt_token());
        progress->clear();
        LOCARA_CHECK(text);
        LOCARA_TRY(auto out, open(*std::move(text), source.repo));
        out.variant = &out.model->get_default();
        out.is_sources = true;
        return out;
    }

    Context& context_;
    const ModelBuildRequest& request_;
    const manifest::VerifiedModelManifest& model_;
    const manifest::Variant& variant_;
    const bool from_sources_;
};

Result<crypto::Sha256Digest> hash(const fs::path& path) {
    LOCARA_TRY(const Fd fd, open_file(path, O_RDONLY));
    return crypto::sha256_file(fd, [](std::size_t) { return !interrupt_token().stop_requested(); });
}

/// A variant that is being made, in a folder of its own.
class Build {
  public:
    Build(Context& context,
          const manifest::ModelManifest& model,
          const manifest::Variant& variant,
          std::filesystem::path folder)
        : context_(context), variant_(variant), folder_(std::move(folder)) {
        spec_.model_id = model.id.render();
        spec_.type = variant.quantization;
        spec_.expected_bytes = variant.files.front().size;
        provenance_.model = &model;
        provenance_.variant = variant.name;
        provenance_.started = system_clock().now();
    }

    /// Converts, and quantizes the result where the variant is.
    Result<fs::path> from_sources(const std::vector<FetchedFile>& files,
                                  const std::string& repo,
                                  std::optional<convert::Precision> via) {
        fs::path made = folder_ / "converted.gguf";
        const auto precision =
            variant_.is_quantized() ? via : convert::parse_precision(variant_.quantization);
        LOCARA_TRY(const auto converted, convert_sources(context_, files, repo, precision, made));
        provenance_.converted = convert::render(converted.precision);
        if (!variant_.is_quantized()) {
            return made;
        }
        LOCARA_TRY(auto store, WeightsStore::open_temporary(context_));
        LOCARA_TRY(const auto digest, store.adopt(made, made.filename().string()));
        LOCARA_TRY(auto opened, store.open(digest));
        std::vector<engine::ModelFile> base;
        base.push_back(std::move(opened));
        return quantize(std::move(base));
    }

    Result<fs::path> quantize(std::vector<engine::ModelFile> base) {
        LOCARA_TRY(const auto program, engine::find_llama_quantize());
        LOCARA_TRY(const auto tools, sandbox::Tools::find());
        spec_.folder = folder_ / "quantized";
        LOCARA_CHECK(create_folders(spec_.folder, 0700));
        spec_.base = std::move(base);
        const auto progress = context_.progress();
        const auto done = engine::quantize(spec_, program, tools, *progress, interrupt_token());
        progress->clear();
        LOCARA_CHECK(done);
        provenance_.command = engine::quantize_command(spec_);
        provenance_.engine_version = runtime::kPinnedEngine;
        LOCARA_TRY(provenance_.program, hash(program));
        return spec_.folder / engine::kQuantized;
    }

    std::string render_statement(const Base& base) {
        provenance_.finished = system_clock().now();
        provenance_.base_source = &base.model->source;
        provenance_.base = base.files();
        provenance_.locara_version = LOCARA_VERSION;
        return provenance_.render();
    }

    const std::string& converted() const { return provenance_.converted; }

  private:
    Context& context_;
    const manifest::Variant& variant_;
    const fs::path folder_;
    engine::QuantizeSpec spec_;
    manifest::Provenance provenance_;
};

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

} // namespace

Result<int> run_model_build(Context& context, const ModelBuildRequest& request) {
    LOCARA_TRY(auto weights, ModelWeights::open(context, request.manifest, request.from));
    const auto& model = *weights.manifest();
    LOCARA_TRY(const auto* variant, choose_variant(model, request.variant));
    LOCARA_TRY(auto base, BaseFinder(context, request, weights.manifest(), *variant).find());
    if (!request.via.empty() && !(base.is_sources && variant->is_quantized())) {
        return Error(ErrorCode::InvalidArgument,
                     "--via is for a quantization that is made from safetensors");
    }
    const auto& published = variant->files.front();
    const fs::path folder = request.output.empty() ? "." : request.output;
    const fs::path made = folder / fs::path(published.path).filename();
    const fs::path statement = made.string() + ".provenance.json";
    LOCARA_CHECK(check_free(made));
    LOCARA_CHECK(check_free(statement));
    context.say("builds  " + model.id.render() + ":" + variant->name + " from " +
                base.variant->name + " of " + render(base.model->source));
    auto& base_weights = base.weights ? *base.weights : weights;
    std::vector<FetchedFile> sources;
    std::vector<engine::ModelFile> base_files;
    if (base.is_sources) {
        LOCARA_TRY(sources, base_weights.get_sources(context, *base.variant));
    } else {
        LOCARA_TRY(base_files, base_weights.get(context, *base.variant));
    }
    Json told = {{"schema", "locara.model-build/1"},
                 {"dry_run", context.flags.dry_run},
                 {"model", model.id.render() + "@" + model.version.render()},
                 {"variant", variant->name},
                 {"base", base.variant->name},
                 {"base_source", render(base.model->source)}};
    if (context.flags.dry_run) {
        if (context.flags.json) {
            context.print_json(told);
        }
        return kDone;
    }
    LOCARA_CHECK(create_folders(folder));
    LOCARA_TRY(const auto work, TempFolder::create(fs::absolute(folder), ".build-"));
    Build build(context, model, *variant, work.path());
    auto built = base.is_sources ? build.from_sources(sources,
                                                      base.model->source.repo,
                                                      convert::parse_precision(request.via))
                                 : build.quantize(std::move(base_files));
    LOCARA_TRY(const fs::path result, std::move(built));
    LOCARA_TRY(const auto digest, hash(result));
    const bool equal = digest == published.sha256;
    std::vector<std::string> differences;
    if (!equal) {
        LOCARA_TRY(const auto theirs, weights.get(context, *variant));
        LOCARA_TRY(differences, runtime::compare_gguf(result, theirs.front().path()));
    }
    LOCARA_CHECK(rename_file(result, made, Replace::No));
    if (equal) {
        LOCARA_CHECK(write_file_atomically(statement, as_bytes(build.render_statement(base))));
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
        told["converted"] = build.converted().empty() ? Json() : Json(build.converted());
        told["file"] = made.string();
        told["sha256"] = digest.render();
        told["published_sha256"] = published.sha256.render();
        told["equal"] = equal;
        told["differences"] = differences;
        told["provenance"] = equal ? Json(statement.string()) : Json();
        context.print_json(told);
    }
    return equal ? kDone : kVerification;
}

} // namespace locara::cli
