#include "oauth_commands.hpp"

#include "audit_commands.hpp"

#include <locara/base/json.hpp>
#include <locara/hub/oauth.hpp>

#include <cstdio>

using namespace locara;

OAuthCommands::OAuthCommands(CLI::App& app)
    : oauth_(app.add_subcommand("oauth", "programs that may ask people for tokens")) {
    oauth_->require_subcommand(1);
    const auto add_verb = [this](const char* name, const char* words) {
        CLI::App* const verb = oauth_->add_subcommand(name, words);
        verb->add_option("--data", data_, "folder of this hub")->required();
        return verb;
    };
    add_ = add_verb("add", "let a program ask");
    add_->add_option("ID", id_, "what it calls itself: its client_id")->required();
    add_->add_option("--name", name_, "for people; the id if not given");
    add_->add_option(
        "--redirect", redirects_, "an address where codes may be sent, as it stands; repeat it");
    add_->add_option("--scope",
                     scopes_,
                     "what it may ask for at most: openid, profile, email, read-repos, "
                     "write-repos; repeat it")
        ->capture_default_str();
    list_ = add_verb("list", "list them");
    list_->add_flag("--json", json_, "as JSON");
    rm_ = add_verb("rm", "remove a program, with all tokens that it got");
    rm_->add_option("ID", id_, "as in the list")->required();
}

Status OAuthCommands::run() const {
    if (add_->parsed()) {
        return add();
    }
    if (list_->parsed()) {
        return list();
    }
    LOCARA_TRY(auto oauth, hub::OAuth::open(data_));
    LOCARA_CHECK(oauth.remove_client(id_));
    return record(data_, "program-removed", {{"client", id_}});
}

Status OAuthCommands::add() const {
    hub::OAuthClient client{id_, name_.empty() ? id_ : name_, redirects_, ""};
    for (const std::string& scope : scopes_) {
        client.scopes += (client.scopes.empty() ? "" : " ") + scope;
    }
    LOCARA_TRY(auto oauth, hub::OAuth::open(data_));
    LOCARA_CHECK(oauth.add_client(client));
    return record(data_, "program-added", {{"client", id_}, {"scopes", client.scopes}});
}

Status OAuthCommands::list() const {
    LOCARA_TRY(const auto oauth, hub::OAuth::open(data_));
    LOCARA_TRY(const auto clients, oauth.clients());
    if (json_) {
        Json list = Json::array();
        for (const hub::OAuthClient& client : clients) {
            list.push_back({{"id", client.id},
                            {"name", client.name},
                            {"redirects", client.redirects},
                            {"scopes", client.scopes}});
        }
        std::printf("%s\n", Json({{"clients", std::move(list)}}).dump(2).c_str());
        return {};
    }
    for (const hub::OAuthClient& client : clients) {
        std::printf(
            "%s  %s  (%s)\n", client.id.c_str(), client.name.c_str(), client.scopes.c_str());
        for (const std::string& address : client.redirects) {
            std::printf("  %s\n", address.c_str());
        }
    }
    return {};
}
