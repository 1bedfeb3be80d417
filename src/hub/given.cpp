#include "given.hpp"

#include "answers.hpp"

namespace locara::hub {
namespace {

/// Of what was found.
constexpr std::size_t kShown = 64;

} // namespace

Answer<std::optional<bool>> given_truth(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) {
        return std::optional<bool>();
    }
    if (!found->is_boolean()) {
        const std::string text = found->dump(-1, ' ', false, Json::error_handler_t::replace);
        return bad_request(std::string(key) + ": found " + text.substr(0, kShown) +
                           ", allowed are true and false");
    }
    return std::optional(found->get<bool>());
}

Answer<std::optional<std::size_t>> given_number(const http::Request& request,
                                                std::string_view key) {
    const auto text = request.query.find(key);
    if (!text || text->empty()) {
        return std::optional<std::size_t>();
    }
    const auto value = number(request, key);
    if (!value) {
        return bad_request(std::string(key) + ": found '" + std::string(text->substr(0, kShown)) +
                           "', wanted a whole number, 0 or more");
    }
    return value;
}

} // namespace locara::hub
