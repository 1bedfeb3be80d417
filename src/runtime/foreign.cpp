#include <locara/base/file.hpp>
#include <locara/runtime/foreign.hpp>

#include <algorithm>
#include <cstdlib>
#include <set>

#include <fnmatch.h>
#include <sys/stat.h>

namespace locara::runtime {

namespace fs = std::filesystem;

namespace {

/// A folder: a variable of the environment (nullptr: none) and what comes below it.
struct Root {
    const char* variable;
    std::string_view below;
};

/// Names below a root, one component a part: `*` and `?` as in a shell, `**` any folders.
struct Pattern {
    std::string_view text;
    enum class Name { Says, SaysSha256 } name = Name::Says;
};

struct Place {
    std::string_view name;
    std::vector<Root> roots;
    std::vector<Pattern> patterns;
};

/// One row a program. Sources: the documents of huggingface_hub ("local cache", and its shared
/// blobs, whose names are Xet hashes), Ollama's FAQ, and where the others put files today.
const std::vector<Place>& places() {
    using Name = Pattern::Name;
    static const std::vector<Place> kPlaces = {
        {"Hugging Face cache",
         {{"HF_HUB_CACHE", ""},
          {"HF_HOME", "hub"},
          {"XDG_CACHE_HOME", "huggingface/hub"},
          {"HOME", ".cache/huggingface/hub"}},
         {{"models--*/blobs/*", Name::SaysSha256}, {"blobs/[0-9a-f][0-9a-f]/*"}}},
        {"Ollama",
         {{"OLLAMA_MODELS", ""},
          {"HOME", ".ollama/models"},
          {nullptr, "/usr/share/ollama/.ollama/models"},
          {nullptr, "/var/lib/ollama/models"}},
         {{"blobs/sha256-*", Name::SaysSha256}}},
        {"LM Studio",
         {{"HOME", ".lmstudio/models"}, {"HOME", ".cache/lm-studio/models"}},
         {{"**/*.gguf"}, {"**/*.safetensors"}}},
        {"Jan",
         {{"HOME", ".local/share/Jan/data"}, {"HOME", ".config/Jan/data"}, {"HOME", "jan"}},
         {{"models/**/*.gguf"}, {"llamacpp/models/**/*.gguf"}}},
        {"llama.cpp",
         {{"LLAMA_CACHE", ""}, {"XDG_CACHE_HOME", "llama.cpp"}, {"HOME", ".cache/llama.cpp"}},
         {{"*.gguf"}}},
        {"GPT4All",
         {{"XDG_DATA_HOME", "nomic.ai/GPT4All"}, {"HOME", ".local/share/nomic.ai/GPT4All"}},
         {{"*.gguf"}}},
        {"Docker Model Runner",
         {{"HOME", ".docker/models"}},
         {{"blobs/sha256/*", Name::SaysSha256}}},
    };
    return kPlaces;
}

/// A cache that was grown by a loop of links must not hold us forever.
constexpr std::size_t kMaxFiles = 200'000;
constexpr int kMaxDepth = 16;

std::optional<crypto::Sha256Digest> digest_in(std::string_view name) {
    constexpr std::string_view kPrefix = "sha256-";
    if (name.starts_with(kPrefix)) {
        name.remove_prefix(kPrefix.size());
    }
    const auto digest = crypto::Sha256Digest::parse(name);
    return digest ? std::optional(*digest) : std::nullopt;
}

/// Gathers files, each inode once.
class Finder {
  public:
    void add(const std::string& place,
             const fs::path& root,
             const fs::path& path,
             const std::optional<crypto::Sha256Digest>& named) {
        struct stat info {};

        std::error_code failed;
        const fs::path real = fs::canonical(path, failed);
        if (failed || ::stat(real.c_str(), &info) != 0 || !S_ISREG(info.st_mode) ||
            static_cast<std::uint64_t>(info.st_size) < kMinForeignBytes ||
            files.size() >= kMaxFiles || !seen_.emplace(info.st_dev, info.st_ino).second) {
            return;
        }
        std::string hint = path.lexically_relative(root).string();
        files.push_back({place,
                         real,
                         hint == "." ? path.filename().string() : std::move(hint),
                         static_cast<std::uint64_t>(info.st_size),
                         named});
    }

