#include "names.hpp"

#include "cursor.hpp"

namespace locara::formats {

namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return out;
}

/// CON, NUL, COM1 ... with or without an extension (Microsoft: "Naming Files, Paths, and
/// Namespaces").
bool is_device_name(std::string_view part) {
    const std::string stem = lower(part.substr(0, part.find('.')));
    if (stem == "con" || stem == "prn" || stem == "aux" || stem == "nul") {
        return true;
    }
    return stem.size() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")) &&
           stem[3] >= '1' && stem[3] <= '9';
}

/// Code points that are not seen or that turn the direction of text: U+200B..200F, U+202A..202E,
/// U+2060..2064, U+2066..2069, U+FEFF, U+061C.
bool has_hidden_characters(std::string_view text) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
        if (at(i) == 0xD8 && at(i + 1) == 0x9C) {
            return true;
        }
        if (i + 2 >= text.size()) {
            continue;
        }
        const unsigned char third = at(i + 2);
        if (at(i) == 0xE2 && at(i + 1) == 0x80 &&
            ((third >= 0x8B && third <= 0x8F) || (third >= 0xAA && third <= 0xAE))) {
            return true;
        }
        if (at(i) == 0xE2 && at(i + 1) == 0x81 && third >= 0xA0 && third <= 0xA9) {
            return true;
        }
        if (at(i) == 0xEF && at(i + 1) == 0xBB && third == 0xBF) {
            return true;
        }
    }
    return false;
}

} // namespace

std::optional<std::string> check_member_name(std::string_view name) {
    const std::string quoted = quote_for_message(name);
    const auto bad = [&](std::string_view why) {
        return "the name " + quoted + " " + std::string(why);
    };
    if (name.empty() || name.size() > 1024) {
        return bad("must have 1 to 1,024 bytes");
    }
    if (!is_utf8(name)) {
        return bad("is not UTF-8");
    }
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F || c == '\\' || c == ':') {
            return bad("holds a control character, a backslash or a colon");
        }
    }
    if (has_hidden_characters(name)) {
        return bad("holds invisible characters");
    }
    if (name.ends_with('/')) {
        name.remove_suffix(1);
    }
    if (name.starts_with("./")) { // tar writes it for a folder's own members
        name.remove_prefix(2);
    }
    if (name == ".") {
        return std::nullopt;
    }
    unsigned parts = 0;
    std::size_t begin = 0;
    while (begin <= name.size()) {
        const std::size_t end = std::min(name.find('/', begin), name.size());
        const std::string_view part = name.substr(begin, end - begin);
        if (part.empty() || part == "." || part == "..") {
            return bad("has an empty part, \".\" or \"..\"");
        }
        if (part.size() > 255 || ++parts > 32) {
            return bad("has a part of more than 255 bytes, or more than 32 parts");
        }
        const std::string folded = lower(part);
        if (folded == ".git" || folded == ".locara" || folded.starts_with("git~")) {
            return bad("is reserved");
        }
        if (part.front() == '-' || part.back() == '.' || part.back() == ' ' ||
            is_device_name(part)) {
            return bad("has a part that some systems read as something else");
        }
        begin = end + 1;
    }
    return std::nullopt;
}

std::string extension_of(std::string_view name) {
    name = base_name(name);
    const auto dot = name.rfind('.');
    return dot == std::string_view::npos ? std::string() : lower(name.substr(dot));
}

NameMeaning meaning_of(std::string_view extension) {
    constexpr bool kWeights = true;
    constexpr bool kPython = true;
    static constexpr NameMeaning kMeanings[] = {
        {".safetensors", kWeights, !kPython, Kind::Safetensors},
        {".gguf", kWeights, !kPython, Kind::Gguf},
        {".ggml", kWeights, !kPython, {}},
        {".bin", kWeights, !kPython, {}},
        {".pt", kWeights, !kPython, {}},
        {".pth", kWeights, kPython, {}}, // a checkpoint, or lines that `site` runs at start
        {".ckpt", kWeights, !kPython, {}},
        {".pkl", kWeights, !kPython, {}},
        {".pickle", kWeights, !kPython, {}},
        {".onnx", kWeights, !kPython, {}},
        {".h5", kWeights, !kPython, {}},
        {".hdf5", kWeights, !kPython, {}},
        {".npz", kWeights, !kPython, {}},
        {".joblib", kWeights, !kPython, {}},
        {".model", kWeights, !kPython, {}},
        {".py", !kWeights, kPython, {}},
        {".pyw", !kWeights, kPython, {}},
        {".ipynb", !kWeights, kPython, {}},
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
