#include "catalog_files.hpp"
#include "database.hpp"
#include "layout.hpp"
#include "pinned_card.hpp"
#include "review_pins.hpp"
#include "verdict_store.hpp"

#include <locara/catalog/takedown.hpp>
#include <locara/hub/model_desk.hpp>
#include <locara/hub/reviews.hpp>
#include <locara/manifest/app_entry.hpp>
#include <locara/policy/doors.hpp>

#include <algorithm>
#include <set>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModels = "models";
constexpr std::uint64_t kBlobLimit = 64U << 20U; ///< Of a file that git itself holds.

std::string name_of_model(const manifest::ModelManifest& model) {
    return model.id.render() + " " + model.version.render();
}

const catalog::Target* find_target(const std::vector<catalog::Target>& targets,
                                   const std::string& name) {
    const auto at = std::find_if(
        targets.begin(), targets.end(), [&](const auto& target) { return target.name == name; });
    return at == targets.end() ? nullptr : &*at;
}

/// What a target is listed as; empty where it is not.
std::string digest_of(const catalog::Target* target) {
    if (target == nullptr) {
        return "";
    }
    const auto hash = target->hashes.find("sha256");
    return hash == target->hashes.end() ? "" : hash->second;
}

bool is_manifest(const catalog::Target& target) {
    return target.role == kModels && target.name.ends_with(".json");
}

/// `models/acme/tiny/1.0.0.json` to "acme/tiny" and "1.0.0".
std::pair<std::string, std::string> split_target(const std::string& name) {
    const fs::path path = name;
    const fs::path folder = path.parent_path();
    return {(folder.parent_path().filename() / folder.filename()).generic_string(),
            path.stem().string()};
}

std::string signature_beside(const std::string& manifest_target) {
    return fs::path(manifest_target).replace_extension(".sig").generic_string();
}

bool all_verified(const Json& model) {
    const Json& files = model.at("files");
    return std::all_of(files.begin(), files.end(), [](const Json& file) {
        return file.at("state") == "verified";
    });
}

/// Gives what the list warns of, if it does.
Result<std::string> check_takedown(const manifest::ModelManifest& model,
                                   const crypto::Sha256Digest& digest,
                                   const catalog::TakedownList& list) {
    const auto taken = list.find(catalog::takedown_names(model, digest));
    if (!taken) {
        return std::string();
    }
    LOCARA_CHECK(policy::check(policy::Door::Catalog, name_of_model(model), taken));
    return name_of_model(model) + " was called back on " + taken->date + ": " + taken->reason;
}

/// Every file of a commit, by its SHA-256: of large files as they were verified when they came.
Result<std::map<std::string, crypto::Sha256Digest>> list_files(const PinnedCommit& here,
                                                               const std::string& commit) {
    std::map<std::string, crypto::Sha256Digest> files;
    LOCARA_TRY(const auto entries, here.git.list(commit, "", GitRepo::Recursive::Yes));
    for (const GitEntry& entry : entries) {
        if (entry.kind == GitEntry::Kind::Directory) {
            continue;
        }
        if (entry.lfs) {
            files.emplace(entry.path, entry.lfs->sha256);
        } else {
            LOCARA_TRY(const std::string bytes, here.git.read_blob(entry.oid, kBlobLimit));
            files.emplace(entry.path, crypto::sha256(as_bytes(bytes)));
        }
    }
    return files;
}

} // namespace

struct ModelDesk::State {
    State(fs::path folder,
          const Clock& c,
          std::shared_ptr<Database> d,
          std::unique_ptr<cas::Backend> b)
        : data(std::move(folder)), names(d), verdicts(std::move(d)), backend(std::move(b)),
          chunks(*backend, {.clock = &c}), clock(c) {}

    ReviewSources sources() const { return {data, names, verdicts, chunks, clock}; }

    fs::path tree() const { return data / "catalog"; }

    Status check_gate(const manifest::ModelManifest& model,
                      const std::optional<PinnedCommit>& here) const;
    Status sign(Added& added,
                const std::optional<std::string>& signature,
                const std::optional<PinnedCommit>& here,
                catalog::Repository& repository) const;

    const fs::path data;
    Names names;
    const VerdictStore verdicts;
    const std::unique_ptr<cas::Backend> backend;
    cas::Cas chunks;
    const Clock& clock;
};

