// config.json: what is accepted is inside of the bounds that later sums rely on. The same bytes
// are read as the list of shards, and as the card and generation_config.json.
#include "../config.hpp"
#include "../general.hpp"

#include <locara/base/bytes.hpp>
#include <locara/convert/convert.hpp>
#include <locara/formats/gguf.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

using namespace locara;
using namespace locara::convert;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
    if (const auto shards = parse_index(as_text(bytes))) {
        LOCARA_ASSERT(!shards->empty() && shards->size() <= kMaxShards);
        LOCARA_ASSERT(std::is_sorted(shards->begin(), shards->end()));
        for (const auto& shard : *shards) {
            LOCARA_ASSERT(shard.ends_with(".safetensors") && shard.find('/') == std::string::npos);
        }
    }
    if (const auto json = parse_json(as_text(bytes)); json && json->is_object()) {
        GgufHeader header;
        header.add_text("general.architecture", "llama");
        add_general(header, {"acme/tiny-7b", "", *json, *json, 7'000'000'000});
        const std::string made = header.render();
        const auto checked = formats::check_gguf(formats::MemorySource(as_bytes(made)));
        LOCARA_ASSERT(checked || checked.error().rule == "gguf.keys.count" || made.size() > 65'536);
    }
    const auto model = parse_config(as_text(bytes));
    if (!model) {
        const auto code = model.error().code();
        LOCARA_ASSERT(code == ErrorCode::Corrupt || code == ErrorCode::Unsupported ||
                      code == ErrorCode::TooLarge);
        return 0;
    }
    LOCARA_ASSERT(model->architecture != nullptr);
    LOCARA_ASSERT(model->layers >= 1 && model->layers <= kMaxLayers);
    LOCARA_ASSERT(model->hidden >= 1 && model->hidden <= kMaxWidth);
    LOCARA_ASSERT(model->heads % model->kv_heads == 0 && model->head_width % 2 == 0);
    LOCARA_ASSERT(model->extent(Extent::Queries) >= model->extent(Extent::Keys));
    LOCARA_ASSERT(model->extent(Extent::Queries) <= kMaxHeads * kMaxHeadWidth);
    LOCARA_ASSERT(std::isfinite(model->norm_epsilon) && model->rope.theta > 0);
    for (const auto extent : {Extent::Vocabulary, Extent::FeedForward, Extent::HeadWidth}) {
        LOCARA_ASSERT(model->extent(extent) >= 1);
    }
    return 0;
}
