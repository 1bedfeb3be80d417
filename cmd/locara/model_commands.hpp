// locara model ...: what publishers do with a model's folder (manifest.json, repo/, model.sig).
#pragma once

#include "context.hpp"

#include <string>

namespace locara::cli {

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
