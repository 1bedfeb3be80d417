// safetensors: what is accepted keeps its promises, twice the same, and the rest names a rule.
#include "../invariants.hpp"

#include <locara/formats/safetensors.hpp>

#include <cstdint>

using namespace locara;
using namespace locara::formats;

namespace {

std::string json_text(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || c == '"' || c == '\\') {
            out += "\\u00";
            out += kDigits[byte >> 4U];
            out += kDigits[byte & 15U];
        } else {
            out += c;
        }
    }
    return out + '"';
}

/// The shortest file that says the same, with the same data.
std::string render(const Safetensors& file, std::string_view data) {
    std::string header = "{\"__metadata__\":{";
    for (const auto& [key, value] : file.metadata) {
        header += (header.back() == '{' ? "" : ",") + json_text(key) + ":" + json_text(value);
    }
    header += "}";
    for (const SafetensorsTensor& tensor : file.tensors) {
        header += "," + json_text(tensor.name) + ":{\"dtype\":" + json_text(tensor.dtype) +
                  ",\"shape\":[";
        for (const std::uint64_t extent : tensor.shape) {
            header += (header.back() == '[' ? "" : ",") + std::to_string(extent);
        }
        header += "],\"data_offsets\":[" + std::to_string(tensor.begin - file.data_offset) + "," +
                  std::to_string(tensor.end - file.data_offset) + "]}";
    }
    header += "}";
    std::string out;
    for (unsigned i = 0; i < 8; ++i) {
        out += static_cast<char>((header.size() >> (8U * i)) & 0xFFU);
    }
    return out + header + std::string(data);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
    const auto first = check_safetensors(MemorySource(bytes));
    if (!first) {
        LOCARA_ASSERT(first.error().rule.starts_with("safetensors."));
        LOCARA_ASSERT(!first.error().offset || *first.error().offset <= size);
        return 0;
    }
    LOCARA_ASSERT(broken_invariant(*first, size).empty());
    // Written out and read back, it is the same file.
    const std::string written = render(*first, as_text(bytes.subspan(first->data_offset)));
    const auto again = check_safetensors(MemorySource(as_bytes(written)));
    LOCARA_ASSERT(again.has_value());
    LOCARA_ASSERT(again->metadata == first->metadata);
    LOCARA_ASSERT(again->tensors.size() == first->tensors.size());
    for (std::size_t i = 0; i < again->tensors.size(); ++i) {
        const SafetensorsTensor& a = first->tensors[i];
        const SafetensorsTensor& b = again->tensors[i];
        LOCARA_ASSERT(a.dtype == b.dtype || a.begin == a.end); // empty ones may change places
        LOCARA_ASSERT(a.end - a.begin == b.end - b.begin);
    }
    return 0;
}
