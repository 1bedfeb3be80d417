#include "attributes.hpp"
#include "verdict_store.hpp"

#include <locara/base/beneath.hpp>
#include <locara/base/json.hpp>
#include <locara/base/path.hpp>
#include <locara/gate/gate.hpp>
#include <locara/hub/seed.hpp>
#include <locara/manifest/app_entry.hpp>
#include <locara/manifest/bundle.hpp>
#include <locara/manifest/card_license.hpp>
#include <locara/manifest/model_manifest.hpp>
#include <locara/manifest/model_signature.hpp>
#include <locara/policy/app_report.hpp>

#include <algorithm>
#include <set>
#include <span>
#include <system_error>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

/// Larger files are never git blobs.
constexpr std::uint64_t kBlobLimit = 1U << 20U;
constexpr std::size_t kFileLimit = 10'000;
constexpr int kDepthLimit = 32;

/// The name of the rules below; a seed taken in under others is taken in anew.
constexpr std::string_view kRules = "locara-hub-seed/3";

struct FoundFile {
    std::string path; ///< Relative, with '/'.
    fs::path where;
};

/// All regular files below a folder, sorted by path. Symbolic links and special files are refused:
/// a seed must mean the same wherever it is copied.
Result<std::vector<FoundFile>> walk(const fs::path& folder) {
    std::vector<FoundFile> files;
    std::error_code error;
    fs::recursive_directory_iterator entry(folder, error);
    if (error) {
        return Error::from_errno("reading the folder " + folder.string(), error.value());
    }
    for (const fs::recursive_directory_iterator end; entry != end; entry.increment(error)) {
        if (error) {
            break;
        }
        const fs::file_status status = entry->symlink_status(error);
        if (error) {
            break;
        }
        if (fs::is_directory(status)) {
            if (entry.depth() >= kDepthLimit) {
                return Error(ErrorCode::TooLarge,
                             entry->path().string() + " is more than " +
                                 std::to_string(kDepthLimit) + " folders deep");
            }
            continue;
        }
        if (!fs::is_regular_file(status)) {
            return Error(ErrorCode::InvalidArgument,
                         entry->path().string() +
                             " is neither a regular file nor a folder; copy the real file there");
        }
        if (files.size() >= kFileLimit) {
            return Error(ErrorCode::TooLarge,
                         folder.string() + " holds more than " + std::to_string(kFileLimit) +
                             " files");
        }
        files.push_back({entry->path().lexically_relative(folder).generic_string(), entry->path()});
    }
    if (error) {
        return Error::from_errno("reading the folder " + folder.string(), error.value());
    }
    std::sort(files.begin(), files.end(), [](const FoundFile& a, const FoundFile& b) {
        return a.path < b.path;
    });
    return files;
}

/// The sub-folders of models/ or apps/, sorted; none when that is not there.
Result<std::vector<fs::path>> folders_of(const fs::path& parent) {
    std::vector<fs::path> folders;
    std::error_code error;
    if (!fs::exists(parent, error)) {
        return folders;
    }
    for (const auto& entry : fs::directory_iterator(parent, error)) {
        if (entry.is_directory(error)) {
            folders.push_back(entry.path());
        }
    }
    if (error) {
        return Error::from_errno("reading the folder " + parent.string(), error.value());
    }
    std::sort(folders.begin(), folders.end());
    return folders;
}

/// Asks the gate.
Result<formats::Examination> examine(const Fd& fd, const FoundFile& file) {
    formats::Examination seen = gate::shared_gate().examine(fd, name_of(file.path));
    LOCARA_CHECK(policy::check(policy::Door::Seed, file.where.string(), seen.verdict));
    return seen;
}

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

constexpr std::string_view kWeightSuffixes[] = {".gguf", ".safetensors"};

std::string attributes_for(const std::vector<RepoFile>& files) {
    std::string text;
    for (const std::string_view suffix : kWeightSuffixes) {
        text += lfs_rule("*" + std::string(suffix));
    }
    for (const RepoFile& file : files) {
        const bool covered =
            std::any_of(std::begin(kWeightSuffixes),
                        std::end(kWeightSuffixes),
                        [&file](std::string_view suffix) { return ends_with(file.path, suffix); });
        if (file.lfs && !covered) {
            text += lfs_rule("/" + file.path);
        }
    }
    return text;
}

