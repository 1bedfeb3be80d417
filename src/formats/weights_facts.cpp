#include <locara/formats/weights_facts.hpp>

#include <algorithm>
#include <array>

namespace locara::formats {
namespace {

constexpr std::size_t kPrefix = 8; ///< Of a text in GGUF: its length.
constexpr std::size_t kBlock = 64U << 10U;

std::optional<std::string> within(std::optional<std::string> text, std::size_t limit) {
    return text && text->size() <= limit ? text : std::nullopt;
}

/// Texts of an array one after another, from a source that is read in blocks.
class TextArray {
  public:
    TextArray(const ByteSource& source, const GgufValue& array)
        : source_(source), at_(array.offset), end_(array.offset + array.size) {}

    /// The text at this place of the array, none before it having been asked for; nothing if it is
    /// longer than kMaxFactText or cannot be read.
    std::optional<std::string> get(std::uint64_t index) {
        for (std::uint64_t i = 0; i < index; ++i) {
            const auto length = read_length();
            if (!length || *length > end_ - at_) {
                return std::nullopt;
            }
            at_ += *length;
        }
        const auto length = read_length();
        if (!length || *length > kMaxFactText || *length > end_ - at_) {
            return std::nullopt;
        }
        std::string text(static_cast<std::size_t>(*length), '\0');
        return read(at_, std::as_writable_bytes(std::span(text))) ? std::optional(text)
                                                                  : std::nullopt;
    }

  private:
    std::optional<std::uint64_t> read_length() {
        std::array<std::byte, kPrefix> bytes{};
        if (end_ - at_ < kPrefix || !read(at_, bytes)) {
            return std::nullopt;
        }
        at_ += kPrefix;
        std::uint64_t length = 0;
        for (std::size_t i = 0; i < kPrefix; ++i) {
            length |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
        }
        return length;
    }

    bool read(std::uint64_t offset, std::span<std::byte> out) {
        if (offset < begin_ || offset + out.size() > begin_ + block_.size()) {
            const auto wanted = std::max<std::uint64_t>(out.size(), kBlock);
            block_.resize(
                static_cast<std::size_t>(std::min<std::uint64_t>(wanted, source_.size() - offset)));
            begin_ = offset;
            if (block_.size() < out.size() || !source_.read(offset, block_)) {
                block_.clear();
                return false;
            }
        }
        std::copy_n(
            block_.begin() + static_cast<std::ptrdiff_t>(offset - begin_), out.size(), out.begin());
        return true;
    }

    const ByteSource& source_;
    std::uint64_t at_;
    const std::uint64_t end_;
    Bytes block_;
    std::uint64_t begin_ = 0;
};

std::optional<std::string>
find_token(const Gguf& gguf, const ByteSource& source, std::string_view id_key) {
    const auto id = gguf.find_unsigned(id_key);
    const GgufValue* const tokens = gguf.find("tokenizer.ggml.tokens");
    if (!id || tokens == nullptr || *id >= tokens->count) {
        return std::nullopt;
    }
    return TextArray(source, *tokens).get(*id);
}

template <class Tensors, class Type, class Count>
void count_types(WeightsFacts& facts, const Tensors& tensors, Type type_of, Count count_of) {
    for (const auto& tensor : tensors) {
        facts.types[std::string(type_of(tensor))] += count_of(tensor);
    }
    while (facts.types.size() > kMaxFactTypes) { // There are not as many types.
        facts.types.erase(std::prev(facts.types.end()));
    }
}

std::uint64_t elements(const SafetensorsTensor& tensor) {
    std::uint64_t count = 1; // The check has seen that it fits.
    for (const std::uint64_t extent : tensor.shape) {
        count *= extent;
    }
    return count;
}

Json or_null(const std::optional<std::string>& text) {
    return text ? Json(*text) : Json();
}

Error wrong(std::string_view what) {
    return {ErrorCode::Corrupt, "facts of weights with a wrong " + std::string(what)};
}

Result<std::optional<std::string>>
parse_text(const Json& json, const char* key, std::size_t limit) {
    const auto found = json.find(key);
    if (found == json.end() || !(found->is_null() || found->is_string())) {
        return wrong(key);
    }
    if (found->is_null()) {
        return std::optional<std::string>();
    }
    auto text = found->get<std::string>();
    if (text.size() > limit) {
        return wrong(key);
    }
    return std::optional(std::move(text));
}

Result<std::uint64_t> parse_count(const Json& json, const char* key) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number_unsigned()) {
        return wrong(key);
    }
    return found->get<std::uint64_t>();
}

} // namespace

