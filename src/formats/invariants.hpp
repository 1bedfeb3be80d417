// What a parsed file promises to its users, stated apart from the parsers: asserted by the
// mutation tests and the fuzz targets. Header only, so that both can use it.
#pragma once

#include <locara/formats/gguf.hpp>
#include <locara/formats/safetensors.hpp>

#include <cstdint>
#include <set>
#include <string>

namespace locara::formats {

__extension__ typedef unsigned __int128 Wide; // ISO C++ has no such type; both compilers do

/// The promise that is broken, or an empty string.
inline std::string broken_invariant(const Safetensors& file, std::uint64_t size) {
    std::uint64_t reached = file.data_offset;
    std::set<std::string> names;
    for (const SafetensorsTensor& tensor : file.tensors) {
        if (tensor.begin != reached || tensor.end < tensor.begin || tensor.end > size) {
            return "tensor " + tensor.name + " leaves a hole, overlaps or ends outside";
        }
        if (!names.insert(tensor.name).second) {
            return "the name " + tensor.name + " stands twice";
        }
        const auto bits = safetensors_dtype_bits(tensor.dtype);
        Wide product = bits.value_or(0);
        for (const std::uint64_t extent : tensor.shape) {
            product *= extent;
        }
        if (!bits || product != static_cast<Wide>(tensor.end - tensor.begin) * 8) {
            return "tensor " + tensor.name + " has another size than its shape";
        }
        reached = tensor.end;
    }
    return reached == size ? "" : "the tensors do not end with the file";
}

inline std::string broken_invariant(const Gguf& file, std::uint64_t size) {
    if (file.architecture().empty()) {
        return "there is no architecture";
    }
    if (file.alignment < 8 || (file.alignment & (file.alignment - 1)) != 0 ||
        (!file.tensors.empty() && file.data_offset % file.alignment != 0)) {
        return "the alignment is wrong";
    }
    std::set<std::string> names;
    for (const auto& [key, value] : file.metadata) {
        if (!names.insert(key).second) {
            return "the key " + key + " stands twice";
        }
        if (value.offset > size || value.size > size - value.offset ||
            value.offset + value.size > file.data_offset) {
            return "the value of " + key + " lies outside the metadata";
        }
        if (value.held && value.element != GgufType::String &&
            value.numbers.size() != value.count) {
            return "the value of " + key + " is not whole";
        }
    }
    names.clear();
    std::uint64_t reached = file.data_offset;
    for (const GgufTensor& tensor : file.tensors) {
        const std::uint64_t expected =
            (reached + file.alignment - 1) / file.alignment * file.alignment;
        if (tensor.offset != expected || tensor.size == 0 || tensor.offset > size ||
            tensor.size > size - tensor.offset) {
            return "tensor " + tensor.name + " leaves a gap, overlaps or ends outside";
        }
        Wide elements = 1;
        for (const std::uint64_t extent : tensor.shape) {
            elements *= extent;
        }
        if (tensor.type == nullptr || elements % tensor.type->block_elements != 0 ||
            elements / tensor.type->block_elements * tensor.type->block_bytes != tensor.size) {
            return "tensor " + tensor.name + " has another size than its shape";
        }
        if (!names.insert(tensor.name).second) {
            return "the name " + tensor.name + " stands twice";
        }
        reached = tensor.offset + tensor.size;
    }
    return size - reached < file.alignment ? "" : "the tensors do not end with the file";
}

} // namespace locara::formats
