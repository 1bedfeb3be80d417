#include "mirror_commands.hpp"

#include "audit_commands.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/json.hpp>
#include <locara/hub/upkeep.hpp>

#include <cstdio>

using namespace locara;

MirrorCommands::MirrorCommands(CLI::App& app)
    : group_(app.add_subcommand("mirror", "what is here of the hub that this one mirrors")),
      list_(group_->add_subcommand("list", "list mirrored repositories and what they take")),
      remove_(
          group_->add_subcommand("rm", "forget a mirrored repository; gc gives the space back")) {
    group_->require_subcommand(1);
    for (CLI::App* const verb : {list_, remove_}) {
        verb->add_option("--data", data_, "folder of this hub; it may be serving")->required();
    }
    for (CLI::App* const verb : {list_, remove_}) {
        verb->add_flag("--json", json_, "the result as one JSON object");
    }
    confirmation_.add_to(remove_);
    remove_->add_option("ID", id_, "as in the list")->required();
}

Status MirrorCommands::run() const {
    if (list_->parsed()) {
        return list();
    }
    if (!confirmation_.ask("Forget " + id_ + " and what is here of it?")) {
        return {};
    }
    LOCARA_CHECK(hub::remove_mirrored(data_, id_));
    LOCARA_CHECK(record(data_, "mirrored-removed", {{"repo", id_}}));
    if (json_) {
        const Json words = {{"schema", "locara-hub.mirror-removed/1"}, {"id", id_}};
        std::printf("%s\n", words.dump().c_str());
    } else {
        std::printf("forgot %s; gc gives its space back\n", id_.c_str());
    }
    return {};
}

Status MirrorCommands::list() const {
    LOCARA_TRY(const auto repos, hub::list_mirrored(data_));
    if (json_) {
        Json listed = Json::array();
        for (const hub::MirroredRepo& repo : repos) {
            listed.push_back({{"id", repo.id},
                              {"restricted", repo.restricted},
                              {"files", repo.files},
                              {"bytes", repo.bytes},
                              {"used", repo.used ? Json(render_time(*repo.used)) : Json()}});
        }
        const Json words = {{"schema", "locara-hub.mirror/1"}, {"repositories", std::move(listed)}};
        std::printf("%s\n", words.dump().c_str());
        return {};
    }
    for (const hub::MirroredRepo& repo : repos) {
        std::printf("%10s  %5llu files  %s  %s%s\n",
                    render_size(repo.bytes).c_str(),
                    static_cast<unsigned long long>(repo.files),
                    repo.used ? render_time(*repo.used).c_str() : "never used          ",
                    repo.id.c_str(),
                    repo.restricted ? "  (restricted)" : "");
    }
    return {};
}
