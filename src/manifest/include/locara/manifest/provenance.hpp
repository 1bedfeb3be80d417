// Provenance: how a quantization was made again out of its base, with the same bytes.
//
// An in-toto Statement v1 with the predicate of SLSA provenance v1
// (https://slsa.dev/provenance/v1). Format: docs/formats/model-provenance.md. Whoever makes one has
// compared the bytes. Threads: plain values.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <string>
#include <vector>

namespace locara::manifest {

struct Provenance {
    const ModelManifest* model = nullptr; ///< Borrowed. Names the source.
    std::string variant;                  ///< What was made; one file.
    const Source* base_source = nullptr;  ///< Borrowed: where the base comes from.
    const Variant* base = nullptr;        ///< Borrowed: what it was made from.
    std::vector<std::string> command;     ///< As run in the sandbox.
    std::string engine_version;           ///< "v0.5.0".
    crypto::Sha256Digest program;         ///< Of llama-quantize.
    std::string locara_version;
    TimePoint started;
    TimePoint finished;

    /// The statement as JSON, two spaces deep, with a newline at the end.
    std::string render() const;
};

} // namespace locara::manifest
