// locara model ...: what publishers do with a model: its manifest, and its folder (manifest.json,
// repo/, model.sig).
#pragma once

#include "context.hpp"

#include <string>
#include <vector>

namespace locara::cli {

struct ModelPinRequest {
    std::string ref;    ///< org/repo[@revision]
    std::string output; ///< The file to write; empty: standard output.
    std::string id;
    std::string version = "1.0.0";
    std::string license;
    std::string license_instead_of; ///< What the card says, if `license` is another.
    std::string default_variant;
};

/// Makes a manifest of a repository on a hub.
Result<int> run_model_pin(Context& context, const ModelPinRequest& request);

struct ModelBuildRequest {
    std::string manifest;
    std::string variant; ///< Empty: the only one that can be made.
    std::string base;    ///< A variant, or "safetensors"; empty: the one without quantization.
    std::string via;     ///< F32, F16 or BF16, between safetensors and a quantization.
    std::string from;    ///< A folder with the files; empty: store and hub.
    std::string output;  ///< A folder; empty: the current one.
};

/// Makes a variant again and compares; kVerification if its bytes are others.
Result<int> run_model_build(Context& context, const ModelBuildRequest& request);

struct ModelValidateRequest {
    std::string manifest;
    std::vector<std::string> variants;  ///< Empty: all.
    std::vector<std::string> questions; ///< Become probes, with the answers that come.
    std::string text_file;              ///< For perplexity; empty: the probes.
    std::string from;                   ///< A folder with the files; empty: store and hub.
};

/// Runs the probes, measures, and writes both into the manifest; kVerification if a probe failed.
Result<int> run_model_validate(Context& context, const ModelValidateRequest& request);

struct ModelSignRequest {
    std::string folder;
    std::string key_file; ///< A private key, as `locara-hub keys new` writes it.
};

/// Signs what is in the folder, if its manifest says that it was validated.
Result<int> run_model_sign(Context& context, const ModelSignRequest& request);

struct ModelVerifyRequest {
    std::string folder;
    std::string key_file; ///< A public key; empty: the keys of the known catalogs.
};

Result<int> run_model_verify(Context& context, const ModelVerifyRequest& request);

} // namespace locara::cli
