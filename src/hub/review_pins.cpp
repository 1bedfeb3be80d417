#include "review_pins.hpp"

#include "layout.hpp"

#include <locara/hub/git_repo.hpp>

#include <optional>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

/// Where the files of a model are, if they are here.
struct PinnedCommit {
    Repo repo;
    GitRepo git;
};

class PinCheck {
  public:
    PinCheck(const fs::path& data, const Names& names, const cas::Cas& chunks, PinDepth depth)
        : data_(data), names_(names), chunks_(chunks), depth_(depth) {}

    Status add(const manifest::ModelManifest& model) {
        LOCARA_TRY(const auto here, find_commit(model));
        Json files = Json::array();
        for (const manifest::Variant& variant : model.variants) {
            for (const manifest::ModelFile& file : variant.files) {
                std::string state = "elsewhere";
                if (here) {
                    LOCARA_TRY(state, check(*here, model, file));
                }
                files.push_back({{"path", file.path},
                                 {"variant", variant.name},
                                 {"sha256", file.sha256.render()},
                                 {"size", file.size},
                                 {"state", state}});
            }
        }
        report_.models.push_back({{"model", model.id.render()},
                                  {"version", model.version.render()},
                                  {"repository", model.source.repo},
                                  {"revision", model.source.revision},
                                  {"files", std::move(files)}});
        return {};
    }

    PinReport take() { return std::move(report_); }

  private:
    /// Nothing for what is not here, or mirrored: then upstream has the commit.
    Result<std::optional<PinnedCommit>> find_commit(const manifest::ModelManifest& model) {
        const std::size_t slash = model.source.repo.find('/');
        if (slash == std::string::npos) {
            return std::optional<PinnedCommit>();
        }
        const RepoId id{RepoType::Model,
                        model.source.repo.substr(0, slash),
                        model.source.repo.substr(slash + 1)};
        LOCARA_TRY(const auto repo, names_.find_repo(id));
        if (!repo || repo->origin != Origin::Here) {
            return std::optional<PinnedCommit>();
        }
        LOCARA_TRY(GitRepo git, GitRepo::open(repo_folder(data_ / kRepos, repo->internal)));
        const auto commit = git.resolve(model.source.revision);
        if (!commit || *commit != model.source.revision) {
            return std::optional<PinnedCommit>();
        }
        return std::optional(PinnedCommit{*repo, std::move(git)});
    }

    Result<std::string> check(const PinnedCommit& here,
                              const manifest::ModelManifest& model,
                              const manifest::ModelFile& file) {
        const std::string what = model.id.render() + " " + model.version.render() + ": " +
                                 file.path + " of " + model.source.repo + "@" +
                                 model.source.revision;
        const auto wrong = [this, &what](const std::string& why) {
            report_.wrong.push_back(what + " " + why);
            return std::string("wrong");
        };
        LOCARA_TRY(const auto entry, here.git.find(model.source.revision, file.path));
        if (!entry || entry->kind != GitEntry::Kind::File) {
            return wrong("is not there");
        }
        if (entry->size() != file.size) {
            return wrong("has " + std::to_string(entry->size()) + " bytes, the manifest says " +
                         std::to_string(file.size));
        }
        if (!entry->lfs) { // git holds it: reading it is cheap.
            LOCARA_TRY(const std::string blob, here.git.read_blob(entry->oid, file.size));
            return crypto::sha256(as_bytes(blob)) == file.sha256
                       ? std::string("verified")
                       : wrong("is not what its manifest pins");
        }
        if (entry->lfs->sha256 != file.sha256) {
            return wrong("is sha256:" + entry->lfs->sha256.render() +
                         ", the manifest says sha256:" + file.sha256.render());
        }
        LOCARA_TRY(const auto stored, names_.find_file(here.repo.key, file.sha256));
        if (!stored) {
            return wrong("has no content here");
        }
        if (depth_ == PinDepth::Resolve) {
            return std::string("resolved");
        }
        crypto::Sha256 hash;
        std::uint64_t size = 0;
        LOCARA_CHECK(chunks_.read(stored->xet, std::nullopt, [&](ByteView piece) -> Status {
            hash.update(piece);
            size += piece.size();
            return {};
        }));
        return hash.finish() == file.sha256 && size == file.size
                   ? std::string("verified")
                   : wrong("has other bytes in the chunk store than its name says");
    }

    const fs::path& data_;
    const Names& names_;
    const cas::Cas& chunks_;
    const PinDepth depth_;
    PinReport report_;
};

} // namespace

Result<PinReport> check_pins(const fs::path& data,
                             const Names& names,
                             const cas::Cas& chunks,
                             const std::vector<manifest::ModelManifest>& models,
                             PinDepth depth) {
    PinCheck check(data, names, chunks, depth);
    for (const manifest::ModelManifest& model : models) {
        LOCARA_CHECK(check.add(model));
    }
    return check.take();
}

} // namespace locara::hub