ModelDesk::ModelDesk(std::unique_ptr<State> state) : state_(std::move(state)) {}

ModelDesk::ModelDesk(ModelDesk&&) noexcept = default;
ModelDesk& ModelDesk::operator=(ModelDesk&&) noexcept = default;
ModelDesk::~ModelDesk() = default;

Result<ModelDesk> ModelDesk::open(const fs::path& data, const Clock& clock) {
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Fail));
    LOCARA_TRY(auto backend, cas::open_directory(data / kChunks, clock));
    return ModelDesk(std::make_unique<State>(
        fs::absolute(data), clock, std::move(database), std::move(backend)));
}

/// By what the gate said when the files came, or when they were looked at again since.
Status ModelDesk::State::check_gate(const manifest::ModelManifest& model,
                                    const std::optional<PinnedCommit>& here) const {
    for (const manifest::Variant& variant : model.variants) {
        for (const manifest::ModelFile& file : variant.files) {
            std::string content = file.sha256.render();
            if (here) {
                LOCARA_TRY(const auto entry, here->git.find(model.source.revision, file.path));
                content = entry ? content_id(*entry) : content;
            }
            LOCARA_TRY(const auto verdict, verdicts.find_refusal(content));
            if (verdict) {
                LOCARA_CHECK(policy::check(
                    policy::Door::Catalog, name_of_model(model) + ": " + file.path, *verdict));
            }
        }
    }
    return {};
}

Status ModelDesk::State::sign(Added& added,
                              const std::optional<std::string>& signature,
                              const std::optional<PinnedCommit>& here,
                              catalog::Repository& repository) const {
    const std::string name =
        manifest::model_signature_target(added.manifest.id, added.manifest.version);
    const auto put = [&](const std::string& bundle, const crypto::PublicKey& key) -> Status {
        added.signed_by = key.id();
        added.new_signature = digest_of(find_target(repository.targets(), name)) !=
                              crypto::sha256(as_bytes(bundle)).render();
        return repository.put_target(name, as_bytes(bundle));
    };
    if (signature) {
        LOCARA_TRY(
            const auto statement,
            manifest::VerifiedModelStatement::verify(*signature, repository.keys_of(kModels)));
        LOCARA_CHECK(statement->check(added.manifest));
        return put(*signature, statement.signed_by());
    }
    LOCARA_TRY(added.signed_by, find_signer(repository, tree(), added.manifest));
    if (!added.signed_by.empty() || !here || !all_verified(added.pins)) {
        return {}; // Nobody signs here what is not here.
    }
    manifest::ModelStatement statement{
        added.manifest.source.repo, added.manifest.source.revision, {}};
    LOCARA_TRY(statement.files, list_files(*here, statement.revision));
    LOCARA_TRY(const auto bundle, sign_by_hub(statement, repository));
    if (!bundle) {
        return {};
    }
    added.signed_here = true;
    return put(*bundle, repository.find_signing_key(kModels)->public_key());
}

