#include <locara/base/file.hpp>
#include <locara/formats/gguf.hpp>
#include <locara/runtime/model_build.hpp>

#include <algorithm>
#include <map>

#include <fcntl.h>

namespace locara::runtime {

namespace {

constexpr std::size_t kBlock = 1U << 20U;
constexpr std::size_t kNamed = 5; ///< Names in one sentence; the rest is counted.

std::string list(const std::vector<std::string>& names) {
    std::string out;
    for (std::size_t i = 0; i < std::min(names.size(), kNamed); ++i) {
        out += (i == 0 ? "" : ", ") + names[i];
    }
    return names.size() > kNamed ? out + " and " + std::to_string(names.size() - kNamed) + " more"
                                 : out;
}

Result<formats::Gguf> parse(const formats::FileSource& source, const std::filesystem::path& path) {
    return formats::parse_gguf(source).context(path.string());
}

/// Whether two ranges of the same length hold the same bytes.
Result<bool> same_bytes(const formats::ByteSource& a,
                        std::uint64_t a_at,
                        const formats::ByteSource& b,
                        std::uint64_t b_at,
                        std::uint64_t length) {
    Bytes left(kBlock);
    Bytes right(kBlock);
    for (std::uint64_t done = 0; done < length;) {
        const auto block = static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, length - done));
        LOCARA_CHECK(a.read(a_at + done, std::span(left).first(block)));
        LOCARA_CHECK(b.read(b_at + done, std::span(right).first(block)));
        if (!std::equal(
                left.begin(), left.begin() + static_cast<std::ptrdiff_t>(block), right.begin())) {
            return false;
        }
        done += block;
    }
    return true;
}

Status compare_metadata(const formats::Gguf& made,
                        const formats::ByteSource& made_source,
                        const formats::Gguf& published,
                        const formats::ByteSource& published_source,
                        std::vector<std::string>& out) {
    std::vector<std::string> only_made;
    std::vector<std::string> only_published;
    std::vector<std::string> other;
    for (const auto& [key, value] : made.metadata) {
        const auto* theirs = published.find(key);
        if (theirs == nullptr) {
            only_made.push_back(key);
            continue;
        }
        bool same = value.type == theirs->type && value.element == theirs->element &&
                    value.count == theirs->count && value.size == theirs->size;
        if (same) {
            LOCARA_TRY(
                same,
                same_bytes(
                    made_source, value.offset, published_source, theirs->offset, value.size));
        }
        if (!same) {
            other.push_back(key);
        }
    }
    for (const auto& [key, value] : published.metadata) {
        if (made.find(key) == nullptr) {
            only_published.push_back(key);
        }
    }
    if (!only_made.empty()) {
        out.push_back("metadata that the published file lacks: " + list(only_made));
    }
    if (!only_published.empty()) {
        out.push_back("metadata that only the published file has: " + list(only_published));
    }
    if (!other.empty()) {
        out.push_back("metadata with another value: " + list(other));
    }
    const bool same_order =
        std::equal(made.metadata.begin(),
                   made.metadata.end(),
                   published.metadata.begin(),
                   published.metadata.end(),
                   [](const auto& a, const auto& b) { return a.first == b.first; });
    if (only_made.empty() && only_published.empty() && !same_order) {
        out.emplace_back("the metadata is in another order");
    }
    return {};
}

Status compare_tensors(const formats::Gguf& made,
                       const formats::ByteSource& made_source,
                       const formats::Gguf& published,
                       const formats::ByteSource& published_source,
                       std::vector<std::string>& out) {
    std::map<std::string, const formats::GgufTensor*> theirs;
    for (const auto& tensor : published.tensors) {
        theirs.emplace(tensor.name, &tensor);
    }
    std::vector<std::string> absent;
    std::vector<std::string> types;
    std::vector<std::string> bytes;
    for (const auto& tensor : made.tensors) {
        const auto at = theirs.find(tensor.name);
        if (at == theirs.end()) {
            absent.push_back(tensor.name);
            continue;
        }
        const auto& other = *at->second;
        theirs.erase(at);
        if (other.type != tensor.type || other.shape != tensor.shape) {
            types.push_back(tensor.name + " (" + std::string(tensor.type->name) + ", published " +
                            std::string(other.type->name) + ")");
            continue;
        }
        LOCARA_TRY(
            const bool same,
            same_bytes(made_source, tensor.offset, published_source, other.offset, tensor.size));
        if (!same) {
            bytes.push_back(tensor.name);
        }
    }
    if (!absent.empty() || !theirs.empty()) {
        out.push_back("tensors are not the same: " + std::to_string(absent.size()) +
                      " only here, " + std::to_string(theirs.size()) +
                      " only in the published file");
    }
    if (!types.empty()) {
        out.push_back("tensors of another type or shape: " + list(types));
    }
    if (!bytes.empty()) {
        out.push_back(std::to_string(bytes.size()) + " of " + std::to_string(made.tensors.size()) +
                      " tensors have other bytes: " + list(bytes));
    }
    const bool same_order =
        std::equal(made.tensors.begin(),
                   made.tensors.end(),
                   published.tensors.begin(),
                   published.tensors.end(),
                   [](const auto& a, const auto& b) { return a.name == b.name; });
    if (absent.empty() && theirs.empty() && !same_order) {
        out.emplace_back("the tensors are in another order");
    }
    return {};
}

} // namespace

