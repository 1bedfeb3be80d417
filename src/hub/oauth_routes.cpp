// OAuth by HTTP: docs/hub.md, "Programs that sign people in".
#include "audit_record.hpp"
#include "id_token.hpp"
#include "routes.hpp"
#include "web_address.hpp"

#include <locara/base/percent.hpp>

#include <algorithm>
#include <memory>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kStateBytes = 4096;
constexpr std::size_t kNonceBytes = 255;
/// Of a SHA-256 in base64url without padding (RFC 7636, section 4.2).
constexpr std::size_t kChallengeBytes = 43;

/// What the handlers share.
struct Provider {
    const Services& services;
    IdTokens id_tokens;
};

/// Errors of programs' calls, as RFC 6749, section 5.2, has them.
Response oauth_error(const char* error, const std::string& description) {
    Response response = json_answer({{"error", error}, {"error_description", description}});
    response.status = 400;
    response.headers.add("Cache-Control", "no-store");
    return response;
}

/// "/login", which leads back to here.
Response sign_in_first(const Request& request) {
    return see_other("/login?next=" + percent_encode(request.target));
}

/// What the scopes let the program do, for people.
std::string describe_scopes(std::string_view scopes) {
    std::string list = "<li>see your name, mail address and picture</li>\n";
    switch (role_of_scopes(scopes)) {
    case TokenRole::Write:
        list += "<li><strong>read and change</strong> everything that you may read and change "
                "here</li>\n";
        break;
    case TokenRole::Read:
        list += "<li><strong>read</strong> everything that you may read here, private "
                "repositories too</li>\n";
        break;
    case TokenRole::FineGrained:
        break;
    }
    return "<ul>\n" + list + "</ul>\n";
}

/// The most that somebody can hand on, who came by a token that may only read.
std::string_view own_scopes(const Identity& who) {
    return who.token.role == TokenRole::Write ? "openid profile email write-repos"
                                              : "openid profile email read-repos";
}

std::string decision_buttons() {
    return "<button class=\"main\" name=\"decision\" value=\"allow\">Allow</button>"
           "<button name=\"decision\" value=\"deny\">Do not allow</button>";
}

// ---------------------------------------------------------------------------------------- by a
// code

/// A request for a code whose program and address are good, so that errors may be told there.
struct Asked {
    OAuthClient client;
    std::string redirect;
    std::string state;
};

std::string address_with(const Request& request,
                         const Asked& asked,
                         const std::vector<std::pair<std::string, std::string>>& fields) {
    std::string address = asked.redirect;
    char mark = address.find('?') == std::string::npos ? '?' : '&';
    const auto add = [&](const std::string& name, const std::string& value) {
        address += mark + name + "=" + percent_encode(value);
        mark = '&';
    };
    for (const auto& [name, value] : fields) {
        add(name, value);
    }
    if (!asked.state.empty()) {
        add("state", asked.state);
    }
    add("iss", endpoint(request)); // RFC 9207
    return address;
}

Response
send_error(const Request& request, const Asked& asked, const char* error, const char* description) {
    return see_other(
        address_with(request, asked, {{"error", error}, {"error_description", description}}));
}

/// What is wrong with a request that no program can be told of.
Response broken(const std::string& why) {
    return page_answer(frame_page("This cannot be done",
                                  "<p>The program that sent you here asked for it wrongly: " +
                                      escape_html(why) + ".</p>\n",
                                  "'none'"),
                       400);
}

