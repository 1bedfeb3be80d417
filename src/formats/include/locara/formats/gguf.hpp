// GGUF: header, metadata and tensor table, checked in full against docs/formats/gguf.md.
//
// Source of the format: ggml-org/ggml, docs/gguf.md; types and their block sizes as in llama.cpp
// v0.5.0 (ggml/include/ggml.h, ggml/src/ggml-common.h). Little-endian, versions 2 and 3. Tensor
// bytes are not read, apart from the padding between tensors. Memory is bounded by the limits
// below, not by the file. Threads: plain functions and values.
#pragma once

#include <locara/formats/byte_source.hpp>
#include <locara/formats/verdict.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace locara::formats {

inline constexpr std::uint64_t kGgufMaxKeys = 65'536;
inline constexpr std::uint64_t kGgufMaxTensors = 65'536;
inline constexpr std::uint64_t kGgufMaxKeyBytes = 65'535;        ///< of one key; the format's own
inline constexpr std::uint64_t kGgufMaxAllKeysBytes = 8U << 20U; ///< of all keys together
inline constexpr std::uint64_t kGgufMaxTensorName = 63;          ///< bytes; what the engine holds
inline constexpr std::uint64_t kGgufMaxDimensions = 4;
inline constexpr std::uint64_t kGgufMaxAlignment = 65'536;
inline constexpr std::uint64_t kGgufMaxLayers = 512;   ///< LLAMA_MAX_LAYERS of the engine
inline constexpr std::uint64_t kGgufMaxExperts = 1024; ///< LLAMA_MAX_EXPERTS of the engine
inline constexpr std::uint64_t kGgufMaxTokens = 4'194'304;
inline constexpr std::uint64_t kGgufMaxHeldString = 1U << 20U; ///< longer ones are not held
inline constexpr std::uint64_t kGgufMaxHeldArray = 4'096;      ///< elements; longer ones likewise
inline constexpr std::uint64_t kGgufMaxHeldBytes = 32U << 20U; ///< of all held values together

/// A value type of the metadata, numbered as in the file.
enum class GgufType : std::uint32_t {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
};

std::string_view render(GgufType type);

/// A tensor type: its name, and how many elements one block holds in how many bytes.
struct GgmlType {
    std::uint32_t id = 0;
    std::string_view name;
    std::uint32_t block_elements = 0;
    std::uint32_t block_bytes = 0;
};

/// The type with this number, nullptr if there is none or it was removed from the format.
const GgmlType* find_ggml_type(std::uint32_t id);

/// One value of the metadata. Scalars are always held. A string longer than kGgufMaxHeldString,
/// an array of strings, an array longer than kGgufMaxHeldArray, or anything past kGgufMaxHeldBytes
/// is checked but not held: `held` is false, and offset and size tell where it lies.
struct GgufValue {
    /// Unsigned and bool as uint64, signed as int64, floats as double.
    using Number = std::variant<std::uint64_t, std::int64_t, double>;

    GgufType type = GgufType::U8;    ///< Array for an array.
    GgufType element = GgufType::U8; ///< Of an array its elements' type, else the same as type.
    std::uint64_t count = 1;         ///< Elements of an array, else 1.
    std::uint64_t offset = 0;        ///< First byte of the value after type, counts and lengths.
    std::uint64_t size = 0;          ///< Its bytes.
    bool held = true;
    std::vector<Number> numbers; ///< A scalar is one element.
    std::string text;            ///< For a string.

    /// A scalar integer that is not negative; nullopt otherwise.
    std::optional<std::uint64_t> as_unsigned() const;
};

struct GgufTensor {
    std::string name;
    std::array<std::uint64_t, kGgufMaxDimensions> shape{1, 1, 1, 1}; ///< Fastest dimension first.
    std::uint32_t dimensions = 1;
    const GgmlType* type = nullptr; ///< Never null in a result.
    std::uint64_t offset = 0;       ///< First byte, from the start of the file.
    std::uint64_t size = 0;         ///< Bytes, without padding.

    std::uint64_t element_count() const;
};

/// A GGUF that passed every check.
class Gguf {
  public:
    std::uint32_t version = 3;
    std::uint64_t alignment = 32;
    std::uint64_t data_offset = 0;                           ///< Where the first tensor starts.
    std::vector<std::pair<std::string, GgufValue>> metadata; ///< In the order of the file.
    std::vector<GgufTensor> tensors;                         ///< In the order of the file.

    /// The value of a key, nullptr if absent. Lives as long as this object.
    const GgufValue* find(std::string_view key) const;

    /// A held string, or nullopt.
    std::optional<std::string> find_text(std::string_view key) const;

    /// A scalar that is a non-negative integer, or nullopt.
    std::optional<std::uint64_t> find_unsigned(std::string_view key) const;

    /// `<architecture>.<name>`, e.g. find_hyperparameter("context_length").
    std::optional<std::uint64_t> find_hyperparameter(std::string_view name) const;

    std::string architecture() const; ///< `general.architecture`; always there.
    std::optional<std::string> name() const;
    std::optional<std::string> license() const;
    std::optional<std::uint64_t> context_length() const; ///< tokens
    std::optional<std::uint64_t> embedding_length() const;
    std::optional<std::uint64_t> layer_count() const;
    std::optional<std::uint64_t> head_count() const;
    std::optional<std::uint64_t> head_count_kv() const; ///< head_count() where the file has none
    std::optional<std::string> chat_template() const;
    std::optional<std::string> tokenizer_model() const;
    std::uint64_t vocabulary_size() const; ///< Tokens in the file; 0 if it holds none.
    std::uint64_t parameter_count() const; ///< Elements of all tensors.
    std::uint64_t tensor_bytes() const;    ///< Bytes of all tensors, without padding.

    /// How it was quantized, as the engine names it ("F16", "Q4_K_M"): `general.file_type`, else
    /// the type that most bytes of tensors have. Empty if there are no tensors.
    std::string quantization() const;

    /// Memory that each token of context takes in the engine's cache, which holds keys and values
    /// as float16 for each layer. 0 for what keeps no such cache (no attention heads are stated);
    /// nullopt if the hyperparameters do not say.
    std::optional<std::uint64_t> kv_bytes_per_token() const;
};

/// Parses and checks. The Finding's rule starts with "gguf.".
Checked<Gguf> check_gguf(const ByteSource& source);

/// The same for callers that want a Result: Corrupt if a rule is broken, Io if a read failed.
Result<Gguf> parse_gguf(const ByteSource& source);

} // namespace locara::formats
