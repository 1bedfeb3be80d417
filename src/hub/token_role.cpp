#include <locara/hub/accounts.hpp>

namespace locara::hub {

std::string_view render(TokenRole role) {
    switch (role) {
    case TokenRole::Read:
        return "read";
    case TokenRole::Write:
        return "write";
    case TokenRole::FineGrained:
        return "fine-grained";
    }
    return "read";
}

Result<TokenRole> parse_token_role(std::string_view text) {
    for (const TokenRole role : {TokenRole::Read, TokenRole::Write, TokenRole::FineGrained}) {
        if (render(role) == text) {
            return role;
        }
    }
    return Error(ErrorCode::InvalidArgument,
                 "found role '" + std::string(text) + "', a token has read, write or fine-grained");
}

} // namespace locara::hub