const RepoFile* find_file(const ModelPin& pin, std::string_view path) {
    for (const RepoFile& file : pin.files) {
        if (file.path == path) {
            return &file;
        }
    }
    return nullptr;
}

Result<std::string> string_at(const Json& object, const char* key, const fs::path& where) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_string()) {
        return Error(ErrorCode::InvalidArgument,
                     where.string() + ": there is no text field '" + key +
                         "'; a model manifest needs schema, id, version and source.repo before it "
                         "can be pinned");
    }
    return found->get<std::string>();
}

Status
check_files(const manifest::ModelManifest& manifest, const ModelPin& pin, const fs::path& folder) {
    const std::string where = (folder / "manifest.json").string();
    const std::string hint =
        "; if the files are right, run: locara-hub pin --write " + folder.string();
    for (const manifest::Variant& variant : manifest.variants) {
        for (const manifest::ModelFile& wanted : variant.files) {
            const RepoFile* const file = find_file(pin, wanted.path);
            const std::string name = where + ": variant " + variant.name + ": " + wanted.path;
            if (file == nullptr) {
                return Error(ErrorCode::Corrupt,
                             name + " is not in " + (folder / "repo").string() + hint);
            }
            if (file->size != wanted.size) {
                return Error(ErrorCode::Corrupt,
                             name + " has " + std::to_string(file->size) +
                                 " bytes, the manifest expects " + std::to_string(wanted.size) +
                                 hint);
            }
            if (file->sha256 != wanted.sha256) {
                return Error(ErrorCode::Corrupt,
                             name + " has sha256 " + file->sha256.render() +
                                 ", the manifest expects " + wanted.sha256.render() + hint);
            }
        }
    }
    if (manifest.source.revision != pin.commit) {
        return Error(ErrorCode::Corrupt,
                     where + ": source.revision is " + manifest.source.revision +
                         ", but the files in repo/ make commit " + pin.commit + hint);
    }
    return {};
}

/// The card among the files that are published.
Status check_card(const manifest::ModelManifest& manifest, const fs::path& repo) {
    const auto card = read_file(repo / "README.md", manifest::kCardLimitBytes);
    if (!card) {
        return card.error().code() == ErrorCode::NotFound ? Status() : card.error();
    }
    return manifest::check_card(manifest, *card);
}

Result<SeedModel> read_model(const fs::path& folder, const std::vector<std::string>& listed) {
    const fs::path where = folder / "manifest.json";
    LOCARA_TRY(std::string bytes, read_file(where, manifest::kManifestLimitBytes));
    LOCARA_TRY(const auto manifest,
               manifest::ModelManifest::parse(bytes).context("reading " + where.string()));
    LOCARA_TRY(ModelPin pin, pin_model(folder, manifest.id.name, manifest.version.render()));
    LOCARA_CHECK(check_files(manifest, pin, folder));
    // As `locara model sign`. What is listed was asked then, by the rules of that day.
    if (std::find(listed.begin(), listed.end(), bytes) == listed.end()) {
        LOCARA_CHECK(manifest.check_validated().context(where.string()));
        LOCARA_CHECK(manifest.check_texts().context(where.string()));
        LOCARA_CHECK(check_card(manifest, folder / "repo").context(where.string()));
    }
    auto signature = read_file(folder / "model.sig", manifest::kModelSignatureLimitBytes);
    if (!signature && signature.error().code() != ErrorCode::NotFound) {
        return std::move(signature).error();
    }
    return SeedModel{folder,
                     manifest.id.render(),
                     manifest.source.repo,
                     manifest::model_target(manifest.id, manifest.version),
                     std::move(bytes),
                     manifest::model_signature_target(manifest.id, manifest.version),
                     signature ? *std::move(signature) : std::string(),
                     manifest.version.render(),
                     manifest.task,
                     manifest.license.id,
                     std::move(pin)};
}