Result<ModelDesk::Added> ModelDesk::stage(const std::string& manifest,
                                          const std::optional<std::string>& signature,
                                          IfUnsigned if_unsigned,
                                          catalog::Repository& repository) {
    Added added;
    LOCARA_TRY(added.manifest, manifest::ModelManifest::parse(manifest));
    added.digest = crypto::sha256(as_bytes(manifest));
    const manifest::ModelManifest& model = added.manifest;
    LOCARA_CHECK(model.check_validated());
    LOCARA_CHECK(model.check_texts().context(name_of_model(model)));
    const std::string target = manifest::model_target(model.id, model.version);
    LOCARA_CHECK(check_never_other(repository, target, added.digest, name_of_model(model)));
    added.is_new = find_target(repository.targets(), target) == nullptr;
    LOCARA_TRY(added.warning, check_takedown(model, added.digest, repository.takedown()));
    LOCARA_TRY(const auto here, find_pinned_commit(state_->data, state_->names, model.source));
    LOCARA_CHECK(state_->check_gate(model, here));
    LOCARA_TRY(added.unseen_cards,
               check_cards(state_->sources(), model).context(name_of_model(model)));
    LOCARA_TRY(auto pins, check_pins(state_->sources(), {model}, PinDepth::Hash));
    if (!pins.wrong.empty()) {
        return pins.wrong.front();
    }
    static_assert(policy::answer(policy::Door::Catalog, policy::Class::Flagged) ==
                  policy::Answer::Refuse);
    if (const auto flags = flag_obstacles({{"pins", pins.models}}); !flags.empty()) {
        return Error(ErrorCode::Refused,
                     name_of_model(model) + ": " + flags.front().text + " (" + flags.front().word +
                         "), and weights that are flagged are never loaded");
    }
    added.pins = std::move(pins.models.front());
    added.is_private = here && here->repo.visibility == Visibility::Private;
    LOCARA_CHECK(state_->sign(added, signature, here, repository).context(name_of_model(model)));
    if (added.signed_by.empty() && if_unsigned == IfUnsigned::Refuse) {
        return Error(ErrorCode::Refused,
                     name_of_model(model) +
                         " has no signature of a key of models: `locara model sign` makes one, "
                         "which goes with --signature. To list it without, so that this catalog "
                         "alone vouches for its files and everyone sees that, pass --unsigned");
    }
    if (here) {
        LOCARA_TRY(GitRepo git,
                   GitRepo::open(repo_folder(state_->data / kRepos, here->repo.internal)));
        LOCARA_CHECK(git.pin(model.source.revision));
    }
    LOCARA_CHECK(repository.put_target(target, as_bytes(manifest)));
    return added;
}

Result<ModelDesk::Removed> ModelDesk::unstage(const manifest::ModelId& id,
                                              const std::optional<manifest::Version>& version,
                                              catalog::Repository& repository) const {
    Removed removed;
    std::set<std::string> digests;
    const auto targets = repository.targets();
    for (const catalog::Target& target : targets) {
        const auto [model, number] = split_target(target.name);
        if (!is_manifest(target) || model != id.render() ||
            (version && number != version->render())) {
            continue;
        }
        LOCARA_CHECK(repository.remove_target(target.name));
        if (find_target(targets, signature_beside(target.name)) != nullptr) {
            LOCARA_CHECK(repository.remove_target(signature_beside(target.name)));
        }
        removed.versions.push_back(number);
        digests.insert(digest_of(&target));
    }
    if (removed.versions.empty()) {
        return Error(ErrorCode::NotFound,
                     "the catalog has no model " + id.render() +
                         (version ? " " + version->render() : ""));
    }
    for (const catalog::Target& target : targets) {
        if (target.role != "apps" || !target.name.ends_with(".json")) {
            continue;
        }
        LOCARA_TRY(const std::string text, read_target(state_->tree(), target));
        LOCARA_TRY(const auto entry, manifest::AppEntry::parse(text));
        const auto& needs = entry.manifest.models;
        if (std::any_of(needs.begin(), needs.end(), [&](const manifest::ModelNeed& need) {
                return digests.contains(need.manifest.render());
            })) {
            removed.pinned_by.push_back(entry.manifest.id.render() + " " +
                                        entry.manifest.version.render());
        }
    }
    return removed;
}

Result<std::vector<ListedModel>> ModelDesk::list(const catalog::Repository& repository) const {
    std::vector<ListedModel> out;
    const auto targets = repository.targets();
    for (const catalog::Target& target : targets) {
        if (!is_manifest(target)) {
            continue;
        }
        LOCARA_TRY(const std::string text, read_target(state_->tree(), target));
        ListedModel one;
        LOCARA_TRY(one.manifest, manifest::ModelManifest::parse(text).context(target.name));
        one.digest = crypto::sha256(as_bytes(text));
        one.has_signature = find_target(targets, signature_beside(target.name)) != nullptr;
        LOCARA_TRY(one.signed_by, find_signer(repository, state_->tree(), one.manifest));
        out.push_back(std::move(one));
    }
    std::sort(out.begin(), out.end(), [](const ListedModel& a, const ListedModel& b) {
        return a.manifest.id != b.manifest.id ? a.manifest.id < b.manifest.id
                                              : a.manifest.version < b.manifest.version;
    });
    return out;
}

