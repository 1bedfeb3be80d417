#include "members.hpp"
#include "words.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/json.hpp>
#include <locara/base/line.hpp>
#include <locara/base/path.hpp>
#include <locara/manifest/app_manifest.hpp>
#include <locara/manifest/model_manifest.hpp>
#include <locara/manifest/schema.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace locara::manifest {

namespace {

template <class T> std::optional<T> optional_value(const Json& object, const char* key) {
    const auto at = object.find(key);
    if (at == object.end() || at->is_null()) {
        return std::nullopt;
    }
    return at->get<T>();
}

Result<std::optional<crypto::Sha256Digest>> optional_digest(const Json& object, const char* key) {
    const auto at = object.find(key);
    if (at == object.end() || at->is_null()) {
        return std::optional<crypto::Sha256Digest>();
    }
    LOCARA_TRY(const auto digest,
               crypto::Sha256Digest::parse(at->at("sha256").get_ref<const std::string&>()));
    return std::optional(digest);
}

/// From the most exact on.
constexpr std::array<std::string_view, 3> kUnquantized = {"F32", "BF16", "F16"};

FileFormat parse_format(const std::string& text) {
    return text == "gguf"          ? FileFormat::Gguf
           : text == "safetensors" ? FileFormat::Safetensors
           : text == "json"        ? FileFormat::Json
                                   : FileFormat::Text;
}

/// Names that only weights have. A file with such a name must be declared as what it is; the gate
/// looks at the content later.
Status check_name_and_format(const std::string& where, const ModelFile& file) {
    const std::string lower = ascii_lower(file.path);
    static constexpr std::array<std::string_view, 13> kCode = {".bin",
                                                               ".pt",
                                                               ".pth",
                                                               ".ckpt",
                                                               ".pkl",
                                                               ".pickle",
                                                               ".onnx",
                                                               ".h5",
                                                               ".keras",
                                                               ".py",
                                                               ".so",
                                                               ".npz",
                                                               ".msgpack"};
    for (const auto end : kCode) {
        if (lower.ends_with(end)) {
            return fault(where + ".path",
                         quote(file.path) +
                             " is named like a format that can carry code; weights must be "
                             "safetensors or GGUF");
        }
    }
    if (lower.ends_with(".gguf") != (file.format == FileFormat::Gguf) ||
        lower.ends_with(".safetensors") != (file.format == FileFormat::Safetensors)) {
        return fault(where + ".format",
                     quote(file.path) + " is declared as " + std::string(render(file.format)) +
                         ", but its name says otherwise; rename the file or correct the format");
    }
    return {};
}

Result<ModelFile> parse_file(const Json& json, const std::string& where) {
    ModelFile file;
    file.path = json.at("path");
    if (auto ok = validate_path(file.path); !ok) {
        return fault(where + ".path", ok.error().message());
    }
    file.size = json.at("size");
    LOCARA_TRY(file.sha256,
               crypto::Sha256Digest::parse(json.at("sha256").get_ref<const std::string&>()));
    file.xet_hash = optional_value<std::string>(json, "xet_hash").value_or("");
    file.format = parse_format(json.at("format"));
    LOCARA_CHECK(check_name_and_format(where, file));
    return file;
}

Result<Variant> parse_variant(const Json& json, const std::string& where) {
    Variant variant;
    variant.name = json.at("name");
    variant.quantization = json.at("quantization");
    std::vector<std::string> paths;
    bool gguf = false;
    for (std::size_t i = 0; i < json.at("files").size(); ++i) {
        LOCARA_TRY(auto file,
                   parse_file(json.at("files")[i], where + ".files[" + std::to_string(i) + "]"));
        gguf = gguf || file.format == FileFormat::Gguf;
        paths.push_back(file.path);
        variant.files.push_back(std::move(file));
    }
    if (auto ok = validate_path_set(paths); !ok) {
        return fault(where + ".files", ok.error().message());
    }
    variant.engine_name = json.at("engine").at("name");
    variant.engine_minimum_version = json.at("engine").at("minimum_version");
    if (!gguf) {
        return fault(where + ".files",
                     "llama.cpp loads only GGUF and this variant has no such file; add one");
    }
    variant.weights_bytes = json.at("weights_bytes");
    variant.kv_bytes_per_token = json.at("kv_bytes_per_token");
    if (const auto at = json.find("quality"); at != json.end() && !at->is_null()) {
        variant.quality = Quality{
            at->at("metric"), at->at("value"), optional_value<double>(*at, "base"), at->at("how")};
    }
    if (const auto at = json.find("speed"); at != json.end() && !at->is_null()) {
        variant.speed = Speed{at->at("tokens_per_second"), at->at("machine")};
    }
    return variant;
}

/// The same path in two variants is the same file of one commit.
Status check_variants(const ModelManifest& manifest) {
    std::set<std::string> names;
    std::map<std::string, const ModelFile*> files;
    for (std::size_t i = 0; i < manifest.variants.size(); ++i) {
        const auto& variant = manifest.variants[i];
        const std::string where = "variants[" + std::to_string(i) + "]";
        if (!names.insert(variant.name).second) {
            return fault(where + ".name",
                         quote(variant.name) + " is taken by another variant; rename one");
        }
        for (const auto& file : variant.files) {
            const auto [at, added] = files.emplace(file.path, &file);
            if (!added && (at->second->sha256 != file.sha256 || at->second->size != file.size)) {
                return fault(where + ".files",
                             quote(file.path) +
                                 " has another size or hash in another variant; one commit has one "
                                 "file of a name");
            }
        }
    }
    if (!names.contains(manifest.default_variant)) {
        std::string known;
        for (const auto& name : names) {
            known += (known.empty() ? "" : ", ") + name;
        }
        return fault("default",
                     quote(manifest.default_variant) + " is no variant; variants: " + known);
    }
    return {};
}

Recommended parse_recommended(const Json& json) {
    Recommended out;
    out.temperature = optional_value<double>(json, "temperature");
    out.top_p = optional_value<double>(json, "top_p");
    out.top_k = optional_value<std::int64_t>(json, "top_k");
    out.min_p = optional_value<double>(json, "min_p");
    out.repeat_penalty = optional_value<double>(json, "repeat_penalty");
    out.max_tokens = optional_value<std::int64_t>(json, "max_tokens");
    out.seed = optional_value<std::int64_t>(json, "seed");
    out.stop = json.value("stop", std::vector<std::string>());
    return out;
}

Result<VariantValidation> parse_variant_validation(const Json& json) {
    VariantValidation out;
    out.variant = json.at("variant");
    LOCARA_TRY(out.files_sha256,
               crypto::Sha256Digest::parse(json.at("files_sha256").get_ref<const std::string&>()));
    if (const auto at = json.find("probes_sha256"); at != json.end() && !at->is_null()) {
        LOCARA_TRY(out.probes_sha256,
                   crypto::Sha256Digest::parse(at->get_ref<const std::string&>()));
    }
    out.date = json.at("date");
    out.engine_version = json.at("engine_version");
    out.machine = json.at("machine");
    out.passed = json.at("passed");
    out.failed = json.at("failed");
    out.prompt_tokens_per_second = json.at("prompt_tokens_per_second");
    out.tokens_per_second = json.at("tokens_per_second");
    out.peak_memory_bytes = json.at("peak_memory_bytes");
    if (const auto& at = json.at("perplexity"); !at.is_null()) {
        LOCARA_TRY(const auto text,
                   crypto::Sha256Digest::parse(at.at("text_sha256").get_ref<const std::string&>()));
        out.perplexity = Perplexity{at.at("value"),
                                    optional_value<double>(at, "base"),
                                    optional_value<std::string>(at, "base_variant").value_or(""),
                                    text,
                                    at.at("tokens")};
    }
    if (const auto found = json.find("similarity"); found != json.end() && !found->is_null()) {
        const auto& at = *found;
        LOCARA_TRY(const auto text,
                   crypto::Sha256Digest::parse(at.at("text_sha256").get_ref<const std::string&>()));
        out.similarity = Similarity{optional_value<double>(at, "minimum"),
                                    optional_value<double>(at, "mean"),
                                    optional_value<std::string>(at, "base_variant").value_or(""),
                                    text,
                                    at.at("texts"),
                                    at.at("dimensions")};
    }
    return out;
}

Result<Probe> parse_probe(const Json& json, bool vectors, const std::string& where) {
    const auto has = [&json](std::initializer_list<const char*> members) {
        return json.size() == members.size() &&
               std::all_of(members.begin(), members.end(), [&json](const char* one) {
                   return json.contains(one);
               });
    };
    if (vectors ? !has({"text", "near", "far"}) : !has({"messages", "expected"})) {
        return fault(where,
                     vectors ? "a model for embeddings is probed by text, near and far"
                             : "a model that answers is probed by messages and expected");
    }
    Probe out;
    if (vectors) {
        out.text = json.at("text");
        out.near = json.at("near");
        out.far = json.at("far");
        return out;
    }
    for (const auto& message : json.at("messages")) {
        out.messages.push_back({message.at("role"), message.at("content")});
    }
    out.expected = json.at("expected");
    return out;
}

Result<Validation> parse_validation(const Json& json, bool vectors) {
    Validation out;
    const auto is_there = [&](const char* key) {
        return json.contains(key) && !json.at(key).is_null();
    };
    for (const auto& probe : json.at("probes")) {
        LOCARA_TRY(auto one,
                   parse_probe(probe,
                               vectors,
                               "validation.probes[" + std::to_string(out.probes.size()) + "]"));
        out.probes.push_back(std::move(one));
    }
    if (is_there("date") != is_there("results") || is_there("date") != is_there("engine_version") ||
        (!is_there("date") && is_there("variants"))) {
        return fault("validation",
                     "date, engine_version and results belong together: of probes that were not "
                     "run there is none of them, and no variants");
    }
    if (!is_there("date")) {
        return out;
    }
    out.date = json.at("date");
    out.engine_version = json.at("engine_version");
    out.passed = json.at("results").at("passed");
    out.failed = json.at("results").at("failed");
    if (out.passed + out.failed != out.probes.size()) {
        return fault("validation.results",
                     "passed and failed make " + std::to_string(out.passed + out.failed) +
                         ", but there are " + std::to_string(out.probes.size()) +
                         " probes; run them again");
    }
    if (is_there("variants")) {
        for (const auto& one : json.at("variants")) {
            LOCARA_TRY(auto variant, parse_variant_validation(one));
            out.variants.push_back(std::move(variant));
        }
    }
    return out;
}

nlohmann::json probe_as_asked(const Probe& probe) {
    if (probe.messages.empty()) {
        return {{"text", probe.text}, {"near", probe.near}, {"far", probe.far}};
    }
    auto messages = nlohmann::json::array();
    for (const auto& message : probe.messages) {
        messages.push_back({{"role", message.role}, {"content", message.content}});
    }
    return {{"messages", std::move(messages)}, {"expected", probe.expected}};
}

} // namespace

