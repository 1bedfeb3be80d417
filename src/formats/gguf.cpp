#include "cursor.hpp"

#include <locara/base/utf8.hpp>
#include <locara/formats/gguf.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <unordered_set>
#include <utility>

namespace locara::formats {

namespace {

constexpr std::uint64_t kHeaderBytes = 24;
constexpr std::uint64_t kLeastPairBytes = 8 + 1 + 4 + 1;           // key, type, value
constexpr std::uint64_t kLeastTensorBytes = 8 + 1 + 4 + 8 + 4 + 8; // name, shape, type, offset

Finding
finding(std::string_view rule, std::string reason, std::optional<std::uint64_t> offset = {}) {
    return Finding{"gguf." + std::string(rule), std::move(reason), offset};
}

/// Bytes of one value of a fixed-size type; 0 for strings, arrays and unknown numbers.
std::uint64_t fixed_size(GgufType type) {
    switch (type) {
    case GgufType::U8:
    case GgufType::I8:
    case GgufType::Bool:
        return 1;
    case GgufType::U16:
    case GgufType::I16:
        return 2;
    case GgufType::U32:
    case GgufType::I32:
    case GgufType::F32:
        return 4;
    case GgufType::U64:
    case GgufType::I64:
    case GgufType::F64:
        return 8;
    default:
        return 0;
    }
}

bool is_integer(GgufType type) {
    switch (type) {
    case GgufType::U8:
    case GgufType::I8:
    case GgufType::U16:
    case GgufType::I16:
    case GgufType::U32:
    case GgufType::I32:
    case GgufType::U64:
    case GgufType::I64:
        return true;
    default:
        return false;
    }
}

/// docs/gguf.md asks for ASCII, "lower_snake_case" segments with dots between. Files in use also
/// have hyphens and capitals, from names of architectures and chat templates.
bool is_key(std::string_view key) {
    if (key.empty() || key.front() == '.' || key.back() == '.') {
        return false;
    }
    char previous = 0;
    for (const char c : key) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!plain && (c != '.' || previous == '.')) {
            return false;
        }
        previous = c;
    }
    return true;
}

std::uint64_t pad(std::uint64_t value, std::uint64_t alignment) {
    return (value + alignment - 1) / alignment * alignment; // callers have checked the headroom
}

class Reader {
  public:
    explicit Reader(const ByteSource& source)
        : source_(source), size_(source.size()), cursor_(source) {}

    Checked<Gguf> run() {
        if (!read_header() || !read_metadata() || !check_metadata() || !read_tensors() ||
            !check_layout() || !check_hyperparameters() || !check_tokens()) {
            if (cursor_.io_error()) {
                return tl::unexpected(read_failure(*cursor_.io_error()));
            }
            return tl::unexpected(std::move(*problem_));
        }
        return std::move(result_);
    }

  private:
    bool fail(std::string_view rule, std::string reason) {
        return fail_at(rule, std::move(reason), cursor_.offset());
    }

    bool
    fail_at(std::string_view rule, std::string reason, std::optional<std::uint64_t> offset = {}) {
        problem_ = finding(rule, std::move(reason), offset);
        return false;
    }

    bool cut_short(std::string_view what) {
        return fail("truncated",
                    "the file ends inside " + std::string(what) + "; it may be cut short");
    }

    bool read_header() {
        std::uint32_t magic = 0;
        if (size_ < kHeaderBytes) {
            return fail("header",
                        "the file is " + std::to_string(size_) + " bytes; a GGUF header takes 24");
        }
        if (!cursor_.take_le(magic) || !cursor_.take_le(result_.version) ||
            !cursor_.take_le(tensor_count_) || !cursor_.take_le(key_count_)) {
            return cut_short("the header");
        }
        if (magic != 0x46554747U) { // "GGUF"
            return fail_at("magic", "the file does not start with GGUF", 0);
        }
        if (result_.version != 2 && result_.version != 3) {
            const bool swapped = (result_.version & 0xFFFFU) == 0;
            return fail_at("version",
                           swapped ? "the file is big-endian; only little-endian GGUF is read"
                                   : "the GGUF version is " + std::to_string(result_.version) +
                                         "; versions 2 and 3 are read",
                           4);
        }
        if (tensor_count_ > kGgufMaxTensors ||
            tensor_count_ * kLeastTensorBytes > cursor_.remaining()) {
            return fail_at("tensor.count",
                           "the header counts " + std::to_string(tensor_count_) +
                               " tensors; at most " + std::to_string(kGgufMaxTensors) +
                               " are read, and never more than the file has room for",
                           8);
        }
        if (key_count_ > kGgufMaxKeys || key_count_ * kLeastPairBytes > cursor_.remaining()) {
            return fail_at("metadata.count",
                           "the header counts " + std::to_string(key_count_) +
                               " metadata keys; at most " + std::to_string(kGgufMaxKeys) +
                               " are read, and never more than the file has room for",
                           16);
        }
        return true;
    }