Answer<Response> authorize(const Provider& provider, const Request& request) {
    const Services& services = provider.services;
    const auto field = [&request](const char* name) {
        return std::string(request.query.find(name).value_or(""));
    };
    LOCARA_TRY(const auto client, services.oauth.find_client(field("client_id")));
    if (!client) {
        return broken("this hub knows no program '" + field("client_id") +
                      "' (who runs it lets one in: locara-hub oauth add)");
    }
    const Asked asked{*client, field("redirect_uri"), field("state")};
    if (std::find(client->redirects.begin(), client->redirects.end(), asked.redirect) ==
        client->redirects.end()) {
        return broken("the address '" + asked.redirect + "' is none of " + client->name);
    }
    const std::string nonce = field("nonce");
    if (asked.state.size() > kStateBytes || nonce.size() > kNonceBytes) {
        return broken("state has more than " + std::to_string(kStateBytes) + " bytes, or nonce " +
                      std::to_string(kNonceBytes));
    }
    if (field("response_type") != "code") {
        return send_error(
            request, asked, "unsupported_response_type", "response_type must be code");
    }
    const std::string challenge = field("code_challenge");
    if (field("code_challenge_method") != "S256" || challenge.size() != kChallengeBytes) {
        return send_error(request, asked, "invalid_request", "a code_challenge of S256 is needed");
    }
    LOCARA_TRY(const Caller caller, identify_session(services, request));
    if (!caller) {
        return sign_in_first(request);
    }
    const std::string wanted =
        request.query.find("scope") ? field("scope") : std::string("openid profile");
    const std::string scopes =
        grantable_scopes(grantable_scopes(wanted, client->scopes), own_scopes(*caller));
    if (request.method != "POST") {
        const std::string body = "<p><strong>" + escape_html(client->name) +
                                 "</strong>, at <strong>" + escape_html(origin_of(asked.redirect)) +
                                 "</strong>, wants to</p>\n" + describe_scopes(scopes) +
                                 "<p>in the name of <strong>" + escape_html(caller->account.name) +
                                 "</strong>, for eight hours.</p>\n" + "<form method=\"post\">" +
                                 decision_buttons() + "</form>\n";
        // Where the form leads in the end counts as a place that it is sent to.
        return page_answer(
            frame_page("Allow " + client->name + "?", body, "'self' " + origin_of(asked.redirect)));
    }
    LOCARA_CHECK(require_own_page(request));
    LOCARA_TRY(const auto form, http::Query::parse(request.body));
    if (form.find("decision").value_or("allow") != "allow") {
        return send_error(request, asked, "access_denied", "the person said no");
    }
    LOCARA_TRY(const Secret code,
               services.oauth.make_code(
                   {client->id, caller->account.key, scopes, asked.redirect, challenge, nonce},
                   services.clock.now()));
    services.log.info(
        "hub", "program_allowed", {{"client", client->id}, {"by", caller->account.name}});
    return see_other(address_with(request, asked, {{"code", code.reveal()}}));
}

// -------------------------------------------------------------------------------- by a device's
// code

Answer<Response> begin_device(const Provider& provider, const Request& request) {
    LOCARA_TRY(const auto form, http::Query::parse(request.body));
    LOCARA_TRY(
        const auto client,
        provider.services.oauth.find_client(std::string(form.find("client_id").value_or(""))));
    if (!client) {
        return oauth_error("invalid_client", "this hub knows no such program");
    }
    const std::string wanted(form.find("scope").value_or(client->scopes));
    LOCARA_TRY(const auto device,
               provider.services.oauth.begin_device(*client,
                                                    grantable_scopes(wanted, client->scopes),
                                                    provider.services.clock.now()));
    const std::string page = endpoint(request) + "/device";
    Response response =
        json_answer({{"device_code", device.code.reveal()},
                     {"user_code", device.user_code},
                     {"verification_uri", page},
                     {"verification_uri_complete", page + "?code=" + device.user_code},
                     {"expires_in", kDeviceLife.count()},
                     {"interval", kDeviceInterval.count()}});
    response.headers.add("Cache-Control", "no-store");
    return response;
}

Response device_page(std::string_view title, const std::string& body, int status = 200) {
    return page_answer(frame_page(title, body, "'self'"), status);
}

Response ask_code(std::string_view error) {
    std::string body;
    if (!error.empty()) {
        body = "<p class=\"error\" role=\"alert\">" + escape_html(error) + "</p>\n";
    }
    body += "<form method=\"get\" action=\"/device\">\n<label>The code that the program shows"
            "<input name=\"code\" required autofocus autocomplete=\"off\" "
            "placeholder=\"BCDF-GHJK\"></label>\n<button class=\"main\">Go on</button></form>\n";
    return device_page("Sign in a program", body, error.empty() ? 200 : 404);
}

Answer<Response> show_device(const Provider& provider, const Request& request) {
    LOCARA_TRY(const Caller caller, identify_session(provider.services, request));
    if (!caller) {
        return sign_in_first(request);
    }
    const auto code = request.query.find("code");
    if (!code || code->empty()) {
        return ask_code("");
    }
    LOCARA_TRY(const auto device,
               provider.services.oauth.find_device(*code, provider.services.clock.now()));
    if (!device) {
        return ask_code("No program waits with this code. Codes are good for 15 minutes.");
    }
    const std::string scopes = grantable_scopes(device->scopes, own_scopes(*caller));
    const std::string body =
        "<p>Only go on if <strong>you yourself</strong> started this, and the program shows the "
        "code <code>" +
        escape_html(*code) + "</code>.</p>\n<p><strong>" + escape_html(device->client.name) +
        "</strong> wants to</p>\n" + describe_scopes(scopes) + "<p>in the name of <strong>" +
        escape_html(caller->account.name) +
        "</strong>, for 30 days.</p>\n<form method=\"post\" action=\"/device\">"
        "<input type=\"hidden\" name=\"code\" value=\"" +
        escape_html(*code) + "\">" + decision_buttons() + "</form>\n";
    return device_page("Allow " + device->client.name + "?", body);
}

