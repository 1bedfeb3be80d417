#include "words.hpp"

#include <locara/base/json.hpp>
#include <locara/manifest/app_entry.hpp>

namespace locara::manifest {

namespace {

constexpr std::string_view kSchema = "locara.dev/app-entry/v1";

Error fault(const std::string& path, const std::string& text) {
    return Error(ErrorCode::InvalidArgument, "app entry, " + path + ": " + text);
}

Result<std::string> get_text(const Json& object, const char* key) {
    const auto at = object.find(key);
    if (at == object.end() || !at->is_string()) {
        return fault(std::string("bundle.") + key, "must be a string");
    }
    return at->get<std::string>();
}

Result<crypto::Sha256Digest> get_digest(const Json& object, const char* key) {
    LOCARA_TRY(const auto text, get_text(object, key));
    auto digest = crypto::Sha256Digest::parse(text);
    if (!digest) {
        return fault(std::string("bundle.") + key,
                     quote(text) + " is no SHA-256; 64 lower-case hex digits are wanted");
    }
    return digest;
}

} // namespace

std::string entry_target(const AppId& id, const Version& version) {
    return "apps/" + id.publisher + "/" + id.name + "-" + version.render() + ".json";
}

std::string bundle_target(const AppId& id, const Version& version) {
    return "apps/" + id.publisher + "/" + id.name + "-" + version.render() + ".locapp";
}

std::string model_target(const ModelId& id, const Version& version) {
    return "models/" + id.publisher + "/" + id.name + "/" + version.render() + ".json";
}

Result<AppEntry> AppEntry::parse(std::string_view text) {
    LOCARA_TRY(const auto json,
               parse_json(text, {.bytes = kManifestLimitBytes + 4096, .depth = 33}));
    if (!json.is_object() || !json.contains("schema") || json["schema"] != kSchema) {
        return Error(ErrorCode::Unsupported,
                     "app entry: schema must be " + std::string(kSchema) +
                         "; update Locara if the catalog is newer");
    }
    for (const auto& [key, _] : json.items()) {
        if (key != "schema" && key != "manifest" && key != "bundle") {
            return fault(quote(key), "unknown key; known: schema, manifest, bundle");
        }
    }
    if (!json.contains("manifest") || !json.contains("bundle") || !json["bundle"].is_object()) {
        return fault("manifest, bundle", "both must be there, as objects");
    }
    AppEntry entry;
    entry.manifest_json = render_json(json["manifest"]);
    LOCARA_TRY(entry.manifest,
               AppManifest::parse(entry.manifest_json).context("app entry, manifest"));
    const auto& bundle = json["bundle"];
    LOCARA_TRY(entry.bundle_target, get_text(bundle, "target"));
    const auto wanted = manifest::bundle_target(entry.manifest.id, entry.manifest.version);
    if (entry.bundle_target != wanted) {
        return fault("bundle.target", quote(entry.bundle_target) + " must be " + quote(wanted));
    }
    if (!bundle.contains("size") || !bundle["size"].is_number_unsigned()) {
        return fault("bundle.size", "must be a number of bytes");
    }
    entry.bundle_size = bundle["size"];
    LOCARA_TRY(entry.bundle_sha256, get_digest(bundle, "sha256"));
    LOCARA_TRY(entry.files_sha256, get_digest(bundle, "files_sha256"));
    return entry;
}

Result<std::string> AppEntry::render(std::string_view manifest_json,
                                     std::uint64_t bundle_size,
                                     const crypto::Sha256Digest& bundle_sha256,
                                     const crypto::Sha256Digest& files_sha256) {
    LOCARA_TRY(const auto manifest, AppManifest::parse(manifest_json));
    LOCARA_TRY(auto json, parse_json(manifest_json, {.bytes = kManifestLimitBytes, .depth = 32}));
    Json out;
    out["schema"] = kSchema;
    out["manifest"] = std::move(json);
    out["bundle"] = {{"target", manifest::bundle_target(manifest.id, manifest.version)},
                     {"size", bundle_size},
                     {"sha256", bundle_sha256.render()},
                     {"files_sha256", files_sha256.render()}};
    return render_json(out);
}

} // namespace locara::manifest