    bool read_metadata() {
        std::unordered_set<std::string> keys;
        std::uint64_t key_bytes = 0;
        for (std::uint64_t i = 0; i < key_count_; ++i) {
            const std::uint64_t begin = cursor_.offset();
            std::uint64_t length = 0;
            if (!cursor_.take_le(length)) {
                return cut_short("a metadata key");
            }
            if (length == 0 || length > kGgufMaxKeyBytes) {
                return fail_at("key.length",
                               "a metadata key is " + std::to_string(length) +
                                   " bytes; allowed are 1 to " + std::to_string(kGgufMaxKeyBytes),
                               begin);
            }
            key_bytes += length;
            if (key_bytes > kGgufMaxAllKeysBytes) {
                return fail_at("key.length",
                               "the metadata keys together pass " +
                                   std::to_string(kGgufMaxAllKeysBytes) + " bytes",
                               begin);
            }
            std::string key;
            if (!cursor_.take_text(length, key)) {
                return cut_short("a metadata key");
            }
            if (!is_key(key)) {
                return fail_at("key.characters",
                               "the metadata key " + quote_for_message(key) +
                                   " has characters outside a-z 0-9 _ - and single dots between",
                               begin);
            }
            if (!keys.insert(key).second) {
                return fail_at("key.duplicate",
                               "the metadata key " + quote_for_message(key) + " stands twice",
                               begin);
            }
            GgufValue value;
            if (!read_value(key, value)) {
                return false;
            }
            result_.metadata.emplace_back(std::move(key), std::move(value));
        }
        return true;
    }

    bool read_type(const std::string& key, GgufType& type) {
        std::uint32_t number = 0;
        if (!cursor_.take_le(number)) {
            return cut_short("the type of " + quote_for_message(key));
        }
        if (number > static_cast<std::uint32_t>(GgufType::F64)) {
            return fail("value.type",
                        "the value of " + quote_for_message(key) + " has the unknown type " +
                            std::to_string(number));
        }
        type = static_cast<GgufType>(number);
        return true;
    }

    bool read_value(const std::string& key, GgufValue& value) {
        if (!read_type(key, value.type)) {
            return false;
        }
        value.element = value.type;
        if (value.type == GgufType::Array) {
            if (!read_type(key, value.element)) {
                return false;
            }
            if (value.element == GgufType::Array) {
                return fail("value.nested",
                            "the array " + quote_for_message(key) +
                                " holds arrays; nested arrays are not allowed");
            }
            if (!cursor_.take_le(value.count)) {
                return cut_short("the array " + quote_for_message(key));
            }
        }
        value.offset = cursor_.offset();
        if (value.element == GgufType::String) {
            return value.type == GgufType::Array ? read_strings(key, value)
                                                 : read_string(key, value);
        }
        return read_numbers(key, value);
    }

    bool read_string_length(const std::string& key, std::uint64_t& length) {
        if (!cursor_.take_le(length)) {
            return cut_short("the value of " + quote_for_message(key));
        }
        if (length > cursor_.remaining()) {
            return fail("value.length",
                        "a string in " + quote_for_message(key) + " is given as " +
                            std::to_string(length) + " bytes, but the file has only " +
                            std::to_string(cursor_.remaining()) + " left");
        }
        return true;
    }

    bool read_string(const std::string& key, GgufValue& value) {
        if (!read_string_length(key, value.size)) {
            return false;
        }
        value.offset = cursor_.offset();
        value.held = value.size <= kGgufMaxHeldString && hold(value.size);
        if (value.held ? !cursor_.take_text(value.size, value.text) : !cursor_.skip(value.size)) {
            return cut_short("the value of " + quote_for_message(key));
        }
        return true;
    }

