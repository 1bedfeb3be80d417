#include "org_commands.hpp"

#include "audit_commands.hpp"

#include <locara/base/json.hpp>
#include <locara/hub/organizations.hpp>
#include <locara/hub/repositories.hpp>
#include <locara/hub/review_catalog.hpp>

#include <cstdio>

using namespace locara;

namespace {

Status list_as_json(const hub::Organizations& organizations,
                    const std::vector<hub::Account>& found) {
    Json list = Json::array();
    for (const hub::Account& one : found) {
        LOCARA_TRY(const auto members, organizations.members(one.key));
        LOCARA_TRY(const auto visibility, organizations.default_visibility(one.name));
        Json shown = {{"name", one.name},
                      {"full_name", one.full_name},
                      {"default_visibility", hub::render(visibility)},
                      {"members", Json::array()}};
        for (const hub::Member& member : members) {
            shown["members"].push_back(
                {{"user", member.account.name}, {"role", hub::render(member.role)}});
        }
        list.push_back(std::move(shown));
    }
    std::printf("%s\n", Json({{"organizations", std::move(list)}}).dump(2).c_str());
    return {};
}

Status list_for_people(const hub::Organizations& organizations,
                       const std::vector<hub::Account>& found) {
    for (const hub::Account& one : found) {
        LOCARA_TRY(const auto members, organizations.members(one.key));
        LOCARA_TRY(const auto visibility, organizations.default_visibility(one.name));
        std::printf("%s  %s  default %s\n",
                    one.name.c_str(),
                    one.full_name.c_str(),
                    std::string(hub::render(visibility)).c_str());
        for (const hub::Member& member : members) {
            std::printf("  %-11s  %s\n",
                        std::string(hub::render(member.role)).c_str(),
                        member.account.name.c_str());
        }
    }
    return {};
}

} // namespace

CLI::App* OrgCommands::add_verb(const char* name, const char* words) {
    CLI::App* const verb = org_->add_subcommand(name, words);
    verb->add_option("--data", data_, "folder of this hub")->required();
    return verb;
}

OrgCommands::OrgCommands(CLI::App& app)
    : org_(app.add_subcommand("org", "organizations: namespaces that several users share")) {
    org_->require_subcommand(1);
    const char* const kRoles = "admin, write, contributor, read or no_access";
    const auto add_name = [this](CLI::App* verb) {
        verb->add_option("NAME", name_, "the organization")->required();
    };
    const auto add_user = [this](CLI::App* verb) {
        verb->add_option("USER", user_, "a user of this hub")->required();
    };
    create_ = add_verb("create", "make an organization, which owns the namespace of that name");
    create_->add_option("NAME", name_, "letters, digits, '-', '_' and '.'")->required();
    create_->add_option("--full-name", full_name_, "for people; the name itself if not given");
    list_ = add_verb("list", "list organizations with their members");
    list_->add_flag("--json", json_, "print JSON");
    set_ = add_verb("set", "change what holds for an organization");
    add_name(set_);
    set_->add_option("--default-visibility",
                     visibility_,
                     "public or private: what is made in it, if its maker does not say")
        ->required();
    rm_ = add_verb("rm", "remove an organization that has no repositories any more");
    add_name(rm_);
    confirmation_.add_to(rm_);
    add_member_ = add_verb("add-member", "let a user belong to an organization");
    add_name(add_member_);
    add_user(add_member_);
    add_member_->add_option("--role", role_, kRoles)->capture_default_str();
    set_role_ = add_verb("set-role", "give a member another role");
    add_name(set_role_);
    add_user(set_role_);
    set_role_->add_option("ROLE", role_, kRoles)->required();
    remove_member_ = add_verb("remove-member", "a user no longer belongs to an organization");
    add_name(remove_member_);
    add_user(remove_member_);
}

Status OrgCommands::run() const {
    LOCARA_TRY(const hub::OrgRole role, hub::parse_org_role(role_));
    LOCARA_TRY(auto organizations, hub::Organizations::open(data_));
    if (create_->parsed()) {
        LOCARA_TRY(const hub::Account made,
                   organizations.create(name_, full_name_, system_clock().now()));
        std::printf("organization  %s  %s\n", made.id.c_str(), made.name.c_str());
        return record(data_, "org-created", {{"org", made.name}});
    }
    if (list_->parsed()) {
        LOCARA_TRY(const auto found, organizations.list());
        return json_ ? list_as_json(organizations, found) : list_for_people(organizations, found);
    }
    if (set_->parsed()) {
        LOCARA_TRY(const auto visibility, hub::parse_visibility(visibility_));
        LOCARA_CHECK(organizations.set_default_visibility(name_, visibility));
        return record(data_,
                      "org-changed",
                      {{"org", name_}, {"default_visibility", hub::render(visibility)}});
    }
    if (rm_->parsed()) {
        if (!confirmation_.ask("Remove the organization " + name_ + "?")) {
            return {};
        }
        LOCARA_CHECK(hub::check_lists_nothing_of(data_, name_));
        LOCARA_CHECK(organizations.remove(name_));
        return record(data_, "org-removed", {{"org", name_}});
    }
    Json member = {{"org", name_}, {"user", user_}};
    if (remove_member_->parsed()) {
        LOCARA_CHECK(organizations.remove_member(name_, user_));
        return record(data_, "member-removed", std::move(member));
    }
    member["role"] = hub::render(role);
    if (add_member_->parsed()) {
        LOCARA_CHECK(organizations.add_member(name_, user_, role));
        return record(data_, "member-added", std::move(member));
    }
    LOCARA_CHECK(organizations.set_role(name_, user_, role));
    return record(data_, "member-role", std::move(member));
}
