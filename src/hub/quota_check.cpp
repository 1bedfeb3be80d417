#include "quota_check.hpp"

#include <locara/base/bytes.hpp>
#include <locara/hub/quotas.hpp>

#include <algorithm>
#include <charconv>

namespace locara::hub {

Answer<std::monostate>
require_room(const Services& services, const std::string& space, std::uint64_t more) {
    LOCARA_TRY(const auto rule, services.quotas.find(space));
    if (!rule || !rule->quota) {
        return std::monostate();
    }
    LOCARA_TRY(const std::uint64_t used, services.quotas.used(space));
    const std::uint64_t room = *rule->quota - std::min(used, *rule->quota);
    if (more <= room && room > 0) {
        return std::monostate();
    }
    return Refusal(403,
                   "",
                   "Storage limit reached: " + rule->name + " uses " + render_size(used) +
                       " of the " + render_size(*rule->quota) + " it is allowed on this hub" +
                       (more > 0 ? ", and this takes " + render_size(more) + " more" : "") +
                       ". Remove what is not needed, or ask who runs this hub.");
}

std::uint64_t announced_bytes(const http::Request& request) {
    const std::string_view text = request.headers.find("Content-Length").value_or("");
    std::uint64_t bytes = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
    return error == std::errc() && end == text.data() + text.size() ? bytes : 0;
}

Answer<std::monostate>
require_room(const Services& services, const Repo& repo, std::uint64_t more) {
    return require_room(services, repo.id.space, more);
}

} // namespace locara::hub