    bool read_strings(const std::string& key, GgufValue& value) {
        if (value.count > cursor_.remaining() / 8) {
            return too_many(key, value);
        }
        for (std::uint64_t i = 0; i < value.count; ++i) {
            std::uint64_t length = 0;
            if (!read_string_length(key, length) || !cursor_.skip(length)) {
                return problem_ ? false : cut_short("the array " + quote_for_message(key));
            }
        }
        value.held = false;
        value.size = cursor_.offset() - value.offset;
        return true;
    }

    bool too_many(const std::string& key, const GgufValue& value) {
        return fail("value.length",
                    "the array " + quote_for_message(key) + " is given as " +
                        std::to_string(value.count) + " elements, more than the file has room for");
    }

    bool read_numbers(const std::string& key, GgufValue& value) {
        const std::uint64_t width = fixed_size(value.element);
        if (value.count > cursor_.remaining() / width) {
            return value.type == GgufType::Array
                       ? too_many(key, value)
                       : cut_short("the value of " + quote_for_message(key));
        }
        value.size = value.count * width;
        value.held =
            value.type != GgufType::Array ||
            (value.count <= kGgufMaxHeldArray && hold(value.count * sizeof(GgufValue::Number)));
        if (!value.held && value.element != GgufType::Bool) {
            return cursor_.skip(value.size) || cut_short("the array " + quote_for_message(key));
        }
        if (value.held) {
            value.numbers.reserve(static_cast<std::size_t>(value.count));
        }
        for (std::uint64_t i = 0; i < value.count; ++i) {
            GgufValue::Number number;
            if (!read_number(value.element, number)) {
                return cut_short("the value of " + quote_for_message(key));
            }
            if (value.element == GgufType::Bool && std::get<std::uint64_t>(number) > 1) {
                return fail("value.bool",
                            "a boolean in " + quote_for_message(key) + " is " +
                                std::to_string(std::get<std::uint64_t>(number)) +
                                "; only 0 and 1 are allowed");
            }
            if (value.held) {
                value.numbers.push_back(number);
            }
        }
        return true;
    }

    template <class Unsigned, class As> bool take_as(GgufValue::Number& out) {
        Unsigned raw = 0;
        if (!cursor_.take_le(raw)) {
            return false;
        }
        if constexpr (std::is_floating_point_v<As>) {
            out = static_cast<double>(std::bit_cast<As>(raw));
        } else if constexpr (std::is_signed_v<As>) {
            out = static_cast<std::int64_t>(static_cast<As>(raw));
        } else {
            out = static_cast<std::uint64_t>(raw);
        }
        return true;
    }

    bool read_number(GgufType type, GgufValue::Number& out) {
        switch (type) {
        case GgufType::U8:
        case GgufType::Bool:
            return take_as<std::uint8_t, std::uint8_t>(out);
        case GgufType::I8:
            return take_as<std::uint8_t, std::int8_t>(out);
        case GgufType::U16:
            return take_as<std::uint16_t, std::uint16_t>(out);
        case GgufType::I16:
            return take_as<std::uint16_t, std::int16_t>(out);
        case GgufType::U32:
            return take_as<std::uint32_t, std::uint32_t>(out);
        case GgufType::I32:
            return take_as<std::uint32_t, std::int32_t>(out);
        case GgufType::F32:
            return take_as<std::uint32_t, float>(out);
        case GgufType::U64:
            return take_as<std::uint64_t, std::uint64_t>(out);
        case GgufType::I64:
            return take_as<std::uint64_t, std::int64_t>(out);
        case GgufType::F64:
            return take_as<std::uint64_t, double>(out);
        default:
            return false;
        }
    }

    bool hold(std::uint64_t bytes) {
        if (bytes > kGgufMaxHeldBytes - held_) {
            return false;
        }
        held_ += bytes;
        return true;
    }

    bool check_metadata() {
        const GgufValue* architecture = result_.find("general.architecture");
        if (architecture == nullptr || architecture->type != GgufType::String ||
            !architecture->held || architecture->size > 256 || !is_key(architecture->text)) {
            return fail_at(
                "architecture",
                architecture == nullptr ? "the metadata lacks general.architecture"
                                        : "general.architecture is not a string that names one",
                architecture == nullptr ? std::nullopt : std::optional(architecture->offset));
        }
        if (const GgufValue* alignment = result_.find("general.alignment")) {
            const auto value = alignment->as_unsigned();
            if (alignment->type != GgufType::U32 || !value || *value < 8 ||
                *value > kGgufMaxAlignment || !std::has_single_bit(*value)) {
                return fail_at("alignment",
                               "general.alignment must be a U32, a power of two from 8 to " +
                                   std::to_string(kGgufMaxAlignment),
                               alignment->offset);
            }
            result_.alignment = *value;
        }
        return true;
    }

