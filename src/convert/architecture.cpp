#include "architecture.hpp"

#include <algorithm>
#include <array>

namespace locara::convert {

namespace {

using enum Extent;
using enum Presence;
using enum RowOrder;

constexpr std::array<TensorRule, 3> kOnce = {{
    {"model.embed_tokens.weight", "token_embd.weight", Vocabulary, Hidden},
    {"model.norm.weight", "output_norm.weight", Hidden},
    {"lm_head.weight", "output.weight", Vocabulary, Hidden, UnlessTied},
}};

constexpr std::array<TensorRule, 16> kLlama = {{
    {"input_layernorm.weight", "attn_norm.weight", Hidden},
    {"self_attn.q_proj.weight", "attn_q.weight", Queries, Hidden, Required, QueryHeads},
    {"self_attn.k_proj.weight", "attn_k.weight", Keys, Hidden, Required, KeyHeads},
    {"self_attn.v_proj.weight", "attn_v.weight", Keys, Hidden},
    {"self_attn.o_proj.weight", "attn_output.weight", Hidden, Queries},
    {"self_attn.q_proj.bias", "attn_q.bias", Queries, None, Optional, QueryHeads},
    {"self_attn.k_proj.bias", "attn_k.bias", Keys, None, Optional, KeyHeads},
    {"self_attn.v_proj.bias", "attn_v.bias", Keys, None, Optional},
    {"self_attn.o_proj.bias", "attn_output.bias", Hidden, None, Optional},
    {"post_attention_layernorm.weight", "ffn_norm.weight", Hidden},
    {"mlp.gate_proj.weight", "ffn_gate.weight", FeedForward, Hidden},
    {"mlp.up_proj.weight", "ffn_up.weight", FeedForward, Hidden},
    {"mlp.down_proj.weight", "ffn_down.weight", Hidden, FeedForward},
    {"mlp.gate_proj.bias", "ffn_gate.bias", FeedForward, None, Optional},
    {"mlp.up_proj.bias", "ffn_up.bias", FeedForward, None, Optional},
    {"mlp.down_proj.bias", "ffn_down.bias", Hidden, None, Optional},
}};

constexpr std::array<TensorRule, 12> kQwen2 = {{
    {"input_layernorm.weight", "attn_norm.weight", Hidden},
    {"self_attn.q_proj.weight", "attn_q.weight", Queries, Hidden},
    {"self_attn.k_proj.weight", "attn_k.weight", Keys, Hidden},
    {"self_attn.v_proj.weight", "attn_v.weight", Keys, Hidden},
    {"self_attn.o_proj.weight", "attn_output.weight", Hidden, Queries},
    {"self_attn.q_proj.bias", "attn_q.bias", Queries},
    {"self_attn.k_proj.bias", "attn_k.bias", Keys},
    {"self_attn.v_proj.bias", "attn_v.bias", Keys},
    {"post_attention_layernorm.weight", "ffn_norm.weight", Hidden},
    {"mlp.gate_proj.weight", "ffn_gate.weight", FeedForward, Hidden},
    {"mlp.up_proj.weight", "ffn_up.weight", FeedForward, Hidden},
    {"mlp.down_proj.weight", "ffn_down.weight", Hidden, FeedForward},
}};

constexpr std::array<TensorRule, 11> kQwen3 = {{
    {"input_layernorm.weight", "attn_norm.weight", Hidden},
    {"self_attn.q_proj.weight", "attn_q.weight", Queries, Hidden},
    {"self_attn.k_proj.weight", "attn_k.weight", Keys, Hidden},
    {"self_attn.v_proj.weight", "attn_v.weight", Keys, Hidden},
    {"self_attn.o_proj.weight", "attn_output.weight", Hidden, Queries},
    {"self_attn.q_norm.weight", "attn_q_norm.weight", Extent::HeadWidth},
    {"self_attn.k_norm.weight", "attn_k_norm.weight", Extent::HeadWidth},
    {"post_attention_layernorm.weight", "ffn_norm.weight", Hidden},
    {"mlp.gate_proj.weight", "ffn_gate.weight", FeedForward, Hidden},
    {"mlp.up_proj.weight", "ffn_up.weight", FeedForward, Hidden},
    {"mlp.down_proj.weight", "ffn_down.weight", Hidden, FeedForward},
}};

using Width = Architecture::HeadWidth;

constexpr std::array<Architecture, 4> kArchitectures = {{
    {"LlamaForCausalLM", "llama", kOnce, kLlama, Width::Always, true, true},
    {"MistralForCausalLM", "llama", kOnce, kLlama, Width::Always, false, true},
    {"Qwen2ForCausalLM", "qwen2", kOnce, kQwen2, Width::AsStated, false, false},
    {"Qwen3ForCausalLM", "qwen3", kOnce, kQwen3, Width::AsStated, false, false},
}};

} // namespace

const Architecture* find_architecture(std::string_view name) {
    const auto at = std::find_if(kArchitectures.begin(),
                                 kArchitectures.end(),
                                 [&](const auto& one) { return one.name == name; });
    return at == kArchitectures.end() ? nullptr : &*at;
}

std::string list_architectures() {
    std::string out;
    for (const auto& one : kArchitectures) {
        out += (out.empty() ? "" : ", ") + std::string(one.name);
    }
    return out;
}

} // namespace locara::convert
