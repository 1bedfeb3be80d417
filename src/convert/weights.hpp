// The tensors of a repository's safetensors, and which of them become what in GGUF.
#pragma once

#include "config.hpp"
#include "numbers.hpp"

#include <locara/base/result.hpp>
#include <locara/convert/convert.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace locara::convert {

/// A tensor of GGUF and where its numbers come from.
struct PlannedTensor {
    std::string name;
    std::vector<std::uint64_t> shape; ///< Fastest dimension first: columns, then rows.
    Number target = Number::F32;

    /// Where the numbers lie; nullptr: they are in `made`.
    const formats::ByteSource* source = nullptr;
    std::uint64_t begin = 0;
    Number number = Number::F32;
    std::uint64_t swapped_heads = 0; ///< 0: rows stay; else how many heads have theirs reordered.
    std::vector<float> made;         ///< float32 in any case.

    std::uint64_t elements() const;

    std::uint64_t bytes() const { return elements() * size_of(target); }
};

struct WeightPlan {
    Precision precision = Precision::F16;
    std::vector<PlannedTensor> tensors; ///< In the order of the file.
};

/// Reads the headers of all shards, holds them against the configuration, and lays down what is
/// written. Errors as convert.
Result<WeightPlan> plan_weights(const std::vector<SourceFile>& files,
                                const ModelConfig& model,
                                std::optional<Precision> precision);

/// The whole file as text. NotFound if it is not among them, TooLarge.
Result<std::string>
read_text(const std::vector<SourceFile>& files, std::string_view path, std::uint64_t limit_bytes);

} // namespace locara::convert