Status ModelDesk::note(const std::vector<ModelChange>& changes) {
    LOCARA_TRY(const auto repository,
               catalog::Repository::load(state_->tree(), state_->data / "keys"));
    LOCARA_TRY(const auto models, list(repository));
    for (const ListedModel& model : models) {
        if (std::none_of(changes.begin(), changes.end(), [&](const ModelChange& change) {
                return change.manifest == model.digest.render();
            })) {
            continue;
        }
        LOCARA_TRY(const auto here,
                   find_pinned_commit(state_->data, state_->names, model.manifest.source));
        if (here) {
            RepoFacts facts = here->repo.facts;
            facts.manifest = model.digest.render();
            LOCARA_CHECK(state_->names.set_facts(here->repo.key, facts));
        }
    }
    return {};
}

std::vector<ModelChange> model_changes(const std::vector<catalog::Target>& before,
                                       const std::vector<catalog::Target>& after) {
    std::vector<ModelChange> changes;
    const auto add = [&](const char* event,
                         const catalog::Target& target,
                         const std::vector<catalog::Target>& beside) {
        auto [model, version] = split_target(target.name);
        changes.push_back({event,
                           std::move(model),
                           std::move(version),
                           digest_of(&target),
                           find_target(beside, signature_beside(target.name)) != nullptr});
    };
    for (const catalog::Target& target : after) {
        if (!is_manifest(target)) {
            continue;
        }
        const std::string signature = signature_beside(target.name);
        if (digest_of(find_target(before, target.name)) != digest_of(&target)) {
            add("model-added", target, after);
        } else if (digest_of(find_target(before, signature)) !=
                   digest_of(find_target(after, signature))) {
            add("model-signed", target, after);
        }
    }
    for (const catalog::Target& target : before) {
        if (is_manifest(target) && find_target(after, target.name) == nullptr) {
            add("model-removed", target, before);
        }
    }
    return changes;
}

Status check_never_other(const catalog::Repository& repository,
                         const std::string& target,
                         const crypto::Sha256Digest& digest,
                         const std::string& what) {
    LOCARA_TRY(const auto published, repository.find_published(target));
    if (!published || *published == digest.render()) {
        return {};
    }
    return Error(ErrorCode::Conflict,
                 what + " was published as sha256:" + *published +
                     ", and what was published once stays as it is; this is sha256:" +
                     digest.render() + ", which needs another version");
}

Result<std::string> find_signer(const catalog::Repository& repository,
                                const fs::path& tree,
                                const manifest::ModelManifest& model) {
    const auto targets = repository.targets();
    const auto* const listed =
        find_target(targets, manifest::model_signature_target(model.id, model.version));
    if (listed == nullptr) {
        return std::string();
    }
    LOCARA_TRY(const std::string bundle, read_target(tree, *listed));
    const auto statement =
        manifest::VerifiedModelStatement::verify(bundle, repository.keys_of(kModels));
    return statement && (*statement)->check(model) ? statement->signed_by().id() : std::string();
}

Result<std::optional<std::string>> sign_by_hub(const manifest::ModelStatement& statement,
                                               const catalog::Repository& repository) {
    const crypto::SigningKey* const key = repository.find_signing_key(kModels);
    if (key == nullptr) {
        return std::optional<std::string>();
    }
    LOCARA_TRY(auto bundle, manifest::sign_model(statement, *key));
    return std::optional(std::move(bundle));
}

Result<Resigned> resign_models(catalog::Repository& repository, const fs::path& tree) {
    Resigned out;
    const auto now = repository.keys_of(kModels);
    const auto then = repository.staged_keys_of(kModels);
    for (const catalog::Target& target : repository.targets()) {
        if (target.role != kModels || !target.name.ends_with(".sig")) {
            continue;
        }
        LOCARA_TRY(const std::string bundle, read_target(tree, target));
        const auto statement = manifest::VerifiedModelStatement::verify(bundle, now);
        if (!statement || manifest::VerifiedModelStatement::verify(bundle, then)) {
            continue; // No client takes it now, or each still will.
        }
        const auto [model, version] = split_target(target.name);
        LOCARA_TRY(const auto fresh, sign_by_hub(**statement, repository));
        if (fresh) {
            LOCARA_CHECK(repository.put_target(target.name, as_bytes(*fresh)));
        }
        (fresh ? out.done : out.left).push_back(model + " " + version);
    }
    return out;
}

} // namespace locara::hub