Answer<Response> decide_device(const Provider& provider, const Request& request) {
    const Services& services = provider.services;
    LOCARA_CHECK(require_own_page(request));
    LOCARA_TRY(const Caller caller, identify_session(services, request));
    if (!caller) {
        return see_other("/login?next=/device");
    }
    LOCARA_TRY(const auto form, http::Query::parse(request.body));
    const auto code = form.find("code").value_or("");
    const bool allowed = form.find("decision").value_or("") == "allow";
    LOCARA_TRY(const auto device, services.oauth.find_device(code, services.clock.now()));
    const auto decided = !device ? Status(Error(ErrorCode::NotFound, "it waits no more"))
                                 : services.oauth.decide_device(
                                       code,
                                       allowed ? std::optional(caller->account.key) : std::nullopt,
                                       grantable_scopes(device->scopes, own_scopes(*caller)),
                                       services.clock.now());
    if (!decided && decided.error().code() == ErrorCode::NotFound) {
        return ask_code("No program waits with this code. Codes are good for 15 minutes.");
    }
    LOCARA_CHECK(decided);
    if (allowed) {
        services.log.info("hub",
                          "program_allowed",
                          {{"client", device->client.id}, {"by", caller->account.name}});
    }
    return device_page(allowed ? "Allowed" : "Not allowed",
                       allowed ? "<p>Go back to the program: it is signed in within seconds.</p>\n"
                               : "<p>The program gets nothing.</p>\n");
}

// -------------------------------------------------------------------------------------------
// tokens

Response token_answer(const Provider& provider,
                      const Request& request,
                      const OAuthToken& token,
                      const std::optional<std::string>& subject) {
    const TimePoint now = provider.services.clock.now();
    const auto left = (token.expires - now).count();
    Json json = {{"access_token", token.text.reveal()},
                 {"token_type", "bearer"},
                 {"expires_in", left},
                 {"scope", token.grant.scopes}};
    if (subject) {
        Json claims = {{"iss", endpoint(request)},
                       {"sub", *subject},
                       {"aud", token.grant.client},
                       {"iat", now.time_since_epoch().count()},
                       {"exp", token.expires.time_since_epoch().count()}};
        if (!token.grant.nonce.empty()) {
            claims["nonce"] = token.grant.nonce;
        }
        json["id_token"] = provider.id_tokens.sign(claims);
    }
    Response response = json_answer(json);
    response.headers.add("Cache-Control", "no-store");
    return response;
}

/// Notes whose token a program got. The account's id, if the program asked who it is.
Answer<std::optional<std::string>>
note_token(const Services& services, const Request& request, const OAuthToken& token) {
    const auto digest = crypto::sha256(as_bytes(token.text.reveal()));
    LOCARA_TRY(const auto known, services.names.find_token(digest, services.clock.now()));
    if (!known) {
        return std::optional<std::string>();
    }
    request.notes->user = known->account.name;
    record(services,
           request,
           "token-created",
           {{"token", known->token.id},
            {"user", known->account.name},
            {"role", render(known->token.role)},
            {"client", token.grant.client}});
    const bool asked = has_scope(token.grant.scopes, "openid");
    return asked ? std::optional(known->account.id) : std::nullopt;
}

