#include "refusal.hpp"

namespace locara::hub {

namespace {

/// What the disk does not let the hub do is not the caller's affair, as what the hub itself does
/// not let him is. A full disk is told as such.
int status_of(const Error& error) {
    const bool of_disk = error.system_errno() != 0 && error.code() != ErrorCode::NoSpace;
    return of_disk ? 500 : http::http_status(error.code());
}

} // namespace

Refusal::Refusal(Error error)
    : status(status_of(error)),
      // Clients must tell "not these bytes" from "not you"; both are 403.
      code(error.code() == ErrorCode::Refused ? "RefusedByGate" : ""), message(error.describe()),
      cause(std::move(error)) {}

Refusal bad_request(std::string message) {
    return {400, "", std::move(message)};
}

std::optional<std::string> text_at(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? std::optional(found->get<std::string>())
                                                       : std::nullopt;
}

bool flag_at(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_boolean() && found->get<bool>();
}

} // namespace locara::hub