    /// Walks what a pattern names below `folder`.
    void match(const Place& place,
               const Pattern& pattern,
               const fs::path& root,
               const fs::path& folder,
               std::string_view rest,
               int depth) {
        const auto slash = rest.find('/');
        const std::string part(rest.substr(0, slash));
        const bool is_last = slash == std::string_view::npos;
        const std::string_view after = is_last ? "" : rest.substr(slash + 1);
        if (part == "**") {
            match(place, pattern, root, folder, after, depth);
        }
        if (depth > kMaxDepth) {
            return;
        }
        std::error_code failed;
        for (fs::directory_iterator it(folder, failed), end; !failed && it != end;
             it.increment(failed)) {
            const std::string name = it->path().filename().string();
            std::error_code ignored;
            if (part == "**") {
                if (it->symlink_status(ignored).type() == fs::file_type::directory) {
                    match(place, pattern, root, it->path(), rest, depth + 1);
                }
            } else if (::fnmatch(part.c_str(), name.c_str(), FNM_PERIOD) != 0) {
                continue;
            } else if (is_last) {
                add(std::string(place.name),
                    root,
                    it->path(),
                    pattern.name == Pattern::Name::SaysSha256 ? digest_in(name) : std::nullopt);
            } else if (it->is_directory(ignored)) {
                match(place, pattern, root, it->path(), after, depth + 1);
            }
        }
    }

    std::vector<ForeignFile> take() {
        std::sort(files.begin(), files.end(), [](const ForeignFile& a, const ForeignFile& b) {
            return a.path < b.path;
        });
        return std::move(files);
    }

    std::vector<ForeignFile> files;

  private:
    std::set<std::pair<dev_t, ino_t>> seen_;
};

/// What the Hugging Face client noted of a file it put into a folder: commit, etag (the SHA-256 of
/// large files), time, a line each.
std::optional<crypto::Sha256Digest> noted_digest(const fs::path& root, const fs::path& path) {
    const fs::path note = root / ".cache/huggingface/download" /
                          (path.lexically_relative(root).string() + ".metadata");
    constexpr std::uint64_t kMaxNoteBytes = 4096;
    const auto text = read_file(note, kMaxNoteBytes);
    if (!text) {
        return std::nullopt;
    }
    const auto first = text->find('\n');
    if (first == std::string::npos) {
        return std::nullopt;
    }
    const auto second = text->find('\n', first + 1);
    return digest_in(std::string_view(*text).substr(first + 1, second - first - 1));
}

} // namespace

Environment process_environment() {
    return [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value != nullptr && *value != '\0' ? std::optional<std::string>(value)
                                                  : std::nullopt;
    };
}

std::vector<ForeignFile> find_foreign(const Environment& environment) {
    Finder finder;
    for (const Place& place : places()) {
        for (const Root& root : place.roots) {
            fs::path folder(root.below);
            if (root.variable != nullptr) {
                const auto value = environment(root.variable);
                if (!value) {
                    continue;
                }
                folder = root.below.empty() ? fs::path(*value) : fs::path(*value) / root.below;
            }
            if (!folder.is_absolute()) {
                continue;
            }
            for (const Pattern& pattern : place.patterns) {
                finder.match(place, pattern, folder, folder, pattern.text, 0);
            }
        }
    }
    return finder.take();
}

Result<std::vector<ForeignFile>> find_foreign_below(const fs::path& path) {
    std::error_code failed;
    const fs::path root = fs::canonical(path, failed);
    if (failed) {
        return Error::from_errno("cannot find " + path.string(), failed.value());
    }
    Finder finder;
    if (!fs::is_directory(root)) {
        finder.add(path.string(), root.parent_path(), root, std::nullopt);
        return finder.take();
    }
    for (fs::recursive_directory_iterator
             it(root, fs::directory_options::skip_permission_denied, failed),
         end;
         !failed && it != end;
         it.increment(failed)) {
        if (it.depth() >= kMaxDepth) {
            it.disable_recursion_pending();
        }
        std::error_code ignored;
        if (!it->is_directory(ignored)) {
            finder.add(path.string(), root, it->path(), noted_digest(root, it->path()));
        }
    }
    return finder.take();
}

std::vector<std::string_view> foreign_places() {
    std::vector<std::string_view> names;
    for (const Place& place : places()) {
        names.push_back(place.name);
    }
    return names;
}

} // namespace locara::runtime
