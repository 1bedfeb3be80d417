// Ids of one segment ("gpt2"), as the Hub once gave them to models and datasets. A hub has none:
// who asks by one is told that the repository is not there, as of any other (a mirror knows what
// upstream's lead to, mirror_aliases.cpp).
#pragma once

#include <locara/http/message.hpp>

namespace locara::hub {

/// Whether a request that no route is for asks about a repository by such an id.
bool is_by_old_id(const http::Request& request);

} // namespace locara::hub
