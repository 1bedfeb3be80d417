#include "review_pins.hpp"

#include "content_gate.hpp"
#include "layout.hpp"

#include <locara/formats/verdict_json.hpp>
#include <locara/gate/gate.hpp>
#include <locara/policy/doors.hpp>

#include <optional>

namespace locara::hub {
namespace {

/// What a catalog lists is held to more: model_desk.cpp.
constexpr policy::Door kDoor = policy::Door::Review;

class PinCheck {
  public:
    PinCheck(const ReviewSources& sources, PinDepth depth) : sources_(sources), depth_(depth) {}

    Status add(const manifest::ModelManifest& model) {
        LOCARA_TRY(const auto here,
                   find_pinned_commit(sources_.data, sources_.names, model.source));
        Json files = Json::array();
        for (const manifest::Variant& variant : model.variants) {
            for (const manifest::ModelFile& file : variant.files) {
                Found found{"elsewhere", Json()};
                if (here) {
                    LOCARA_TRY(found, check(*here, model, file));
                }
                files.push_back({{"path", file.path},
                                 {"variant", variant.name},
                                 {"sha256", file.sha256.render()},
                                 {"size", file.size},
                                 {"state", std::move(found.state)},
                                 {"verdict", std::move(found.verdict)}});
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
    struct Found {
        std::string state;
        Json verdict; ///< As PinReport has it.
    };

    Result<Found> check(const PinnedCommit& here,
                        const manifest::ModelManifest& model,
                        const manifest::ModelFile& file) {
        const std::string what = model.id.render() + " " + model.version.render() + ": " +
                                 file.path + " of " + model.source.repo + "@" +
                                 model.source.revision;
        const auto wrong = [this, &what](const std::string& why) {
            report_.wrong.emplace_back(ErrorCode::Corrupt, what + " " + why);
            return Found{"wrong", Json()};
        };
        const auto refused = [this, &what](const Status& status) {
            report_.wrong.push_back(status.error());
            return Found{"wrong", Json()};
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
            if (crypto::sha256(as_bytes(blob)) != file.sha256) {
                return wrong("is not what its manifest pins");
            }
            LOCARA_TRY(const auto verdict,
                       judge(*entry, formats::MemorySource(as_bytes(blob)), file.path));
            const Status fine = check_verdict(what, verdict);
            return fine ? Found{"verified", shown(verdict)} : refused(fine);
        }
        if (entry->lfs->sha256 != file.sha256) {
            return wrong("is sha256:" + entry->lfs->sha256.render() +
                         ", the manifest says sha256:" + file.sha256.render());
        }
        LOCARA_TRY(const auto stored, sources_.names.find_file(here.repo.key, file.sha256));
        if (!stored) {
            return wrong("has no content here");
        }
        const StoredSource content(sources_.cas, stored->xet, file.size);
        LOCARA_TRY(const auto verdict, judge(*entry, content, file.path));
        if (const Status fine = check_verdict(what, verdict); !fine) {
            return refused(fine);
        }
        if (depth_ == PinDepth::Resolve) {
            return Found{"resolved", shown(verdict)};
        }
        crypto::Sha256 hash;
        std::uint64_t size = 0;
        LOCARA_CHECK(sources_.cas.read(stored->xet, std::nullopt, [&](ByteView piece) -> Status {
            hash.update(piece);
            size += piece.size();
            return {};
        }));
        return hash.finish() == file.sha256 && size == file.size
                   ? Found{"verified", shown(verdict)}
                   : wrong("has other bytes in the chunk store than its name says");
    }

    using Verdict = std::optional<formats::Verdict>;

    /// What is noted; looked at again by what the scanners know today where every byte counts.
    Result<Verdict>
    judge(const GitEntry& entry, const formats::ByteSource& content, const std::string& path) {
        const std::string id = content_id(entry);
        const std::string name = name_of(path);
        if (depth_ == PinDepth::Resolve) {
            LOCARA_TRY(auto known, sources_.verdicts.find(id, name));
            return known ? Verdict(std::move(known->verdict)) : std::nullopt;
        }
        LOCARA_TRY(auto verdict, judge_content(sources_.verdicts, sources_.clock, id, name, [&] {
                       return gate::shared_gate().examine(content, name);
                   }));
        if (policy::answer(kDoor, verdict) == policy::Answer::Later) {
            LOCARA_CHECK(policy::check(kDoor, path, verdict));
        }
        return Verdict(std::move(verdict));
    }

    static Status check_verdict(const std::string& what, const Verdict& verdict) {
        if (verdict) {
            return policy::check(kDoor, what, *verdict);
        }
        static_assert(policy::answer(kDoor, policy::Class::Unseen) == policy::Answer::Admit);
        return {};
    }

    static Json shown(const Verdict& verdict) {
        return verdict && policy::answer(kDoor, *verdict) == policy::Answer::Curator
                   ? formats::render_verdict(*verdict)
                   : Json();
    }

    const ReviewSources& sources_;
    const PinDepth depth_;
    PinReport report_;
};

} // namespace

Result<std::optional<PinnedCommit>> find_pinned_commit(const std::filesystem::path& data,
                                                       const Names& names,
                                                       const manifest::Source& source) {
    const auto id = RepoId::parse(RepoType::Model, source.repo);
    if (!id) {
        return std::optional<PinnedCommit>();
    }
    LOCARA_TRY(const auto repo, names.find_repo(*id));
    if (!repo || repo->origin != Origin::Here) {
        return std::optional<PinnedCommit>();
    }
    LOCARA_TRY(GitRepo git, GitRepo::open(repo_folder(data / kRepos, repo->internal)));
    const auto commit = git.resolve(source.revision);
    if (!commit || *commit != source.revision) {
        return std::optional<PinnedCommit>();
    }
    return std::optional(PinnedCommit{*repo, std::move(git)});
}

Result<PinReport> check_pins(const ReviewSources& sources,
                             const std::vector<manifest::ModelManifest>& models,
                             PinDepth depth) {
    PinCheck check(sources, depth);
    for (const manifest::ModelManifest& model : models) {
        LOCARA_CHECK(check.add(model));
    }
    return check.take();
}

} // namespace locara::hub