Result<SeedApp>
read_app(const fs::path& folder, const fs::path& archive, const policy::KnownModels& manifests) {
    LOCARA_TRY(const policy::AppReport report,
               policy::check_app(folder, archive, manifests, policy::Door::Seed));
    LOCARA_CHECK(report.status());
    const manifest::AppManifest& app = *report.app;
    const manifest::PackedBundle& packed = *report.bundle;
    LOCARA_TRY(std::string entry,
               manifest::AppEntry::render(
                   packed.manifest_json, packed.archive_bytes, packed.archive_sha256, packed.id));
    return SeedApp{folder,
                   app.id.render(),
                   app.version.render(),
                   manifest::entry_target(app.id, app.version),
                   std::move(entry),
                   manifest::bundle_target(app.id, app.version),
                   archive};
}

} // namespace

Result<ModelPin>
pin_model(const fs::path& folder, std::string_view name, std::string_view version) {
    const fs::path repo = folder / "repo";
    std::error_code error;
    if (!fs::is_directory(repo, error)) {
        return Error(ErrorCode::NotFound,
                     "there is no folder " + repo.string() +
                         "; it must hold the files of the model's repository");
    }
    LOCARA_TRY(const Fd below, open_folder(repo)); // before it is listed
    LOCARA_TRY(const std::vector<FoundFile> found, walk(repo));
    ModelPin pin;
    const auto scanners = gate::shared_gate().scanners(); // Before they judge, as judge_content.
    pin.scanners = scanners ? *scanners : "";
    std::vector<std::string> paths;
    for (const FoundFile& file : found) {
        LOCARA_CHECK(validate_path(file.path).context("in " + repo.string()));
        paths.push_back(file.path);
        LOCARA_TRY(const Fd fd, open_beneath(below, file.path).context("in " + repo.string()));
        LOCARA_TRY(const std::uint64_t size, regular_file_size(fd, file.where));
        LOCARA_TRY(formats::Examination seen, examine(fd, file));
        RepoFile out;
        out.path = file.path;
        out.size = size;
        LOCARA_TRY(out.sha256, crypto::sha256_file(fd).context("hashing " + file.where.string()));
        out.lfs =
            size > kBlobLimit || (size > 0 && std::any_of(std::begin(kWeightSuffixes),
                                                          std::end(kWeightSuffixes),
                                                          [&file](std::string_view suffix) {
                                                              return ends_with(file.path, suffix);
                                                          }));
        std::string content;
        if (!out.lfs) {
            content.resize(size);
            LOCARA_CHECK(read_exactly_at(fd, 0, std::as_writable_bytes(std::span(content)))
                             .context(file.where.string()));
            out.lfs = content.find('\0') != std::string::npos;
        }
        if (out.lfs) {
            content = LfsPointer{out.sha256, size}.render();
        }
        pin.seen.push_back({out.lfs ? out.sha256.render() : id_of_blob(content),
                            name_of(file.path),
                            std::move(seen)});
        pin.snapshot.files.push_back({file.path, std::move(content)});
        pin.files.push_back(std::move(out));
    }
    LOCARA_CHECK(validate_path_set(paths).context("in " + repo.string()));
    if (pin.files.empty()) {
        return Error(ErrorCode::NotFound, repo.string() + " holds no file");
    }
    if (find_file(pin, ".gitattributes") == nullptr) {
        const std::string path = ".gitattributes";
        std::string text = attributes_for(pin.files);
        pin.seen.push_back(
            {id_of_blob(text),
             path,
             gate::shared_gate().examine(formats::MemorySource(as_bytes(text)), path)});
        pin.snapshot.files.push_back({path, std::move(text)});
    }
    // Fixed, so that whoever publishes these files gets this commit.
    pin.snapshot.message = "Publish " + std::string(name) + " " + std::string(version) + "\n";
    pin.snapshot.author_name = "Locara";
    pin.snapshot.author_email = "noreply@locara.dev";
    LOCARA_TRY(pin.snapshot.date, parse_time("2026-01-01T00:00:00Z"));
    LOCARA_TRY(GitRepo memory, GitRepo::create_in_memory());
    LOCARA_TRY(pin.commit, memory.write_snapshot(pin.snapshot));
    return pin;
}