    bool read_tensors() {
        std::unordered_set<std::string> names;
        for (std::uint64_t i = 0; i < tensor_count_; ++i) {
            const std::uint64_t begin = cursor_.offset();
            GgufTensor tensor;
            std::uint64_t length = 0;
            if (!cursor_.take_le(length)) {
                return cut_short("the tensor table");
            }
            if (length == 0 || length > kGgufMaxTensorName) {
                return fail_at("tensor.name",
                               "a tensor name is " + std::to_string(length) +
                                   " bytes; allowed are 1 to " + std::to_string(kGgufMaxTensorName),
                               begin);
            }
            if (!cursor_.take_text(length, tensor.name)) {
                return cut_short("the tensor table");
            }
            if (!is_utf8(tensor.name) || tensor.name.find('\0') != std::string::npos) {
                return fail_at("tensor.name",
                               "the tensor name " + quote_for_message(tensor.name) +
                                   " is not UTF-8 or holds a NUL",
                               begin);
            }
            if (!names.insert(tensor.name).second) {
                return fail_at("tensor.duplicate",
                               "the tensor name " + quote_for_message(tensor.name) +
                                   " stands twice",
                               begin);
            }
            if (!read_shape(tensor)) {
                return false;
            }
            result_.tensors.push_back(std::move(tensor));
        }
        return true;
    }

    bool read_shape(GgufTensor& tensor) {
        const std::string what = "tensor " + quote_for_message(tensor.name);
        if (!cursor_.take_le(tensor.dimensions)) {
            return cut_short("the tensor table");
        }
        if (tensor.dimensions == 0 || tensor.dimensions > kGgufMaxDimensions) {
            return fail("tensor.dimensions",
                        what + " has " + std::to_string(tensor.dimensions) +
                            " dimensions; allowed are 1 to 4");
        }
        std::uint64_t elements = 1;
        bool fits = true;
        for (std::uint32_t d = 0; d < tensor.dimensions; ++d) {
            std::uint64_t& extent = tensor.shape.at(d);
            if (!cursor_.take_le(extent)) {
                return cut_short("the tensor table");
            }
            if (extent == 0 || extent > static_cast<std::uint64_t>(INT64_MAX)) {
                return fail("tensor.shape",
                            what + " has an extent of " + std::to_string(extent) +
                                "; allowed are 1 to 2^63-1");
            }
            fits = fits && checked_multiply(elements, extent, elements);
        }
        if (!fits || elements > static_cast<std::uint64_t>(INT64_MAX)) {
            return fail("tensor.overflow", what + " has more than 2^63-1 elements");
        }
        std::uint32_t type = 0;
        if (!cursor_.take_le(type)) {
            return cut_short("the tensor table");
        }
        tensor.type = find_ggml_type(type);
        if (tensor.type == nullptr) {
            return fail("tensor.type",
                        what + " has the type " + std::to_string(type) +
                            ", which the format does not know or no longer has");
        }
        if (tensor.shape[0] % tensor.type->block_elements != 0) {
            return fail("tensor.block",
                        what + " has rows of " + std::to_string(tensor.shape[0]) +
                            " elements, not a multiple of the block of " +
                            std::string(tensor.type->name) + ", " +
                            std::to_string(tensor.type->block_elements));
        }
        if (!checked_multiply(
                elements / tensor.type->block_elements, tensor.type->block_bytes, tensor.size)) {
            return fail("tensor.overflow", what + " has a size that overflows 64 bits");
        }
        if (!cursor_.take_le(tensor.offset)) {
            return cut_short("the tensor table");
        }
        return true;
    }

    /// Whether the bytes from `begin` to `end` are zero, as padding must be.
    bool check_padding(std::uint64_t begin, std::uint64_t end) {
        Cursor cursor(source_, begin, 256);
        std::uint8_t byte = 0;
        while (cursor.offset() < end) {
            if (!cursor.next(byte)) {
                problem_ = cursor.io_error() ? read_failure(*cursor.io_error())
                                             : finding("truncated", "the padding is cut short");
                return false;
            }
            if (byte != 0) {
                return fail_at("layout.padding",
                               "padding must be zero bytes; found " + std::to_string(byte),
                               cursor.offset() - 1);
            }
        }
        return true;
    }

