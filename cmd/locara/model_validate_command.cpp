// locara model validate
#include "model_commands.hpp"
#include "model_weights.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/clock.hpp>
#include <locara/base/file.hpp>
#include <locara/runtime/model_validate.hpp>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>

namespace locara::cli {

namespace {

/// The variants that are meant, each with its base in front of it where that is measured, too. Of
/// embeddings it always is: a manifest does not hold the vectors to compare with.
Result<std::vector<const manifest::Variant*>>
choose_variants(const manifest::ModelManifest& model, const std::vector<std::string>& names) {
    for (const auto& name : names) {
        if (model.find_variant(name) == nullptr) {
            return Error(ErrorCode::NotFound, model.id.render() + " has no variant " + clean(name));
        }
    }
    const auto is_meant = [&](const manifest::Variant& variant) {
        return names.empty() || std::find(names.begin(), names.end(), variant.name) != names.end();
    };
    std::set<const manifest::Variant*> bases;
    for (const auto& variant : model.variants) {
        if (const auto* base = model.base_of(variant); base != nullptr && is_meant(variant)) {
            bases.insert(base);
        }
    }
    std::vector<const manifest::Variant*> out;
    for (const auto& variant : model.variants) {
        if (is_meant(variant) || (model.is_for_embeddings() && bases.contains(&variant))) {
            out.push_back(&variant);
        }
    }
    std::stable_partition(
        out.begin(), out.end(), [&](const auto* variant) { return bases.contains(variant); });
    return out;
}

/// The record of what a variant is measured against: of this run, or of the same files before.
const manifest::VariantValidation*
find_base_record(const manifest::ModelManifest& model,
                 const manifest::Variant& variant,
                 const std::vector<runtime::Measurement>& measured) {
    const auto* base = model.base_of(variant);
    if (base == nullptr) {
        return nullptr;
    }
    for (const auto& one : measured) {
        if (one.record.variant == base->name) {
            return &one.record;
        }
    }
    const auto* before = model.validation ? model.validation->find(base->name) : nullptr;
    return before != nullptr && before->files_sha256 == base->files_sha256() ? before : nullptr;
}

void compare(manifest::VariantValidation& record, const manifest::VariantValidation* base) {
    if (base != nullptr && base->perplexity && record.perplexity &&
        base->perplexity->text_sha256 == record.perplexity->text_sha256) {
        record.perplexity->base = base->perplexity->value;
        record.perplexity->base_variant = base->variant;
    }
}

Status compare(runtime::Measurement& one,
               const manifest::Variant* base,
               const std::vector<runtime::Measurement>& measured) {
    for (const auto& other : measured) {
        if (base != nullptr && other.record.variant == base->name) {
            return runtime::compare_vectors(one, other);
        }
    }
    return {};
}

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

void tell(Context& context,
          const runtime::Measurement& measured,
          const std::vector<manifest::Probe>& probes) {
    const auto& record = measured.record;
    context.say("variant " + record.variant + ": " + std::to_string(record.passed) + " of " +
                count(probes.size(), "probe") + " passed, reads " +
                number(record.prompt_tokens_per_second) +
                (record.similarity ? "" : " and writes " + number(record.tokens_per_second)) +
                " tokens/s, peak " + render_memory(record.peak_memory_bytes));
    if (const auto& one = record.similarity) {
        context.say(
            "        vectors of " + std::to_string(one->dimensions) + " dimensions" +
            (one->minimum ? ", cosine to those of " + one->base_variant + " at least " +
                                number(*one->minimum) + ", on the average " + number(*one->mean)
                          : "") +
            ", of " + count(one->texts, "text") + " with sha256:" + one->text_sha256.render());
    }
    if (const auto& one = record.perplexity) {
        context.say("        perplexity " + number(one->value) +
                    (one->base ? ", of " + one->base_variant + " " + number(*one->base) : "") +
                    ", over " + std::to_string(one->tokens) +
                    " tokens of sha256:" + one->text_sha256.render());
    }
    for (std::size_t i = 0; i < probes.size(); ++i) {
        if (!measured.answers[i].passed) {
            const auto& probe = probes[i];
            const bool asked = !probe.messages.empty();
            context.say(
                "failed  " + clean(asked ? probe.messages.back().content : probe.text) +
                "\n  expected " +
                clean(asked ? probe.expected : probe.near + " to be nearer than " + probe.far) +
                "\n  answered " + clean(measured.answers[i].answer));
        }
    }
}

Json as_json(const runtime::Measurement& measured) {
    const auto& record = measured.record;
    Json answers = Json::array();
    for (const auto& one : measured.answers) {
        answers.push_back({{"passed", one.passed}, {"answer", one.answer}});
    }
    Json perplexity;
    if (const auto& one = record.perplexity) {
        perplexity = {{"value", one->value},
                      {"base", one->base ? Json(*one->base) : Json()},
                      {"text_sha256", one->text_sha256.render()},
                      {"tokens", one->tokens}};
    }
    Json similarity;
    if (const auto& one = record.similarity) {
        similarity = {{"minimum", one->minimum ? Json(*one->minimum) : Json()},
                      {"mean", one->mean ? Json(*one->mean) : Json()},
                      {"text_sha256", one->text_sha256.render()},
                      {"texts", one->texts},
                      {"dimensions", one->dimensions}};
    }
    return {{"variant", record.variant},
            {"passed", record.passed},
            {"failed", record.failed},
            {"prompt_tokens_per_second", record.prompt_tokens_per_second},
            {"tokens_per_second", record.tokens_per_second},
            {"peak_memory_bytes", record.peak_memory_bytes},
            {"perplexity", std::move(perplexity)},
            {"similarity", std::move(similarity)},
            {"answers", std::move(answers)}};
}

} // namespace

Result<int> run_model_validate(Context& context, const ModelValidateRequest& request) {
    LOCARA_TRY(auto weights, ModelWeights::open(context, request.manifest, request.from));
    const auto& model = *weights.manifest();
    LOCARA_TRY(const auto variants, choose_variants(model, request.variants));
    std::vector<manifest::Probe> probes =
        model.validation ? model.validation->probes : std::vector<manifest::Probe>();
    if (model.is_for_embeddings() && !request.questions.empty()) {
        return Error(ErrorCode::InvalidArgument,
                     model.id.render() +
                         " is for embeddings and answers nothing; its probes say of a text what "
                         "is near and what is far (validation.probes)");
    }
    if (probes.empty() && request.questions.empty()) {
        return Error(ErrorCode::InvalidArgument,
                     clean(request.manifest) + " has no probes: add some (validation.probes)" +
                         (model.is_for_embeddings()
                              ? ""
                              : ", or pass --ask TEXT to take the answer of its default variant "
                                "as the expected one"));
    }
    std::optional<std::string> text;
    if (!request.text_file.empty()) {
        LOCARA_TRY(text, read_file(request.text_file, runtime::kMaxValidationText));
    }
    if (context.flags.dry_run) {
        for (const auto* variant : variants) {
            LOCARA_CHECK(weights.get(context, *variant));
            context.say("runs    " + count(probes.size() + request.questions.size(), "probe") +
                        " on " + variant->name);
        }
        return kDone;
    }

    LOCARA_TRY(const auto home, context.home());
    engine::SupervisorOptions engines;
    LOCARA_TRY(engines.llama_server, engine::find_llama_server());
    LOCARA_TRY(engines.tools, sandbox::Tools::find());
    engines.runtime_folder = home.run / "engines";
    engines.log = &context.log();
    LOCARA_TRY(const auto supervisor, engine::Supervisor::create(std::move(engines)));
    const auto start = [&](const manifest::Variant& variant) -> Result<runtime::Validator> {
        LOCARA_TRY(auto files, weights.get(context, variant));
        return runtime::Validator::start(
            *supervisor, weights.manifest(), variant, std::move(files), interrupt_token());
    };

    if (!request.questions.empty()) {
        LOCARA_TRY(auto validator, start(model.get_default()));
        for (const auto& question : request.questions) {
            manifest::Probe probe{{{"user", question}}, ""};
            LOCARA_TRY(probe.expected, validator.ask(probe.messages));
            context.say("asked   " + clean(question) + "\n  answered " + clean(probe.expected));
            std::erase_if(probes, [&probe](const manifest::Probe& earlier) {
                return earlier.messages == probe.messages;
            });
            probes.push_back(std::move(probe));
        }
    }
    std::vector<runtime::Measurement> measured;
    std::uint64_t failed = 0;
    for (const auto* variant : variants) {
        LOCARA_TRY(auto validator, start(*variant));
        const auto progress = context.progress();
        auto one = validator.measure(probes, text, system_clock(), *progress);
        progress->clear();
        LOCARA_CHECK(one);
        if (model.is_for_embeddings()) {
            LOCARA_CHECK(compare(*one, model.base_of(*variant), measured));
        } else {
            compare(one->record, find_base_record(model, *variant, measured));
        }
        failed += one->record.failed;
        tell(context, *one, probes);
        measured.push_back(std::move(*one));
    }
    LOCARA_TRY(const auto written,
               runtime::add_validation(weights.manifest().bytes(), probes, measured));
    LOCARA_CHECK(write_file_atomically(request.manifest, as_bytes(written)));
    const auto result = manifest::ModelManifest::parse(written);
    const auto valid = result ? result->check_validated() : Status(result.error());
    context.say(valid ? "Valid: " + model.id.render() + " may be signed. Wrote " +
                            clean(request.manifest) + "."
                      : "Wrote " + clean(request.manifest) + ". " + clean(valid.error().message()));
    if (context.flags.json) {
        Json list = Json::array();
        for (const auto& one : measured) {
            list.push_back(as_json(one));
        }
        context.print_json({{"schema", "locara.model-validate/1"},
                            {"model", model.id.render() + "@" + model.version.render()},
                            {"sha256", crypto::sha256(as_bytes(written)).render()},
                            {"machine", measured.front().record.machine},
                            {"engine_version", measured.front().record.engine_version},
                            {"probes", probes.size()},
                            {"valid", valid.has_value()},
                            {"variants", std::move(list)}});
    }
    return failed == 0 ? kDone : kVerification;
}

} // namespace locara::cli
