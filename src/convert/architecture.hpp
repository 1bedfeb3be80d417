// The architectures that can be converted, as data.
//
// Names of tensors on the one side as transformers has them, on the other as llama.cpp's engine
// loads them (llama.cpp v0.5.0, gguf-py/gguf/constants.py and tensor_mapping.py).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace locara::convert {

/// Extents of tensors, by the model's configuration.
enum class Extent { None, Vocabulary, Hidden, FeedForward, Queries, Keys, HeadWidth };

enum class Presence { Required, Optional, UnlessTied };

/// llama.cpp rotates neighbours, transformers the halves of a head: the rows of what makes queries
/// and keys change places, head by head.
enum class RowOrder { Same, QueryHeads, KeyHeads };

struct TensorRule {
    std::string_view theirs; ///< Behind "model.layers.N." in the rules of a layer.
    std::string_view ours;   ///< Behind "blk.N." likewise.
    Extent rows = Extent::None;
    Extent columns = Extent::None; ///< None: it has one dimension, `rows`.
    Presence presence = Presence::Required;
    RowOrder order = RowOrder::Same;
};

struct Architecture {
    std::string_view name; ///< In `architectures` of config.json.
    std::string_view gguf; ///< `general.architecture`.
    std::span<const TensorRule> once;
    std::span<const TensorRule> layer;
    /// Whether its configuration always has `head_dim`: that of the model's class says so by
    /// default.
    enum class HeadWidth { AsStated, Always } head_width = HeadWidth::AsStated;
    /// Whether `num_key_value_heads` may be absent: as many as there are heads.
    bool kv_heads_default = false;
    /// Whether vocab_size and rope.dimension_count are among its keys.
    bool is_llama = false;
};

/// nullptr if it is not in the table.
const Architecture* find_architecture(std::string_view name);

/// "LlamaForCausalLM, MistralForCausalLM, ...": for messages.
std::string list_architectures();

} // namespace locara::convert
