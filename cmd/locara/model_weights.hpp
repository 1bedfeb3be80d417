// The files of a manifest's variants, where `model build` and `model validate` find them: in the
// store, fetched as `pull` does, or in a folder of the caller's.
#pragma once

#include "context.hpp"

#include <locara/engine/model_file.hpp>
#include <locara/manifest/verified.hpp>
#include <locara/runtime/load_gate.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace locara::cli {

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

  private:
    ModelWeights(manifest::VerifiedModelManifest manifest, std::filesystem::path from)
        : manifest_(std::move(manifest)), from_(std::move(from)) {}

    Status take_from_folder(const manifest::Variant& variant);

    manifest::VerifiedModelManifest manifest_;
    std::filesystem::path from_;
    std::optional<TempFolder> folder_; ///< Of the store, with `from`.
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<runtime::LoadGate> gate_;   ///< Borrows the store.
    std::unique_ptr<engine::ModelFiles> files_; ///< Borrows both.
};

} // namespace locara::cli