crypto::Sha256Digest probes_sha256(const std::vector<Probe>& probes,
                                   const Recommended& recommended) {
    nlohmann::json json = {{"probes", nlohmann::json::array()},
                           {"recommended", nlohmann::json::object()}}; // sorts its keys
    for (const auto& probe : probes) {
        json["probes"].push_back(probe_as_asked(probe));
    }
    auto& asked = json["recommended"];
    const auto add = [&asked](const char* key, const auto& value) {
        if (value) {
            asked[key] = *value;
        }
    };
    add("top_p", recommended.top_p);
    add("top_k", recommended.top_k);
    add("min_p", recommended.min_p);
    add("repeat_penalty", recommended.repeat_penalty);
    add("max_tokens", recommended.max_tokens);
    if (!recommended.stop.empty()) {
        asked["stop"] = recommended.stop;
    }
    return crypto::sha256(
        as_bytes(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
}

std::string_view render(FileFormat format) {
    switch (format) {
    case FileFormat::Gguf:
        return "gguf";
    case FileFormat::Safetensors:
        return "safetensors";
    case FileFormat::Json:
        return "json";
    case FileFormat::Text:
        return "text";
    }
    return "";
}

bool Variant::is_quantized() const {
    return std::find(kUnquantized.begin(), kUnquantized.end(), quantization) == kUnquantized.end();
}

std::uint64_t Variant::download_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& file : files) {
        sum += file.size; // 256 files of at most 2^53 bytes: no overflow
    }
    return sum;
}

