// tokenizer.json: what is accepted is whole, twice the same, and what GGUF may hold.
#include "../config.hpp"
#include "../tokenizer.hpp"
#include "../tokenizer_json.hpp"

#include <locara/base/bytes.hpp>
#include <locara/formats/gguf.hpp>

#include <algorithm>
#include <cstdint>

using namespace locara;
using namespace locara::convert;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
    const std::string_view text = as_text(bytes);
    const auto first = parse_tokenizer_json(text);
    const auto again = parse_tokenizer_json(text);
    LOCARA_ASSERT(first.has_value() == again.has_value());
    if (!first) {
        LOCARA_ASSERT(first.error().message() == again.error().message());
    } else {
        LOCARA_ASSERT(first->rest == again->rest && first->vocabulary == again->vocabulary &&
                      first->merges == again->merges);
        // Where the ordinary reader takes it, too, both read the same.
        if (const auto plain = parse_json(text)) {
            const auto model = plain->find("model");
            if (model != plain->end() && model->is_object() && model->contains("vocab") &&
                model->at("vocab").is_object()) {
                LOCARA_ASSERT(model->at("vocab").size() == first->vocabulary.size());
            }
        }
        for (const auto& merge : first->merges) {
            LOCARA_ASSERT(std::count(merge.begin(), merge.end(), ' ') == 1);
        }
    }
    ModelConfig model;
    model.architecture = find_architecture("LlamaForCausalLM");
    model.vocabulary = 512;
    // The text stands for the other file, too: it asks for the same kind of members.
    const auto tokenizer = read_tokenizer(text, text, "", model);
    if (!tokenizer) {
        return 0;
    }
    LOCARA_ASSERT(first.has_value());
    LOCARA_ASSERT(tokenizer->tokens.size() == 512 && tokenizer->types.size() == 512);
    for (std::size_t i = 0; i < 512; ++i) {
        LOCARA_ASSERT(!tokenizer->tokens[i].empty());
        LOCARA_ASSERT(tokenizer->types[i] >= 1 && tokenizer->types[i] <= 5);
    }
    for (const auto& [key, id] : tokenizer->special) {
        LOCARA_ASSERT(id < 512);
    }
    GgufHeader header;
    header.add_text("general.architecture", "llama");
    tokenizer->add_to(header);
    const std::string made = header.render();
    const auto checked = formats::check_gguf(formats::MemorySource(as_bytes(made)));
    // The gate may know better (tokens twice, a template it refuses), but bytes are in order.
    LOCARA_ASSERT(checked || checked.error().rule.starts_with("gguf.") ||
                  checked.error().rule.starts_with("template."));
    LOCARA_ASSERT(checked || (checked.error().rule != "gguf.truncated" &&
                              !checked.error().rule.starts_with("gguf.layout")));
    return 0;
}
