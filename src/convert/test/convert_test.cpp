#include "test/repo.hpp"

#include <locara/base/file.hpp>
#include <locara/formats/gguf.hpp>
#include <locara/test_support/folders.hpp>

#include <gtest/gtest.h>

#include <fcntl.h>

namespace locara::convert {
namespace {

namespace fs = std::filesystem;

using test::Repo;
using test::Tensors;

class Convert : public testing::Test {
  protected:
    TempFolder folder_ = TempFolder::create(testing::TempDir(), "convert-").value();
    fs::path output_ = folder_.path() / "out.gguf";

    /// The file and its header.
    struct Made {
        std::string bytes;
        formats::Gguf gguf;

        std::string tensor(std::string_view name) const {
            for (const auto& one : gguf.tensors) {
                if (one.name == name) {
                    return bytes.substr(one.offset, one.size);
                }
            }
            return "none";
        }
    };

    Made read(const fs::path& path) {
        Made out;
        out.bytes = read_file(path, 64U << 20U).value();
        out.gguf = formats::parse_gguf(formats::MemorySource(as_bytes(out.bytes))).value();
        return out;
    }

    Made make(Repo repo, std::optional<Precision> precision = std::nullopt) {
        auto request = repo.request(output_);
        request.precision = precision;
        const auto done = convert(request);
        EXPECT_TRUE(done) << done.error().describe();
        return done ? read(output_) : Made();
    }

