// What differs between two GGUF files: for `locara model build`, when a variant that was made again
// has other bytes than the one that was published; and from which GGUF it is made.
#pragma once

#include <locara/base/result.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace locara::runtime {

/// The variant that `variant` can be made from: the one without quantization (F32, BF16, F16, in
/// this order) of the same manifest, or `wanted` if that is not empty. Errors: NotFound (no such
/// variant), Unsupported (nothing to make it from, with what is missing; more than one file;
/// `variant` itself is not quantized: it is converted from safetensors).
Result<const manifest::Variant*> find_base(const manifest::ModelManifest& model,
                                           const manifest::Variant& variant,
                                           std::string_view wanted = "");

/// What a variant was made from where its own repository has nothing to make it from: the nearest
/// ancestor of which the model is a quantization, which for GGUF includes a mere conversion.
/// nullptr if there is none.
const manifest::Ancestor* find_base_elsewhere(const manifest::ModelManifest& model);

/// Which of an ancestor's variants it is: the one without quantization, or `wanted`. Errors as
/// find_base.
Result<const manifest::Variant*> choose_base(const manifest::ModelManifest& ancestor,
                                             std::string_view wanted = "");

/// Compares by content, each parsed and then byte by byte: sentences, none if nothing differs but
/// layout. Corrupt or Io if one cannot be read.
Result<std::vector<std::string>> compare_gguf(const std::filesystem::path& made,
                                              const std::filesystem::path& published);

} // namespace locara::runtime
