// Who am I, and what clients ask on their own account.
#include "routes.hpp"

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

Answer<Response> whoami(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    if (!caller) {
        return Refusal(401, "", "a token is needed for this: Authorization: Bearer hf_...");
    }
    const Account& account = caller->account;
    const Token& token = caller->token;
    Json auth = {{"type", "access_token"},
                 {"accessToken",
                  {{"displayName", token.name},
                   {"role", render(token.role)},
                   {"createdAt", render_date(token.created)}}}};
    if (token.expires) {
        auth["expiresAt"] = render_date(*token.expires);
    }
    return json_answer({{"type", "user"},
                        {"id", account.id},
                        {"name", account.name},
                        {"fullname", account.full_name},
                        {"email", author_email(account)},
                        {"emailVerified", false},
                        {"canPay", false},
                        {"isPro", false},
                        {"periodEnd", nullptr},
                        {"billingMode", "postpaid"},
                        {"avatarUrl", "/avatars/default.svg"},
                        {"orgs", Json::array()},
                        {"auth", std::move(auth)}});
}

} // namespace

void add_account_routes(Routes& routes, const Services& services) {
    routes.get("/api/whoami-v2",
               [&services](const Request& request) { return whoami(services, request); });
    // What the Python client asks for on its own account; any object will do.
    const auto empty = [](const Request&) -> Answer<Response> {
        return json_answer(Json::object());
    };
    routes.get("/api/agent-harnesses", empty);
    routes.get("/api/telemetry/{*topic}", empty);
    // Cards are not judged here yet, and a README must not keep anybody from committing.
    routes.post("/api/validate-yaml", [](const Request&) -> Answer<Response> {
        return json_answer({{"errors", Json::array()}, {"warnings", Json::array()}});
    });
}

} // namespace locara::hub
