#include "attributes.hpp"

namespace locara::hub {

std::string lfs_rule(std::string_view pattern) {
    std::string line;
    for (const char c : pattern) {
        line += c == ' ' ? std::string("[[:space:]]") : std::string(1, c);
    }
    return line + " filter=lfs diff=lfs merge=lfs -text\n";
}

std::string exact_pattern(std::string_view path) {
    std::string pattern = "/";
    for (const char c : path) {
        if (c == '*' || c == '?' || c == '[' || c == '\\') {
            pattern += '\\';
        }
        pattern += c;
    }
    return pattern;
}

std::string default_attributes() {
    constexpr std::string_view kPatterns[] = {
        "*.7z",      "*.arrow",       "*.bin",    "*.bz2",    "*.ckpt",     "*.ftz",
        "*.gguf",    "*.gz",          "*.h5",     "*.joblib", "*.lfs.*",    "*.mlmodel",
        "*.model",   "*.msgpack",     "*.npy",    "*.npz",    "*.onnx",     "*.ot",
        "*.parquet", "*.pb",          "*.pickle", "*.pkl",    "*.pt",       "*.pth",
        "*.rar",     "*.safetensors", "*.tar",    "*.tar.*",  "*.tflite",   "*.tgz",
        "*.wasm",    "*.xz",          "*.zip",    "*.zst",    "*tfevents*", "saved_model/**/*",
    };
    std::string text;
    for (const std::string_view pattern : kPatterns) {
        text += lfs_rule(pattern);
    }
    return text;
}

} // namespace locara::hub