Answer<Response> give_token(const Provider& provider, const Request& request) {
    const Services& services = provider.services;
    if (!is_form(request)) {
        return oauth_error("invalid_request", "send a form (application/x-www-form-urlencoded)");
    }
    LOCARA_TRY(const auto form, http::Query::parse(request.body));
    const auto field = [&form](const char* name) {
        return std::string(form.find(name).value_or(""));
    };
    const std::string kind = field("grant_type");
    const TimePoint now = services.clock.now();
    if (kind == "authorization_code") {
        const auto token = services.oauth.take_code(
            field("code"), field("redirect_uri"), field("client_id"), field("code_verifier"), now);
        if (!token && token.error().code() == ErrorCode::Unauthorized) {
            return oauth_error("invalid_grant", token.error().message());
        }
        if (!token) {
            return Refusal(token.error());
        }
        LOCARA_TRY(const auto subject, note_token(services, request, *token));
        return token_answer(provider, request, *token, subject);
    }
    if (kind == "urn:ietf:params:oauth:grant-type:device_code") {
        const auto token =
            services.oauth.take_device(field("device_code"), field("client_id"), now);
        if (token) {
            LOCARA_TRY(const auto subject, note_token(services, request, *token));
            return token_answer(provider, request, *token, subject);
        }
        switch (token.error().code()) {
        case ErrorCode::Busy:
            return oauth_error("authorization_pending", token.error().message());
        case ErrorCode::Forbidden:
            return oauth_error("access_denied", token.error().message());
        case ErrorCode::Timeout:
            return oauth_error("expired_token", token.error().message());
        default:
            return Refusal(token.error());
        }
    }
    return oauth_error("unsupported_grant_type",
                       "there are authorization_code and "
                       "urn:ietf:params:oauth:grant-type:device_code");
}

// ------------------------------------------------------------------------------------ who and what

Answer<Response> configuration(const Provider& /*provider*/, const Request& request) {
    const std::string here = endpoint(request);
    return json_answer({{"issuer", here},
                        {"authorization_endpoint", here + "/oauth/authorize"},
                        {"device_authorization_endpoint", here + "/oauth/device"},
                        {"token_endpoint", here + "/oauth/token"},
                        {"userinfo_endpoint", here + "/oauth/userinfo"},
                        {"jwks_uri", here + "/oauth/jwks"},
                        {"scopes_supported", kOAuthScopes},
                        {"response_types_supported", {"code"}},
                        {"grant_types_supported",
                         {"authorization_code", "urn:ietf:params:oauth:grant-type:device_code"}},
                        {"subject_types_supported", {"public"}},
                        {"id_token_signing_alg_values_supported", {"EdDSA"}},
                        {"token_endpoint_auth_methods_supported", {"none"}},
                        {"code_challenge_methods_supported", {"S256"}},
                        {"authorization_response_iss_parameter_supported", true}});
}

Answer<Response> key_set(const Provider& provider, const Request& /*request*/) {
    return json_answer(provider.id_tokens.key_set());
}

Answer<Response> userinfo(const Provider& provider, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(provider.services, request));
    LOCARA_TRY(const Identity who, require_known(caller));
    const Account& account = who.account;
    const std::string here = endpoint(request);
    Json orgs = Json::array();
    for (const Membership& membership : who.memberships) {
        if (reaches(who, membership.organization.name)) {
            orgs.push_back({{"sub", membership.organization.id},
                            {"name", membership.organization.full_name},
                            {"preferred_username", membership.organization.name},
                            {"picture", here + kAvatar},
                            {"roleInOrg", render(membership.role)}});
        }
    }
    Json json = {{"sub", account.id},
                 {"name", account.full_name},
                 {"preferred_username", account.name},
                 {"picture", here + avatar_of(account)},
                 {"profile", here + "/" + account.name},
                 {"isPro", false},
                 {"orgs", std::move(orgs)}};
    if (!account.email.empty()) {
        json["email"] = account.email;
        json["email_verified"] = true;
    }
    if (!account.website.empty()) {
        json["website"] = account.website;
    }
    return json_answer(json);
}

} // namespace

void add_oauth_routes(Routes& routes, const Services& services) {
    const auto provider =
        std::make_shared<const Provider>(Provider{services, IdTokens(services.signer)});
    const auto bind = [&provider](Answer<Response> (*handle)(const Provider&, const Request&)) {
        return [provider, handle](const Request& request) { return handle(*provider, request); };
    };
    routes.get("/.well-known/openid-configuration", bind(&configuration));
    routes.get("/oauth/jwks", bind(&key_set));
    routes.get("/oauth/authorize", bind(&authorize));
    routes.post("/oauth/authorize", bind(&authorize));
    routes.post("/oauth/device", bind(&begin_device));
    routes.get("/device", bind(&show_device));
    routes.post("/device", bind(&decide_device));
    routes.post("/oauth/token", bind(&give_token));
    routes.get("/oauth/userinfo", bind(&userinfo));
    routes.post("/oauth/userinfo", bind(&userinfo));
}

} // namespace locara::hub
