// Small repositories as people publish them, made here: all of them must pass whole. Deterministic:
// every byte comes from the code below.
#pragma once

#include "test/media_samples.hpp"
#include "test/support.hpp"

#include <locara/base/file.hpp>
#include <locara/test_support/folders.hpp>

#include <filesystem>
#include <map>
#include <random>
#include <string>

namespace locara::formats::benign {

using namespace std::string_literals;
using test::deflate_text;
using test::TarBuilder;
using test::ZipBuilder;

/// Of the formats, whoever's test this is.
inline std::filesystem::path data_dir() {
    return test_support::source_dir() / "src/formats/test/data";
}

/// path -> bytes
using Repository = std::map<std::string, std::string>;

inline std::string noise(std::size_t size, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::string out(size, '\0');
    for (char& c : out) {
        c = static_cast<char>(random());
    }
    return out;
}

/// One tensor of bytes.
inline std::string weights(const std::string& bytes,
                           const std::string& metadata = R"("format":"pt")") {
    return test::safetensors(R"({"__metadata__":{)" + metadata +
                                 R"(},"model.weight":{"dtype":"U8","shape":[)" +
                                 std::to_string(bytes.size()) + R"(],"data_offsets":[0,)" +
                                 std::to_string(bytes.size()) + "]}}",
                             bytes);
}

inline std::string card(const std::string& name, const std::string& prose) {
    return "---\nlicense: apache-2.0\nlanguage:\n- en\ntags:\n- text-generation\n---\n\n# " + name +
           "\n\n" + prose +
           "\n\n```python\nfrom transformers import pipeline\n"
           "pipe = pipeline('text-generation')\nprint(pipe('Hello'))\n```\n";
}

inline std::string words(std::uint64_t seed, std::size_t count) {
    std::mt19937_64 random(seed);
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t length = 1 + random() % 9;
        for (std::size_t k = 0; k < length; ++k) {
            out += static_cast<char>('a' + random() % 26);
        }
        out += '\n';
    }
    return out;
}

/// Configuration and tokenizer as a text model has them.
inline Repository text_model(const std::string& architecture, std::uint64_t seed) {
    Repository r;
    r[".gitattributes"] = "*.safetensors filter=lfs diff=lfs merge=lfs -text\n";
    r["LICENSE"] = "Apache License\nVersion 2.0, January 2004\nhttp://www.apache.org/licenses/\n";
    r["README.md"] = card(architecture, "A small model. It does not use `torch.load` or pickle.");
    r["config.json"] = R"({"architectures":[")" + architecture +
                       R"("],"hidden_size":64,"torch_dtype":"bfloat16","eps":1e-05})";
    r["generation_config.json"] = R"({"bos_token_id":1,"eos_token_id":[2,3],"do_sample":true})";
    r["special_tokens_map.json"] = R"({"bos_token":"<s>","eos_token":"</s>"})";
    r["tokenizer_config.json"] =
        R"({"tokenizer_class":"PreTrainedTokenizerFast","added_tokens_decoder":{"0":{"content":"<s>"}}})";
    std::string vocabulary = R"({"auto_map":0,"__import__":1,"eval":2,"os.system":3)";
    std::mt19937_64 random(seed);
    for (int i = 4; i < 200; ++i) {
        vocabulary += ",\"t" + std::to_string(random() % 100'000'000) + "_" + std::to_string(i) +
                      "\":" + std::to_string(i);
    }
    r["vocab.json"] = vocabulary + "}";
    r["merges.txt"] = "#version: 0.2\nt h\ni n\nc o\nos system\n( S\nc os\n";
    r["tokenizer.json"] = R"({"version":"1.0","model":{"type":"BPE","vocab":)" + r["vocab.json"] +
                          R"(,"merges":["t h","c os"]}})";
    return r;
}

