// Model formats that are never loaded, looked at only to tell the wrong format from malice: what
// they would run or reach for.
#pragma once

#include <locara/formats/byte_source.hpp>
#include <locara/formats/verdict.hpp>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace locara::formats {

/// Configurations of models in a zip; a longer one is not looked through, and refused.
inline constexpr std::uint64_t kMaxModelConfig = 32U << 20U;

/// A verdict on a zip whose members make it a model of Keras, skops or PyTorch: label, rule and the
/// member that shows it.
struct ModelZip {
    std::string format; ///< "keras", "skops" or "torchscript"
    Finding finding;    ///< "keras.*", "skops.*" or "format.*"
    std::string member; ///< Empty for the archive as a whole.
};

/// `text_of` gives a member's content, nullopt if it cannot be had: a configuration that cannot be
/// looked through is taken for the worst that still has a name, "format.keras" or "format.skops".
std::optional<ModelZip>
check_model_zip(std::span<const std::string> names,
                const std::function<std::optional<std::string>(const std::string& name)>& text_of);

/// HDF5: "keras.lambda" if it holds a Keras model with a Lambda layer, else "format.hdf5".
Finding check_hdf5(const ByteSource& source);

/// ONNX: "onnx.external-path" if a tensor's data lies outside the model's folder, else
/// "format.onnx".
Finding check_onnx(const ByteSource& source);

} // namespace locara::formats
