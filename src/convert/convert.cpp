#include "config.hpp"
#include "general.hpp"
#include "gguf_header.hpp"
#include "members.hpp"
#include "tensor_stream.hpp"
#include "tokenizer.hpp"
#include "weights.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/file.hpp>
#include <locara/convert/convert.hpp>
#include <locara/formats/gguf.hpp>

namespace locara::convert {

namespace {

constexpr std::uint64_t kQuantizationVersion = 2; ///< GGML_QNT_VERSION of ggml.h

/// `general.file_type` (LLAMA_FTYPE_*) and the tensor type (GGML_TYPE_*).
std::uint64_t file_type(Precision precision) {
    return precision == Precision::F32 ? 0 : precision == Precision::F16 ? 1 : 32;
}

std::uint32_t tensor_type(Number number) {
    return number == Number::F32 ? 0 : number == Number::F16 ? 1 : 30;
}

/// Empty if the repository has no such file.
Result<std::string> read_optional(const std::vector<SourceFile>& files,
                                  std::string_view path,
                                  std::uint64_t limit_bytes) {
    auto text = read_text(files, path, limit_bytes);
    if (!text && text.error().code() == ErrorCode::NotFound) {
        return std::string();
    }
    return text;
}

void add_rope(GgufHeader& header, const std::string& stem, const Rope& rope) {
    const bool yarn = rope.kind == Rope::Kind::Yarn;
    if (yarn || rope.kind == Rope::Kind::Linear) {
        header.add_text(stem + "scaling.type", yarn ? "yarn" : "linear");
        header.add_f32(stem + "scaling.factor", rope.factor);
    }
    if (yarn) {
        header.add_u32(stem + "scaling.original_context_length", rope.original_context);
        const auto add = [&](const char* key, const std::optional<double>& value) {
            if (value) {
                header.add_f32(stem + "scaling." + key, *value);
            }
        };
        add("yarn_ext_factor", rope.extrapolation_factor);
        add("yarn_attn_factor", rope.attention_factor);
        add("yarn_beta_fast", rope.beta_fast);
        add("yarn_beta_slow", rope.beta_slow);
    }
    header.add_f32(stem + "freq_base", rope.theta);
}

void add_model(GgufHeader& header, const ModelConfig& model, Precision precision) {
    const std::string stem = std::string(model.architecture->gguf) + ".";
    header.add_u32(stem + "block_count", model.layers);
    header.add_u32(stem + "context_length", model.context);
    header.add_u32(stem + "embedding_length", model.hidden);
    header.add_u32(stem + "feed_forward_length", model.feed_forward);
    header.add_u32(stem + "attention.head_count", model.heads);
    header.add_u32(stem + "attention.head_count_kv", model.kv_heads);
    add_rope(header, stem + "rope.", model.rope);
    header.add_f32(stem + "attention.layer_norm_rms_epsilon", model.norm_epsilon);
    if (model.states_head_width) {
        header.add_u32(stem + "attention.key_length", model.head_width);
        header.add_u32(stem + "attention.value_length", model.head_width);
    }
    header.add_u32("general.file_type", file_type(precision));
    if (model.architecture->is_llama) {
        header.add_u32(stem + "vocab_size", model.vocabulary);
        header.add_u32(stem + "rope.dimension_count", model.head_width);
    }
    header.add_u32("general.quantization_version", kQuantizationVersion);
}

/// Writes header and tensors at the descriptor's position, then reads the file as an engine would.
class Writer {
  public:
    Writer(const GgufHeader& header,
           const WeightPlan& plan,
           ProgressSink& progress,
           const std::stop_token& stop)
        : header_(header), plan_(plan), progress_(progress), stop_(stop) {}

    Status write(const Fd& fd, const std::filesystem::path& path) {
        const std::string start = header_.render();
        state_.task = "convert";
        state_.item = render(plan_.precision);
        state_.total_bytes = start.size() + header_.tensor_bytes();
        LOCARA_CHECK(put(fd, as_bytes(start)));
        for (const auto& tensor : plan_.tensors) {
            LOCARA_CHECK(stream_tensor(
                tensor, [&](ByteView bytes) { return put(fd, bytes); }, stop_));
            const Bytes padding(static_cast<std::size_t>(align(tensor.bytes()) - tensor.bytes()));
            LOCARA_CHECK(put(fd, padding));
        }
        LOCARA_TRY(const auto source, formats::FileSource::create(fd, path));
        LOCARA_CHECK(formats::parse_gguf(source).context("what was made of these files"));
        return {};
    }

    std::uint64_t written() const { return state_.done_bytes; }

  private:
    Status put(const Fd& fd, ByteView bytes) {
        if (stop_.stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped while converting");
        }
        LOCARA_CHECK(write_all(fd, bytes));
        state_.done_bytes += bytes.size();
        progress_.report(state_);
        return {};
    }

    const GgufHeader& header_;
    const WeightPlan& plan_;
    ProgressSink& progress_;
    const std::stop_token& stop_;
    Progress state_;
};

} // namespace

std::string_view render(Precision precision) {
    return precision == Precision::F32 ? "F32" : precision == Precision::F16 ? "F16" : "BF16";
}

std::optional<Precision> parse_precision(std::string_view text) {
    for (const auto precision : {Precision::F32, Precision::F16, Precision::BF16}) {
        if (render(precision) == text) {
            return precision;
        }
    }
    return std::nullopt;
}

Result<Converted>
convert(const ConvertRequest& request, ProgressSink& progress, const std::stop_token& stop) {
    const auto& files = request.files;
    LOCARA_TRY(const auto config, read_text(files, kConfigName, kMaxConfig));
    LOCARA_TRY(const auto model, parse_config(config));
    LOCARA_TRY(const auto plan, plan_weights(files, model, request.precision));
    LOCARA_TRY(const auto tokenizer_text, read_text(files, kTokenizerName, kMaxTokenizer));
    LOCARA_TRY(const auto tokenizer_config,
               read_optional(files, kTokenizerConfigName, kMaxTokenizerConfig));
    LOCARA_TRY(const auto chat_template, read_optional(files, kTemplateName, kMaxConfig));
    LOCARA_TRY(const auto tokenizer,
               read_tokenizer(tokenizer_text, tokenizer_config, chat_template, model));
    LOCARA_TRY(const auto generation, read_optional(files, kGenerationName, kMaxConfig));

    Converted out;
    out.precision = plan.precision;
    out.architecture = model.architecture->gguf;
    out.tensors = plan.tensors.size();
    for (const auto& tensor : plan.tensors) {
        out.parameters += tensor.elements();
    }
    GeneralFacts facts{request.repo, model.name_or_path, request.card, {}, out.parameters};
    if (!generation.empty()) {
        LOCARA_TRY(facts.generation, parse_members(generation, kGenerationName));
    }
    GgufHeader header;
    header.add_text("general.architecture", out.architecture);
    add_general(header, facts);
    add_model(header, model, plan.precision);
    tokenizer.add_to(header);
    for (const auto& tensor : plan.tensors) {
        header.add_tensor(tensor.name, tensor.shape, tensor_type(tensor.target), tensor.bytes());
    }
    Writer writer(header, plan, progress, stop);
    LOCARA_CHECK(write_file_atomically(
        request.output, [&](const Fd& fd) { return writer.write(fd, request.output); }, 0644));
    out.bytes = writer.written();
    return out;
}

} // namespace locara::convert
