#include "names.hpp"

#include "cursor.hpp"

#include <locara/base/ascii.hpp>

namespace locara::formats {

namespace {

/// Without a folder's slash, and without the "./" that tar writes for a folder's own members.
std::string_view bare(std::string_view name) {
    if (name.ends_with('/')) {
        name.remove_suffix(1);
    }
    if (name.starts_with("./")) {
        name.remove_prefix(2);
    }
    return name;
}

} // namespace

std::optional<std::string> check_member_name(std::string_view name) {
    if (bare(name) == "." || (bare(name).empty() && name == "./")) {
        return std::nullopt;
    }
    const auto valid = validate_path(bare(name));
    return valid ? std::nullopt : std::optional(valid.error().message());
}

std::optional<std::string> add_member_name(PathSet& files, std::string_view name) {
    const std::string_view path = bare(name);
    if (path.empty() || path == ".") {
        return std::nullopt;
    }
    // A folder may stand beside its members; only as a file would it be in their way.
    const auto added = name.ends_with('/') ? files.add_folder(path) : files.add(path);
    return added ? std::nullopt : std::optional(added.error().message());
}

std::string extension_of(std::string_view name) {
    name = base_name(name);
    const auto dot = name.rfind('.');
    return dot == std::string_view::npos ? std::string() : ascii_lower(name.substr(dot));
}

NameMeaning meaning_of(std::string_view extension) {
    constexpr bool kWeights = true;
    constexpr bool kCode = true;
    static constexpr NameMeaning kMeanings[] = {
        {".safetensors", kWeights, !kCode, Kind::Safetensors},
        {".gguf", kWeights, !kCode, Kind::Gguf},
        {".ggml", kWeights, !kCode, {}},
        {".bin", kWeights, !kCode, {}},
        {".pt", kWeights, !kCode, {}},
        {".ckpt", kWeights, !kCode, {}},
        {".pkl", kWeights, !kCode, {}},
        {".pickle", kWeights, !kCode, {}},
        {".onnx", kWeights, !kCode, {}},
        {".h5", kWeights, !kCode, {}},
        {".hdf5", kWeights, !kCode, {}},
        {".keras", kWeights, !kCode, {}},
        {".npz", kWeights, !kCode, {}},
        {".joblib", kWeights, !kCode, {}},
        {".model", kWeights, !kCode, {}},
        {".pth", kWeights, kCode, {}}, // a checkpoint, or lines that `site` runs at start
        {".py", !kWeights, kCode, {}},
        {".pyw", !kWeights, kCode, {}},
        {".pyc", !kWeights, kCode, {}},
        {".pyo", !kWeights, kCode, {}},
        {".pyi", !kWeights, kCode, {}},
        {".pyx", !kWeights, kCode, {}},
        {".pl", !kWeights, kCode, {}},
        {".rb", !kWeights, kCode, {}},
        {".php", !kWeights, kCode, {}},
        {".lua", !kWeights, kCode, {}},
        {".ipynb", !kWeights, kCode, {}},
        {".sh", !kWeights, kCode, {}},
        {".bash", !kWeights, kCode, {}},
        {".zsh", !kWeights, kCode, {}},
        {".bat", !kWeights, kCode, {}},
        {".cmd", !kWeights, kCode, {}},
        {".ps1", !kWeights, kCode, {}},
        {".psm1", !kWeights, kCode, {}},
        {".jse", !kWeights, kCode, {}},
        {".wsh", !kWeights, kCode, {}},
        {".url", !kWeights, kCode, {}},
        {".so", !kWeights, kCode, {}},
        {".exe", !kWeights, kCode, {}},
        {".dll", !kWeights, kCode, {}},
        {".vbs", !kWeights, kCode, {}},
        {".vbe", !kWeights, kCode, {}},
        {".wsf", !kWeights, kCode, {}},
        {".hta", !kWeights, kCode, {}},
        {".lnk", !kWeights, kCode, {}},
        {".scr", !kWeights, kCode, {}},
        {".reg", !kWeights, kCode, {}},
        {".desktop", !kWeights, kCode, {}},
    };
    for (const auto& row : kMeanings) {
        if (row.extension == extension) {
            return row;
        }
    }
    return {};
}

std::string_view base_name(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

} // namespace locara::formats
