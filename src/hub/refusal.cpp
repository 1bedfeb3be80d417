#include "refusal.hpp"

namespace locara::hub {

Refusal::Refusal(Error error)
    : status(http::http_status(error.code())),
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