    bool check_layout() {
        const std::uint64_t table_end = cursor_.offset();
        const std::uint64_t data = pad(table_end, result_.alignment); // table_end <= size_ < 2^63
        if (data > size_) {
            if (!result_.tensors.empty()) {
                return cut_short("the padding before the tensors");
            }
            result_.data_offset = size_;
            return check_padding(table_end, size_);
        }
        result_.data_offset = data;
        if (!check_padding(table_end, data)) {
            return false;
        }
        std::uint64_t reached = data;    // end of the last tensor
        std::uint64_t padded_end = data; // the same, aligned
        for (GgufTensor& tensor : result_.tensors) {
            const std::string what = "tensor " + quote_for_message(tensor.name);
            if (tensor.offset != padded_end - data) {
                return fail_at("tensor.offset",
                               what + " is given at offset " + std::to_string(tensor.offset) +
                                   " of the data, but must be at " +
                                   std::to_string(padded_end - data) +
                                   ", right after the one before",
                               {});
            }
            if (tensor.size > size_ - std::min(size_, padded_end)) {
                return fail_at("tensor.outside",
                               what + " is " + std::to_string(tensor.size) + " bytes from byte " +
                                   std::to_string(padded_end) + ", but the file ends at " +
                                   std::to_string(size_) + "; it may be cut short",
                               std::min(padded_end, size_));
            }
            if (padded_end != reached && !check_padding(reached, padded_end)) {
                return false;
            }
            tensor.offset = padded_end;
            reached = padded_end + tensor.size; // at most size_
            padded_end = data + pad(reached - data, result_.alignment);
        }
        if (size_ > padded_end) {
            return fail_at("layout.trailing",
                           std::to_string(size_ - padded_end) +
                               " bytes follow the last tensor; the file must end with it",
                           padded_end);
        }
        return check_padding(reached, size_);
    }

    bool check_hyperparameters() {
        const std::string architecture = result_.architecture();
        const bool may_be_zero = architecture.find("mamba") != std::string::npos ||
                                 architecture.find("rwkv") != std::string::npos;
        for (const auto& [key, value] : result_.metadata) {
            const std::string_view name = key;
            if (name.ends_with(".block_count")) {
                const auto count = value.as_unsigned();
                if (!count || *count > kGgufMaxLayers) {
                    return fail_at("layers",
                                   quote_for_message(key) + " must be an integer of at most " +
                                       std::to_string(kGgufMaxLayers),
                                   value.offset);
                }
            } else if (name.ends_with(".expert_count")) {
                const auto count = value.as_unsigned();
                if (!count || *count > kGgufMaxExperts) {
                    return fail_at("experts",
                                   quote_for_message(key) + " must be an integer of at most " +
                                       std::to_string(kGgufMaxExperts),
                                   value.offset);
                }
            } else if (name.ends_with(".attention.head_count") ||
                       name.ends_with(".attention.head_count_kv")) {
                if (!check_heads(key, value, may_be_zero)) {
                    return false;
                }
            }
        }
        return true;
    }

    /// Loaders divide by these. An array has one number a layer, where 0 means a layer without
    /// attention; architectures without any attention write a plain 0.
    bool check_heads(const std::string& key, const GgufValue& value, bool may_be_zero) {
        bool good = is_integer(value.element);
        if (value.type == GgufType::Array) {
            good = good && value.count > 0 && value.count <= kGgufMaxLayers;
            bool any = false;
            for (const auto& number : value.numbers) {
                const auto* s = std::get_if<std::int64_t>(&number);
                const auto* u = std::get_if<std::uint64_t>(&number);
                good = good && (s == nullptr || *s >= 0);
                any = any || (s != nullptr && *s > 0) || (u != nullptr && *u > 0);
            }
            good = good && (any || may_be_zero);
        } else {
            const auto heads = value.as_unsigned();
            good = good && heads && (*heads > 0 || may_be_zero);
        }
        return good || fail_at("heads",
                               quote_for_message(key) +
                                   " must be a positive integer, or one integer for each of at "
                                   "most 512 layers, not all 0",
                               value.offset);
    }

