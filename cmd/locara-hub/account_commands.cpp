#include "account_commands.hpp"

#include "audit_commands.hpp"
#include "duration.hpp"

#include <locara/base/json.hpp>
#include <locara/hub/accounts.hpp>
#include <locara/hub/review_catalog.hpp>

#include <cstdio>

using namespace locara;

namespace {

std::string render_expiry(const std::optional<TimePoint>& expires, TimePoint now) {
    if (!expires) {
        return "never";
    }
    return render_time(*expires) + (*expires <= now ? " (expired)" : "");
}

Json render(const hub::Token& token) {
    return {{"id", token.id},
            {"name", token.name},
            {"user", token.account},
            {"role", hub::render(token.role)},
            {"created", render_time(token.created)},
            {"expires", token.expires ? Json(render_time(*token.expires)) : Json()}};
}

} // namespace

AccountCommands::AccountCommands(CLI::App& app)
    : user_(app.add_subcommand("user", "the people who may write here")),
      token_(app.add_subcommand("token", "access tokens for clients")) {
    const auto add_data = [this](CLI::App* verb) {
        verb->add_option("--data", data_, "folder of this hub")->required();
    };
    user_->require_subcommand(1);
    CLI::App* const add =
        user_->add_subcommand("add", "add a user, who owns the namespace of that name");
    add_data(add);
    add->add_option("NAME", user_name_, "letters, digits, '-', '_' and '.'")->required();
    add->add_option("--full-name", full_name_, "for people; the name itself if not given");
    add->add_option("--email", email_, "where mail reaches the user; told to nobody else");
    list_users_ = user_->add_subcommand("list", "list users");
    add_data(list_users_);
    list_users_->add_flag("--json", json_, "print JSON");
    rm_ = user_->add_subcommand(
        "rm", "remove a user whose namespace is empty, with tokens and memberships");
    add_data(rm_);
    rm_->add_option("NAME", user_name_, "the user")->required();
    confirmation_.add_to(rm_);
    set_ = user_->add_subcommand("set", "change what is known of a user");
    add_data(set_);
    set_->add_option("NAME", user_name_, "the user")->required();
    set_->add_option("--email", email_, "another address; '' for none");
    set_->add_option("--website", website_, "a page of the web, shown to others; '' for none");
    set_->require_option(2, 0); // --data, and something to change

    token_->require_subcommand(1);
    create_ = token_->add_subcommand("create", "make a token and print it, this once");
    add_data(create_);
    create_->add_option("--user", user_name_, "whom it stands for")->required();
    create_->add_option("--name", token_name_, "to tell it from others")->capture_default_str();
    create_->add_option("--role", role_, "read, write or fine-grained")->capture_default_str();
    create_
        ->add_option("--repo,--space",
                     scopes_,
                     "what a fine-grained one is for: a repository (ana/tiny=write, "
                     "datasets/ana/notes=read) or a namespace with all in it (lab=read); repeat it")
        ->type_name("THING=read|write");
    create_->add_option("--expires", expires_, "after 90d, 12h, 30m; never")->default_str("never");
    list_ = token_->add_subcommand("list", "list tokens; the secrets are not kept");
    add_data(list_);
    for (CLI::App* const verb : {create_, list_}) {
        verb->add_flag("--json", json_, "print JSON");
    }
    revoke_ = token_->add_subcommand("revoke", "refuse a token from now on");
    add_data(revoke_);
    revoke_->add_option("ID", id_, "as in the list")->required();
}

Status AccountCommands::run() const {
    if (user_->parsed()) {
        return set_->parsed()          ? set_user()
               : list_users_->parsed() ? list_users()
               : rm_->parsed()         ? remove_user()
                                       : add_user();
    }
    return create_->parsed() ? create_token() : list_->parsed() ? list_tokens() : revoke_token();
}

Status AccountCommands::add_user() const {
    LOCARA_TRY(auto accounts, hub::Accounts::open(data_, system_clock()));
    LOCARA_TRY(const hub::Account account,
               accounts.add_user(user_name_, full_name_, email_.value_or("")));
    std::printf("user  %s  %s\n", account.id.c_str(), account.name.c_str());
    return record(data_, "user-added", {{"user", account.name}});
}