crypto::Sha256Digest Variant::files_sha256() const {
    std::string raw;
    for (const auto& file : files) {
        raw += as_text(file.sha256.bytes);
    }
    return crypto::sha256(as_bytes(raw));
}

const VariantValidation* Validation::find(std::string_view variant) const {
    const auto at = std::find_if(variants.begin(), variants.end(), [variant](const auto& one) {
        return one.variant == variant;
    });
    return at == variants.end() ? nullptr : &*at;
}

const Variant* ModelManifest::find_unquantized() const {
    for (const auto type : kUnquantized) {
        for (const auto& base : variants) {
            if (base.quantization == type) {
                return &base;
            }
        }
    }
    return nullptr;
}

Status ModelManifest::check_validated(const Variant& variant) const {
    const auto* base = base_of(variant);
    const auto refuse = [&](const std::string& why) {
        return Error(ErrorCode::Refused,
                     id.render() + " is not validated: variant " + variant.name + " " + why +
                         "; run `locara model validate FILE" +
                         (base != nullptr ? " --variant " + base->name : "") + " --variant " +
                         variant.name + "`");
    };
    const auto* measured = validation->find(variant.name);
    if (measured == nullptr) {
        return refuse("was not run");
    }
    if (measured->files_sha256 != variant.files_sha256()) {
        return refuse("had other files when it was run");
    }
    if (!measured->probes_sha256) {
        return refuse("has no record of which probes it was asked (probes_sha256): validate it "
                      "again");
    }
    if (*measured->probes_sha256 != probes_sha256(validation->probes, recommended)) {
        return refuse("was asked other probes, or with other parameters: validate it again");
    }
    if (measured->failed > 0 || measured->passed != validation->probes.size()) {
        return refuse("answered " + std::to_string(measured->passed) + " of " +
                      std::to_string(validation->probes.size()) + " probes as expected");
    }
    for (const std::string& wrong :
         {find_gap(variant, *measured), find_untruth(variant, *measured)}) {
        if (!wrong.empty()) {
            return refuse(wrong);
        }
    }
    return {};
}