    bool check_tokens() {
        const GgufValue* tokens = result_.find("tokenizer.ggml.tokens");
        if (tokens != nullptr && (tokens->type != GgufType::Array ||
                                  tokens->element != GgufType::String || tokens->count == 0)) {
            return fail_at("tokens.type",
                           "tokenizer.ggml.tokens must be an array of strings, not empty",
                           tokens->offset);
        }
        if (tokens != nullptr && tokens->count > kGgufMaxTokens) {
            return fail_at("tokens.count",
                           "the vocabulary has " + std::to_string(tokens->count) +
                               " tokens; at most " + std::to_string(kGgufMaxTokens) + " are read",
                           tokens->offset);
        }
        const std::uint64_t count = tokens == nullptr ? 0 : tokens->count;
        const auto parallel = [&](std::string_view key, GgufType a, GgufType b) {
            const GgufValue* value = result_.find(key);
            if (value == nullptr) {
                return true;
            }
            if (value->type != GgufType::Array || (value->element != a && value->element != b)) {
                return fail_at("tokens.type",
                               std::string(key) + " must be an array of " + std::string(render(a)),
                               value->offset);
            }
            return value->count == count ||
                   fail_at("tokens.length",
                           std::string(key) + " has " + std::to_string(value->count) +
                               " elements, but there are " + std::to_string(count) + " tokens",
                           value->offset);
        };
        // The engine also takes I32 scores.
        if (!parallel("tokenizer.ggml.scores", GgufType::F32, GgufType::I32) ||
            !parallel("tokenizer.ggml.token_type", GgufType::I32, GgufType::I32)) {
            return false;
        }
        if (const GgufValue* merges = result_.find("tokenizer.ggml.merges");
            merges != nullptr &&
            (merges->type != GgufType::Array || merges->element != GgufType::String)) {
            return fail_at(
                "tokens.type", "tokenizer.ggml.merges must be an array of strings", merges->offset);
        }
        for (const auto& [key, value] : result_.metadata) {
            const std::string_view name = key;
            if (name.starts_with("tokenizer.ggml.") && name.ends_with("_token_id")) {
                const auto id = value.as_unsigned();
                if (!id || (tokens != nullptr && *id >= count)) {
                    return fail_at("tokens.id",
                                   quote_for_message(key) + " must be an id below the " +
                                       std::to_string(count) + " of the vocabulary",
                                   value.offset);
                }
            }
        }
        return tokens == nullptr || check_token_texts(*tokens);
    }

    /// Byte tokens (type 6) must read `<0x00>` to `<0xFF>`, since loaders parse two digits out of
    /// them; two equal tokens end the engine by an assertion.
    bool check_token_texts(const GgufValue& tokens) {
        constexpr std::uint32_t kByteToken = 6;
        const GgufValue* types = result_.find("tokenizer.ggml.token_type");
        Cursor texts(source_, tokens.offset);
        Cursor kinds(source_, types == nullptr ? 0 : types->offset);
        std::vector<std::uint64_t> hashes;
        hashes.reserve(static_cast<std::size_t>(tokens.count));
        std::string text;
        for (std::uint64_t i = 0; i < tokens.count; ++i) {
            std::uint64_t length = 0;
            std::uint32_t kind = 1;
            const bool read = texts.take_le(length) && (types == nullptr || kinds.take_le(kind));
            const std::uint64_t begin = texts.offset();
            if (read && length > kMaxTokenBytes) {
                return fail_at("tokens.text",
                               "token " + std::to_string(i) + " is " + std::to_string(length) +
                                   " bytes; at most " + std::to_string(kMaxTokenBytes) +
                                   " are allowed",
                               begin);
            }
            if (!read || !texts.take_text(length, text)) {
                const auto& error = texts.io_error() ? texts.io_error() : kinds.io_error();
                problem_ = error ? read_failure(*error)
                                 : finding("truncated", "the vocabulary is cut short");
                return false;
            }
            if (kind == kByteToken && !is_byte_token(text)) {
                return fail_at("tokens.byte",
                               "token " + std::to_string(i) + " is typed as a byte, but reads " +
                                   quote_for_message(text) + ", not <0x00> to <0xFF>",
                               begin);
            }
            if (!text.empty()) { // the engine gives empty tokens distinct names
                hashes.push_back(std::hash<std::string>{}(text));
            }
        }
        std::sort(hashes.begin(), hashes.end());
        if (std::adjacent_find(hashes.begin(), hashes.end()) != hashes.end()) {
            return fail_at("tokens.duplicate",
                           "two tokens of the vocabulary have the same text",
                           tokens.offset);
        }
        return true;
    }