    Error refuse(Repo repo, std::optional<Precision> precision = std::nullopt) {
        auto request = repo.request(output_);
        request.precision = precision;
        const auto done = convert(request);
        EXPECT_FALSE(done);
        EXPECT_TRUE(fs::is_empty(folder_.path()));
        return done ? Error(ErrorCode::Internal, "it was converted") : done.error();
    }
};

std::string floats(std::initializer_list<int> values) {
    std::string out;
    for (const int value : values) {
        out += test::f32(static_cast<float>(value));
    }
    return out;
}

/// Our own model: the file beside the safetensors was written by another program (export.py).
TEST_F(Convert, makes_the_tensors_of_quick_add_that_were_published) {
    const auto folder = test_support::source_dir() / "models/quick-add/repo";
    Repo repo;
    for (const char* name : {"config.json",
                             "generation_config.json",
                             "tokenizer.json",
                             "tokenizer_config.json",
                             "model.safetensors"}) {
        repo.files[name] = read_file(folder / name, 64U << 20U).value();
    }
    const auto made = make(std::move(repo));
    const auto published = read(folder / "quick-add-f16.gguf");
    ASSERT_EQ(made.gguf.tensors.size(), published.gguf.tensors.size());
    for (const auto& tensor : published.gguf.tensors) {
        EXPECT_EQ(made.tensor(tensor.name), published.tensor(tensor.name)) << tensor.name;
    }
    for (const auto& [key, value] : published.gguf.metadata) {
        const auto* ours = made.gguf.find(key);
        if (key.starts_with("llama.") || key == "tokenizer.chat_template" ||
            key == "general.size_label" || key == "general.file_type") {
            ASSERT_NE(ours, nullptr) << key;
            EXPECT_EQ(ours->numbers, value.numbers) << key;
            EXPECT_EQ(ours->text, value.text) << key;
        }
    }
    for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"}) {
        const auto* ours = made.gguf.find(key);
        const auto* theirs = published.gguf.find(key);
        EXPECT_EQ(made.bytes.substr(ours->offset, ours->size),
                  published.bytes.substr(theirs->offset, theirs->size));
    }
}

TEST_F(Convert, metadata_and_tensors_come_in_the_order_of_llama_cpp) {
    const auto made = make(Repo::make());
    std::string keys;
    for (const auto& [key, value] : made.gguf.metadata) {
        keys += key + "\n";
    }
    EXPECT_EQ(keys,
              "general.architecture\ngeneral.type\ngeneral.name\ngeneral.size_label\n"
              "llama.block_count\nllama.context_length\nllama.embedding_length\n"
              "llama.feed_forward_length\nllama.attention.head_count\n"
              "llama.attention.head_count_kv\nllama.rope.freq_base\n"
              "llama.attention.layer_norm_rms_epsilon\nllama.attention.key_length\n"
              "llama.attention.value_length\ngeneral.file_type\nllama.vocab_size\n"
              "llama.rope.dimension_count\ngeneral.quantization_version\ntokenizer.ggml.model\n"
              "tokenizer.ggml.pre\ntokenizer.ggml.tokens\ntokenizer.ggml.token_type\n"
              "tokenizer.ggml.merges\ntokenizer.ggml.eos_token_id\n");
    std::string names;
    for (const auto& tensor : made.gguf.tensors) {
        names += tensor.name + "\n";
    }
    const auto layer = [](const std::string& n) {
        const std::string stem = "blk." + n + ".";
        return stem + "attn_norm.weight\n" + stem + "ffn_down.weight\n" + stem +
               "ffn_gate.weight\n" + stem + "ffn_up.weight\n" + stem + "ffn_norm.weight\n" + stem +
               "attn_k.weight\n" + stem + "attn_output.weight\n" + stem + "attn_q.weight\n" + stem +
               "attn_v.weight\n";
    };
    EXPECT_EQ(names, "token_embd.weight\n" + layer("0") + layer("1") + "output_norm.weight\n");
}

/// Rows 0 1 2 3 of a head that is four wide: its halves are 0 1 and 2 3.
TEST_F(Convert, rows_of_queries_and_keys_alternate_in_llama_and_nowhere_else) {
    auto made = make(Repo::make());
    const auto row = [](int n) {
        std::string out;
        for (int i = 0; i < 16; ++i) {
            out += test::f32(static_cast<float>(16 * n + i));
        }
        return out;
    };
    const auto keys = row(0) + row(2) + row(1) + row(3) + row(4) + row(6) + row(5) + row(7);
    EXPECT_EQ(made.tensor("blk.0.attn_k.weight"), keys);
    EXPECT_EQ(made.tensor("blk.1.attn_q.weight").substr(0, keys.size()), keys);
    EXPECT_EQ(made.tensor("blk.0.attn_v.weight").substr(0, 2 * 16 * 4), row(0) + row(1));
    made = make(Repo::make(test::config(), test::tensors(true)));
    EXPECT_EQ(made.tensor("blk.0.attn_k.bias"), floats({0, 2, 1, 3, 4, 6, 5, 7}));
    EXPECT_EQ(made.tensor("blk.0.attn_v.bias"), floats({0, 1, 2, 3, 4, 5, 6, 7}));
    made = make(Repo::make(test::config("Qwen2ForCausalLM"), test::tensors(true)));
    EXPECT_EQ(made.gguf.architecture(), "qwen2");
    EXPECT_EQ(made.tensor("blk.0.attn_k.bias"), floats({0, 1, 2, 3, 4, 5, 6, 7}));
    EXPECT_EQ(made.gguf.find("qwen2.attention.key_length"), nullptr);
    EXPECT_EQ(made.gguf.find("qwen2.vocab_size"), nullptr);
}

TEST_F(Convert, matrices_have_the_precision_that_was_asked_for_and_norms_do_not) {
    const auto tensors = test::tensors(false, false, "BF16");
    const auto type = [](const Made& made, std::string_view name) {
        for (const auto& one : made.gguf.tensors) {
            if (one.name == name) {
                return std::string(one.type->name);
            }
        }
        return std::string("none");
    };
    const auto own = make(Repo::make(test::config(), tensors));
    EXPECT_EQ(type(own, "token_embd.weight"), "BF16");
    EXPECT_EQ(type(own, "blk.0.attn_norm.weight"), "F32");
    EXPECT_EQ(own.gguf.quantization(), "BF16");
    EXPECT_EQ(own.tensor("output_norm.weight"),
              floats({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}));
    for (const auto precision : {Precision::F16, Precision::F32}) {
        const auto made = make(Repo::make(test::config(), tensors), precision);
        EXPECT_EQ(made.gguf.quantization(), render(precision));
        EXPECT_EQ(type(made, "blk.1.ffn_down.weight"), render(precision));
    }
    EXPECT_EQ(make(Repo::make()).gguf.quantization(), "F32");
}

TEST_F(Convert, reads_shards_that_an_index_names) {
    Repo repo = Repo::make();
    const auto whole = make(repo);
    auto first = test::tensors();
    Tensors second;
    Json map = Json::object();
    for (const auto& [name, tensor] : test::tensors()) {
        const bool late = name.starts_with("model.layers.1.") || name == "model.norm.weight";
        map[name] = late ? "model-00002-of-00002.safetensors" : "model-00001-of-00002.safetensors";
        if (late) {
            second[name] = tensor;
            first.erase(name);
        }
    }
    repo.files.erase("model.safetensors");
    repo.files["model-00001-of-00002.safetensors"] = test::safetensors(first);
    repo.files["model-00002-of-00002.safetensors"] = test::safetensors(second);
    EXPECT_EQ(make(repo).bytes, whole.bytes); // by name
    repo.files["model.safetensors.index.json"] = Json{{"weight_map", map}}.dump();
    EXPECT_EQ(make(repo).bytes, whole.bytes);
    repo.files["model-of-another.safetensors"] = "not read";
    EXPECT_EQ(make(repo).bytes, whole.bytes);
    repo.files.erase("model-00002-of-00002.safetensors");
    fs::remove(output_);
    EXPECT_EQ(refuse(repo).code(), ErrorCode::NotFound);
    repo.files["model-00002-of-00002.safetensors"] = test::safetensors(first);
    EXPECT_EQ(refuse(repo).code(), ErrorCode::Corrupt); // twice
    repo.files["model.safetensors.index.json"] = R"({"weight_map":{"a":"../b.safetensors"}})";
    EXPECT_EQ(refuse(repo).code(), ErrorCode::Corrupt);
}

/// Against the numbers of Llama 3.2 1B: width 64, base 500,000, factor 32. The first frequencies
/// stay, the last are 32 times slower, those between rise.
TEST_F(Convert, llama_3_brings_its_frequencies) {
    Json config = test::config();
    config["rope_theta"] = 500000.0;
    config["rope_scaling"] = {{"rope_type", "llama3"},
                              {"factor", 32.0},
                              {"low_freq_factor", 1.0},
                              {"high_freq_factor", 4.0},
                              {"original_max_position_embeddings", 8192}};
    config["head_dim"] = 64;
    auto tensors = test::tensors();
    for (int layer = 0; layer < 2; ++layer) {
        const std::string stem = "model.layers." + std::to_string(layer) + ".self_attn.";
        tensors[stem + "q_proj.weight"].shape = {256, 16};
        tensors[stem + "k_proj.weight"].shape = {128, 16};
        tensors[stem + "v_proj.weight"].shape = {128, 16};
        tensors[stem + "o_proj.weight"].shape = {16, 256};
    }
    const auto made = make(Repo::make(config, tensors));
    ASSERT_EQ(made.gguf.tensors.front().name, "rope_freqs.weight");
    const auto bytes = made.tensor("rope_freqs.weight");
    ASSERT_EQ(bytes.size(), 32 * 4U);
    std::vector<float> factors;
    for (std::size_t i = 0; i < 32; ++i) {
        std::uint32_t bits = 0;
        for (std::size_t n = 0; n < 4; ++n) {
            bits |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[4 * i + n]))
                    << (8 * n);
        }
        factors.push_back(std::bit_cast<float>(bits));
    }
    EXPECT_EQ(factors.front(), 1.0F);
    EXPECT_EQ(factors.back(), 32.0F);
    EXPECT_TRUE(std::is_sorted(factors.begin(), factors.end()));
    // 2 pi 500000^(28/64) = 1957 positions a turn: smooth = (8192/1957 - 1) / 3 > 1, so it stays;
    // at 30/64 they are 2948: smooth = 0.593, 1 / (0.407 / 32 + 0.593) = 1.651.
    EXPECT_EQ(factors[14], 1.0F);
    EXPECT_NEAR(factors[15], 1.651F, 0.002F);
    config["architectures"] = {"MistralForCausalLM"};
    EXPECT_EQ(make(Repo::make(config, tensors)).gguf.tensors.front().name, "rope_freqs.weight");
}

