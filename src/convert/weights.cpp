#include "weights.hpp"

#include "members.hpp"

#include <locara/formats/safetensors.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <set>

namespace locara::convert {

namespace {

const SourceFile* find(const std::vector<SourceFile>& files, std::string_view path) {
    const auto at =
        std::find_if(files.begin(), files.end(), [&](const auto& one) { return one.path == path; });
    return at == files.end() ? nullptr : &*at;
}

struct Tensor {
    formats::SafetensorsTensor header;
    const SourceFile* file = nullptr;
};

Error corrupt(const std::string& what) {
    return Error(ErrorCode::Corrupt, what);
}

/// The shards, in the order in which llama.cpp reads them.
Result<std::vector<std::string>> list_shards(const std::vector<SourceFile>& files) {
    if (find(files, kIndexName) != nullptr) {
        LOCARA_TRY(const auto text, read_text(files, kIndexName, kMaxIndex));
        return parse_index(text);
    }
    std::vector<std::string> out;
    for (const auto& file : files) {
        if (file.path.starts_with("model") && file.path.ends_with(".safetensors") &&
            file.path.find('/') == std::string::npos) {
            out.push_back(file.path);
        }
    }
    std::sort(out.begin(), out.end());
    if (out.empty()) {
        return Error(ErrorCode::NotFound, "there is no model.safetensors");
    }
    return out;
}

/// All tensors: by shard, then by name.
Result<std::vector<Tensor>> read_tensors(const std::vector<SourceFile>& files) {
    LOCARA_TRY(const auto shards, list_shards(files));
    std::vector<Tensor> out;
    std::set<std::string> names;
    for (const auto& shard : shards) {
        const auto* file = find(files, shard);
        if (file == nullptr) {
            return Error(ErrorCode::NotFound,
                         shard + ", which " + std::string(kIndexName) + " names, is not there");
        }
        LOCARA_TRY(auto parsed, formats::parse_safetensors(*file->source).context(shard));
        std::sort(parsed.tensors.begin(), parsed.tensors.end(), [](const auto& a, const auto& b) {
            return a.name < b.name;
        });
        for (auto& tensor : parsed.tensors) {
            if (!names.insert(tensor.name).second) {
                return corrupt("tensor " + shown(tensor.name) + " is in two files");
            }
            out.push_back({std::move(tensor), file});
        }
    }
    return out;
}

struct Match {
    const TensorRule* rule = nullptr;
    std::string name;
};

/// What a tensor of theirs is called, or nothing.
std::optional<Match> match(const ModelConfig& model, std::string_view name) {
    for (const auto& rule : model.architecture->once) {
        if (rule.theirs == name) {
            return Match{&rule, std::string(rule.ours)};
        }
    }
    constexpr std::string_view kLayers = "model.layers.";
    if (!name.starts_with(kLayers)) {
        return std::nullopt;
    }
    name.remove_prefix(kLayers.size());
    const auto dot = name.find('.');
    const auto number = name.substr(0, dot);
    std::uint64_t layer = 0;
    for (const char c : number) {
        if (c < '0' || c > '9' || layer > kMaxLayers) {
            return std::nullopt;
        }
        layer = layer * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (dot == std::string_view::npos || number.empty() || number != std::to_string(layer) ||
        layer >= model.layers) {
        return std::nullopt;
    }
    name.remove_prefix(dot + 1);
    for (const auto& rule : model.architecture->layer) {
        if (rule.theirs == name) {
            return Match{&rule, "blk." + std::to_string(layer) + "." + std::string(rule.ours)};
        }
    }
    return std::nullopt;
}

std::string render_shape(const std::vector<std::uint64_t>& shape) {
    std::string out;
    for (const auto extent : shape) {
        out += (out.empty() ? "" : " x ") + std::to_string(extent);
    }
    return out;
}

Result<PlannedTensor> plan(const ModelConfig& model, const Tensor& tensor, const Match& match) {
    const auto& rule = *match.rule;
    std::vector<std::uint64_t> wanted = {model.extent(rule.rows)};
    if (rule.columns != Extent::None) {
        wanted.push_back(model.extent(rule.columns));
    }
    if (tensor.header.shape != wanted) {
        return corrupt("tensor " + shown(tensor.header.name) + " is " +
                       render_shape(tensor.header.shape) + ", by config.json it must be " +
                       render_shape(wanted));
    }
    const auto number = parse_number(tensor.header.dtype);
    if (!number) {
        return Error(ErrorCode::Unsupported,
                     "tensor " + shown(tensor.header.name) + " holds " + tensor.header.dtype +
                         "; F32, F16 and BF16 are converted");
    }
    PlannedTensor out;
    out.name = match.name;
    out.shape.assign(wanted.rbegin(), wanted.rend());
    out.source = tensor.file->source;
    out.begin = tensor.header.begin;
    out.number = *number;
    out.swapped_heads = rule.order == RowOrder::QueryHeads ? model.heads
                        : rule.order == RowOrder::KeyHeads ? model.kv_heads
                                                           : 0;
    return out;
}

/// `rope_freqs`, by which llama.cpp stretches frequencies as Llama 3.1 does. In float32 as there.
PlannedTensor make_frequencies(const ModelConfig& model) {
    const auto& rope = model.rope;
    const auto width = static_cast<float>(model.head_width);
    const auto context = static_cast<float>(rope.original_context);
    const auto factor = static_cast<float>(rope.factor);
    const auto low = static_cast<float>(rope.low_frequency_factor);
    const auto high = static_cast<float>(rope.high_frequency_factor);
    PlannedTensor out;
    out.name = "rope_freqs.weight";
    out.shape = {model.head_width / 2};
    for (std::uint64_t i = 0; i < model.head_width; i += 2) {
        const float power = std::pow(static_cast<float>(rope.theta), static_cast<float>(i) / width);
        const float wave = static_cast<float>(2 * std::numbers::pi) / (1.0F / power);
        if (wave < context / high) {
            out.made.push_back(1);
        } else if (wave > context / low) {
            out.made.push_back(factor);
        } else {
            const float smooth = (context / wave - low) / (high - low);
            out.made.push_back(1 / ((1 - smooth) / factor + smooth));
        }
    }
    return out;
}

/// Every rule of the table has its tensor.
Status check_whole(const ModelConfig& model, const std::set<std::string>& names) {
    const auto check = [&](const TensorRule& rule, const std::string& theirs) -> Status {
        const bool needed = rule.presence == Presence::Required ||
                            (rule.presence == Presence::UnlessTied && !model.tied);
        if (!needed || names.contains(theirs)) {
            return {};
        }
        return corrupt("tensor " + theirs + " is missing" +
                       (rule.presence == Presence::UnlessTied
                            ? ", and config.json does not say tie_word_embeddings"
                            : ""));
    };
    for (const auto& rule : model.architecture->once) {
        LOCARA_CHECK(check(rule, std::string(rule.theirs)));
    }
    for (std::uint64_t layer = 0; layer < model.layers; ++layer) {
        for (const auto& rule : model.architecture->layer) {
            LOCARA_CHECK(check(
                rule, "model.layers." + std::to_string(layer) + "." + std::string(rule.theirs)));
        }
    }
    return {};
}

Number number_of(Precision precision) {
    return precision == Precision::F32   ? Number::F32
           : precision == Precision::F16 ? Number::F16
                                         : Number::BF16;
}

Precision precision_of(Number number) {
    return number == Number::F32   ? Precision::F32
           : number == Number::F16 ? Precision::F16
                                   : Precision::BF16;
}

} // namespace

std::uint64_t PlannedTensor::elements() const {
    std::uint64_t out = 1;
    for (const auto extent : shape) {
        out *= extent; // at most kGgufMaxTokens times kMaxWidth
    }
    return out;
}

Result<std::string>
read_text(const std::vector<SourceFile>& files, std::string_view path, std::uint64_t limit_bytes) {
    const auto* file = find(files, path);
    if (file == nullptr) {
        return Error(ErrorCode::NotFound, "there is no " + std::string(path));
    }
    if (file->source->size() > limit_bytes) {
        return Error(ErrorCode::TooLarge,
                     std::string(path) + " has " + std::to_string(file->source->size()) +
                         " bytes; at most " + std::to_string(limit_bytes) + " are read");
    }
    std::string out(file->source->size(), '\0');
    LOCARA_CHECK(
        file->source->read(0, std::as_writable_bytes(std::span(out))).context(std::string(path)));
    return out;
}

Result<std::vector<std::string>> parse_index(std::string_view text) {
    // As many keys as a file may have tensors; an ordered object takes them one by one.
    JsonLimits limits;
    limits.bytes = kMaxIndex;
    LOCARA_TRY(const Json json, parse_members(text, kIndexName, limits));
    const auto map = json.find("weight_map");
    if (map == json.end() || !map->is_object() || map->empty()) {
        return corrupt(std::string(kIndexName) + " has no weight_map");
    }
    std::set<std::string> names;
    for (const auto& [tensor, file] : map->items()) {
        if (!file.is_string() || !file.get_ref<const std::string&>().ends_with(".safetensors") ||
            file.get_ref<const std::string&>().find('/') != std::string::npos) {
            return corrupt(std::string(kIndexName) + ": " + shown(tensor) +
                           " is not in a .safetensors beside it");
        }
        names.insert(file.get_ref<const std::string&>());
    }
    if (names.size() > kMaxShards) {
        return Error(ErrorCode::TooLarge,
                     std::string(kIndexName) + " names more than " + std::to_string(kMaxShards) +
                         " files");
    }
    return std::vector<std::string>(names.begin(), names.end());
}

Result<WeightPlan> plan_weights(const std::vector<SourceFile>& files,
                                const ModelConfig& model,
                                std::optional<Precision> precision) {
    LOCARA_TRY(const auto tensors, read_tensors(files));
    WeightPlan out;
    std::set<std::string> names;
    if (model.rope.kind == Rope::Kind::Llama3 && model.architecture->is_llama) {
        out.tensors.push_back(make_frequencies(model));
    }
    std::optional<Precision> found;
    for (const auto& tensor : tensors) {
        const auto& name = tensor.header.name;
        if (name.ends_with(".rotary_emb.inv_freq")) {
            continue; // a buffer of older versions of transformers, computed by the engine
        }
        const auto matched = match(model, name);
        if (!matched) {
            return Error(ErrorCode::Unsupported,
                         "tensor " + shown(name) + " is none that " +
                             std::string(model.architecture->name) + " has");
        }
        LOCARA_TRY(auto planned, plan(model, tensor, *matched));
        if (!found && planned.shape.size() > 1) {
            found = precision_of(planned.number);
        }
        names.insert(name);
        out.tensors.push_back(std::move(planned));
    }
    LOCARA_CHECK(check_whole(model, names));
    out.precision = precision.value_or(found.value_or(Precision::F16));
    for (auto& tensor : out.tensors) {
        const bool small = tensor.shape.size() < 2 || tensor.name.ends_with("_norm.weight");
        tensor.target = small ? Number::F32 : number_of(out.precision);
    }
    return out;
}

} // namespace locara::convert
