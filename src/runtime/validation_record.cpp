// What was measured, written into a manifest.
#include <locara/base/json.hpp>
#include <locara/runtime/model_validate.hpp>

#include <algorithm>

namespace locara::runtime {

namespace {

Json record_json(const manifest::VariantValidation& record) {
    Json perplexity;
    if (const auto& one = record.perplexity) {
        perplexity = {
            {"value", one->value},
            {"base", one->base ? Json(*one->base) : Json()},
            {"base_variant", one->base_variant.empty() ? Json() : Json(one->base_variant)},
            {"text_sha256", one->text_sha256.render()},
            {"tokens", one->tokens}};
    }
    Json out = {
        {"variant", record.variant},
        {"files_sha256", record.files_sha256.render()},
        {"probes_sha256", record.probes_sha256 ? Json(record.probes_sha256->render()) : Json()},
        {"date", record.date},
        {"engine_version", record.engine_version},
        {"machine", record.machine},
        {"passed", record.passed},
        {"failed", record.failed},
        {"prompt_tokens_per_second", record.prompt_tokens_per_second},
        {"tokens_per_second", record.tokens_per_second},
        {"peak_memory_bytes", record.peak_memory_bytes},
        {"perplexity", std::move(perplexity)}};
    if (const auto& one = record.similarity) {
        out["similarity"] = {
            {"minimum", one->minimum ? Json(*one->minimum) : Json()},
            {"mean", one->mean ? Json(*one->mean) : Json()},
            {"base_variant", one->base_variant.empty() ? Json() : Json(one->base_variant)},
            {"text_sha256", one->text_sha256.render()},
            {"texts", one->texts},
            {"dimensions", one->dimensions}};
    }
    return out;
}

Json probe_json(const manifest::Probe& probe) {
    if (probe.messages.empty()) {
        return {{"text", probe.text}, {"near", probe.near}, {"far", probe.far}};
    }
    Json messages = Json::array();
    for (const auto& message : probe.messages) {
        messages.push_back({{"role", message.role}, {"content", message.content}});
    }
    return {{"messages", std::move(messages)}, {"expected", probe.expected}};
}

constexpr const char* kPerplexity = "perplexity";
constexpr const char* kCosine = "cosine";

/// Null where there is nothing to say.
Json quality_json(const manifest::VariantValidation& record) {
    if (const auto& one = record.perplexity) {
        return {{"metric", kPerplexity},
                {"value", one->value},
                {"base", one->base ? Json(*one->base) : Json()},
                {"how",
                 "locara model validate, " + std::to_string(one->tokens) +
                     " tokens of the text with SHA-256 " + one->text_sha256.render()}};
    }
    if (const auto& one = record.similarity; one && one->minimum) {
        return {{"metric", kCosine},
                {"value", *one->minimum},
                {"base", nullptr},
                {"how",
                 "locara model validate, the least to the vectors of " + one->base_variant +
                     " of " + std::to_string(one->texts) + " texts with SHA-256 " +
                     one->text_sha256.render()}};
    }
    return {};
}

} // namespace

Result<std::string> add_validation(std::string_view text,
                                   const std::vector<manifest::Probe>& probes,
                                   const std::vector<Measurement>& measured) {
    LOCARA_TRY(const auto model, manifest::ModelManifest::parse(text));
    LOCARA_TRY(Json json, parse_json(text));
    Json questions = Json::array();
    for (const auto& probe : probes) {
        questions.push_back(probe_json(probe));
    }
    Json records = Json::array();
    std::string date;
    std::string engine_version;
    std::vector<bool> passed(probes.size(), true);
    const auto asked = manifest::probes_sha256(probes, model.recommended);
    for (auto& variant : json.at("variants")) {
        const std::string name = variant.at("name");
        const auto now = std::find_if(measured.begin(), measured.end(), [&](const auto& one) {
            return one.record.variant == name;
        });
        if (now == measured.end()) {
            const auto files = model.find_variant(name)->files_sha256();
            const auto& old = model.validation;
            for (const auto& record :
                 old ? old->variants : std::vector<manifest::VariantValidation>()) {
                // Of other files, or other probes, it says nothing.
                if (record.variant == name && record.files_sha256 == files &&
                    record.probes_sha256 == asked) {
                    records.push_back(record_json(record));
                }
            }
            continue;
        }
        const auto& record = now->record;
        date = std::max(date, record.date);
        engine_version = record.engine_version;
        for (std::size_t i = 0; i < passed.size(); ++i) {
            passed[i] = passed[i] && now->answers.at(i).passed;
        }
        records.push_back(record_json(record));
        variant["speed"] = {{"tokens_per_second",
                             model.is_for_embeddings() ? record.prompt_tokens_per_second
                                                       : record.tokens_per_second},
                            {"machine", record.machine}};
        const auto quality = variant.find("quality");
        const bool free = quality == variant.end() || quality->is_null() ||
                          quality->at("metric") == kPerplexity || quality->at("metric") == kCosine;
        if (Json measure = quality_json(record); free && !measure.is_null()) {
            variant["quality"] = std::move(measure);
        }
    }
    const auto good = static_cast<std::uint64_t>(std::count(passed.begin(), passed.end(), true));
    json["validation"] = {{"date", date},
                          {"engine_version", engine_version},
                          {"probes", std::move(questions)},
                          {"results", {{"passed", good}, {"failed", probes.size() - good}}},
                          {"variants", std::move(records)}};
    std::string out = json.dump(2) + "\n";
    LOCARA_CHECK(manifest::ModelManifest::parse(out).context("the validated manifest"));
    return out;
}

} // namespace locara::runtime