Result<PinnedManifest> pin_manifest(const fs::path& folder) {
    const fs::path where = folder / "manifest.json";
    LOCARA_TRY(const std::string before, read_file(where, manifest::kManifestLimitBytes));
    LOCARA_TRY(Json document, parse_json(before).context("reading " + where.string()));
    if (!document.is_object()) {
        return Error(ErrorCode::InvalidArgument, where.string() + " is no JSON object");
    }
    LOCARA_TRY(const std::string id_text, string_at(document, "id", where));
    LOCARA_TRY(const std::string version, string_at(document, "version", where));
    LOCARA_TRY(const auto id, manifest::ModelId::parse(id_text).context(where.string() + ": id"));
    PinnedManifest out;
    LOCARA_TRY(out.pin, pin_model(folder, id.name, version));
    Json& source = document["source"];
    if (!source.is_object()) {
        source = Json::object();
    }
    source["revision"] = out.pin.commit;
    const auto variants = document.find("variants");
    if (variants != document.end() && variants->is_array()) {
        for (Json& variant : *variants) {
            if (!variant.is_object() || !variant.contains("files") ||
                !variant["files"].is_array()) {
                continue;
            }
            for (Json& file : variant["files"]) {
                if (!file.is_object()) {
                    continue;
                }
                LOCARA_TRY(const std::string path, string_at(file, "path", where));
                const RepoFile* const found = find_file(out.pin, path);
                if (found == nullptr) {
                    return Error(ErrorCode::NotFound,
                                 where.string() + ": a variant names " + path +
                                     ", which is not in " + (folder / "repo").string());
                }
                file["size"] = found->size;
                file["sha256"] = found->sha256.render();
            }
        }
    }
    out.manifest = document.dump(2) + "\n";
    out.changed = out.manifest != before;
    return out;
}

Result<crypto::Sha256Digest> digest_seed(const fs::path& seed) {
    std::error_code error;
    if (!fs::is_directory(seed, error)) {
        return Error(ErrorCode::NotFound,
                     "there is no seed folder " + seed.string() +
                         "; give --seed a folder that holds models/ and apps/");
    }
    crypto::Sha256 digest;
    digest.update(as_bytes(kRules));
    digest.update(as_bytes(formats::kScannerVersion));
    for (const char* const part : {"models", "apps"}) {
        if (!fs::exists(seed / part, error)) {
            continue;
        }
        LOCARA_TRY(const Fd below, open_folder(seed / part));
        LOCARA_TRY(const std::vector<FoundFile> files, walk(seed / part));
        for (const FoundFile& file : files) {
            LOCARA_TRY(const Fd fd, open_beneath(below, file.path));
            LOCARA_TRY(const auto content, crypto::sha256_file(fd));
            std::string line = std::string(part) + "/" + file.path;
            line += '\0';
            digest.update(as_bytes(line));
            digest.update(content.bytes);
        }
    }
    return digest.finish();
}

Result<Seed> read_seed(const fs::path& seed,
                       const fs::path& scratch,
                       const std::vector<std::string>& known_manifests) {
    Seed out;
    policy::KnownModels manifests;
    for (const std::string& bytes : known_manifests) {
        LOCARA_CHECK(manifests.add(bytes));
    }
    std::set<std::string> taken;
    LOCARA_TRY(const auto models, folders_of(seed / "models"));
    for (const fs::path& folder : models) {
        LOCARA_TRY(SeedModel model, read_model(folder, known_manifests));
        if (!taken.insert(model.target).second || !taken.insert("repo " + model.repo).second) {
            return Error(ErrorCode::Conflict,
                         folder.string() + " publishes " + model.target + " from " + model.repo +
                             ", which another folder of this seed does too");
        }
        LOCARA_CHECK(manifests.add(model.manifest));
        out.models.push_back(std::move(model));
    }
    LOCARA_TRY(const auto apps, folders_of(seed / "apps"));
    for (const fs::path& folder : apps) {
        const fs::path archive = scratch / (std::to_string(out.apps.size()) + ".locapp");
        LOCARA_TRY(SeedApp app, read_app(folder, archive, manifests));
        if (!taken.insert(app.entry_target).second) {
            return Error(ErrorCode::Conflict,
                         folder.string() + " publishes " + app.id + " " + app.version +
                             ", which another folder of this seed does too");
        }
        out.apps.push_back(std::move(app));
    }
    return out;
}

} // namespace locara::hub
