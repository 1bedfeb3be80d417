#include <locara/base/json.hpp>
#include <locara/manifest/provenance.hpp>

namespace locara::manifest {

std::string Provenance::render() const {
    LOCARA_ASSERT(model != nullptr && base_source != nullptr && !base.empty());
    LOCARA_ASSERT(!command.empty() || !converted.empty());
    const Variant* const made = model->find_variant(variant);
    LOCARA_ASSERT(made != nullptr && made->files.size() == 1);
    const auto name = [](const Source& source, const ModelFile& file) {
        return "hf:" + source.repo + "@" + source.revision + "#" + file.path;
    };
    Json materials = Json::array();
    for (const auto& file : base) {
        materials.push_back({{"name", "base"},
                             {"uri", name(*base_source, file)},
                             {"digest", {{"sha256", file.sha256.render()}}}});
    }
    Json parameters = Json::object();
    if (!converted.empty()) {
        parameters["converted"] = converted;
    }
    if (!command.empty()) {
        parameters["command"] = command;
        materials.push_back({{"name", "llama-quantize"},
                             {"uri", "https://github.com/ggml-org/llama.cpp"},
                             {"digest", {{"sha256", program.render()}}},
                             {"annotations", {{"version", engine_version}}}});
    }
    const auto& file = made->files.front();
    const Json statement = {
        {"_type", "https://in-toto.io/Statement/v1"},
        {"subject",
         {{{"name", name(model->source, file)}, {"digest", {{"sha256", file.sha256.render()}}}}}},
        {"predicateType", "https://slsa.dev/provenance/v1"},
        {"predicate",
         {{"buildDefinition",
           {{"buildType",
             converted.empty() ? "https://locara.dev/build/llama-quantize/v1"
                               : "https://locara.dev/build/safetensors-to-gguf/v1"},
            {"externalParameters",
             {{"model", model->id.render() + "@" + model->version.render()},
              {"variant", variant},
              {"quantization", made->quantization}}},
            {"internalParameters", std::move(parameters)},
            {"resolvedDependencies", std::move(materials)}}},
          {"runDetails",
           {{"builder",
             {{"id", "https://locara.dev/build/locara-model-build"},
              {"version", {{"locara", locara_version}}}}},
            {"metadata",
             {{"startedOn", render_time(started)}, {"finishedOn", render_time(finished)}}}}}}}};
    return statement.dump(2) + "\n";
}

} // namespace locara::manifest
