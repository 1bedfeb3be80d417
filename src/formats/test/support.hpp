// Builders of files for the tests of this module: small, and able to write what is wrong.
#pragma once

#include <locara/base/bytes.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace locara::formats::test {

template <class T> std::string le(T value) {
    std::string out;
    auto rest = static_cast<std::uint64_t>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        out += static_cast<char>(rest & 0xFFU);
        rest >>= 8U;
    }
    return out;
}

inline std::string u32(std::uint64_t value) {
    return le(static_cast<std::uint32_t>(value));
}

inline std::string u64(std::uint64_t value) {
    return le(value);
}

/// A string of GGUF.
inline std::string gguf_text(const std::string& text) {
    return u64(text.size()) + text;
}

/// One metadata pair. `value` is its bytes as in the file.
inline std::string pair(const std::string& key, std::uint32_t type, const std::string& value) {
    return gguf_text(key) + u32(type) + value;
}

inline std::string text_pair(const std::string& key, const std::string& text) {
    return pair(key, 8, gguf_text(text));
}

inline std::string u32_pair(const std::string& key, std::uint32_t value) {
    return pair(key, 4, u32(value));
}

/// An array of `count` elements whose bytes are given.
inline std::string array_pair(const std::string& key,
                              std::uint32_t element,
                              std::uint64_t count,
                              const std::string& bytes) {
    return pair(key, 9, u32(element) + u64(count) + bytes);
}

inline std::string tokens_pair(const std::vector<std::string>& tokens) {
    std::string bytes;
    for (const std::string& token : tokens) {
        bytes += gguf_text(token);
    }
    return array_pair("tokenizer.ggml.tokens", 8, tokens.size(), bytes);
}

struct GgufBuilder {
    struct Tensor {
        std::string name;
        std::vector<std::uint64_t> shape;
        std::uint32_t type = 0;
        std::uint64_t offset = 0;
    };

    std::string magic = "GGUF";
    std::uint32_t version = 3;
    std::vector<std::string> pairs = {text_pair("general.architecture", "llama")};
    std::vector<Tensor> tensors;
    std::string data; ///< Of the tensors with padding, as it goes to the file.
    std::uint64_t alignment = 32;
    std::int64_t add_tensors = 0; ///< To the stated count.
    std::int64_t add_pairs = 0;
    char pad_byte = 0;

    std::string build() const {
        std::string out = magic + u32(version) +
                          u64(tensors.size() + static_cast<std::uint64_t>(add_tensors)) +
                          u64(pairs.size() + static_cast<std::uint64_t>(add_pairs));
        for (const std::string& text : pairs) {
            out += text;
        }
        for (const Tensor& tensor : tensors) {
            out += gguf_text(tensor.name) + u32(tensor.shape.size());
            for (const std::uint64_t extent : tensor.shape) {
                out += u64(extent);
            }
            out += u32(tensor.type) + u64(tensor.offset);
        }
        while (out.size() % alignment != 0) {
            out += pad_byte;
        }
        return out + data;
    }
};

/// A small language model as a converter would write it; everything about it is right.
inline GgufBuilder clean_gguf() {
    GgufBuilder b;
    b.pairs = {
        text_pair("general.architecture", "llama"),
        text_pair("general.name", "Clean"),
        u32_pair("llama.context_length", 256),
        u32_pair("llama.embedding_length", 32),
        u32_pair("llama.block_count", 2),
        u32_pair("llama.attention.head_count", 4),
        u32_pair("llama.attention.head_count_kv", 2),
        pair("llama.attention.layer_norm_rms_epsilon", 6, u32(0x3727C5AC)),
        pair("tokenizer.ggml.add_bos_token", 7, std::string(1, '\1')),
        text_pair("tokenizer.ggml.model", "llama"),
        text_pair("tokenizer.chat_template", "{{ messages[0].content }}"),
        tokens_pair({"<unk>", "<s>", "</s>", "<0x0A>", "a", "b"}),
        array_pair("tokenizer.ggml.scores", 6, 6, std::string(24, '\0')),
        array_pair(
            "tokenizer.ggml.token_type", 5, 6, u32(2) + u32(3) + u32(3) + u32(6) + u32(1) + u32(1)),
        u32_pair("tokenizer.ggml.bos_token_id", 1),
        u32_pair("tokenizer.ggml.eos_token_id", 2)};
    b.tensors = {{"token_embd.weight", {32, 6}, 1, 0},   // F16: 384 bytes
                 {"output_norm.weight", {3}, 0, 384},    // F32: 12 bytes, padded to 32
                 {"blk.0.ffn.weight", {32, 2}, 8, 416}}; // Q8_0: 68 bytes
    b.data = std::string(384, '\1') + std::string(12, '\2') + std::string(20, '\0') +
             std::string(68, '\3') + std::string(28, '\0');
    return b;
}

inline std::string safetensors(const std::string& header, const std::string& data) {
    return u64(header.size()) + header + data;
}

inline std::string clean_safetensors() {
    return safetensors(
        R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},)"
        R"("b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]}}   )",
        std::string(22, '\5'));
}

} // namespace locara::formats::test
