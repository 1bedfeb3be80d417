// Signing in and out: docs/hub.md, "Signing in".
#include "audit_record.hpp"
#include "routes.hpp"

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

/// A place on this hub to go on at; the page itself for anything else.
std::string next_place(std::string_view asked) {
    const bool here =
        asked.size() > 1 && asked.front() == '/' && asked[1] != '/' && asked[1] != '\\';
    return here ? std::string(asked) : "/login";
}

std::string session_field(const Request& request, const std::string& value, long long seconds) {
    return std::string(kSessionCookie) + "=" + value + "; Path=/; HttpOnly; SameSite=Lax" +
           (is_secure(request) ? "; Secure" : "") + "; Max-Age=" + std::to_string(seconds);
}

Response show_form(std::string_view next, std::string_view error) {
    std::string body;
    if (!error.empty()) {
        body += "<p class=\"error\" role=\"alert\">" + escape_html(error) + "</p>\n";
    }
    body +=
        "<form method=\"post\" action=\"/login\">\n<label>Access token"
        "<input type=\"password\" name=\"token\" required autofocus "
        "autocomplete=\"current-password\" placeholder=\"hf_...\"></label>\n"
        "<input type=\"hidden\" name=\"next\" value=\"" +
        escape_html(next) +
        "\">\n<button class=\"main\">Sign in</button>\n</form>\n<p><small>Who runs this hub makes "
        "tokens: <code>locara-hub token create --user YOU --role write</code></small></p>\n";
    return page_answer(frame_page("Sign in", body, "'self'"), error.empty() ? 200 : 401);
}

Answer<Response> show(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify_session(services, request));
    if (!caller) {
        return show_form(next_place(request.query.find("next").value_or("")), "");
    }
    const std::string body =
        "<p>You are signed in as <strong>" + escape_html(caller->account.name) +
        "</strong>, by the token <strong>" + escape_html(caller->token.name) +
        "</strong>.</p>\n<p>A program showed you a code? <a href=\"/device\">Enter it</a>.</p>\n"
        "<form method=\"post\" action=\"/logout\"><button>Sign out</button></form>\n";
    return page_answer(frame_page("Signed in", body, "'self'"));
}

Answer<Response> sign_in(const Services& services, const Request& request) {
    LOCARA_CHECK(require_own_page(request));
    LOCARA_TRY(const auto form, http::Query::parse(request.body));
    const std::string next = next_place(form.find("next").value_or(""));
    const auto digest = crypto::sha256(as_bytes(form.find("token").value_or("")));
    LOCARA_TRY(const auto found, services.names.find_token(digest, services.clock.now()));
    if (!found) {
        return show_form(next, "That is no access token of this hub, or it has ended.");
    }
    if (found->token.role == TokenRole::FineGrained) {
        return show_form(next,
                         "A token for some repositories only cannot sign in: take one of role "
                         "read or write.");
    }
    LOCARA_TRY(const Secret cookie, services.sessions.begin(found->token.id, services.clock.now()));
    services.log.info(
        "hub", "signed_in", {{"user", found->account.name}, {"token", found->token.id}});
    request.notes->user = found->account.name;
    record(services, request, "session-begun", {{"token", found->token.id}});
    Response response = see_other(next);
    response.headers.add("Set-Cookie",
                         session_field(request, cookie.reveal(), kSessionLife.count()));
    return response;
}

Answer<Response> sign_out(const Services& services, const Request& request) {
    LOCARA_CHECK(require_own_page(request));
    if (const auto cookie = session_cookie(request)) {
        LOCARA_CHECK(services.sessions.end(*cookie));
    }
    Response response = see_other("/login");
    response.headers.add("Set-Cookie", session_field(request, "", 0));
    return response;
}

} // namespace

void add_session_routes(Routes& routes, const Services& services) {
    const auto bind = [&services](Answer<Response> (*handle)(const Services&, const Request&)) {
        return [&services, handle](const Request& request) { return handle(services, request); };
    };
    routes.get("/login", bind(&show));
    routes.post("/login", bind(&sign_in));
    routes.post("/logout", bind(&sign_out));
}

} // namespace locara::hub