WeightsFacts facts_of(const Gguf& gguf, const ByteSource& source) {
    WeightsFacts facts;
    facts.format = "gguf";
    facts.parameters = gguf.parameter_count();
    count_types(
        facts,
        gguf.tensors,
        [](const GgufTensor& tensor) { return tensor.type->name; },
        [](const GgufTensor& tensor) { return tensor.element_count(); });
    facts.architecture = within(gguf.architecture(), kMaxFactText);
    facts.context_length = gguf.context_length();
    facts.chat_template = within(gguf.chat_template(), kMaxFactTemplate);
    facts.bos_token = find_token(gguf, source, "tokenizer.ggml.bos_token_id");
    facts.eos_token = find_token(gguf, source, "tokenizer.ggml.eos_token_id");
    return facts;
}

WeightsFacts facts_of(const Safetensors& safetensors) {
    WeightsFacts facts;
    facts.format = "safetensors";
    facts.parameters = safetensors.parameter_count();
    count_types(
        facts,
        safetensors.tensors,
        [](const SafetensorsTensor& tensor) { return std::string_view(tensor.dtype); },
        elements);
    return facts;
}

Json render_facts(const WeightsFacts& facts) {
    Json types = Json::object();
    for (const auto& [type, count] : facts.types) {
        types[type] = count;
    }
    return {{"format", facts.format},
            {"parameters", facts.parameters},
            {"types", std::move(types)},
            {"architecture", or_null(facts.architecture)},
            {"context_length", facts.context_length ? Json(*facts.context_length) : Json()},
            {"chat_template", or_null(facts.chat_template)},
            {"bos_token", or_null(facts.bos_token)},
            {"eos_token", or_null(facts.eos_token)}};
}

Result<WeightsFacts> parse_facts(const Json& json) {
    constexpr std::size_t kMembers = 8;
    if (!json.is_object() || json.size() != kMembers) {
        return wrong("form");
    }
    WeightsFacts facts;
    LOCARA_TRY(const auto format, parse_text(json, "format", kMaxFactText));
    if (!format || (*format != "gguf" && *format != "safetensors")) {
        return wrong("format");
    }
    facts.format = *format;
    LOCARA_TRY(facts.parameters, parse_count(json, "parameters"));
    const auto types = json.find("types");
    if (types == json.end() || !types->is_object() || types->size() > kMaxFactTypes) {
        return wrong("types");
    }
    for (const auto& [type, count] : types->items()) {
        if (type.size() > kMaxFactText || !count.is_number_unsigned()) {
            return wrong("types");
        }
        facts.types[type] = count.template get<std::uint64_t>();
    }
    LOCARA_TRY(facts.architecture, parse_text(json, "architecture", kMaxFactText));
    const auto context = json.find("context_length");
    if (context == json.end() || !(context->is_null() || context->is_number_unsigned())) {
        return wrong("context_length");
    }
    if (!context->is_null()) {
        facts.context_length = context->get<std::uint64_t>();
    }
    LOCARA_TRY(facts.chat_template, parse_text(json, "chat_template", kMaxFactTemplate));
    LOCARA_TRY(facts.bos_token, parse_text(json, "bos_token", kMaxFactText));
    LOCARA_TRY(facts.eos_token, parse_text(json, "eos_token", kMaxFactText));
    return facts;
}

} // namespace locara::formats
