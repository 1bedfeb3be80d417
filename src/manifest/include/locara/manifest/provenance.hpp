// Provenance: how a file of weights was made again out of its base, with the same bytes.
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
    std::vector<ModelFile> base;          ///< What it was made from.
    /// Where the base is safetensors: what they were converted to, "BF16". Else empty.
    std::string converted;
    std::vector<std::string> command; ///< Of llama-quantize, as run in the sandbox; may be empty
                                      ///< after a conversion.
    std::string engine_version;       ///< "v0.5.0"; of llama-quantize, as the next.
    crypto::Sha256Digest program;
    std::string locara_version; ///< Also of what converts: that is part of this program.
    TimePoint started;
    TimePoint finished;

    /// The statement as JSON, two spaces deep, with a newline at the end.
    std::string render() const;
};

} // namespace locara::manifest