Result<const manifest::Variant*> find_base(const manifest::ModelManifest& model,
                                           const manifest::Variant& variant,
                                           std::string_view wanted) {
    if (variant.files.size() != 1) {
        return Error(ErrorCode::Unsupported,
                     "variant " + variant.name + " has " + std::to_string(variant.files.size()) +
                         " files; only a single file can be made again");
    }
    if (!wanted.empty()) {
        const auto* base = model.find_variant(wanted);
        if (base == nullptr || base == &variant) {
            return Error(base == nullptr ? ErrorCode::NotFound : ErrorCode::Unsupported,
                         base == nullptr
                             ? model.id.render() + " has no variant " + std::string(wanted)
                             : "variant " + variant.name + " cannot be made from itself");
        }
        return base;
    }
    if (!variant.is_quantized()) {
        return Error(ErrorCode::Unsupported,
                     "variant " + variant.name + " (" + variant.quantization +
                         ") is not quantized: it is converted from safetensors");
    }
    if (const auto* base = model.base_of(variant)) {
        return base;
    }
    return Error(ErrorCode::Unsupported,
                 "the manifest of " + model.id.render() +
                     " has no F32, BF16 or F16 variant to make " + variant.name + " from");
}

const manifest::Ancestor* find_base_elsewhere(const manifest::ModelManifest& model) {
    const auto at = std::find_if(model.lineage.begin(), model.lineage.end(), [](const auto& one) {
        return one.relation == "quantized";
    });
    return at == model.lineage.end() ? nullptr : &*at;
}

Result<const manifest::Variant*> choose_base(const manifest::ModelManifest& ancestor,
                                             std::string_view wanted) {
    const auto* base = wanted.empty() ? ancestor.find_unquantized() : ancestor.find_variant(wanted);
    if (base != nullptr) {
        return base;
    }
    return Error(wanted.empty() ? ErrorCode::Unsupported : ErrorCode::NotFound,
                 ancestor.source.repo + "@" + ancestor.source.revision + " has no " +
                     (wanted.empty() ? "F32, BF16 or F16 GGUF" : "variant " + std::string(wanted)) +
                     " to make it from");
}

Result<std::vector<std::string>> compare_gguf(const std::filesystem::path& made,
                                              const std::filesystem::path& published) {
    LOCARA_TRY(const Fd made_fd, open_file(made, O_RDONLY));
    LOCARA_TRY(const Fd published_fd, open_file(published, O_RDONLY));
    LOCARA_TRY(const auto made_source, formats::FileSource::create(made_fd, made));
    LOCARA_TRY(const auto published_source, formats::FileSource::create(published_fd, published));
    LOCARA_TRY(const auto ours, parse(made_source, made));
    LOCARA_TRY(const auto theirs, parse(published_source, published));
    std::vector<std::string> out;
    if (made_source.size() != published_source.size()) {
        out.push_back("it has " + std::to_string(made_source.size()) +
                      " bytes, the published file " + std::to_string(published_source.size()));
    }
    if (ours.version != theirs.version || ours.alignment != theirs.alignment) {
        out.emplace_back("version or alignment of the format differ");
    }
    LOCARA_CHECK(compare_metadata(ours, made_source, theirs, published_source, out));
    LOCARA_CHECK(compare_tensors(ours, made_source, theirs, published_source, out));
    return out;
}

} // namespace locara::runtime
