// The files of a manifest's variants, where `model build` and `model validate` find them: in the
// store, fetched as `pull` does, or in a folder of the caller's; and a file that was made here.
#pragma once

#include "context.hpp"

#include <locara/engine/model_file.hpp>
#include <locara/manifest/verified.hpp>
#include <locara/runtime/load_gate.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace locara::cli {

/// A store and what opens its files for the engine: past the gate, with their bytes checked.
class WeightsStore {
  public:
    /// That of the user.
    static Result<WeightsStore> open(Context& context);

    /// One of its own that only remembers where files lie, and goes with this object.
    static Result<WeightsStore> open_temporary(Context& context);

    /// Past the gate, hashed, then known to the store. Refused.
    Result<store::Digest> adopt(const std::filesystem::path& path, const std::string& name);

    /// A GGUF or safetensors. Errors: those of engine::ModelFiles::open.
    Result<engine::ModelFile> open(const store::Digest& digest);

    /// The place of any file, whose bytes were checked. Errors: those of store::Store::verify.
    Result<std::filesystem::path> find(const store::Digest& digest);

  private:
    static Result<WeightsStore> open_at(const std::filesystem::path& root);

    std::optional<TempFolder> folder_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<runtime::LoadGate> gate_;   ///< Borrows the store.
    std::unique_ptr<engine::ModelFiles> files_; ///< Borrows both.
};

/// A file of a repository, and where it lies.
struct FetchedFile {
    manifest::ModelFile file;
    std::filesystem::path place;
};

class ModelWeights {
  public:
    /// Reads the manifest at `path`. `from` is a folder with the repository's files, or empty: the
    /// store, and what it lacks from the hub. Errors: those of read_file and ModelManifest::parse.
    static Result<ModelWeights>
    open(Context& context, const std::string& path, const std::string& from);

    /// The same of a manifest's text; `name` stands in errors.
    static Result<ModelWeights>
    open_text(Context& context, std::string text, const std::string& name, const std::string& from);

    const manifest::VerifiedModelManifest& manifest() const { return manifest_; }

    /// The variant's GGUF files, fetched if need be, past the gate, their bytes checked. With
    /// --dry-run it only says what would be fetched and gives none. Errors: those of fetch_model,
    /// and of engine::ModelFiles::open.
    Result<std::vector<engine::ModelFile>> get(Context& context, const manifest::Variant& variant);

    /// The same of the variant's other files: what a GGUF is converted from. Besides the errors of
    /// get, those of store::Store::verify.
    Result<std::vector<FetchedFile>> get_sources(Context& context,
                                                 const manifest::Variant& variant);

  private:
    ModelWeights(manifest::VerifiedModelManifest manifest,
                 std::filesystem::path from,
                 WeightsStore store)
        : manifest_(std::move(manifest)), from_(std::move(from)), store_(std::move(store)) {}

    enum class Kind { Weights, Sources };

    /// Brings the variant's files of that kind into the store.
    Result<std::vector<manifest::ModelFile>>
    fetch(Context& context, const manifest::Variant& variant, Kind kind);

    manifest::VerifiedModelManifest manifest_;
    std::filesystem::path from_;
    WeightsStore store_; ///< With `from` a temporary one.
};

} // namespace locara::cli
