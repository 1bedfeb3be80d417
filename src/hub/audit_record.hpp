// What requests add to the audit log: who did what to what, from where.
#pragma once

#include "services.hpp"

#include <locara/base/json.hpp>
#include <locara/http/message.hpp>

#include <string_view>

namespace locara::hub {

/// Notes what the caller of a request has done; docs/formats/hub-audit.md has the events. `fields`
/// must be small: a line has 64 KiB at most. What is done cannot be undone, so a line that cannot
/// be written is an error of the log only.
void record(const Services& services,
            const http::Request& request,
            std::string_view event,
            Json fields);

/// The same of a repository as it is now, with what else `fields` say.
void record(const Services& services,
            const http::Request& request,
            std::string_view event,
            const Repo& repo,
            const Json& fields = Json::object());

/// Notes that a token is used from where it was not used before, as far as this process knows.
void record_sign_in(const Services& services, const http::Request& request, const Token& token);

} // namespace locara::hub
