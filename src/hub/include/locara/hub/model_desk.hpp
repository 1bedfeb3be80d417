// ModelDesk: how model manifests come into a hub's catalog and out of it, whether that hub serves
// or not.
//
// Nothing here publishes: a catalog::Repository is changed, which the caller publishes or has
// signed elsewhere. Rules: docs/hub.md, "Models in the catalog". Threads and processes: as
// reviews.hpp. Calls block on the disk.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/catalog/repository.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/manifest/model_manifest.hpp>
#include <locara/manifest/model_signature.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// A manifest that the catalog lists.
struct ListedModel {
    manifest::ModelManifest manifest;
    crypto::Sha256Digest digest;
    bool has_signature = false;
    std::string signed_by; ///< Id of the key; empty if none of the role's keys made it.
};

/// One difference between two lists of targets, for the audit log.
struct ModelChange {
    std::string event;    ///< "model-added", "model-signed" or "model-removed".
    std::string model;    ///< "acme/tiny"
    std::string version;  ///< "1.0.0"
    std::string manifest; ///< SHA-256, hex.
    /// Whether a signature stands beside it now (of one that goes: stood).
    bool has_signature = false;
};

/// What to do with a model whose files nobody signed.
enum class IfUnsigned { Refuse, List };

class ModelDesk {
  public:
    /// NotFound if no hub has worked there. `clock` is borrowed.
    static Result<ModelDesk> open(const std::filesystem::path& data, const Clock& clock);

    ModelDesk(ModelDesk&&) noexcept;
    ModelDesk& operator=(ModelDesk&&) noexcept;
    ~ModelDesk();

    struct Added {
        manifest::ModelManifest manifest;
        crypto::Sha256Digest digest;
        bool is_new = false;        ///< False: it is listed already.
        bool new_signature = false; ///< Whether the catalog gets a (or another) signature.
        bool signed_here = false;   ///< The hub's own key made it just now.
        std::string signed_by;      ///< Id of the key; empty if nobody signed it.
        Json pins;                  ///< As PinReport::models, of this one model.
        bool is_private = false;    ///< Its repository is here, and only some may read it.
        std::string warning;        ///< What the takedown list warns of, or empty.
        /// Its source and what it was made from, where their cards are not here: nobody held the
        /// manifest against them.
        std::vector<std::string> unseen_cards;
    };

    /// Puts a manifest, and the signature of its files, into the catalog that `repository` is to
    /// publish. `signature` is a model.sig of a key of the role `models`; without one the listed
    /// one stays, and if there is none the hub makes it if it has that key and every file of the
    /// commit. Weights that are here are read and hashed. Errors: as ModelManifest::parse; Refused
    /// (not validated; a card that is here says of license or origin what the manifest does not; a
    /// signature of another key, or none, unless that is to be listed; the takedown list; the
    /// gate); Conflict (that version was published with other bytes); Corrupt (the signature, or a
    /// pin, is wrong).
    Result<Added> stage(const std::string& manifest,
                        const std::optional<std::string>& signature,
                        IfUnsigned if_unsigned,
                        catalog::Repository& repository);

    struct Removed {
        std::vector<std::string> versions;
        std::vector<std::string> pinned_by; ///< Listed apps that can no longer be installed.
    };

    /// Takes a model out again, in one version or all. NotFound. Who has it keeps it.
    Result<Removed> unstage(const manifest::ModelId& id,
                            const std::optional<manifest::Version>& version,
                            catalog::Repository& repository) const;

    /// By id, then version.
    Result<std::vector<ListedModel>> list(const catalog::Repository& repository) const;

    /// Notes with the repositories of this hub which manifest of the published catalog pins them.
    Status note(const std::vector<ModelChange>& changes);

  private:
    struct State;
    explicit ModelDesk(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// What became of the models between two Repository::targets(). A manifest and its signature are
/// one change.
std::vector<ModelChange> model_changes(const std::vector<catalog::Target>& before,
                                       const std::vector<catalog::Target>& after);

/// Conflict, naming `what`, if a target was published with another digest before: what was
/// published once stays as it is.
Status check_never_other(const catalog::Repository& repository,
                         const std::string& target,
                         const crypto::Sha256Digest& digest,
                         const std::string& what);

/// The signatures of models that stop being good when the keys of the role `models` change as they
/// are staged, and are good now.
struct Resigned {
    std::vector<std::string> done; ///< "acme/tiny 1.0.0"; made anew by a key that is here.
    std::vector<std::string> left; ///< No such key is here: their owners have to sign again.
};

/// Makes those signatures anew in `repository`, which is not published yet.
Result<Resigned> resign_models(catalog::Repository& repository, const std::filesystem::path& tree);

/// The id of the key that made a model's listed signature, if it is good for `model` by the keys
/// as published; empty otherwise.
Result<std::string> find_signer(const catalog::Repository& repository,
                                const std::filesystem::path& tree,
                                const manifest::ModelManifest& model);

/// The bundle of a statement, by a key of the role `models` that is here; nothing without one.
Result<std::optional<std::string>> sign_by_hub(const manifest::ModelStatement& statement,
                                               const catalog::Repository& repository);

} // namespace locara::hub
