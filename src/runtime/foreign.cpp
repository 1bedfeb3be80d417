#include <locara/base/file.hpp>
#include <locara/runtime/foreign.hpp>

#include <algorithm>
#include <cstdlib>
#include <set>

#include <fnmatch.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

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

std::optional<crypto::Sha256Digest> digest_in(std::string_view name) {
    constexpr std::string_view kPrefix = "sha256-";
    if (name.starts_with(kPrefix)) {
        name.remove_prefix(kPrefix.size());
    }
    const auto digest = crypto::Sha256Digest::parse(name);
    return digest ? std::optional(*digest) : std::nullopt;
}

/// Whether a folder is one of a file system in which the kernel shows itself: no weights there, and
/// files that have no end.
bool is_kernels(const fs::path& folder) {
    struct statfs info {};

    return ::statfs(folder.c_str(), &info) == 0 &&
           (info.f_type == PROC_SUPER_MAGIC || info.f_type == SYSFS_MAGIC);
}

/// Gathers files, each inode once.
class Finder {
  public:
    explicit Finder(const ForeignLimits& limits) : limits_(limits) {}

    void add(const std::string& place,
             const fs::path& root,
             const fs::path& path,
             const std::optional<crypto::Sha256Digest>& named) {
        struct stat info {};

        std::error_code failed;
        const fs::path real = fs::canonical(path, failed);
        if (failed || ::stat(real.c_str(), &info) != 0 || !S_ISREG(info.st_mode) ||
            (path != root && static_cast<std::uint64_t>(info.st_size) < kMinForeignBytes) ||
            is_full() || !seen_.emplace(info.st_dev, info.st_ino).second) {
            return;
        }
        std::string hint = path.lexically_relative(root).string();
        found_.files.push_back({place,
                                real,
                                hint == "." ? path.filename().string() : std::move(hint),
                                static_cast<std::uint64_t>(info.st_size),
                                named});
        if (is_full()) {
            found_.unseen.push_back({place,
                                     root,
                                     "at most " + std::to_string(limits_.files) +
                                         " files are looked at, and so many were found; give the "
                                         "folders that hold weights"});
        }
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
        const std::string name_of_place(place.name);
        if (part == "**") {
            match(place, pattern, root, folder, after, depth);
        }
        each_in(name_of_place, folder, depth, [&](const fs::directory_entry& entry) {
            const std::string name = entry.path().filename().string();
            std::error_code ignored;
            if (part == "**") {
                if (entry.symlink_status(ignored).type() == fs::file_type::directory) {
                    match(place, pattern, root, entry.path(), rest, depth + 1);
                }
            } else if (::fnmatch(part.c_str(), name.c_str(), FNM_PERIOD) != 0) {
                return;
            } else if (is_last) {
                add(name_of_place,
                    root,
                    entry.path(),
                    pattern.name == Pattern::Name::SaysSha256 ? digest_in(name) : std::nullopt);
            } else if (entry.is_directory(ignored)) {
                match(place, pattern, root, entry.path(), after, depth + 1);
            }
        });
    }

    /// Everything below `folder`, without following links to folders. `named` says what a file
    /// claims to be.
    template <class Named>
    void walk(const std::string& place,
              const fs::path& root,
              const fs::path& folder,
              int depth,
              const Named& named) {
        if (is_kernels(folder)) {
            return;
        }
        each_in(place, folder, depth, [&](const fs::directory_entry& entry) {
            std::error_code ignored;
            if (entry.symlink_status(ignored).type() == fs::file_type::directory) {
                walk(place, root, entry.path(), depth + 1, named);
            } else if (!entry.is_directory(ignored)) {
                add(place, root, entry.path(), named(entry.path()));
            }
        });
    }

    ForeignFiles take() {
        std::sort(found_.files.begin(),
                  found_.files.end(),
                  [](const ForeignFile& a, const ForeignFile& b) { return a.path < b.path; });
        return std::move(found_);
    }

  private:
    bool is_full() const { return found_.files.size() >= limits_.files; }

    /// Calls `each` for every entry of a folder; notes why one cannot be listed (but not that it is
    /// gone or no folder).
    template <class Each>
    void each_in(const std::string& place, const fs::path& folder, int depth, const Each& each) {
        if (is_full()) {
            return;
        }
        std::error_code failed;
        fs::directory_iterator it(folder, failed);
        if (!failed && depth > limits_.depth) {
            note(place,
                 folder,
                 "it lies deeper than " + std::to_string(limits_.depth) +
                     " folders; give its path");
            return;
        }
        for (; !failed && it != fs::directory_iterator(); it.increment(failed)) {
            each(*it);
        }
        if (failed && failed != std::errc::no_such_file_or_directory &&
            failed != std::errc::not_a_directory) {
            note(place, folder, "cannot list it: " + failed.message());
        }
    }

    /// Several patterns may lead to the same folder.
    void note(const std::string& place, const fs::path& folder, std::string reason) {
        if (noted_.insert(folder).second) {
            found_.unseen.push_back({place, folder, std::move(reason)});
        }
    }

    const ForeignLimits limits_;
    ForeignFiles found_;
    std::set<fs::path> noted_;
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

ForeignFiles find_foreign(const Environment& environment, const ForeignLimits& limits) {
    Finder finder(limits);
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

Result<ForeignFiles> find_foreign_below(const fs::path& path, const ForeignLimits& limits) {
    std::error_code failed;
    const fs::path root = fs::canonical(path, failed);
    if (failed) {
        return Error::from_errno("cannot find " + path.string(), failed.value());
    }
    Finder finder(limits);
    if (!fs::is_directory(root, failed)) {
        finder.add(path.string(), root.parent_path(), root, std::nullopt);
        return finder.take();
    }
    finder.walk(path.string(), root, root, 0, [&](const fs::path& file) {
        return noted_digest(root, file);
    });
    return finder.take();
}

} // namespace locara::runtime
