#include "database.hpp"
#include "layout.hpp"
#include "names.hpp"
#include "scopes.hpp"
#include "token_text.hpp"
#include "web_address.hpp"

#include <locara/hub/accounts.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

constexpr std::size_t kTokenNameLimit = 96;
constexpr std::size_t kEmailLimit = 254; // RFC 5321, of a path

/// Something at something, of what needs no quotes; whether mail arrives there, the operator knows.
Status check_email(const std::string& email) {
    const std::size_t at = email.find('@');
    const bool plain = std::all_of(email.begin(), email.end(), [](char c) {
        return c > 0x20 && c < 0x7f &&
               std::string_view("\"(),:;<>[\\]").find(c) == std::string_view::npos;
    });
    if (!plain || email.size() > kEmailLimit || at == 0 || at == std::string::npos ||
        at + 1 == email.size() || email.find('@', at + 1) != std::string::npos) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + email.substr(0, kEmailLimit) + "' is no mail address: name@host");
    }
    return {};
}

} // namespace

Accounts::Accounts(std::unique_ptr<Names> names, std::unique_ptr<Scopes> scopes, const Clock& clock)
    : names_(std::move(names)), scopes_(std::move(scopes)), clock_(&clock) {}

Accounts::Accounts(Accounts&&) noexcept = default;
Accounts& Accounts::operator=(Accounts&&) noexcept = default;
Accounts::~Accounts() = default;

Result<Accounts> Accounts::open(const std::filesystem::path& data, const Clock& clock) {
    LOCARA_TRY(const auto database, Database::open_in(data, Database::IfMissing::Fail));
    return Accounts(std::make_unique<Names>(database), std::make_unique<Scopes>(database), clock);
}

Result<Account> Accounts::add_user(const std::string& name,
                                   const std::string& full_name,
                                   const std::string& email) {
    LOCARA_CHECK(check_space(name));
    LOCARA_CHECK(email.empty() ? Status() : check_email(email));
    LOCARA_TRY(Account made,
               names_->add_account(name, full_name.empty() ? name : full_name, clock_->now()));
    LOCARA_CHECK(names_->set_email(name, email));
    made.email = email;
    return made;
}

Result<std::vector<Account>> Accounts::list_users() const {
    return names_->list_accounts();
}

Status Accounts::remove_user(const std::string& user) {
    return names_->remove_account(user);
}

Status Accounts::set_email(const std::string& user, const std::string& email) {
    LOCARA_CHECK(email.empty() ? Status() : check_email(email));
    return names_->set_email(user, email);
}

Status Accounts::set_website(const std::string& user, const std::string& website) {
    LOCARA_CHECK(website.empty() ? Status() : check_web_address(website));
    return names_->set_website(user, website);
}

Result<Accounts::Made> Accounts::create_token(const std::string& user, const NewToken& token) {
    if (token.name.empty() || token.name.size() > kTokenNameLimit) {
        return Error(ErrorCode::InvalidArgument,
                     "the name of a token has 1 to " + std::to_string(kTokenNameLimit) + " bytes");
    }
    if ((token.role == TokenRole::FineGrained) == token.scopes.empty()) {
        return Error(ErrorCode::InvalidArgument,
                     "a fine-grained token needs what it is for, and no other token takes that");
    }
    LOCARA_TRY(const auto account, names_->find_account(user));
    if (!account) {
        return Error(ErrorCode::NotFound,
                     "there is no user '" + user + "'; add it with: locara-hub user add " + user);
    }
    LOCARA_TRY(const auto scopes, scopes_->resolve(token.scopes));
    Secret text = make_token_text();
    const auto digest = crypto::sha256(as_bytes(text.reveal()));
    LOCARA_TRY(Token made, names_->add_token(*account, token, digest, clock_->now()));
    LOCARA_CHECK(scopes_->add(made.id, scopes)); // Until here it opens nothing.
    return Made{std::move(made), std::move(text)};
}

Result<std::vector<Token>> Accounts::list_tokens() const {
    return names_->list_tokens();
}

Result<std::vector<Scope>> Accounts::scopes(const std::string& token_id) const {
    return scopes_->list(token_id);
}

Status Accounts::revoke_token(const std::string& id) {
    return names_->remove_token(id);
}

} // namespace locara::hub
