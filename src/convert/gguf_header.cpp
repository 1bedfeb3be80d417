#include "gguf_header.hpp"

#include <locara/base/result.hpp>
#include <locara/formats/gguf.hpp>

#include <bit>
#include <limits>

namespace locara::convert {

namespace {

using formats::GgufType;

template <class T> void put(std::string& out, T value) {
    auto rest = static_cast<std::uint64_t>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        out += static_cast<char>(rest & 0xFFU);
        rest >>= 8U;
    }
}

void put_type(std::string& out, GgufType type) {
    put(out, static_cast<std::uint32_t>(type));
}

void put_text(std::string& out, std::string_view text) {
    put(out, static_cast<std::uint64_t>(text.size()));
    out += text;
}

template <class T> std::string scalar(GgufType type, T value) {
    std::string out;
    put_type(out, type);
    put(out, value);
    return out;
}

std::string array(GgufType element, std::size_t count) {
    std::string out;
    put_type(out, GgufType::Array);
    put_type(out, element);
    put(out, static_cast<std::uint64_t>(count));
    return out;
}

} // namespace

std::uint64_t align(std::uint64_t offset) {
    return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

void GgufHeader::set(std::string_view key, std::string value) {
    const auto [at, added] = places_.emplace(key, metadata_.size());
    if (added) {
        metadata_.emplace_back(key, std::move(value));
    } else {
        metadata_[at->second].second = std::move(value);
    }
}

void GgufHeader::add_u32(std::string_view key, std::uint64_t value) {
    LOCARA_ASSERT(value <= std::numeric_limits<std::uint32_t>::max());
    set(key, scalar(GgufType::U32, static_cast<std::uint32_t>(value)));
}

void GgufHeader::add_i32(std::string_view key, std::int32_t value) {
    set(key, scalar(GgufType::I32, static_cast<std::uint32_t>(value)));
}

void GgufHeader::add_f32(std::string_view key, double value) {
    set(key, scalar(GgufType::F32, std::bit_cast<std::uint32_t>(static_cast<float>(value))));
}

void GgufHeader::add_bool(std::string_view key, bool value) {
    set(key, scalar(GgufType::Bool, static_cast<std::uint8_t>(value ? 1 : 0)));
}

void GgufHeader::add_text(std::string_view key, std::string_view value) {
    if (value.empty()) {
        return;
    }
    std::string out;
    put_type(out, GgufType::String);
    put_text(out, value);
    set(key, std::move(out));
}

void GgufHeader::add_texts(std::string_view key, const std::vector<std::string>& values) {
    std::string out = array(GgufType::String, values.size());
    for (const auto& value : values) {
        put_text(out, value);
    }
    set(key, std::move(out));
}

void GgufHeader::add_i32s(std::string_view key, const std::vector<std::int32_t>& values) {
    std::string out = array(GgufType::I32, values.size());
    for (const auto value : values) {
        put(out, static_cast<std::uint32_t>(value));
    }
    set(key, std::move(out));
}

void GgufHeader::add_tensor(std::string_view name,
                            const std::vector<std::uint64_t>& shape,
                            std::uint32_t type,
                            std::uint64_t bytes) {
    put_text(tensors_, name);
    put(tensors_, static_cast<std::uint32_t>(shape.size()));
    for (const auto extent : shape) {
        put(tensors_, extent);
    }
    put(tensors_, type);
    put(tensors_, offset_);
    ++count_;
    offset_ += align(bytes);
}

std::string GgufHeader::render() const {
    std::string out = "GGUF";
    put(out, std::uint32_t{3});
    put(out, count_);
    put(out, static_cast<std::uint64_t>(metadata_.size()));
    for (const auto& [key, value] : metadata_) {
        put_text(out, key);
        out += value;
    }
    out += tensors_;
    out.resize(align(out.size()), '\0');
    return out;
}

} // namespace locara::convert
