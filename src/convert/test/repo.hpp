// A repository in memory: small, and able to say what is wrong.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/json.hpp>
#include <locara/convert/convert.hpp>

#include <bit>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace locara::convert::test {

inline std::string little(std::uint64_t value, std::size_t bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes; ++i) {
        out += static_cast<char>((value >> (8 * i)) & 0xFFU);
    }
    return out;
}

inline std::string f32(float value) {
    return little(std::bit_cast<std::uint32_t>(value), 4);
}

struct Tensor {
    std::vector<std::uint64_t> shape;
    std::string dtype = "F32";
    std::string data = {}; ///< Empty: each number is its place, counted from 0.
};

using Tensors = std::map<std::string, Tensor>;

inline std::string safetensors(const Tensors& tensors) {
    Json header = Json::object();
    std::string data;
    for (const auto& [name, tensor] : tensors) {
        const auto begin = data.size();
        if (tensor.data.empty()) {
            std::uint64_t count = 1;
            for (const auto extent : tensor.shape) {
                count *= extent;
            }
            for (std::uint64_t i = 0; i < count; ++i) {
                data += tensor.dtype == "F32"
                            ? f32(static_cast<float>(i))
                            : little(std::bit_cast<std::uint32_t>(static_cast<float>(i)) >> 16U,
                                     2); // BF16
            }
        } else {
            data += tensor.data;
        }
        header[name] = {{"dtype", tensor.dtype},
                        {"shape", tensor.shape},
                        {"data_offsets", {begin, data.size()}}};
    }
    const std::string text = header.dump();
    return little(text.size(), 8) + text + data;
}

/// A character of the byte alphabet.
inline std::string letter(unsigned byte) {
    unsigned spare = 256;
    unsigned point = byte;
    for (unsigned b = 0; b < 256; ++b) {
        const bool plain = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (b == byte) {
            point = plain ? b : spare;
        }
        spare += plain ? 0 : 1;
    }
    std::string out;
    if (point < 0x80) {
        out += static_cast<char>(point);
    } else {
        out += static_cast<char>(0xC0U | (point >> 6U));
        out += static_cast<char>(0x80U | (point & 0x3FU));
    }
    return out;
}

inline Json byte_level(bool own_cut = false) {
    return {{"type", "ByteLevel"},
            {"add_prefix_space", false},
            {"trim_offsets", false},
            {"use_regex", own_cut}};
}

/// One token a byte, "ab" (258 with its merge), and two added tokens.
inline Json tokenizer() {
    Json vocabulary = Json::object();
    for (unsigned byte = 0; byte < 256; ++byte) {
        vocabulary[letter(byte)] = byte;
    }
    vocabulary["ab"] = 256;
    return {
        {"version", "1.0"},
        {"added_tokens",
         {{{"id", 257}, {"content", "<|end|>"}, {"normalized", false}, {"special", true}},
          {{"id", 258}, {"content", "task:"}, {"normalized", false}, {"special", false}}}},
        {"normalizer", nullptr},
        {"pre_tokenizer", byte_level(true)},
        {"post_processor", nullptr},
        {"decoder", byte_level(true)},
        {"model",
         {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", {"a b"}}, {"ignore_merges", false}}}};
}

/// 2 layers, 4 heads of which 2 have keys, 4 wide each.
inline Json config(const std::string& architecture = "LlamaForCausalLM") {
    return {{"architectures", {architecture}},
            {"vocab_size", 260},
            {"hidden_size", 16},
            {"intermediate_size", 24},
            {"num_hidden_layers", 2},
            {"num_attention_heads", 4},
            {"num_key_value_heads", 2},
            {"rms_norm_eps", 1e-5},
            {"rope_theta", 10000.0},
            {"max_position_embeddings", 64},
            {"hidden_act", "silu"},
            {"tie_word_embeddings", true},
            {"eos_token_id", 257}};
}

inline Tensors tensors(bool biases = false, bool head = false, const std::string& dtype = "F32") {
    Tensors out = {{"model.embed_tokens.weight", {{260, 16}, dtype}},
                   {"model.norm.weight", {{16}, dtype}}};
    if (head) {
        out["lm_head.weight"] = {{260, 16}, dtype};
    }
    for (int layer = 0; layer < 2; ++layer) {
        const std::string stem = "model.layers." + std::to_string(layer) + ".";
        const auto add = [&](const char* name, std::vector<std::uint64_t> shape) {
            out[stem + name] = {std::move(shape), dtype};
        };
        add("input_layernorm.weight", {16});
        add("post_attention_layernorm.weight", {16});
        add("self_attn.q_proj.weight", {16, 16});
        add("self_attn.k_proj.weight", {8, 16});
        add("self_attn.v_proj.weight", {8, 16});
        add("self_attn.o_proj.weight", {16, 16});
        add("mlp.gate_proj.weight", {24, 16});
        add("mlp.up_proj.weight", {24, 16});
        add("mlp.down_proj.weight", {16, 24});
        if (biases) {
            add("self_attn.q_proj.bias", {16});
            add("self_attn.k_proj.bias", {8});
            add("self_attn.v_proj.bias", {8});
        }
    }
    return out;
}

/// Files by their names, and the sources that a request borrows.
class Repo {
  public:
    std::map<std::string, std::string> files;

    static Repo make(const Json& config = test::config(),
                     const Tensors& tensors = test::tensors()) {
        Repo out;
        out.files["config.json"] = config.dump();
        out.files["tokenizer.json"] = tokenizer().dump();
        out.files["model.safetensors"] = safetensors(tensors);
        return out;
    }

    /// Valid as long as this object and its files are.
    ConvertRequest request(const std::filesystem::path& output) {
        ConvertRequest out;
        out.repo = "acme/tiny-test";
        out.output = output;
        sources_.clear();
        for (const auto& [path, text] : files) {
            out.files.push_back({path, &sources_.emplace_back(as_bytes(text))});
        }
        return out;
    }

  private:
    std::deque<formats::MemorySource> sources_; // references stay valid
};

} // namespace locara::convert::test
