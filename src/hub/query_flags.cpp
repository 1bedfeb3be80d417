#include "query_flags.hpp"

namespace locara::hub {
namespace {

/// Of what was found.
constexpr std::size_t kShown = 64;

constexpr std::string_view kFlags[] = {"blobs",
                                       "cardData",
                                       "create_pr",
                                       "diff",
                                       "full",
                                       "gated",
                                       "gguf",
                                       "include_prs",
                                       "linked",
                                       "recursive",
                                       "rewriteHistory",
                                       "securityStatus"};

} // namespace

Answer<bool> given_flag(const http::Request& request, std::string_view key) {
    const auto text = request.query.find(key);
    const bool yes = request.query.flag(key);
    if (!text || yes || *text == "false" || *text == "False" || *text == "0") {
        return yes;
    }
    return bad_request(std::string(key) + ": found '" + std::string(text->substr(0, kShown)) +
                       "', allowed are true and false");
}

Answer<std::monostate> check_flags(const http::Request& request) {
    for (const std::string_view key : kFlags) {
        LOCARA_CHECK(given_flag(request, key));
    }
    return std::monostate();
}

} // namespace locara::hub
