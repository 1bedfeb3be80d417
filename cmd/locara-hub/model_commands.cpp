#include "model_commands.hpp"

#include "audit_commands.hpp"

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/base/line.hpp>
#include <locara/manifest/app_manifest.hpp>
#include <locara/manifest/license_json.hpp>
#include <locara/manifest/model_signature.hpp>

#include <cstdio>
#include <optional>

using namespace locara;
using hub::ModelDesk;

namespace {

Json text_or_null(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

std::string name_of(const manifest::ModelManifest& model) {
    return model.id.render() + " " + model.version.render();
}

std::string source_of(const manifest::ModelManifest& model) {
    return model.source.repo + "@" + model.source.revision;
}

/// What may be done with it, and what of that a person must know.
void print_license(const ModelDesk::Added& added) {
    const auto& model = added.manifest;
    const auto license = manifest::effective_license(model);
    const auto tell = [](const char* what, const std::string& text) {
        std::printf("  %-9s %s\n", what, clean_line(text).c_str());
    };
    tell("license", model.license.id + ": " + manifest::describe(license));
    for (const manifest::Ancestor& base : model.lineage) {
        tell("from", manifest::describe(base));
    }
    for (const std::string& conflict : license.conflicts) {
        tell("conflict", conflict);
    }
    for (const auto& terms : license.to_accept) {
        tell("ask", "who installs it must accept " + terms.id + " by name");
    }
    for (const std::string& repo : added.unseen_cards) {
        tell("unseen",
             "the card of " + repo +
                 " at that commit is not here: nobody held license and lineage against it");
    }
}

void print_added(const ModelDesk::Added& added) {
    std::printf("%s, sha256:%s\n  of %s\n",
                name_of(added.manifest).c_str(),
                added.digest.render().c_str(),
                source_of(added.manifest).c_str());
    print_license(added);
    for (const Json& file : added.pins.at("files")) {
        const bool here = file.at("state") == "verified";
        std::printf("  %-9s %s (%s)%s\n",
                    file.at("state").get<std::string>().c_str(),
                    file.at("path").get<std::string>().c_str(),
                    file.at("variant").get<std::string>().c_str(),
                    here ? "" : ", which is not on this hub: clients get it from where it is");
        if (const Json& verdict = file.at("verdict"); verdict.is_object()) {
            std::printf("            flagged by the gate, so no engine loads it: %s (%s)\n",
                        verdict.at("reason").get<std::string>().c_str(),
                        verdict.at("rule").get<std::string>().c_str());
        }
    }
    if (added.is_private) {
        std::printf("  private: %s may be read by those with access to it only, so nobody else can "
                    "install what needs this model. `locara-hub repo set` makes it public\n",
                    added.manifest.source.repo.c_str());
    }
    if (added.signed_by.empty()) {
        std::printf(
            "  unsigned: only this catalog vouches for its files, and everyone sees that. Sign "
            "them with `locara model sign` and give --signature\n");
    } else {
        std::printf("  signed by the key %s%s\n",
                    added.signed_by.c_str(),
                    added.signed_here ? ", here and now" : "");
    }
    if (!added.warning.empty()) {
        std::printf("  warning: %s\n", added.warning.c_str());
    }
}

std::string words_of_signature(const hub::ListedModel& model) {
    return !model.signed_by.empty() ? "signed by the key " + model.signed_by
           : model.has_signature    ? "signed by a key that is none of the catalog's: nobody can "
                                      "install it until `locara-hub model add --signature`"
                                    : "unsigned: only this catalog vouches for its files";
}

} // namespace

ModelCommands::ModelCommands(CLI::App& app)
    : model_(app.add_subcommand("model", "which models the catalog lists")),
      add_(model_->add_subcommand("add", "put a validated model manifest into the catalog")),
      remove_(model_->add_subcommand("rm", "take a model out again; who has it keeps it")),
      list_(model_->add_subcommand("list", "what is listed, and who signed it")) {
    model_->require_subcommand(1);
    model_->footer("Examples:\n"
                   "  locara-hub model add manifest.json --signature model.sig --data DATA\n"
                   "  locara-hub model list --data DATA\n"
                   "  locara-hub model rm acme/tiny@1.0.0 --data DATA");
    add_->add_option("MANIFEST", manifest_, "as `locara model validate` left it")->required();
    add_->add_option("--signature",
                     signature_,
                     "model.sig of `locara model sign`, by a key of the role models; else the hub "
                     "signs if it has that key and the weights, or refuses");
    add_->add_flag("--unsigned",
                   unsigned_,
                   "list it although nobody signed its files; the log and everyone who is shown "
                   "the model are told")
        ->excludes("--signature");
    add_->footer(
        "Examples:\n"
        "  locara-hub model add manifest.json --signature model.sig --data DATA\n"
        "  locara-hub model add manifest.json --signature model.sig --to DRAFTS --data DATA\n"
        "  locara-hub keys sign DRAFTS/3.models.json --keys KEYS\n"
        "  locara-hub keys import DRAFTS/3.models.json --data DATA");
    remove_->add_option("MODEL", ref_, "ORG/NAME, or ORG/NAME@VERSION for one version")->required();
    remove_->footer("Examples:\n"
                    "  locara-hub model rm acme/tiny@1.0.0 --data DATA");
    list_->footer("Examples:\n"
                  "  locara-hub model list --json --data DATA");
    for (CLI::App* const verb : {add_, remove_, list_}) {
        access_.add_data(verb);
        verb->add_flag("--json", json_, "the result as one JSON object");
    }
    for (CLI::App* const verb : {add_, remove_}) {
        access_.add_to(verb);
        access_.add_passphrase(verb);
    }
    configuration_.add_to(add_);
}

Status ModelCommands::run() const {
    return add_->parsed() ? add() : remove_->parsed() ? remove() : list();
}

Status ModelCommands::finish(catalog::Repository repository,
                             const std::vector<catalog::Target>& before) const {
    const auto changes = hub::model_changes(before, repository.targets());
    if (changes.empty()) {
        if (!json_) {
            std::printf("The catalog has it like this already.\n");
        }
        return {};
    }
    LOCARA_CHECK(access_.finish(
        repository, {"models"}, json_ ? CatalogAccess::Tell::No : CatalogAccess::Tell::Yes));
    // A draft is no word yet: `keys import` notes it.
    return access_.to.empty() ? record_models(access_.data, changes) : Status();
}

Status ModelCommands::add() const {
    LOCARA_CHECK(configuration_.start(access_.data)); // whose scanners judge the weights
    LOCARA_TRY(const std::string text, read_file(manifest_, manifest::kManifestLimitBytes));
    std::optional<std::string> signature;
    if (!signature_.empty()) {
        LOCARA_TRY(signature, read_file(signature_, manifest::kModelSignatureLimitBytes));
    }
    LOCARA_TRY(auto desk, ModelDesk::open(access_.data, system_clock()));
    LOCARA_TRY(auto repository, access_.load());
    const auto before = repository.targets();
    LOCARA_TRY(const auto added,
               desk.stage(text,
                          signature,
                          unsigned_ ? hub::IfUnsigned::List : hub::IfUnsigned::Refuse,
                          repository));
    if (!json_) {
        print_added(added);
    }
    LOCARA_CHECK(finish(std::move(repository), before));
    if (json_) {
        std::printf(
            "%s\n",
            render_json({{"schema", "locara-hub.model-add/1"},
                         {"model", added.manifest.id.render()},
                         {"version", added.manifest.version.render()},
                         {"manifest", "sha256:" + added.digest.render()},
                         {"repo", added.manifest.source.repo},
                         {"revision", added.manifest.source.revision},
                         {"license",
                          manifest::render_license(added.manifest.license.id,
                                                   manifest::effective_license(added.manifest))},
                         {"unseen_cards", added.unseen_cards},
                         {"files", added.pins.at("files")},
                         {"signed_by", text_or_null(added.signed_by)},
                         {"signed_here", added.signed_here},
                         {"new", added.is_new},
                         {"private", added.is_private},
                         {"new_signature", added.new_signature},
                         {"warning", text_or_null(added.warning)},
                         {"to", text_or_null(access_.to)}})
                .c_str());
    }
    return {};
}

Status ModelCommands::remove() const {
    const std::size_t at = ref_.find('@');
    LOCARA_TRY(const auto id, manifest::ModelId::parse(ref_.substr(0, at)));
    std::optional<manifest::Version> version;
    if (at != std::string::npos) {
        LOCARA_TRY(version, manifest::Version::parse(ref_.substr(at + 1)));
    }
    LOCARA_TRY(auto desk, ModelDesk::open(access_.data, system_clock()));
    LOCARA_TRY(auto repository, access_.load());
    const auto before = repository.targets();
    LOCARA_TRY(const auto removed, desk.unstage(id, version, repository));
    LOCARA_CHECK(finish(std::move(repository), before));
    if (json_) {
        std::printf("%s\n",
                    render_json({{"schema", "locara-hub.model-rm/1"},
                                 {"model", id.render()},
                                 {"versions", removed.versions},
                                 {"pinned_by", removed.pinned_by},
                                 {"to", text_or_null(access_.to)}})
                        .c_str());
        return {};
    }
    for (const std::string& one : removed.versions) {
        std::printf("%s %s is out of the catalog%s\n",
                    id.render().c_str(),
                    one.c_str(),
                    access_.to.empty() ? "" : " once that is signed and imported");
    }
    for (const std::string& app : removed.pinned_by) {
        std::printf(
            "  %s pins it: unless it has a fallback, nobody can install that app any more\n",
            app.c_str());
    }
    return {};
}

Status ModelCommands::list() const {
    LOCARA_TRY(const auto desk, ModelDesk::open(access_.data, system_clock()));
    LOCARA_TRY(const auto repository,
               catalog::Repository::load(std::filesystem::path(access_.data) / "catalog",
                                         std::filesystem::path(access_.data) / "keys"));
    LOCARA_TRY(const auto models, desk.list(repository));
    if (json_) {
        Json list = Json::array();
        for (const hub::ListedModel& model : models) {
            list.push_back({{"model", model.manifest.id.render()},
                            {"version", model.manifest.version.render()},
                            {"manifest", "sha256:" + model.digest.render()},
                            {"repo", model.manifest.source.repo},
                            {"revision", model.manifest.source.revision},
                            {"license", model.manifest.license.id},
                            {"signature", model.has_signature},
                            {"signed_by", text_or_null(model.signed_by)}});
        }
        std::printf("%s\n",
                    render_json({{"schema", "locara-hub.models/1"}, {"models", list}}).c_str());
        return {};
    }
    for (const hub::ListedModel& model : models) {
        std::printf("%s  sha256:%s\n  %s, %s\n  %s\n",
                    name_of(model.manifest).c_str(),
                    model.digest.render().c_str(),
                    source_of(model.manifest).c_str(),
                    model.manifest.license.id.c_str(),
                    words_of_signature(model).c_str());
    }
    if (models.empty()) {
        std::printf("the catalog lists no model yet; see `locara-hub model add --help`\n");
    }
    return {};
}

Status record_models(const std::string& data, const std::vector<hub::ModelChange>& changes) {
    if (changes.empty()) {
        return {};
    }
    for (const hub::ModelChange& change : changes) {
        LOCARA_CHECK(record(data,
                            change.event,
                            {{"model", change.model},
                             {"version", change.version},
                             {"manifest", change.manifest},
                             {"signed", change.has_signature}}));
    }
    LOCARA_TRY(auto desk, ModelDesk::open(data, system_clock()));
    return desk.note(changes);
}

void print_resigned(const hub::Resigned& resigned) {
    for (const std::string& model : resigned.done) {
        std::printf("%s: its signature was of a key that goes; made anew by one that stays\n",
                    model.c_str());
    }
    for (const std::string& model : resigned.left) {
        std::printf(
            "%s: its signature is of a key that goes, and no other is here. Until it is "
            "replaced nobody can install it: `locara model sign` with another key of models, "
            "then `locara-hub model add MANIFEST --signature model.sig`\n",
            model.c_str());
    }
}