std::string ModelManifest::find_untruth(const Variant& variant,
                                        const VariantValidation& measured) const {
    const double speed =
        is_for_embeddings() ? measured.prompt_tokens_per_second : measured.tokens_per_second;
    if (variant.speed &&
        (variant.speed->tokens_per_second != speed || variant.speed->machine != measured.machine)) {
        return "has another speed than was measured";
    }
    const auto& perplexity = measured.perplexity;
    const auto cosine = measured.similarity ? measured.similarity->minimum : std::nullopt;
    if (!variant.quality) {
        return perplexity || cosine ? "does not tell the quality that was measured" : "";
    }
    const auto& quality = *variant.quality;
    const bool other =
        quality.metric == "perplexity"
            ? !perplexity || quality.value != perplexity->value || quality.base != perplexity->base
            : quality.metric == "cosine" && (!cosine || quality.value != *cosine);
    return other ? "has another quality than was measured" : "";
}

std::string ModelManifest::find_gap(const Variant& variant,
                                    const VariantValidation& measured) const {
    const auto* base = base_of(variant);
    const auto* other = base == nullptr ? nullptr : validation->find(base->name);
    const std::string uncompared =
        base == nullptr ? "" : "was not measured against " + base->name + " over the same text";
    if (is_for_embeddings()) {
        const auto& similarity = measured.similarity;
        if (!similarity || similarity->texts == 0) {
            return "has no vectors on record";
        }
        if (base == nullptr) {
            return "";
        }
        if (other == nullptr || !other->similarity || !similarity->minimum ||
            similarity->base_variant != base->name ||
            similarity->text_sha256 != other->similarity->text_sha256) {
            return uncompared;
        }
        if (similarity->dimensions != other->similarity->dimensions) {
            return "has vectors of other dimensions than " + base->name;
        }
        return *similarity->minimum >= kLeastCosine
                   ? ""
                   : "has a vector with a cosine of less than 0.9 to that of " + base->name;
    }
    const auto& perplexity = measured.perplexity;
    if (!perplexity || perplexity->tokens == 0) {
        return "has no perplexity on record (no token could be scored: pass --text, too)";
    }
    const bool compared =
        base == nullptr ||
        (other != nullptr && other->perplexity && perplexity->base_variant == base->name &&
         perplexity->base == other->perplexity->value &&
         perplexity->text_sha256 == other->perplexity->text_sha256);
    return compared ? "" : uncompared;
}

Status ModelManifest::check_texts() const {
    LOCARA_CHECK(check_filled_line(name).context("name"));
    LOCARA_CHECK(check_filled_line(description).context("description"));
    for (const auto& variant : variants) {
        const std::string where = "variant " + variant.name + ", ";
        if (variant.quality) {
            LOCARA_CHECK(check_line(variant.quality->metric).context(where + "quality.metric"));
            LOCARA_CHECK(check_line(variant.quality->how).context(where + "quality.how"));
        }
        if (variant.speed) {
            LOCARA_CHECK(check_line(variant.speed->machine).context(where + "speed.machine"));
        }
    }
    for (const auto& ancestor : lineage) {
        LOCARA_CHECK(check_line(ancestor.license_url).context("lineage, license_url"));
    }
    LOCARA_CHECK(check_line(license.url).context("license.url"));
    for (const auto& limit : license.terms.use_restrictions) {
        LOCARA_CHECK(check_filled_line(limit).context("license.terms.use_restrictions"));
    }
    return {};
}