TEST_F(Convert, tensors_must_be_those_that_the_configuration_says) {
    auto tensors = test::tensors();
    tensors.erase("model.layers.1.mlp.up_proj.weight");
    auto error = refuse(Repo::make(test::config(), tensors));
    EXPECT_EQ(error.code(), ErrorCode::Corrupt);
    EXPECT_NE(error.message().find("model.layers.1.mlp.up_proj.weight"), std::string::npos);

    for (const char* name : {"model.layers.2.input_layernorm.weight",
                             "model.layers.01.input_layernorm.weight",
                             "model.layers.99999999999999999999.input_layernorm.weight",
                             "model.layers.0.self_attn.q_norm.weight",
                             "vision.weight"}) {
        tensors = test::tensors();
        tensors[name] = {{16}};
        error = refuse(Repo::make(test::config(), tensors));
        EXPECT_EQ(error.code(), ErrorCode::Unsupported) << name;
        EXPECT_NE(error.message().find(name), std::string::npos);
    }

    tensors = test::tensors();
    tensors["model.layers.0.self_attn.k_proj.weight"].shape = {16, 8};
    error = refuse(Repo::make(test::config(), tensors));
    EXPECT_EQ(error.code(), ErrorCode::Corrupt);
    EXPECT_NE(error.message().find("16 x 8, by config.json it must be 8 x 16"), std::string::npos);

    tensors = test::tensors();
    tensors["model.norm.weight"] = {{16}, "F64", std::string(128, '\0')};
    error = refuse(Repo::make(test::config(), tensors));
    EXPECT_EQ(error.code(), ErrorCode::Unsupported);

    Json config = test::config();
    config["tie_word_embeddings"] = false;
    EXPECT_EQ(refuse(Repo::make(config)).code(), ErrorCode::Corrupt);
    make(Repo::make(config, test::tensors(false, true)));

    tensors = test::tensors();
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = {{2}};
    EXPECT_EQ(make(Repo::make(test::config(), tensors)).gguf.tensors.size(), 20U);
    fs::remove(output_);
    EXPECT_EQ(refuse(Repo::make(test::config("Qwen2ForCausalLM"))).code(), ErrorCode::Corrupt);
}