inline std::map<std::string, Repository> repositories() {
    std::map<std::string, Repository> all;

    // 1 to 12: text models in safetensors, single and sharded, whose data starts as other formats
    // do.
    const std::vector<std::string> starts = {"\x80\x04\x95",
                                             "PK\x03\x04",
                                             "cos\nsystem\n(S'id'\ntR.",
                                             "GGUF\x03",
                                             "\x7F"
                                             "ELF",
                                             "\x93NUMPY",
                                             "MZ",
                                             "#!/bin/sh\n",
                                             "\x1F\x8B\x08",
                                             "\x89HDF\r\n\x1A\n",
                                             "}q\0."s,
                                             "import os\n"};
    for (std::size_t i = 0; i < starts.size(); ++i) {
        Repository r = text_model("LlamaForCausalLM", i);
        std::string bytes = starts[i] + noise(512, i);
        r["model-00001-of-00002.safetensors"] = weights(bytes);
        r["model-00002-of-00002.safetensors"] = weights(noise(512, 100 + i) + starts[i]);
        r["model.safetensors.index.json"] =
            R"({"metadata":{"total_size":2048},"weight_map":{"model.weight":"model-00001-of-00002.safetensors"}})";
        all["sharded-" + std::to_string(i)] = std::move(r);
    }

    // 13 to 20: GGUF, of several architectures and with words in its metadata.
    const std::vector<std::string> architectures = {
        "llama", "qwen2", "gemma2", "phi3", "mamba", "bert", "stablelm", "gpt2"};
    for (std::size_t i = 0; i < architectures.size(); ++i) {
        test::GgufBuilder b = test::clean_gguf();
        b.pairs[0] = test::text_pair("general.architecture", architectures[i]);
        b.pairs.push_back(test::text_pair("general.description",
                                          "cos\nsystem\n(S'id'\ntR. is what a pickle looks like"));
        b.data = noise(1, i) + b.data.substr(1);
        Repository r;
        r["README.md"] = card(architectures[i] + " GGUF", "Quantized with llama.cpp.");
        r["model-Q8_0.gguf"] = b.build();
        r["model-F16.gguf"] = test::clean_gguf().build();
        all["gguf-" + architectures[i]] = std::move(r);
    }

    // 21 to 46: vocabularies. Each starts with another letter; many letters are opcodes of pickle.
    for (char letter = 'a'; letter <= 'z'; ++letter) {
        const auto capital = static_cast<char>(letter - 'a' + 'A');
        Repository r;
        r["vocab.txt"] =
            std::string(1, letter) + "\n" + words(static_cast<std::uint64_t>(letter), 300);
        r["upper.txt"] =
            std::string(1, capital) + " " + words(static_cast<std::uint64_t>(capital), 40) + ".";
        r["two.txt"] = std::string(1, letter) + "os\nsystem\nand other words.\n";
        r["sentence.md"] =
            std::string(1, capital) + "n ordinary sentence (in prose). It ends here.\n";
        r["list.txt"] = std::string(1, letter) + "\n.\n,\n(\n)\n";
        r["pieces.tsv"] = "(\t-1.5\n" + std::string(1, letter) + "\t-2\n";
        all["vocabulary-"s + letter] = std::move(r);
    }

    // 47: sentence-transformers.
    all["embeddings"] = {
        {"modules.json",
         R"([{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},)"
         R"({"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"}])"},
        {"1_Pooling/config.json",
         R"({"word_embedding_dimension":384,"pooling_mode_mean_tokens":true})"},
        {"config_sentence_transformers.json", R"({"__version__":{"pytorch":"2.1"}})"},
        {"sentence_bert_config.json", R"({"max_seq_length":256})"},
        {"vocab.txt", "[PAD]\n[UNK]\n[CLS]\n" + words(1, 500)},
        {"model.safetensors", weights(noise(256, 5))}};

    // 48: diffusers.
    all["diffusers"] = {
        {"model_index.json",
         R"({"_class_name":"StableDiffusionPipeline","_diffusers_version":"0.27.0",)"
         R"("unet":["diffusers","UNet2DConditionModel"],"vae":["diffusers","AutoencoderKL"]})"},
        {"unet/config.json", R"({"_class_name":"UNet2DConditionModel","sample_size":64})"},
        {"unet/diffusion_pytorch_model.safetensors", weights(noise(300, 6))},
        {"vae/config.json", R"({"_class_name":"AutoencoderKL"})"},
        {"vae/diffusion_pytorch_model.safetensors", weights(noise(300, 7))},
        {"scheduler/scheduler_config.json", R"({"_class_name":"PNDMScheduler","beta_end":0.012})"}};

    // 49: an adapter; its metadata speaks of code.
    all["lora"] = {
        {"adapter_config.json",
         R"({"peft_type":"LORA","r":8,"auto_mapping":{"base_model_class":"X","parent_library":"y"}})"},
        {"adapter_model.safetensors",
         weights(noise(64, 8), R"("note":"exec(open('x').read()) is a quotation","ss_tag":"a")")}};

    // 50: prose about attacks, tokens and keys, with look-alikes.
    all["security-notes"] = {
        {"README.md",
         card(
             "Notes",
             "A pickle such as `cos\\nsystem\\n(S'id'\\ntR.` runs `os.system('id')`. Never call "
             "eval(), exec() or __import__('os').system(). See `subprocess.Popen(['rm','-rf'])`.")},
        {"attack.md", "c is a letter\nos is a module\n(S'id'\ntR.\nis how protocol 0 looks.\n"},
        {"tokens.md",
         "Set HF_TOKEN=hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx or\n"
         "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE and OPENAI_API_KEY=sk-your-key-here.\n"
         "ghp_000000000000000000000000000000000000 is no token.\n"},
        {"keys.md",
         "A key file starts with `-----BEGIN RSA PRIVATE KEY-----`:\n\n"
         "    -----BEGIN RSA PRIVATE KEY-----\n    ...\n    -----END RSA PRIVATE KEY-----\n"},
        {"hex.txt", "00000000: 8004 8c02 6f73 8c06 7379 7374 656d 9329  ....os..system.)\n"},
        {"base64.txt", "gASMAm9zjAZzeXN0ZW2TjAJpZIVSLg==\n"},
        {"disassembly.txt",
         "    0: c    GLOBAL     'os system'\n   11: (    MARK\n   12: R    REDUCE\n"}};

    // 51: data sets as text.
    all["dataset"] = {
        {"README.md", card("Data", "Rows of text.")},
        {"data/train.csv", "id,text,label\n1,\"He said: import os\",0\n2,\"c\nos\nsystem\",1\n"},
        {"data/test.jsonl", "{\"text\":\"(in)\",\"label\":1}\n{\"text\":\"R.\",\"label\":0}\n"},
        {"data/labels.txt", "negative\npositive\nNeutral.\n"},
        {"data/corpus.txt.gz", deflate_text("Call me Ishmael.\n" + words(9, 200), 31)}};

    // 52: a web app, as files and as bundles.
    const std::string icon = read_file(data_dir() / "benign/icon.png", 1 << 20).value();
    const std::string font = read_file(data_dir() / "benign/font.woff2", 1 << 20).value();
    const std::string wasm = read_file(data_dir() / "benign/module.wasm", 1 << 20).value();
    const Repository app = {
        {"locara.json", R"({"schema":"locara.app/1","id":"test/app","entry":{"kind":"web"}})"},
        {"icon.svg", R"(<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9v9z"/></svg>)"},
        {"dist/index.html",
         "<!doctype html><html><head><script src=\"assets/app.js\"></script></head><body "
         "onload=\"start()\"></body></html>\n"},
        {"dist/assets/app.js",
         "function start(){return eval?1:0}\nfetch('/v1/chat/completions');\n"},
        {"dist/assets/app.css", "a:hover{color:red}\n"},
        {"dist/assets/app.js.map", R"({"version":3,"sources":["a.ts"],"mappings":"AAAA"})"},
        {"dist/assets/font.woff2", font},
        {"dist/assets/module.wasm", wasm},
        {"dist/assets/logo.png", icon}};
    ZipBuilder zip;
    TarBuilder tar;
    for (const auto& [name, bytes] : app) {
        zip.members.push_back({.name = name,
                               .data = deflate_text(bytes, -15),
                               .method = 8,
                               .unpacked = bytes,
                               .mode = 0100644});
        tar.members.push_back({.name = name, .data = bytes});
    }
    all["web-app"] = app;
    all["web-app-bundles"] = {{"app.zip", zip.build()},
                              {"app.tar", tar.build()},
                              {"app.tar.gz", deflate_text(tar.build(), 31)},
                              {"app.tar.z", deflate_text(tar.build(), 15)}};

    // 54: pictures, sounds and fonts.
    Repository media;
    for (const auto& entry : std::filesystem::directory_iterator(data_dir() / "benign")) {
        media[entry.path().filename()] = read_file(entry.path(), 1 << 20).value();
    }
    for (const auto& [name, bytes] : test::media_samples()) {
        media["samples/" + name] = bytes;
    }
    all["media"] = std::move(media);

    // 55: source of a library in other languages, none of which a model's loader runs.
    all["source"] = {{"src/lib.rs", "fn main() { println!(\"hi\"); }\n"},
                     {"src/main.c", "int main(void) { return system(\"id\"); }\n"},
                     {"include/x.h", "#pragma once\n"},
                     {"Makefile", "all:\n\tcc -o x main.c\n"},
                     {"app.ts", "export const x: number = 1;\n"},
                     {"pyproject.toml", "[project]\nname = \"x\"\n"},
                     {"requirements.txt", "torch\nnumpy\n"},
                     {".gitignore", "*.pkl\n*.pt\n"}};

    // 56: empty and nearly empty files.
    all["small-files"] = {{"empty", ""},
                          {"newline.txt", "\n"},
                          {"dot.txt", ".\n"},
                          {"one.txt", "N"},
                          {"bom.txt", "\xEF\xBB\xBFtext\n"},
                          {"latin1.txt", "Ren\xE9 wrote this in Latin-1, long ago.\nCaf\xE9.\n"},
                          {"crlf.txt", "a\r\nb\r\n"},
                          {"null.json", "null"},
                          {"list.json", "[]"},
                          {"paren.txt", "(\n"},
                          {"brace.txt", "}\n"}};

    // 57: names that are unusual and right.
    all["names"] = {{"caf\xC3\xA9/\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E.txt", "text\n"},
                    {"a b/c (1).md", "text\n"},
                    {".hidden/..two.txt", "text\n"},
                    {"consul/nullable.txt", "text\n"},
                    {"com10.txt", "text\n"},
                    {"x.tar.gz.txt", "text\n"}};
    return all;
}

} // namespace locara::formats::benign
