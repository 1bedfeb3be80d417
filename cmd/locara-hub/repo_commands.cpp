#include "repo_commands.hpp"

#include "audit_commands.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/json.hpp>
#include <locara/hub/repositories.hpp>

#include <cstdio>

using namespace locara;

namespace {

Json render(const hub::OwnRepo& repo) {
    return {{"id", repo.id},
            {"type", repo.type},
            {"visibility", hub::render(repo.visibility)},
            {"gate", hub::render_gate(repo.gate)},
            {"created", render_time(repo.created)},
            {"internal", repo.internal},
            {"files", repo.files},
            {"bytes", repo.bytes}};
}

Status list(const hub::Repositories& repositories, bool json) {
    LOCARA_TRY(const auto repos, repositories.list());
    if (json) {
        Json listed = Json::array();
        for (const hub::OwnRepo& repo : repos) {
            listed.push_back(render(repo));
        }
        const Json words = {{"schema", "locara-hub.repo-list/1"},
                            {"repositories", std::move(listed)}};
        std::printf("%s\n", words.dump().c_str());
        return {};
    }
    for (const hub::OwnRepo& repo : repos) {
        std::printf("%10s  %5llu files  %-7s  %-6s  %s\n",
                    render_size(repo.bytes).c_str(),
                    static_cast<unsigned long long>(repo.files),
                    std::string(hub::render(repo.visibility)).c_str(),
                    std::string(hub::render_gate(repo.gate)).c_str(),
                    repo.id.c_str());
    }
    return {};
}

/// Shows what became of a repository.
void show(const hub::OwnRepo& repo, bool json) {
    if (json) {
        const Json words = {{"schema", "locara-hub.repo/1"}, {"repository", render(repo)}};
        std::printf("%s\n", words.dump().c_str());
        return;
    }
    std::printf("%s  %s  gate %s\n",
                repo.id.c_str(),
                std::string(hub::render(repo.visibility)).c_str(),
                std::string(hub::render_gate(repo.gate)).c_str());
}

/// The members that a line of the audit log has of a repository.
Json facts_of(const hub::OwnRepo& repo) {
    return {{"repo", repo.name},
            {"type", repo.type},
            {"private", hub::render(repo.visibility) == "private"}};
}

} // namespace

CLI::App* RepoCommands::add_verb(const char* name, const char* words) {
    CLI::App* const verb = group_->add_subcommand(name, words);
    verb->add_option("--data", data_, "folder of this hub; it may be serving")->required();
    return verb;
}

RepoCommands::RepoCommands(CLI::App& app)
    : group_(app.add_subcommand("repo", "the repositories of this hub, whoever owns them")) {
    group_->require_subcommand(1);
    list_ = add_verb("list",
                     "list them with what their large files take; what is mirrored is "
                     "listed by `mirror list`");
    create_ = add_verb("create", "make a repository in the namespace of a user or an organization");
    remove_ = add_verb("rm", "remove a repository with all in it; gc gives the space back");
    move_ = add_verb("move", "give a repository another id; the old one leads to it");
    set_ = add_verb("set", "change who may see a repository, and who may read its files");
    for (CLI::App* const verb : {create_, remove_, move_, set_}) {
        verb->add_option("ID",
                         id_,
                         "such as ana/tiny (a model), datasets/ana/notes, spaces/ana/app, "
                         "buckets/ana/box")
            ->required();
    }
    for (CLI::App* const verb : {list_, create_, remove_, move_, set_}) {
        verb->add_flag("--json", json_, "the result as one JSON object");
    }
    configuration_.add_to(create_);
    confirmation_.add_to(remove_);
    set_->add_option("--config",
                     configuration_.path,
                     "hub.toml, which says what may be public; else the one in the data folder");
    CLI::Option* const is_private =
        create_->add_flag("--private", private_, "only its owner sees it");
    create_
        ->add_flag("--public",
                   public_,
                   "everybody sees it, also where an organization makes its new ones private")
        ->excludes(is_private);
    move_->add_option("TO", to_, "NAMESPACE/NAME; its type stays")->required();
    set_->add_option("--visibility", visibility_, "public or private");
    set_->add_option(
        "--gate", gate_, "open, auto (who asks gets access) or manual (each request is decided)");
}

Status RepoCommands::run() const {
    LOCARA_TRY(const hub::ServeConfig config,
               create_->parsed() ? configuration_.start(data_)
                                 : read_configuration(configuration_.path, data_));
    LOCARA_TRY(auto repositories, hub::Repositories::open(data_, system_clock(), config.hub.repos));
    if (list_->parsed()) {
        return list(repositories, json_);
    }
    if (create_->parsed()) {
        std::optional<hub::Visibility> asked;
        if (private_ || public_) {
            LOCARA_TRY(asked, hub::parse_visibility(private_ ? "private" : "public"));
        }
        LOCARA_TRY(const hub::OwnRepo made, repositories.create(id_, asked));
        LOCARA_CHECK(record(data_, "repo-created", facts_of(made)));
        show(made, json_);
        return {};
    }
    if (remove_->parsed()) {
        LOCARA_TRY(const hub::OwnRepo found, repositories.describe(id_));
        if (!confirmation_.ask("Remove " + found.id + " with its history and " +
                               std::to_string(found.files) + " large files (" +
                               render_size(found.bytes) + ")?")) {
            return {};
        }
        LOCARA_TRY(const auto removed, repositories.remove(id_));
        const hub::OwnRepo& was = removed.was;
        LOCARA_CHECK(record(data_, "repo-removed", facts_of(was)));
        if (json_) {
            const Json words = {{"schema", "locara-hub.repo/1"},
                                {"repository", render(was)},
                                {"freed_bytes", removed.freed},
                                {"reclaimable_bytes", was.bytes}};
            std::printf("%s\n", words.dump().c_str());
        } else {
            std::printf("removed %s: %s given back; gc gives back up to %s of its large files\n",
                        was.id.c_str(),
                        render_size(removed.freed).c_str(),
                        render_size(was.bytes).c_str());
        }
        return {};
    }
    if (move_->parsed()) {
        LOCARA_TRY(const hub::OwnRepo was, repositories.move(id_, to_));
        Json fields = facts_of(was);
        fields["to"] = to_;
        LOCARA_CHECK(record(data_, "repo-moved", std::move(fields)));
        if (json_) {
            const Json words = {
                {"schema", "locara-hub.repo/1"}, {"repository", render(was)}, {"to", to_}};
            std::printf("%s\n", words.dump().c_str());
        } else {
            std::printf("moved %s to %s; the old id leads there\n", was.id.c_str(), to_.c_str());
        }
        return {};
    }
    std::optional<hub::Visibility> visibility;
    std::optional<hub::Gate> gate;
    if (!visibility_.empty()) {
        LOCARA_TRY(visibility, hub::parse_visibility(visibility_));
    }
    if (!gate_.empty()) {
        LOCARA_TRY(gate, hub::parse_gate(gate_));
    }
    if (!visibility && !gate) {
        return Error(ErrorCode::InvalidArgument,
                     "nothing to set: give --visibility, --gate or both");
    }
    LOCARA_TRY(const hub::OwnRepo now, repositories.set(id_, visibility, gate));
    Json fields = facts_of(now);
    if (now.type != "bucket") {
        fields["gated"] =
            hub::render_gate(now.gate) == "open" ? Json(false) : Json(hub::render_gate(now.gate));
    }
    LOCARA_CHECK(record(data_, "repo-settings", std::move(fields)));
    show(now, json_);
    return {};
}