TEST_F(Convert, a_weight_that_does_not_fit_is_an_error) {
    auto tensors = test::tensors();
    std::string data(16 * 24 * 4, '\0');
    data.replace(0, 4, test::f32(70000.0F));
    tensors["model.layers.1.mlp.down_proj.weight"].data = data;
    const auto error = refuse(Repo::make(test::config(), tensors), Precision::F16);
    EXPECT_EQ(error.code(), ErrorCode::Unsupported);
    EXPECT_NE(error.message().find("blk.1.ffn_down.weight"), std::string::npos);
    make(Repo::make(test::config(), tensors), Precision::BF16);
}

TEST_F(Convert, what_is_needed_is_named_when_it_is_missing) {
    for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"}) {
        Repo repo = Repo::make();
        repo.files.erase(name);
        const auto error = refuse(repo);
        EXPECT_EQ(error.code(), ErrorCode::NotFound);
        EXPECT_NE(error.message().find(name), std::string::npos) << error.message();
    }
    Repo repo = Repo::make();
    repo.files["config.json"] = std::string(kMaxConfig + 1, ' ');
    EXPECT_EQ(refuse(repo).code(), ErrorCode::TooLarge);
    repo = Repo::make();
    repo.files["model.safetensors"].pop_back();
    EXPECT_EQ(refuse(repo).code(), ErrorCode::Corrupt);
    repo = Repo::make();
    repo.files["generation_config.json"] = "[";
    EXPECT_EQ(refuse(repo).code(), ErrorCode::Corrupt);
}

TEST_F(Convert, stops_when_it_is_asked_to_and_leaves_nothing) {
    Repo repo = Repo::make();
    std::stop_source stop;

    class Stopper : public ProgressSink {
      public:
        explicit Stopper(std::stop_source& stop) : stop_(stop) {}

        void report(const Progress& progress) override {
            EXPECT_EQ(progress.task, "convert");
            EXPECT_LT(progress.done_bytes, progress.total_bytes);
            stop_.request_stop();
        }

      private:
        std::stop_source& stop_;
    } sink(stop);

    const auto done = convert(repo.request(output_), sink, stop.get_token());
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), ErrorCode::Cancelled);
    EXPECT_TRUE(fs::is_empty(folder_.path()));
}

} // namespace
} // namespace locara::convert
