#include "model_formats.hpp"

#include "cursor.hpp"
#include "json_members.hpp"
#include "search.hpp"

#include <locara/base/path.hpp>

#include <algorithm>
#include <map>

namespace locara::formats {

namespace {

constexpr std::string_view kAdvice = "; publish the weights as safetensors or GGUF";
constexpr std::uint64_t kMaxSearched = 1U << 30U; // bytes of HDF5 and ONNX, within a scan's time

Finding wrong_format(std::string_view name, std::string_view title) {
    return {"format." + std::string(name),
            std::string(title) + ", which is not among the formats that are loaded" +
                std::string(kAdvice),
            0};
}

template <std::size_t N> bool is_one_of(std::string_view text, const std::string_view (&list)[N]) {
    return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

// --- Keras ---------------------------------------------------------------------------------
// Source: keras-team/keras, keras/src/saving/serialization_lib.py: `module`, `class_name`,
// `config`, `registered_name`; a stored lambda is a `__lambda__`.

bool is_lambda(std::string_view class_name) {
    return class_name == "Lambda" || class_name == "__lambda__";
}

/// What of Keras a configuration may name. Its utilities (downloads, archives) are not among it.
bool is_keras_module(std::string_view module) {
    constexpr std::string_view kParts[] = {"activations",
                                           "constraints",
                                           "dtype_policies",
                                           "initializers",
                                           "layers",
                                           "losses",
                                           "metrics",
                                           "models",
                                           "optimizers",
                                           "quantizers",
                                           "random",
                                           "regularizers"};
    if (module == "keras") {
        return true;
    }
    if (!module.starts_with("keras.")) {
        return false;
    }
    module.remove_prefix(6);
    if (module.starts_with("src.")) {
        module.remove_prefix(4);
    }
    return is_one_of(module.substr(0, module.find('.')), kParts);
}

/// Functions are stored as of module "builtins", whatever they are.
bool is_activation(std::string_view name) {
    constexpr std::string_view kNames[] = {
        "celu",      "elu",         "exponential", "gelu",     "glu",     "hard_sigmoid",
        "hard_silu", "hard_tanh",   "leaky_relu",  "linear",   "mish",    "relu",
        "relu6",     "log_softmax", "log_sigmoid", "selu",     "sigmoid", "silu",
        "softmax",   "softplus",    "softsign",    "swish",    "tanh",    "accuracy",
        "mse",       "mae",         "squareplus",  "sparsemax"};
    return is_one_of(name, kNames);
}

std::optional<Finding> check_keras_config(std::string_view text) {
    std::optional<Finding> lambda;
    std::optional<Finding> module;
    const auto outside = [&](const std::string& name, std::uint64_t offset) {
        if (!module) {
            module =
                Finding{"keras.module",
                        "a Keras configuration that names " + quote_for_message(name) +
                            ", code outside Keras that loading would run" + std::string(kAdvice),
                        offset};
        }
    };

    struct Object {
        std::uint64_t offset = 0;
        bool builtin = false;
        std::string config;
    };

    std::map<std::uint64_t, Object> functions;
    walk_json_members(text, [&](const JsonMember& member) {
        if (member.kind != '"') {
            return;
        }
        if (member.key == "class_name" && is_lambda(member.text) && !lambda) {
            lambda = Finding{"keras.lambda",
                             "a Keras model with a Lambda layer, which is Python code" +
                                 std::string(kAdvice),
                             member.offset};
        } else if (member.key == "module") {
            if (member.text == "builtins") {
                functions[member.object].builtin = true;
                functions[member.object].offset = member.offset;
            } else if (!is_keras_module(member.text)) {
                outside(member.text, member.offset);
            }
        } else if (member.key == "config") {
            functions[member.object].config = member.text;
        }
    });
    for (const auto& [id, object] : functions) {
        if (object.builtin && !is_activation(object.config)) {
            outside("builtins." + object.config, object.offset);
        }
    }
    return lambda ? lambda : module;
}

// --- skops ---------------------------------------------------------------------------------
// Source: skops-dev/skops, docs/persistence.rst and skops/io/_general.py: `__module__` and
// `__class__` of each object, `module_path` and `function` of functions.

bool is_skops_module(std::string_view module) {
    const std::string_view root = module.substr(0, module.find('.'));
    constexpr std::string_view kRoots[] = {"sklearn", "numpy", "scipy", "collections", "builtins"};
    return is_one_of(root, kRoots);
}

bool is_plain_type(std::string_view name) {
    constexpr std::string_view kNames[] = {"NoneType",
                                           "bool",
                                           "bytearray",
                                           "bytes",
                                           "complex",
                                           "dict",
                                           "float",
                                           "frozenset",
                                           "int",
                                           "list",
                                           "set",
                                           "slice",
                                           "str",
                                           "tuple"};
    return is_one_of(name, kNames);
}

std::optional<Finding> check_skops_schema(std::string_view text) {
    std::optional<Finding> finding;
    const auto outside = [&](const std::string& name, std::uint64_t offset) {
        if (!finding) {
            finding = Finding{"skops.module",
                              "a skops file that names " + quote_for_message(name) +
                                  ", code that loading would run" + std::string(kAdvice),
                              offset};
        }
    };

    struct Object {
        std::uint64_t offset = 0;
        bool builtin = false;
        std::string name;
    };

    std::map<std::uint64_t, Object> objects;
    walk_json_members(text, [&](const JsonMember& member) {
        if (member.kind != '"') {
            return;
        }
        if (member.key == "__module__" || member.key == "module_path") {
            if (!is_skops_module(member.text)) {
                outside(member.text, member.offset);
            }
            objects[member.object].builtin = member.text == "builtins";
            objects[member.object].offset = member.offset;
        } else if (member.key == "__class__" || member.key == "function") {
            objects[member.object].name = member.text;
        }
    });
    for (const auto& [id, object] : objects) {
        if (object.builtin && !is_plain_type(object.name)) {
            outside("builtins." + object.name, object.offset);
        }
    }
    return finding;
}

} // namespace

std::optional<ModelZip>
check_model_zip(std::span<const std::string> names,
                const std::function<std::string(const std::string& name)>& text_of) {
    const auto has = [&](const std::string& name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    const auto any = [&](auto matches) { return std::any_of(names.begin(), names.end(), matches); };

    const std::string config = "config.json";
    const bool weights = any([](const std::string& name) { return name.ends_with(".weights.h5"); });
    if (has(config) && (weights || has("metadata.json"))) {
        const std::string text = text_of(config);
        bool keras = weights;
        walk_json_members(
            text, [&](const JsonMember& member) { keras = keras || member.key == "class_name"; });
        if (keras) {
            if (auto finding = check_keras_config(text)) {
                return ModelZip{"keras", std::move(*finding), config};
            }
            return ModelZip{"keras", wrong_format("keras", "a Keras model"), ""};
        }
    }
    const std::string schema = "schema.json";
    if (has(schema)) {
        const std::string text = text_of(schema);
        bool skops = false;
        walk_json_members(
            text, [&](const JsonMember& member) { skops = skops || member.key == "__module__"; });
        if (skops) {
            if (auto finding = check_skops_schema(text)) {
                return ModelZip{"skops", std::move(*finding), schema};
            }
            return ModelZip{
                "skops", wrong_format("skops", "a skops file, which names Python classes"), ""};
        }
    }
    // torch/csrc/jit/serialization: constants.pkl beside code/ below one folder.
    if (any([](const std::string& name) { return name.ends_with("/constants.pkl"); }) &&
        any([](const std::string& name) { return name.find("/code/") != std::string::npos; })) {
        return ModelZip{
            "torchscript", wrong_format("torchscript", "a TorchScript model, which is code"), ""};
    }
    return std::nullopt;
}

Finding check_hdf5(const ByteSource& source) {
    std::optional<Finding> lambda;
    // Keras stores its configuration as JSON in an attribute, in one piece.
    const auto searched = for_each_match(
        source,
        "\"class_name\"",
        64,
        kMaxSearched,
        [&](std::uint64_t offset, std::string_view behind) {
            walk_json_members(
                "\"class_name\"" + std::string(behind), [&](const JsonMember& member) {
                    if (!lambda && member.key == "class_name" && is_lambda(member.text)) {
                        lambda =
                            Finding{"keras.lambda",
                                    "a Keras model in HDF5 with a Lambda layer, which is Python "
                                    "code" +
                                        std::string(kAdvice),
                                    offset};
                    }
                });
            return !lambda;
        });
    if (!searched) {
        return read_failure(searched.error());
    }
    return lambda ? *lambda : wrong_format("hdf5", "a file of HDF5");
}

Finding check_onnx(const ByteSource& source) {
    // onnx.proto, TensorProto.external_data: entries of key (1) and value (2), both strings.
    constexpr std::string_view kLocation = "\x0A\x08location\x12";
    constexpr std::size_t kMaxPath = 4'096;
    std::optional<Finding> found;
    const auto searched = for_each_match(
        source,
        kLocation,
        kMaxPath + 4,
        kMaxSearched,
        [&](std::uint64_t offset, std::string_view behind) {
            std::size_t length = 0;
            std::size_t at = 0;
            for (unsigned shift = 0; at < behind.size() && shift <= 14; shift += 7) {
                const auto byte = static_cast<unsigned char>(behind[at++]);
                length |= static_cast<std::size_t>(byte & 0x7FU) << shift;
                if ((byte & 0x80U) == 0) {
                    break;
                }
            }
            std::string_view path = behind.substr(at, length);
            while (path.starts_with("./")) {
                path.remove_prefix(2);
            }
            if (length != 0 && (length > kMaxPath || !validate_path(path))) {
                found =
                    Finding{"onnx.external-path",
                            "an ONNX model whose data is the file " + quote_for_message(path) +
                                ", which is not inside the model's folder" + std::string(kAdvice),
                            offset};
            }
            return !found;
        });
    if (!searched) {
        return read_failure(searched.error());
    }
    return found ? *found : wrong_format("onnx", "a model in ONNX");
}

} // namespace locara::formats
