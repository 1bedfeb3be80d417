#include "model_formats.hpp"

#include "cursor.hpp"
#include "json_members.hpp"
#include "protobuf.hpp"
#include "search.hpp"

#include <locara/base/path.hpp>
#include <locara/base/utf8.hpp>

#include <algorithm>
#include <map>
#include <vector>

namespace locara::formats {

namespace {

constexpr std::string_view kAdvice = "; publish the weights as safetensors or GGUF";
constexpr std::uint64_t kMaxSearched = 1U << 30U; // bytes of HDF5, within a scan's time
constexpr std::size_t kMaxPlaces = 2'000'000;     // parts of ONNX that wait to be looked at

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

bool is_plain_text(std::string_view text) {
    return text.find('\0') == std::string_view::npos && is_utf8(text);
}

Finding unseen(std::string_view format, std::string_view title, std::string_view member) {
    return {"format." + std::string(format),
            "its " + std::string(member) + " cannot be looked through, and may be that of " +
                std::string(title) + "; write it as UTF-8 of at most 32 MiB",
            {}};
}

} // namespace

std::optional<ModelZip>
check_model_zip(std::span<const std::string> names,
                const std::function<std::optional<std::string>(const std::string& name)>& text_of) {
    const auto has = [&](const std::string& name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    const auto any = [&](auto matches) { return std::any_of(names.begin(), names.end(), matches); };

    const std::string config = "config.json";
    const bool weights = any([](const std::string& name) { return name.ends_with(".weights.h5"); });
    if (has(config)) {
        // json.loads of Python reads UTF-16 and UTF-32 as well.
        const auto text = text_of(config);
        if (!text || !is_plain_text(*text)) {
            return ModelZip{"keras", unseen("keras", "Keras", config), config};
        }
        bool named = false;     // class_name
        bool config_of = false; // and, as a Keras object has it, config
        walk_json_members(*text, [&](const JsonMember& member) {
            named = named || member.key == "class_name";
            config_of = config_of || member.key == "config";
        });
        if (weights || (named && (config_of || has("metadata.json")))) {
            if (auto finding = check_keras_config(*text)) {
                return ModelZip{"keras", std::move(*finding), config};
            }
            return ModelZip{"keras", wrong_format("keras", "a Keras model"), ""};
        }
    }
    const std::string schema = "schema.json";
    if (has(schema)) {
        const auto text = text_of(schema);
        if (!text || !is_plain_text(*text)) {
            return ModelZip{"skops", unseen("skops", "skops", schema), schema};
        }
        bool skops = false;
        walk_json_members(
            *text, [&](const JsonMember& member) { skops = skops || member.key == "__module__"; });
        if (skops) {
            if (auto finding = check_skops_schema(*text)) {
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

// --- ONNX ----------------------------------------------------------------------------------
// Source: onnx/onnx, onnx/onnx.proto (IR version 11): where tensors stand, and their external_data.

namespace {

enum class Part : std::uint8_t {
    Model,
    Training,
    Function,
    Graph,
    Node,
    Attribute,
    Sparse,
    Tensor,
    Entry
};

struct Inner {
    Part of;
    std::uint64_t field;
    Part part;
};

constexpr Inner kInner[] = {
    {Part::Model, 7, Part::Graph},         {Part::Model, 20, Part::Training},
    {Part::Model, 25, Part::Function},     {Part::Training, 1, Part::Graph},
    {Part::Training, 2, Part::Graph},      {Part::Function, 7, Part::Node},
    {Part::Function, 11, Part::Attribute}, {Part::Graph, 1, Part::Node},
    {Part::Graph, 5, Part::Tensor},        {Part::Graph, 15, Part::Sparse},
    {Part::Node, 5, Part::Attribute},      {Part::Attribute, 5, Part::Tensor},
    {Part::Attribute, 6, Part::Graph},     {Part::Attribute, 10, Part::Tensor},
    {Part::Attribute, 11, Part::Graph},    {Part::Attribute, 22, Part::Sparse},
    {Part::Attribute, 23, Part::Sparse},   {Part::Sparse, 1, Part::Tensor},
    {Part::Sparse, 2, Part::Tensor},       {Part::Tensor, 13, Part::Entry},
};

struct Place {
    Part part;
    std::uint64_t begin;
    std::uint64_t length;
};

/// A path that may be of the model's folder.
bool is_inside(std::string_view path) {
    while (path.starts_with("./")) {
        path.remove_prefix(2);
    }
    return validate_path(path).has_value();
}

/// An entry of external_data: 1 key and 2 value, in any order; of several the last one counts.
Checked<std::optional<Finding>>
check_entry(const ByteSource& source, const Place& entry, std::uint64_t& budget) {
    constexpr std::uint64_t kMaxPath = 4'096;
    MessageField key;
    MessageField value;
    walk_message(source, entry.begin, entry.length, budget, [&](const MessageField& field) {
        if (field.wire == 2 && field.number == 1) {
            key = field;
        } else if (field.wire == 2 && field.number == 2) {
            value = field;
        }
        return true;
    });
    constexpr std::string_view kLocation = "location";
    const auto text_of = [&](const MessageField& field) -> Result<std::string> {
        std::string text(static_cast<std::size_t>(std::min(field.length, kMaxPath + 1)), '\0');
        LOCARA_CHECK(
            source.read(field.begin, std::as_writable_bytes(std::span(text.data(), text.size()))));
        return text;
    };
    if (key.length != kLocation.size() || value.length == 0) {
        return std::nullopt;
    }
    const auto name = text_of(key);
    const auto path = text_of(value);
    if (!name || !path) {
        return tl::unexpected(read_failure(name ? path.error() : name.error()));
    }
    if (*name != kLocation || (path->size() <= kMaxPath && is_inside(*path))) {
        return std::nullopt;
    }
    return Finding{"onnx.external-path",
                   "an ONNX model whose data is the file " + quote_for_message(*path) +
                       ", which is not inside the model's folder" + std::string(kAdvice),
                   entry.begin};
}

} // namespace

Finding check_onnx(const ByteSource& source) {
    std::uint64_t budget = kMaxMessageFields;
    std::vector<Place> places = {{Part::Model, 0, source.size()}};
    while (!places.empty() && budget > 0) {
        const Place place = places.back();
        places.pop_back();
        if (place.part == Part::Entry) {
            auto finding = check_entry(source, place, budget);
            if (!finding) {
                return finding.error();
            }
            if (*finding) {
                return **finding;
            }
            continue;
        }
        walk_message(source, place.begin, place.length, budget, [&](const MessageField& field) {
            for (const Inner& inner : kInner) {
                if (field.wire == 2 && inner.of == place.part && inner.field == field.number) {
                    places.push_back({inner.part, field.begin, field.length});
                }
            }
            return places.size() < kMaxPlaces;
        });
    }
    return wrong_format("onnx", "a model in ONNX");
}

} // namespace locara::formats
