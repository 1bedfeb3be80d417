#include "oci.hpp"

#include <locara/base/ascii.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

constexpr std::string_view kGguf = ".gguf";
constexpr std::string_view kSha256 = "sha256:";
constexpr std::size_t kTagsNamed = 40;

/// The file's own name in lower case, without ".gguf".
std::string stem(const GitEntry& file) {
    const std::string name = ascii_lower(file.path.substr(file.path.rfind('/') + 1));
    return name.substr(0, name.size() - kGguf.size());
}

/// Whether `tag` stands in a name as a whole word ("q8_0" in "tiny-q8_0").
bool has_word(const std::string& name, const std::string& tag) {
    const auto ends_word = [](char c) { return c == '-' || c == '.'; };
    for (std::size_t at = name.find(tag); at != std::string::npos; at = name.find(tag, at + 1)) {
        const std::size_t end = at + tag.size();
        if ((at == 0 || ends_word(name[at - 1])) && (end == name.size() || ends_word(name[end]))) {
            return true;
        }
    }
    return false;
}

/// "model-00001-of-00003"
bool is_split(const std::string& name) {
    constexpr std::size_t kDigits = 5;
    const std::size_t of = name.rfind("-of-");
    return of != std::string::npos && of >= kDigits + 1 && name.size() == of + 4 + kDigits &&
           name.find_first_not_of("0123456789", of + 4) == std::string::npos;
}

bool is_projector(const GitEntry& file) {
    return stem(file).find("mmproj") != std::string::npos;
}

std::vector<GitEntry> list_gguf(const std::vector<GitEntry>& entries) {
    std::vector<GitEntry> files;
    std::copy_if(entries.begin(), entries.end(), std::back_inserter(files), [](const auto& entry) {
        return entry.lfs && ascii_lower(entry.path).ends_with(kGguf);
    });
    return files;
}

const GitEntry* find_tagged(const std::vector<GitEntry>& files, const std::string& tag) {
    const auto by_name = [&tag](const GitEntry& file) {
        return stem(file) == tag || stem(file).append(kGguf) == tag;
    };
    const auto by_word = [&tag](const GitEntry& file) { return has_word(stem(file), tag); };
    auto found = std::find_if(files.begin(), files.end(), by_name);
    found = found == files.end() ? std::find_if(files.begin(), files.end(), by_word) : found;
    return found == files.end() ? nullptr : &*found;
}

const GitEntry* find_latest(const std::vector<GitEntry>& files) {
    for (const char* const tag : {"q4_k_m", "q8_0"}) {
        if (const GitEntry* const found = find_tagged(files, tag)) {
            return found;
        }
    }
    return files.empty() ? nullptr : files.data();
}

std::string digest_of(const GitEntry& file) {
    return "sha256:" + file.lfs->sha256.render();
}

/// It says nothing that only the file's header knows: what a mirror has not fetched yet must have
/// the same config as afterwards.
std::string make_config(const GitEntry& weights) {
    return render_json({{"model_format", "gguf"},
                        {"file_type", stem(weights)},
                        {"architecture", "amd64"},
                        {"os", "linux"},
                        {"rootfs", {{"type", "layers"}, {"diff_ids", {digest_of(weights)}}}}});
}

OciModel make_model(const GitEntry& weights, const GitEntry* projector) {
    return {weights, projector ? std::optional(*projector) : std::nullopt, make_config(weights)};
}

Json render_layer(const char* type, const GitEntry& file) {
    return {{"mediaType", type}, {"digest", digest_of(file)}, {"size", file.size()}};
}

Json render_file(const GitEntry& file) {
    return {{"rfilename", file.path},
            {"blobId", file.oid},
            {"size", file.size()},
            {"lfs",
             {{"sha256", file.lfs->sha256.render()},
              {"size", file.size()},
              {"pointerSize", file.blob_size}}}};
}

} // namespace

std::string OciModel::render() const {
    Json layers = {render_layer("application/vnd.ollama.image.model", weights)};
    if (projector) {
        layers.push_back(render_layer("application/vnd.ollama.image.projector", *projector));
    }
    return render_json({{"schemaVersion", 2},
                        {"mediaType", kOciManifestType},
                        {"config",
                         {{"mediaType", "application/vnd.docker.container.image.v1+json"},
                          {"digest", "sha256:" + crypto::sha256(as_bytes(config)).render()},
                          {"size", config.size()}}},
                        {"layers", std::move(layers)}});
}

Json OciModel::render_files() const {
    Json files = {{"ggufFile", render_file(weights)}};
    if (projector) {
        files["mmprojFile"] = render_file(*projector);
    }
    return files;
}

Answer<OciModel> find_oci_model(const std::vector<GitEntry>& entries, std::string_view tag) {
    std::vector<GitEntry> models = list_gguf(entries);
    const auto first_projector = std::stable_partition(
        models.begin(), models.end(), [](const GitEntry& file) { return !is_projector(file); });
    const std::vector<GitEntry> projectors(first_projector, models.end());
    models.erase(first_projector, models.end());
    const GitEntry* const found =
        tag == "latest" ? find_latest(models) : find_tagged(models, ascii_lower(tag));
    if (found == nullptr) {
        std::string names;
        for (std::size_t i = 0; i < std::min(models.size(), kTagsNamed); ++i) {
            names += (i == 0 ? "; its tags are " : ", ") + stem(models[i]);
        }
        return Refusal(404,
                       "EntryNotFound",
                       "this repository has no GGUF file for the tag " + std::string(tag) + names);
    }
    if (is_split(stem(*found))) {
        return Refusal(501,
                       "",
                       found->path + " is one of several parts, which cannot be had by a tag; take "
                                     "them by name (hf download, llama-server -hf)");
    }
    return make_model(*found, projectors.empty() ? nullptr : projectors.data());
}

Answer<OciBlob> find_oci_blob(const std::vector<GitEntry>& entries, std::string_view digest) {
    const bool named = digest.starts_with(kSha256);
    const auto wanted = crypto::Sha256Digest::parse(named ? digest.substr(kSha256.size()) : "");
    if (!wanted) {
        return bad_request("a digest is sha256: and 64 hexadecimal digits");
    }
    for (const GitEntry& entry : entries) {
        if (entry.lfs && entry.lfs->sha256 == *wanted) {
            return OciBlob{entry, {}};
        }
    }
    for (const GitEntry& model : list_gguf(entries)) {
        std::string config = make_config(model);
        if (crypto::sha256(as_bytes(config)) == *wanted) {
            return OciBlob{std::nullopt, std::move(config)};
        }
    }
    return Refusal(404, "EntryNotFound", "main of this repository has no blob of this digest");
}

} // namespace locara::hub