Status AccountCommands::list_users() const {
    LOCARA_TRY(const auto accounts, hub::Accounts::open(data_, system_clock()));
    LOCARA_TRY(const auto users, accounts.list_users());
    Json list = Json::array();
    for (const hub::Account& user : users) {
        if (!json_) {
            std::printf(
                "%s  %s  %s\n", user.name.c_str(), user.full_name.c_str(), user.email.c_str());
        }
        list.push_back({{"name", user.name},
                        {"full_name", user.full_name},
                        {"email", user.email},
                        {"website", user.website},
                        {"created", render_time(user.created)}});
    }
    if (json_) {
        std::printf("%s\n", Json({{"users", std::move(list)}}).dump(2).c_str());
    }
    return {};
}

Status AccountCommands::remove_user() const {
    LOCARA_TRY(auto accounts, hub::Accounts::open(data_, system_clock()));
    if (!confirmation_.ask("Remove the user " + user_name_ + " with all tokens and memberships?")) {
        return {};
    }
    LOCARA_CHECK(hub::check_lists_nothing_of(data_, user_name_));
    LOCARA_CHECK(accounts.remove_user(user_name_));
    return record(data_, "user-removed", {{"user", user_name_}});
}

Status AccountCommands::set_user() const {
    LOCARA_TRY(auto accounts, hub::Accounts::open(data_, system_clock()));
    if (email_) {
        LOCARA_CHECK(accounts.set_email(user_name_, *email_));
    }
    if (website_) {
        LOCARA_CHECK(accounts.set_website(user_name_, *website_));
    }
    return record(data_, "user-changed", {{"user", user_name_}});
}

Status AccountCommands::create_token() const {
    hub::NewToken wanted;
    wanted.name = token_name_;
    LOCARA_TRY(wanted.role, hub::parse_token_role(role_));
    for (const std::string& scope : scopes_) {
        LOCARA_TRY(wanted.scopes.emplace_back(), hub::NewScope::parse(scope));
    }
    if (!expires_.empty() && expires_ != "never") {
        LOCARA_TRY(const auto life, parse_duration("--expires", expires_));
        wanted.expires = system_clock().now() + life;
    }
    LOCARA_TRY(auto accounts, hub::Accounts::open(data_, system_clock()));
    LOCARA_TRY(const auto made, accounts.create_token(user_name_, wanted));
    if (json_) {
        Json shown = render(made.token);
        shown["text"] = made.text.reveal();
        std::printf("%s\n", Json({{"token", std::move(shown)}}).dump(2).c_str());
    } else {
        std::printf("%s\n", made.text.reveal().c_str());
    }
    std::fprintf(stderr,
                 "locara-hub: token %s of %s, %s, expires %s; it is shown only now\n",
                 made.token.id.c_str(),
                 made.token.account.c_str(),
                 std::string(hub::render(made.token.role)).c_str(),
                 render_expiry(made.token.expires, made.token.created).c_str());
    return record(data_,
                  "token-created",
                  {{"token", made.token.id},
                   {"user", made.token.account},
                   {"role", hub::render(made.token.role)}});
}

Status AccountCommands::list_tokens() const {
    LOCARA_TRY(const auto accounts, hub::Accounts::open(data_, system_clock()));
    LOCARA_TRY(const auto tokens, accounts.list_tokens());
    if (json_) {
        Json list = Json::array();
        for (const hub::Token& token : tokens) {
            Json shown = render(token);
            LOCARA_TRY(const auto scopes, accounts.scopes(token.id));
            shown["scopes"] = Json::array();
            for (const hub::Scope& scope : scopes) {
                shown["scopes"].push_back({{"permission", hub::render(scope.permission)},
                                           {"type", scope.type},
                                           {"name", scope.name}});
            }
            list.push_back(std::move(shown));
        }
        std::printf("%s\n", Json({{"tokens", std::move(list)}}).dump(2).c_str());
        return {};
    }
    for (const hub::Token& token : tokens) {
        std::printf("%s  %-12s  %s  %s  created %s, expires %s\n",
                    token.id.c_str(),
                    std::string(hub::render(token.role)).c_str(),
                    token.account.c_str(),
                    token.name.c_str(),
                    render_time(token.created).c_str(),
                    render_expiry(token.expires, system_clock().now()).c_str());
        LOCARA_TRY(const auto scopes, accounts.scopes(token.id));
        for (const hub::Scope& scope : scopes) {
            std::printf("  %-5s  %s %s\n",
                        std::string(hub::render(scope.permission)).c_str(),
                        scope.type.c_str(),
                        scope.name.c_str());
        }
    }
    return {};
}

Status AccountCommands::revoke_token() const {
    LOCARA_TRY(auto accounts, hub::Accounts::open(data_, system_clock()));
    LOCARA_CHECK(accounts.revoke_token(id_));
    return record(data_, "token-revoked", {{"token", id_}});
}