    static bool is_byte_token(std::string_view text) {
        const auto hex = [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
        };
        return text.size() == 6 && text.starts_with("<0x") && text.back() == '>' && hex(text[3]) &&
               hex(text[4]);
    }

    static constexpr std::uint64_t kMaxTokenBytes = 65'536;

    const ByteSource& source_;
    std::uint64_t size_;
    Cursor cursor_;
    std::uint64_t tensor_count_ = 0;
    std::uint64_t key_count_ = 0;
    std::uint64_t held_ = 0;
    Gguf result_;
    std::optional<Finding> problem_;
};

} // namespace

std::string_view render(GgufType type) {
    switch (type) {
    case GgufType::U8:
        return "U8";
    case GgufType::I8:
        return "I8";
    case GgufType::U16:
        return "U16";
    case GgufType::I16:
        return "I16";
    case GgufType::U32:
        return "U32";
    case GgufType::I32:
        return "I32";
    case GgufType::F32:
        return "F32";
    case GgufType::Bool:
        return "bool";
    case GgufType::String:
        return "string";
    case GgufType::Array:
        return "array";
    case GgufType::U64:
        return "U64";
    case GgufType::I64:
        return "I64";
    case GgufType::F64:
        return "F64";
    }
    return "unknown";
}

std::optional<std::uint64_t> GgufValue::as_unsigned() const {
    if (!is_integer(type) || numbers.size() != 1) {
        return std::nullopt;
    }
    if (const auto* value = std::get_if<std::uint64_t>(&numbers.front())) {
        return *value;
    }
    const auto* value = std::get_if<std::int64_t>(&numbers.front());
    if (value == nullptr || *value < 0) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(*value);
}

std::uint64_t GgufTensor::element_count() const {
    return shape[0] * shape[1] * shape[2] * shape[3]; // checked against overflow by the parser
}

const GgufValue* Gguf::find(std::string_view key) const {
    for (const auto& [name, value] : metadata) {
        if (name == key) {
            return &value;
        }
    }
    return nullptr;
}

std::optional<std::string> Gguf::find_text(std::string_view key) const {
    const GgufValue* value = find(key);
    if (value == nullptr || value->type != GgufType::String || !value->held) {
        return std::nullopt;
    }
    return value->text;
}

std::optional<std::uint64_t> Gguf::find_unsigned(std::string_view key) const {
    const GgufValue* value = find(key);
    return value == nullptr ? std::nullopt : value->as_unsigned();
}

std::optional<std::uint64_t> Gguf::find_hyperparameter(std::string_view name) const {
    return find_unsigned(architecture() + "." + std::string(name));
}

std::string Gguf::architecture() const {
    return find_text("general.architecture").value_or("");
}

std::optional<std::string> Gguf::name() const {
    return find_text("general.name");
}

std::optional<std::string> Gguf::license() const {
    return find_text("general.license");
}

std::optional<std::uint64_t> Gguf::context_length() const {
    return find_hyperparameter("context_length");
}

std::optional<std::uint64_t> Gguf::embedding_length() const {
    return find_hyperparameter("embedding_length");
}

std::optional<std::uint64_t> Gguf::layer_count() const {
    return find_hyperparameter("block_count");
}

std::optional<std::uint64_t> Gguf::head_count() const {
    return find_hyperparameter("attention.head_count");
}

std::optional<std::uint64_t> Gguf::head_count_kv() const {
    const auto own = find_hyperparameter("attention.head_count_kv");
    return own ? own : head_count();
}

std::optional<std::string> Gguf::chat_template() const {
    return find_text("tokenizer.chat_template");
}

std::optional<std::string> Gguf::tokenizer_model() const {
    return find_text("tokenizer.ggml.model");
}

std::uint64_t Gguf::vocabulary_size() const {
    const GgufValue* tokens = find("tokenizer.ggml.tokens");
    return tokens == nullptr ? 0 : tokens->count;
}

std::uint64_t Gguf::parameter_count() const {
    std::uint64_t sum = 0;
    for (const GgufTensor& tensor : tensors) {
        sum += tensor.element_count();
    }
    return sum;
}

