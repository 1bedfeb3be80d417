// Builders of files for the tests of this module: small, and able to write what is wrong.
#pragma once

#include <locara/base/bytes.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <zlib.h>

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

/// A zip, member after member; enough to be right and to be made wrong.
struct ZipBuilder {
    struct Member {
        std::string name = {};
        std::string data = {};       ///< As it lies in the file.
        std::string local_name = {}; ///< Empty: the same.
        std::uint16_t flags = 0;
        std::uint16_t method = 0;
        std::int64_t add_crc = 0;
        std::string gap = {};                     ///< Bytes before its header.
        std::optional<std::string> unpacked = {}; ///< Where `data` is packed: what it unpacks to.
        std::uint64_t mode = 0;                   ///< Of Unix; 0: the writer is not of Unix.
        std::string extra = {};                   ///< Extra fields of the directory.
    };

    std::vector<Member> members = {};
    std::string comment = {};
    std::uint64_t add_entries = 0;

    static std::uint32_t crc(const std::string& data) {
        std::uint32_t value = ~0U;
        for (const char c : data) {
            value ^= static_cast<unsigned char>(c);
            for (int i = 0; i < 8; ++i) {
                value = (value >> 1U) ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
            }
        }
        return ~value;
    }

    std::string build() const {
        std::string out;
        std::string directory;
        const auto u16 = [](std::size_t v) { return le(static_cast<std::uint16_t>(v)); };
        for (const Member& m : members) {
            out += m.gap;
            const std::string& local = m.local_name.empty() ? m.name : m.local_name;
            const std::string& whole = m.unpacked ? *m.unpacked : m.data;
            const std::string middle = u16(m.flags) + u16(m.method) + u32(0) +
                                       u32(crc(whole) + static_cast<std::uint64_t>(m.add_crc)) +
                                       u32(m.data.size()) + u32(whole.size());
            directory += "PK\x01\x02" + u16(m.mode == 0 ? 20 : 0x314) + u16(20) + middle +
                         u16(m.name.size()) + u16(m.extra.size()) + u16(0) + u16(0) + u16(0) +
                         u32(m.mode << 16U) + u32(out.size()) + m.name + m.extra;
            out += "PK\x03\x04" + u16(20) + middle + u16(local.size()) + u16(0) + local + m.data;
        }
        const std::size_t at = out.size();
        return out + directory + "PK\x05\x06" + u32(0) + u16(members.size() + add_entries) +
               u16(members.size() + add_entries) + u32(directory.size()) + u32(at) +
               u16(comment.size()) + comment;
    }
};

/// Bytes packed by zlib: `window_bits` -15 for raw deflate, 15 for zlib, 31 for gzip.
inline std::string deflate_text(const std::string& text, int window_bits) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string out(text.size() + text.size() / 100 + 100, '\0');
    std::string in = text;
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

/// A tar (ustar), member after member. `type` is that of the header.
struct TarBuilder {
    struct Member {
        std::string name = {};
        std::string data = {};
        char type = '0';
        unsigned mode = 0644;
    };

    std::vector<Member> members = {};

    static std::string octal(std::uint64_t value, std::size_t width) {
        std::string out(width, '0');
        for (std::size_t i = width; i-- > 0; value /= 8) {
            out[i] = static_cast<char>('0' + value % 8);
        }
        return out + '\0';
    }

    std::string build() const {
        std::string out;
        for (const Member& m : members) {
            std::string header = m.name + std::string(100 - m.name.size(), '\0') +
                                 octal(m.mode, 7) + octal(0, 7) + octal(0, 7) +
                                 octal(m.data.size(), 11) + octal(0, 11) + "        " + m.type +
                                 std::string(100, '\0') +
                                 std::string("ustar\0"
                                             "00",
                                             8);
            header.resize(512, '\0');
            std::uint64_t sum = 0;
            for (const char c : header) {
                sum += static_cast<unsigned char>(c);
            }
            header.replace(148, 7, octal(sum, 6));
            out += header + m.data + std::string((512 - m.data.size() % 512) % 512, '\0');
        }
        return out + std::string(1024, '\0');
    }
};

} // namespace locara::formats::test
