// GgufHeader: all of a GGUF but the tensors' bytes, in the order in which it was added.
//
// Format: docs/formats/gguf.md, version 3, alignment 32. Threads: plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace locara::convert {

inline constexpr std::uint64_t kAlignment = 32;

/// The next multiple of kAlignment.
std::uint64_t align(std::uint64_t offset);

class GgufHeader {
  public:
    /// A key that is there already keeps its place and gets the new value.
    void add_u32(std::string_view key, std::uint64_t value); ///< REQUIRES: below 2^32.
    void add_i32(std::string_view key, std::int32_t value);
    void add_f32(std::string_view key, double value);
    void add_bool(std::string_view key, bool value);
    void add_text(std::string_view key, std::string_view value); ///< Nothing if empty.
    void add_texts(std::string_view key, const std::vector<std::string>& values);
    void add_i32s(std::string_view key, const std::vector<std::int32_t>& values);

    /// `shape` has the fastest dimension first; `bytes` is without padding. Tensors lie in this
    /// order, each at the next multiple of kAlignment.
    void add_tensor(std::string_view name,
                    const std::vector<std::uint64_t>& shape,
                    std::uint32_t type,
                    std::uint64_t bytes);

    /// The bytes before the first tensor, padded.
    std::string render() const;

    /// Of all tensors, with padding behind each.
    std::uint64_t tensor_bytes() const { return offset_; }

  private:
    void set(std::string_view key, std::string value);

    std::vector<std::pair<std::string, std::string>> metadata_; ///< Type and value, as in the file.
    std::map<std::string, std::size_t, std::less<>> places_;    ///< Of keys in there.
    std::string tensors_;
    std::uint64_t count_ = 0;
    std::uint64_t offset_ = 0;
};

} // namespace locara::convert
