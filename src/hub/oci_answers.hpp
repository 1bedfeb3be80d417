// What the answers about models by tag (oci.hpp) have in common, whoever's the repository is.
#pragma once

#include "answers.hpp"
#include "oci.hpp"

namespace locara::hub {

/// The manifest, in the form that the client reads.
http::Response oci_manifest_answer(const http::Request& request, const OciModel& model);

/// A blob that is a config.
http::Response oci_config_answer(const http::Request& request, std::string config);

/// To an answer with a large file: where to ask for parts of it, without which ollama takes none.
void add_oci_blob_headers(http::Response& response,
                          const http::Request& request,
                          const std::string& commit,
                          const GitEntry& file);

/// A refusal as clients of registries understand it: 401 comes with the challenge that they expect.
Refusal oci_refusal(Refusal refusal, const http::Request& request);

} // namespace locara::hub