Status ModelManifest::check_validated() const {
    const auto refuse = [this](const std::string& why) {
        return Error(ErrorCode::Refused,
                     id.render() + " is not validated: " + why +
                         "; `locara model validate FILE` runs the probes and measures");
    };
    if (!validation || validation->probes.empty()) {
        return refuse("its manifest has no probes");
    }
    if (!validation->has_run()) {
        return refuse("its probes were not run");
    }
    for (const auto& variant : variants) {
        LOCARA_CHECK(check_validated(variant));
    }
    return {};
}

const Variant* ModelManifest::find_variant(std::string_view variant_name) const {
    for (const auto& variant : variants) {
        if (variant.name == variant_name) {
            return &variant;
        }
    }
    return nullptr;
}

const Variant& ModelManifest::get_default() const {
    const auto* variant = find_variant(default_variant);
    LOCARA_ASSERT(variant != nullptr);
    return *variant;
}

Result<ModelManifest> ModelManifest::parse(std::string_view text) {
    LOCARA_TRY(const auto json, validate(SchemaName::Model, text));
    ModelManifest out;
    LOCARA_TRY(out.id, parse_member<ModelId>(json, "id"));
    LOCARA_TRY(out.version, parse_member<Version>(json, "version"));
    out.name = json.at("name");
    out.description = json.at("description");
    out.task = json.at("task");
    out.input = json.at("modality").at("input").get<std::vector<std::string>>();
    out.output = json.at("modality").at("output").get<std::vector<std::string>>();
    out.context_length = json.at("context_length");
    out.source = {json.at("source").at("repo"), json.at("source").at("revision")};
    for (std::size_t i = 0; i < json.at("variants").size(); ++i) {
        LOCARA_TRY(auto variant,
                   parse_variant(json.at("variants")[i], "variants[" + std::to_string(i) + "]"));
        out.variants.push_back(std::move(variant));
    }
    out.default_variant = json.at("default");
    LOCARA_CHECK(check_variants(out));
    for (const auto& one : json.at("lineage")) {
        out.lineage.push_back(
            {one.at("repo"),
             one.at("revision"),
             one.at("relation"),
             optional_value<std::string>(one, "license").value_or(""),
             optional_value<bool>(one, "gated").value_or(false),
             optional_value<std::string>(one, "license_url").value_or(""),
             optional_value<std::string>(one, "license_text_sha256").value_or("")});
        if (const auto& id = out.lineage.back().license; !id.empty()) {
            LOCARA_CHECK(check_license_text(
                "lineage[" + std::to_string(out.lineage.size() - 1) + "].license", id));
        }
    }
    const auto& license = json.at("license");
    const auto& terms = license.at("terms");
    out.license = {license.at("id"),
                   license.at("url"),
                   optional_value<std::string>(license, "text_sha256").value_or(""),
                   {terms.at("commercial"),
                    terms.at("redistribution"),
                    terms.at("attribution"),
                    terms.at("use_restrictions").get<std::vector<std::string>>(),
                    terms.at("gated")},
                   optional_value<std::string>(license, "instead_of").value_or(""),
                   {}};
    if (const auto say = license.find("weights_say"); say != license.end() && !say->is_null()) {
        out.license.weights_say = {optional_value<std::string>(*say, "license").value_or(""),
                                   say->at("made_from").get<std::vector<std::string>>()};
    }
    LOCARA_CHECK(check_license_text("license.id", out.license.id));
    LOCARA_TRY(out.chat_template, optional_digest(json, "chat_template"));
    LOCARA_TRY(out.tokenizer, optional_digest(json, "tokenizer"));
    if (json.contains("recommended")) {
        out.recommended = parse_recommended(json.at("recommended"));
    }
    if (const auto at = json.find("validation"); at != json.end() && !at->is_null()) {
        LOCARA_TRY(out.validation, parse_validation(*at, out.is_for_embeddings()));
    }
    return out;
}

} // namespace locara::manifest
