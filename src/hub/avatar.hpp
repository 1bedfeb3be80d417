// Pictures of accounts, which this hub has none of but for their addresses.
#pragma once

#include <locara/hub/accounts.hpp>

#include <string>

namespace locara::hub {

/// The picture of whoever has no other.
inline constexpr const char* kAvatar = "/avatars/default.svg";

/// A user's picture has the name that the Hub gives it, which is the MD5 of the address: told to
/// its owner only, since an address can be guessed from it.
std::string avatar_of(const Account& account);

} // namespace locara::hub
