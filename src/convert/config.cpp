#include "config.hpp"

#include "members.hpp"

#include <cmath>

namespace locara::convert {

namespace {

constexpr std::string_view kFile = "config.json";

Error unsupported(const std::string& what) {
    return Error(ErrorCode::Unsupported, std::string(kFile) + ": " + what);
}

/// Of any of these the result would be another model than the one that was trained.
Status check_options(const Members& config) {
    for (const std::string_view key : {"quantization_config", "num_local_experts", "num_experts"}) {
        if (config.find(key) != nullptr) {
            return unsupported(std::string(key) +
                               " is there; only plain weights of dense models are converted");
        }
    }
    LOCARA_TRY(const auto act, config.text("hidden_act"));
    if (!act.empty() && act != "silu") {
        return unsupported("hidden_act " + shown(act) + "; only silu is known");
    }
    LOCARA_TRY(const auto sliding, config.flag("use_sliding_window"));
    if (sliding.value_or(false)) {
        return unsupported(
            "use_sliding_window is true, which GGUF of this architecture cannot say");
    }
    LOCARA_TRY(const auto partial, config.number("partial_rotary_factor"));
    if (partial.value_or(1) != 1) {
        return unsupported("partial_rotary_factor is not 1");
    }
    return {};
}

Result<Rope> read_rope(const Members& config) {
    Rope rope;
    LOCARA_TRY(const auto theta, config.number("rope_theta"));
    LOCARA_TRY(auto inner, config.object("rope_parameters"));
    if (!inner) {
        LOCARA_TRY(inner, config.object("rope_scaling"));
    }
    rope.theta = theta.value_or(rope.theta);
    if (inner) {
        LOCARA_TRY(const auto own, inner->number("rope_theta"));
        rope.theta = own.value_or(rope.theta);
        LOCARA_TRY(auto kind, inner->text("rope_type"));
        if (kind.empty()) {
            LOCARA_TRY(kind, inner->text("type"));
        }
        LOCARA_TRY(const auto factor, inner->number("factor"));
        constexpr std::string_view kOriginal = "original_max_position_embeddings";
        LOCARA_TRY(auto original, inner->whole(kOriginal, 1, kMaxContext));
        if (!original) {
            LOCARA_TRY(original, config.whole(kOriginal, 1, kMaxContext));
        }
        if (kind == "linear" && factor) {
            rope.kind = Rope::Kind::Linear;
        } else if (kind == "yarn" && factor && original) {
            rope.kind = Rope::Kind::Yarn;
            LOCARA_TRY(rope.extrapolation_factor, inner->number("extrapolation_factor"));
            LOCARA_TRY(rope.attention_factor, inner->number("attention_factor"));
            if (!rope.attention_factor) {
                LOCARA_TRY(rope.attention_factor, inner->number("attn_factor"));
            }
            LOCARA_TRY(rope.beta_fast, inner->number("beta_fast"));
            LOCARA_TRY(rope.beta_slow, inner->number("beta_slow"));
        } else if (kind == "llama3" && factor) {
            rope.kind = Rope::Kind::Llama3;
            LOCARA_TRY(const auto low, inner->number("low_freq_factor"));
            LOCARA_TRY(const auto high, inner->number("high_freq_factor"));
            rope.low_frequency_factor = low.value_or(1);
            rope.high_frequency_factor = high.value_or(4);
            if (!(rope.low_frequency_factor > 0) ||
                !(rope.high_frequency_factor > rope.low_frequency_factor)) {
                return Error(ErrorCode::Corrupt,
                             "config.json: high_freq_factor is not above low_freq_factor");
            }
        } else if (!kind.empty() && kind != "default") {
            return unsupported("rope scaling " + shown(kind) + (factor ? "" : " without a factor") +
                               "; linear, yarn and llama3 are known");
        }
        rope.factor = factor.value_or(1);
        rope.original_context = original.value_or(8192);
    }
    if (!(rope.theta > 0) || !(rope.factor > 0)) {
        return Error(ErrorCode::Corrupt, "config.json: rope_theta and factor must be above 0");
    }
    return rope;
}

Result<const Architecture*> read_architecture(const Members& config) {
    const Json* names = config.find("architectures");
    if (names == nullptr || !names->is_array() || names->size() != 1 ||
        !names->front().is_string()) {
        return Error(ErrorCode::Corrupt, "config.json does not name one architecture");
    }
    const auto& name = names->front().get_ref<const std::string&>();
    if (const auto* found = find_architecture(name)) {
        return found;
    }
    return Error(ErrorCode::Unsupported,
                 "architecture " + shown(name) +
                     " cannot be converted; these can: " + list_architectures());
}

} // namespace

std::uint64_t ModelConfig::extent(Extent extent) const {
    switch (extent) {
    case Extent::None:
        return 1;
    case Extent::Vocabulary:
        return vocabulary;
    case Extent::Hidden:
        return hidden;
    case Extent::FeedForward:
        return feed_forward;
    case Extent::Queries:
        return heads * head_width;
    case Extent::Keys:
        return kv_heads * head_width;
    case Extent::HeadWidth:
        break;
    }
    return head_width;
}

Result<ModelConfig> parse_config(std::string_view text) {
    LOCARA_TRY(const Json json, parse_members(text, kFile));
    const Members config(json, kFile);
    ModelConfig out;
    LOCARA_TRY(out.architecture, read_architecture(config));
    LOCARA_CHECK(check_options(config));
    LOCARA_TRY(out.layers, config.needed("num_hidden_layers", kMaxLayers));
    LOCARA_TRY(out.context, config.needed("max_position_embeddings", kMaxContext));
    LOCARA_TRY(out.hidden, config.needed("hidden_size", kMaxWidth));
    LOCARA_TRY(out.feed_forward, config.needed("intermediate_size", kMaxWidth));
    LOCARA_TRY(out.heads, config.needed("num_attention_heads", kMaxHeads));
    LOCARA_TRY(out.vocabulary, config.needed("vocab_size", formats::kGgufMaxTokens));
    LOCARA_TRY(const auto kv, config.whole("num_key_value_heads", 1, kMaxHeads));
    if (!kv && !out.architecture->kv_heads_default) {
        return Error(ErrorCode::Corrupt, "config.json lacks num_key_value_heads");
    }
    out.kv_heads = kv.value_or(out.heads);
    LOCARA_TRY(const auto width, config.whole("head_dim", 1, kMaxHeadWidth));
    if (!width && out.hidden % out.heads != 0) {
        return Error(ErrorCode::Corrupt, "config.json: hidden_size is no multiple of its heads");
    }
    out.head_width = width.value_or(out.hidden / out.heads);
    out.states_head_width =
        width.has_value() || out.architecture->head_width == Architecture::HeadWidth::Always;
    if (out.heads % out.kv_heads != 0 || out.head_width % 2 != 0 || out.head_width == 0 ||
        out.head_width > kMaxHeadWidth) {
        return Error(ErrorCode::Corrupt,
                     "config.json: " + std::to_string(out.heads) + " heads, " +
                         std::to_string(out.kv_heads) + " of keys, each " +
                         std::to_string(out.head_width) + " wide, do not go together");
    }
    LOCARA_TRY(const auto epsilon, config.number("rms_norm_eps"));
    if (!epsilon || !(*epsilon > 0)) {
        return Error(ErrorCode::Corrupt, "config.json lacks rms_norm_eps, or it is not above 0");
    }
    out.norm_epsilon = *epsilon;
    LOCARA_TRY(const auto tied, config.flag("tie_word_embeddings"));
    out.tied = tied.value_or(false);
    LOCARA_TRY(out.rope, read_rope(config));
    LOCARA_TRY(out.name_or_path, config.text("_name_or_path"));
    for (std::size_t i = 0; i < kSpecialTokens.size(); ++i) {
        // A list (several ends of an answer) is passed over, as llama.cpp does.
        const std::string key = std::string(kSpecialTokens[i]) + "_token_id";
        const Json* id = config.find(key);
        if (id != nullptr && id->is_number_integer()) {
            LOCARA_TRY(out.special[i], config.whole(key, 0, formats::kGgufMaxTokens));
        }
    }
    return out;
}

} // namespace locara::convert