std::uint64_t Gguf::tensor_bytes() const {
    std::uint64_t sum = 0;
    for (const GgufTensor& tensor : tensors) {
        sum += tensor.size;
    }
    return sum;
}

std::string Gguf::quantization() const {
    // enum llama_ftype of llama.cpp v0.5.0 (include/llama.h), without what was removed from it.
    struct FileType {
        std::uint64_t number;
        std::string_view name;
    };

    static constexpr std::array kFileTypes = {
        FileType{0, "F32"},     FileType{1, "F16"},      FileType{2, "Q4_0"},
        FileType{3, "Q4_1"},    FileType{7, "Q8_0"},     FileType{8, "Q5_0"},
        FileType{9, "Q5_1"},    FileType{10, "Q2_K"},    FileType{11, "Q3_K_S"},
        FileType{12, "Q3_K_M"}, FileType{13, "Q3_K_L"},  FileType{14, "Q4_K_S"},
        FileType{15, "Q4_K_M"}, FileType{16, "Q5_K_S"},  FileType{17, "Q5_K_M"},
        FileType{18, "Q6_K"},   FileType{19, "IQ2_XXS"}, FileType{20, "IQ2_XS"},
        FileType{21, "Q2_K_S"}, FileType{22, "IQ3_XS"},  FileType{23, "IQ3_XXS"},
        FileType{24, "IQ1_S"},  FileType{25, "IQ4_NL"},  FileType{26, "IQ3_S"},
        FileType{27, "IQ3_M"},  FileType{28, "IQ2_S"},   FileType{29, "IQ2_M"},
        FileType{30, "IQ4_XS"}, FileType{31, "IQ1_M"},   FileType{32, "BF16"},
        FileType{36, "TQ1_0"},  FileType{37, "TQ2_0"},   FileType{38, "MXFP4_MOE"},
    };
    if (const auto stated = find_unsigned("general.file_type")) {
        for (const auto& [number, name] : kFileTypes) {
            if (number == *stated) {
                return std::string(name);
            }
        }
    }
    std::map<std::string_view, std::uint64_t> bytes;
    for (const GgufTensor& tensor : tensors) {
        bytes[tensor.type->name] += tensor.size;
    }
    const auto most =
        std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) {
            return a.second < b.second;
        });
    std::string name = most == bytes.end() ? "" : std::string(most->first);
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return name;
}

std::optional<std::uint64_t> Gguf::kv_bytes_per_token() const {
    constexpr std::uint64_t kFloat16 = 2;
    constexpr std::uint64_t kMostHeads = 1U << 20U; // keeps the product far from overflow
    const auto layers = layer_count();
    const auto* heads = find(architecture() + ".attention.head_count_kv");
    if (heads == nullptr) {
        heads = find(architecture() + ".attention.head_count");
    }
    if (heads == nullptr) {
        return 0;
    }
    if (!layers || !heads->held) {
        return std::nullopt;
    }
    std::uint64_t sum = 0; // over the layers
    for (const auto& number : heads->numbers) {
        const auto* count = std::get_if<std::uint64_t>(&number);
        const auto* other = std::get_if<std::int64_t>(&number);
        const std::uint64_t value = count != nullptr ? *count
                                    : other != nullptr && *other >= 0
                                        ? static_cast<std::uint64_t>(*other)
                                        : kMostHeads + 1;
        if (value > kMostHeads) {
            return std::nullopt;
        }
        sum += heads->type == GgufType::Array ? value : value * *layers;
    }
    const auto embedding = embedding_length();
    const auto head = head_count();
    const std::uint64_t usual = embedding && head && *head > 0 ? *embedding / *head : 0;
    const std::uint64_t key = find_hyperparameter("attention.key_length").value_or(usual);
    const std::uint64_t value = find_hyperparameter("attention.value_length").value_or(usual);
    if (key == 0 || value == 0 || key > kMostHeads || value > kMostHeads) {
        return std::nullopt;
    }
    return kFloat16 * sum * (key + value);
}

Checked<Gguf> check_gguf(const ByteSource& source) {
    return Reader(source).run();
}

Result<Gguf> parse_gguf(const ByteSource& source) {
    auto checked = check_gguf(source);
    if (!checked) {
        return to_error(checked.error());
    }
    return std::move(*checked);
}

} // namespace locara::formats
