#include "openapi.hpp"

#include "access.hpp"

#include <locara/base/ascii.hpp>

#include <algorithm>
#include <map>
#include <string>

namespace locara::hub {
namespace {

/// Who may call a route.
enum class Auth {
    None,      ///< Nobody need say who it is.
    Optional,  ///< An access token shows more.
    Needed,    ///< An access token.
    Xet,       ///< A Xet token.
    SignedUrl, ///< The address itself is signed.
    Address,   ///< Only from addresses that the operator names.
    Session,   ///< The cookie of who is signed in at the hub's pages.
    Reader,    ///< An access token, or that cookie from a page of the hub, shows more.
};

/// What a request's body is.
enum class Body { None, Json, Lines, Form, Bytes, Git };

/// What an answer is.
enum class Answers { Json, Lines, Bytes, Text, Page, Git, Nothing };

struct RouteInfo {
    std::string_view method;
    /// As in the router; "{ts}" stands for models, datasets and spaces, a "{p}" for nothing,
    /// "datasets/" and "spaces/".
    std::string_view pattern;
    Auth auth;
    std::string_view summary;
    Answers answers = Answers::Json;
    Body body = Body::None;
    std::string_view query = ""; ///< Names of parameters, separated by spaces.
};

constexpr RouteInfo kRoutes[] = {
    {"GET",
     "/",
     Auth::None,
     "The catalog and the curators' collections, for people",
     Answers::Page},
    {"GET", "/healthz", Auth::None, "Whether database and store work; 503 if not"},
    {"GET", "/metrics", Auth::Address, "Numbers for Prometheus", Answers::Text},
    {"GET", "/openapi.json", Auth::None, "This document"},
    {"GET", "/version", Auth::None, "Name, version, and the fingerprint of the catalog's root"},
    {"GET", "/catalog/metadata/{*path}", Auth::None, "TUF metadata of the catalog", Answers::Bytes},
    {"GET", "/catalog/targets/{*path}", Auth::None, "A target of the catalog", Answers::Bytes},

    {"GET",
     "/api/catalog",
     Auth::None,
     "The catalog's apps and models, and what may be done with them"},

    {"GET",
     "/v2/{org}/{repo}/manifests/{tag}",
     Auth::Optional,
     "A model's weights in GGUF by file name or quantization, as ollama asks for them"},
    {"GET",
     "/v2/{org}/{repo}/blobs/{digest}",
     Auth::Optional,
     "What such a manifest names",
     Answers::Bytes},
    {"GET", "/v2/token", Auth::None, "Refuses the keys of ollama's, which this hub does not know"},

    {"GET", "/api/whoami-v2", Auth::Needed, "The caller, its token and its organizations"},
    {"POST", "/api/credentials/revoke", Auth::None, "End tokens", Answers::Json, Body::Json},
    {"GET", "/api/users/{user}/overview", Auth::Optional, "A user"},
    {"GET", "/api/organizations/{org}/overview", Auth::Optional, "An organization"},
    {"GET",
     "/api/organizations/{org}/members",
     Auth::Needed,
     "The members of an organization",
     Answers::Json,
     Body::None,
     "limit cursor"},
    {"GET",
     "/api/settings/repositories",
     Auth::Needed,
     "What each repository of the caller's own namespace stores"},
    {"GET",
     "/api/organizations/{org}/settings/repositories",
     Auth::Needed,
     "The same of an organization, for its members"},
    {"GET", "/api/agent-harnesses", Auth::None, "An empty object, which clients ask for"},
    {"GET", "/api/telemetry/{*topic}", Auth::None, "Taken and dropped"},
    {"POST",
     "/api/validate-yaml",
     Auth::None,
     "What is wrong with a card's front matter",
     Answers::Json,
     Body::Json},

    {"GET",
     "/login",
     Auth::None,
     "The page where people sign in",
     Answers::Page,
     Body::None,
     "next"},
    {"POST", "/login", Auth::None, "Sign in with an access token", Answers::Page, Body::Form},
    {"POST", "/logout", Auth::Session, "Sign out", Answers::Page, Body::Form},
    {"GET",
     "/.well-known/openid-configuration",
     Auth::None,
     "How programs get tokens here, as OpenID Connect Discovery has it"},
    {"GET", "/oauth/jwks", Auth::None, "The keys that identity tokens are signed with"},
    {"GET",
     "/oauth/authorize",
     Auth::Session,
     "The page where a person lets a program in",
     Answers::Page,
     Body::None,
     "client_id redirect_uri response_type scope state nonce code_challenge code_challenge_method"},
    {"POST",
     "/oauth/authorize",
     Auth::Session,
     "A person's answer to a program",
     Answers::Page,
     Body::Form},
    {"POST",
     "/oauth/device",
     Auth::None,
     "A code to show, for programs without a browser",
     Answers::Json,
     Body::Form},
    {"GET",
     "/device",
     Auth::Session,
     "The page where a person types such a code",
     Answers::Page,
     Body::None,
     "code"},
    {"POST",
     "/device",
     Auth::Session,
     "A person's answer to the program of a code",
     Answers::Page,
     Body::Form},
    {"POST", "/oauth/token", Auth::None, "A token for a code", Answers::Json, Body::Form},
    {"GET", "/oauth/userinfo", Auth::Needed, "Whom a token stands for"},
    {"POST", "/oauth/userinfo", Auth::Needed, "Whom a token stands for"},

    {"GET",
     "/api/{ts}",
     Auth::Optional,
     "Repositories of a type",
     Answers::Json,
     Body::None,
     "search author filter pipeline_tag library license language gguf gated apps num_parameters "
     "models datasets linked inference inference_provider sort direction limit cursor full blobs "
     "cardData expand"},
    {"GET", "/api/{ts}-tags-by-type", Auth::Optional, "Tags of repositories, by their kinds"},
    {"GET",
     "/api/{ts}/{org}/{repo}",
     Auth::Optional,
     "A repository at its main branch",
     Answers::Json,
     Body::None,
     "blobs expand securityStatus"},
    {"GET",
     "/api/{ts}/{org}/{repo}/revision/{*rev}",
     Auth::Optional,
     "A repository at a revision",
     Answers::Json,
     Body::None,
     "blobs expand securityStatus"},
    {"GET",
     "/api/{ts}/{org}/{repo}/tree/{*rev}",
     Auth::Optional,
     "Files and folders at a revision, or below a path of it",
     Answers::Json,
     Body::None,
     "recursive expand limit cursor"},
    {"POST",
     "/api/{ts}/{org}/{repo}/paths-info/{*rev}",
     Auth::Optional,
     "Some paths at a revision",
     Answers::Json,
     Body::Form},
    {"GET",
     "/api/{ts}/{org}/{repo}/refs",
     Auth::Optional,
     "Branches and tags, and pull requests if asked for",
     Answers::Json,
     Body::None,
     "include_prs"},
    {"GET",
     "/api/{ts}/{org}/{repo}/lfs-files",
     Auth::Optional,
     "The large files of a repository",
     Answers::Json,
     Body::None,
     "limit cursor"},
    {"POST",
     "/api/{ts}/{org}/{repo}/lfs-files/batch",
     Auth::Needed,
     "Delete large files for good, from the history too",
     Answers::Json,
     Body::Json},
    {"DELETE",
     "/api/{ts}/{org}/{repo}/lfs-files/{sha}",
     Auth::Needed,
     "Delete a large file for good, from the history too",
     Answers::Json,
     Body::None,
     "rewriteHistory"},
    {"POST",
     "/api/{ts}/{org}/{repo}/lfs-files/duplicate",
     Auth::Needed,
     "Give large files to another repository",
     Answers::Json,
     Body::Json},
    {"POST",
     "/api/buckets/{org}/{repo}/lfs-files/duplicate",
     Auth::Needed,
     "Give large files to another repository",
     Answers::Json,
     Body::Json},
    {"GET",
     "/api/{ts}/{org}/{repo}/treesize/{*rev}",
     Auth::Optional,
     "What a folder or a file takes"},
    {"GET",
     "/api/spaces/{org}/{repo}/runtime",
     Auth::Optional,
     "That an app does not run on the hub (stage STOPPED)"},
    {"GET",
     "/api/{ts}/{org}/{repo}/auth-check",
     Auth::Optional,
     "200 if the caller may read files of it",
     Answers::Nothing},
    {"GET",
     "/api/{ts}/{org}/{repo}/auth-check/write",
     Auth::Optional,
     "200 if the caller may write to it",
     Answers::Nothing},
    {"POST", "/api/repos/create", Auth::Needed, "Make a repository", Answers::Json, Body::Json},
    {"POST",
     "/api/repos/move",
     Auth::Needed,
     "Give a repository another namespace or name",
     Answers::Json,
     Body::Json},
    {"DELETE", "/api/repos/delete", Auth::Needed, "Remove a repository", Answers::Json, Body::Json},
    {"PUT",
     "/api/{ts}/{org}/{repo}/settings",
     Auth::Needed,
     "Change visibility and gate",
     Answers::Json,
     Body::Json},
    {"POST",
     "/api/{ts}/{org}/{repo}/branch/{*branch}",
     Auth::Needed,
     "Make a branch",
     Answers::Json,
     Body::Json},
    {"DELETE", "/api/{ts}/{org}/{repo}/branch/{*branch}", Auth::Needed, "Remove a branch"},
    {"POST",
     "/api/{ts}/{org}/{repo}/tag/{*rev}",
     Auth::Needed,
     "Make a tag at a revision",
     Answers::Json,
     Body::Json},
    {"DELETE", "/api/{ts}/{org}/{repo}/tag/{*tag}", Auth::Needed, "Remove a tag"},
    {"GET",
     "/api/{ts}/{org}/{repo}/commits/{*rev}",
     Auth::Optional,
     "The history of a revision, newest first",
     Answers::Json,
     Body::None,
     "limit p expand[]"},
    {"GET",
     "/api/{ts}/{org}/{repo}/compare/{*range}",
     Auth::Optional,
     "A diff between two revisions",
     Answers::Text},
    {"POST",
     "/api/{ts}/{org}/{repo}/super-squash/{*rev}",
     Auth::Needed,
     "One commit in place of a branch's history",
     Answers::Json,
     Body::Json},
    {"POST",
     "/api/{ts}/{org}/{repo}/preupload/{*rev}",
     Auth::Needed,
     "How each file has to come",
     Answers::Json,
     Body::Json,
     "create_pr"},
    {"POST",
     "/api/{ts}/{org}/{repo}/commit/{*rev}",
     Auth::Needed,
     "Commit to a branch, or as a pull request",
     Answers::Json,
     Body::Lines,
     "create_pr"},
    {"GET",
     "/api/{ts}/{org}/{repo}/xet-read-token/{*rev}",
     Auth::Optional,
     "A Xet token that reads"},
    {"GET",
     "/api/{ts}/{org}/{repo}/xet-write-token/{*rev}",
     Auth::Needed,
     "A Xet token that writes",
     Answers::Json,
     Body::None,
     "create_pr"},

    {"GET",
     "/api/{ts}/{org}/{repo}/discussions",
     Auth::Optional,
     "Discussions and pull requests",
     Answers::Json,
     Body::None,
     "type status author p"},
    {"POST",
     "/api/{ts}/{org}/{repo}/discussions",
     Auth::Needed,
     "Begin a discussion or a pull request",
     Answers::Json,
     Body::Json},
    {"GET",
     "/api/{ts}/{org}/{repo}/discussions/{number}",
     Auth::Optional,
     "A discussion and what was said in it",
     Answers::Json,
     Body::None,
     "diff"},
    {"POST",
     "/api/{ts}/{org}/{repo}/discussions/{number}/comment",
     Auth::Needed,
     "Say something",
     Answers::Json,
     Body::Json},
    {"POST",
     "/api/{ts}/{org}/{repo}/discussions/{number}/title",
     Auth::Needed,
     "Change the title of a discussion",
     Answers::Json,
     Body::Json},
    {"POST",
     "/api/{ts}/{org}/{repo}/discussions/{number}/status",
     Auth::Needed,
     "Close a discussion, or open it again",
     Answers::Json,
     Body::Json},
    {"POST",
     "/api/{ts}/{org}/{repo}/discussions/{number}/merge",
     Auth::Needed,
     "Bring a pull request into its branch",
     Answers::Json,
     Body::Json},
    {"POST",
     "/api/{ts}/{org}/{repo}/discussions/{number}/comment/{comment}/edit",
     Auth::Needed,
     "Change what a comment says",
     Answers::Json,
     Body::Json},
    {"POST",
     "/api/{ts}/{org}/{repo}/discussions/{number}/comment/{comment}/hide",
     Auth::Needed,
     "Take away what a comment says",
     Answers::Json,
     Body::Json},

    {"GET",
     "/{p}{org}/{repo}/resolve/{rev}/{*path}",
     Auth::Reader,
     "A file",
     Answers::Bytes,
     Body::None,
     "download"},
    {"GET",
     "/{p}{org}/{repo}/raw/{rev}/{*path}",
     Auth::Reader,
     "A file as git holds it",
     Answers::Bytes,
     Body::None,
     "download"},
    {"GET", "/{org}", Auth::Session, "The page of a namespace", Answers::Page},
    {"GET", "/buckets/{org}/{repo}", Auth::Session, "The page of a bucket", Answers::Page},
    {"GET", "/collections/{org}/{slug}", Auth::Session, "The page of a collection", Answers::Page},
    {"GET", "/avatars/{name}", Auth::None, "The picture of whoever has no other", Answers::Bytes},
    {"GET", "/{p}{org}/{repo}", Auth::Session, "The page of a repository", Answers::Page},
    {"GET", "/{p}{org}/{repo}/tree/{*rev}", Auth::Session, "Leads to that page", Answers::Page},
    {"GET", "/{p}{org}/{repo}/commit/{*rev}", Auth::Session, "Leads to that page", Answers::Page},
    {"GET", "/{p}{org}/{repo}/commits/{*rev}", Auth::Session, "Leads to that page", Answers::Page},
    {"GET",
     "/{p}{org}/{repo}/blob/{rev}/{*path}",
     Auth::Session,
     "Leads to the file",
     Answers::Page},
    {"GET",
     "/{p}{org}/{repo}/ask-access",
     Auth::Session,
     "The page that asks what a gate's card asks",
     Answers::Page},
    {"GET",
     "/{p}{org}/{repo}/discussions",
     Auth::Session,
     "The page of a repository's discussions",
     Answers::Page},
    {"GET",
     "/{p}{org}/{repo}/discussions/{number}",
     Auth::Session,
     "The page of a discussion",
     Answers::Page},
    {"POST",
     "/{p}{org}/{repo}/ask-access",
     Auth::Needed,
     "Ask for access to a gated repository",
     Answers::Json,
     Body::Form},
    {"GET",
     "/{p}{org}/{repo}/user-access-report",
     Auth::Needed,
     "Who asked for access, as a table",
     Answers::Text,
     Body::None,
     "format"},
    {"POST",
     "/api/{ts}/{org}/{repo}/user-access-request/handle",
     Auth::Needed,
     "Accept or reject a request for access",
     Answers::Json,
     Body::Json},
    {"POST",
     "/api/{ts}/{org}/{repo}/user-access-request/grant",
     Auth::Needed,
     "Let somebody in who did not ask",
     Answers::Json,
     Body::Json},
    {"POST",
     "/api/{ts}/{org}/{repo}/user-access-request/cancel",
     Auth::Needed,
     "Take access back",
     Answers::Json,
     Body::Json},
    {"GET",
     "/api/{ts}/{org}/{repo}/user-access-request/{state}",
     Auth::Needed,
     "Requests for access that are pending, accepted or rejected",
     Answers::Json,
     Body::None,
     "limit cursor"},

    {"GET",
     "/{p}{org}/{repo}/info/refs",
     Auth::Optional,
     "Git's smart protocol: refs",
     Answers::Git,
     Body::None,
     "service"},
    {"POST",
     "/{p}{org}/{repo}/git-upload-pack",
     Auth::Optional,
     "Git's smart protocol: fetch",
     Answers::Git,
     Body::Git},
    {"POST",
     "/{p}{org}/{repo}/git-receive-pack",
     Auth::Needed,
     "Git's smart protocol: push",
     Answers::Git,
     Body::Git},
    {"POST",
     "/{p}{org}/{repo}/info/lfs/objects/batch",
     Auth::Optional,
     "Git LFS: how large files go and come",
     Answers::Json,
     Body::Json},
    {"GET",
     "/{p}{org}/{repo}/info/lfs/objects/{oid}",
     Auth::Optional,
     "Git LFS: a large file",
     Answers::Bytes},
    {"PUT",
     "/{p}{org}/{repo}/info/lfs/objects/{oid}",
     Auth::SignedUrl,
     "Git LFS: upload a large file",
     Answers::Nothing,
     Body::Bytes},
    {"PUT",
     "/{p}{org}/{repo}/info/lfs/objects/{oid}/parts/{part}",
     Auth::SignedUrl,
     "Git LFS: upload a part of a large file",
     Answers::Nothing,
     Body::Bytes},
    {"POST",
     "/{p}{org}/{repo}/info/lfs/objects/{oid}/parts",
     Auth::SignedUrl,
     "Git LFS: all parts of a large file have come",
     Answers::Json,
     Body::Json},

    {"GET",
     "/api/buckets/{org}",
     Auth::Optional,
     "The buckets of a namespace",
     Answers::Json,
     Body::None,
     "search limit cursor"},
    {"DELETE",
     "/api/buckets/{org}",
     Auth::Needed,
     "404: a bucket's id has two parts",
     Answers::Nothing},
    {"POST", "/api/buckets/{org}/{repo}", Auth::Needed, "Make a bucket", Answers::Json, Body::Json},
    {"GET", "/api/buckets/{org}/{repo}", Auth::Optional, "A bucket"},
    {"DELETE", "/api/buckets/{org}/{repo}", Auth::Needed, "Remove a bucket", Answers::Nothing},
    {"PUT",
     "/api/buckets/{org}/{repo}/settings",
     Auth::Needed,
     "Change a bucket's visibility",
     Answers::Json,
     Body::Json},
    {"GET",
     "/api/buckets/{org}/{repo}/tree",
     Auth::Optional,
     "What is in a bucket",
     Answers::Json,
     Body::None,
     "recursive limit cursor"},
    {"GET",
     "/api/buckets/{org}/{repo}/tree/{*path}",
     Auth::Optional,
     "What is in a folder of a bucket",
     Answers::Json,
     Body::None,
     "recursive limit cursor"},
    {"POST",
     "/api/buckets/{org}/{repo}/paths-info",
     Auth::Optional,
     "Some paths of a bucket",
     Answers::Json,
     Body::Json},
    {"POST",
     "/api/buckets/{org}/{repo}/batch",
     Auth::Needed,
     "Change what is in a bucket",
     Answers::Json,
     Body::Lines},
    {"GET",
     "/api/buckets/{org}/{repo}/xet-read-token",
     Auth::Optional,
     "A Xet token that reads a bucket"},
    {"GET",
     "/api/buckets/{org}/{repo}/xet-write-token",
     Auth::Needed,
     "A Xet token that writes to a bucket"},
    {"GET",
     "/buckets/{org}/{repo}/resolve/{*path}",
     Auth::Reader,
     "A file of a bucket",
     Answers::Bytes,
     Body::None,
     "download"},

    {"GET",
     "/api/collections",
     Auth::Optional,
     "Collections",
     Answers::Json,
     Body::None,
     "owner item q sort limit cursor"},
    {"POST", "/api/collections", Auth::Needed, "Make a collection", Answers::Json, Body::Json},
    {"GET", "/api/collections/{org}/{slug}", Auth::Optional, "A collection"},
    {"PATCH",
     "/api/collections/{org}/{slug}",
     Auth::Needed,
     "Change a collection",
     Answers::Json,
     Body::Json},
    {"DELETE",
     "/api/collections/{org}/{slug}",
     Auth::Needed,
     "Remove a collection",
     Answers::Nothing},
    {"POST",
     "/api/collections/{org}/{slug}/items",
     Auth::Needed,
     "Put something into a collection",
     Answers::Json,
     Body::Json},
    {"PATCH",
     "/api/collections/{org}/{slug}/items/{item}",
     Auth::Needed,
     "Change an item of a collection",
     Answers::Json,
     Body::Json},
    {"DELETE",
     "/api/collections/{org}/{slug}/items/{item}",
     Auth::Needed,
     "Take an item out of a collection",
     Answers::Nothing},

    {"POST",
     "/api/spaces/{org}/{repo}/submissions",
     Auth::Needed,
     "Submit a commit of an app for review",
     Answers::Json,
     Body::Json},
    {"GET",
     "/api/spaces/{org}/{repo}/submissions",
     Auth::Needed,
     "What was submitted of an app",
     Answers::Json,
     Body::None,
     "limit cursor"},
    {"GET",
     "/api/spaces/{org}/{repo}/submissions/{number}",
     Auth::Needed,
     "A submission with report and reasons"},
    {"GET",
     "/api/review/submissions",
     Auth::Needed,
     "What was submitted of every app, for curators",
     Answers::Json,
     Body::None,
     "state limit cursor"},
    {"GET",
     "/api/review/submissions/{number}",
     Auth::Needed,
     "Any submission with report and reasons, for curators"},
    {"GET",
     "/api/review/takedowns",
     Auth::Needed,
     "What the catalog pins and the gate refuses by now, for curators"},

    {"GET",
     "/cas/v1/reconstructions",
     Auth::Xet,
     "How to put files together",
     Answers::Json,
     Body::None,
     "file_id"},
    {"GET",
     "/cas/v1/reconstructions/{file}",
     Auth::Xet,
     "How to put a file, or the range asked for, together"},
    {"GET", "/cas/v2/reconstructions/{file}", Auth::Xet, "The same with several ranges a URL"},
    {"GET", "/cas/v1/files/{file}/shard", Auth::Xet, "The shard of a file", Answers::Bytes},
    {"GET",
     "/cas/v1/chunks/{prefix}/{hash}",
     Auth::Xet,
     "Where a chunk is, as a shard",
     Answers::Bytes},
    {"HEAD",
     "/cas/v1/xorbs/{prefix}/{hash}",
     Auth::Xet,
     "Whether a xorb is here",
     Answers::Nothing},
    {"POST",
     "/cas/v1/xorbs/{prefix}/{hash}",
     Auth::Xet,
     "Upload a xorb",
     Answers::Json,
     Body::Bytes},
    {"POST", "/cas/v1/shards", Auth::Xet, "Register files", Answers::Json, Body::Bytes},
    {"POST",
     "/cas/v2/shards",
     Auth::Xet,
     "Register files, and be told how far it is",
     Answers::Lines,
     Body::Bytes},
    {"POST", "/cas/v1/telemetry", Auth::None, "Taken and dropped", Answers::Nothing, Body::Json},
    {"GET",
     "/cas/xorbs/{hash}",
     Auth::SignedUrl,
     "Bytes of a xorb",
     Answers::Bytes,
     Body::None,
     "ranges"},
};

/// A text with every `from` in it replaced.
std::string replaced(std::string text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
        text.replace(at, from.size(), to);
    }
    return text;
}

/// The patterns that one of the table stands for.
std::vector<std::string> spell_out(std::string_view pattern) {
    const std::string text(pattern);
    if (text.find("{ts}") != std::string::npos) {
        return {replaced(text, "{ts}", "models"),
                replaced(text, "{ts}", "datasets"),
                replaced(text, "{ts}", "spaces")};
    }
    if (text.find("{p}") != std::string::npos) {
        return {replaced(text, "{p}", ""),
                replaced(text, "{p}", "datasets/"),
                replaced(text, "{p}", "spaces/")};
    }
    return {text};
}

struct Parameter {
    std::string name;
    bool many = false; ///< Several segments.
};

/// A pattern in OpenAPI's form, and its parameters in their order.
struct Path {
    std::string text;
    std::string shape; ///< Without the names: two paths of one shape would be the same to OpenAPI.
    std::vector<Parameter> parameters;
};

Path parse_pattern(const std::string& pattern) {
    Path path;
    for (std::size_t at = 0; at < pattern.size();) {
        const std::size_t close = pattern[at] == '{' ? pattern.find('}', at) : std::string::npos;
        if (close == std::string::npos) {
            path.text += pattern[at];
            path.shape += pattern[at++];
            continue;
        }
        Parameter parameter;
        parameter.many = pattern[at + 1] == '*';
        parameter.name =
            pattern.substr(at + (parameter.many ? 2 : 1), close - at - (parameter.many ? 2 : 1));
        path.text += "{" + parameter.name + "}";
        path.shape += "{}";
        path.parameters.push_back(std::move(parameter));
        at = close + 1;
    }
    return path;
}

std::string_view media_type(Body body) {
    switch (body) {
    case Body::None:
        return "";
    case Body::Json:
        return "application/json";
    case Body::Lines:
        return "application/x-ndjson";
    case Body::Form:
        return "application/x-www-form-urlencoded";
    case Body::Bytes:
    case Body::Git:
        return "application/octet-stream";
    }
    return "";
}

std::string_view media_type(Answers answers) {
    switch (answers) {
    case Answers::Json:
        return "application/json";
    case Answers::Lines:
        return "application/x-ndjson";
    case Answers::Bytes:
    case Answers::Git:
        return "application/octet-stream";
    case Answers::Text:
        return "text/plain";
    case Answers::Page:
        return "text/html";
    case Answers::Nothing:
        return "";
    }
    return "";
}

Json content_of(std::string_view type) {
    Json any = Json::object(); // Every type: bytes have no schema in OpenAPI 3.1.
    if (type == "application/json") {
        any["schema"] = Json::object();
    }
    return {{std::string(type), std::move(any)}};
}

Json security_of(Auth auth) {
    const Json access = {{"accessToken", Json::array()}};
    const Json basic = {{"basic", Json::array()}};
    switch (auth) {
    case Auth::None:
    case Auth::SignedUrl:
    case Auth::Address:
        return Json::array();
    case Auth::Optional:
        return Json::array({Json::object(), access, basic});
    case Auth::Needed:
        return Json::array({access, basic});
    case Auth::Xet:
        return Json::array({{{"xetToken", Json::array()}}});
    case Auth::Reader:
        return Json::array({Json::object(), access, basic, {{"session", Json::array()}}});
    case Auth::Session:
        return Json::array({Json::object(), {{"session", Json::array()}}});
    }
    return Json::array();
}

std::string operation_id(std::string_view method, const std::string& path) {
    std::string id = ascii_lower(method);
    for (const char c : path) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.';
        if (plain) {
            id += c;
        } else if (id.back() != '_') {
            id += '_';
        }
    }
    return id;
}

Json describe(const RouteInfo& info, const Path& path) {
    Json operation = {{"operationId", operation_id(info.method, path.text)},
                      {"summary", info.summary},
                      {"security", security_of(info.auth)}};
    Json parameters = Json::array();
    for (const Parameter& parameter : path.parameters) {
        Json one = {{"name", parameter.name},
                    {"in", "path"},
                    {"required", true},
                    {"schema", {{"type", "string"}}}};
        if (parameter.many) {
            one["description"] = "One or more segments with the slashes between them.";
        }
        parameters.push_back(std::move(one));
    }
    for (std::string_view rest = info.query; !rest.empty();) {
        const std::size_t space = std::min(rest.find(' '), rest.size());
        parameters.push_back(
            {{"name", rest.substr(0, space)}, {"in", "query"}, {"schema", {{"type", "string"}}}});
        rest.remove_prefix(std::min(space + 1, rest.size()));
    }
    if (!parameters.empty()) {
        operation["parameters"] = std::move(parameters);
    }
    if (info.body != Body::None) {
        operation["requestBody"] = {{"required", true},
                                    {"content", content_of(media_type(info.body))}};
    }
    Json good = {{"description", "As asked."}};
    if (info.answers != Answers::Nothing) {
        good["content"] = content_of(media_type(info.answers));
    }
    Json answers = {{"200", std::move(good)}};
    const auto refers = [](const char* name) {
        return Json{{"$ref", std::string("#/components/responses/") + name}};
    };
    if (info.answers == Answers::Bytes) {
        answers["206"] = {{"description", "The range asked for."}};
        answers["304"] = {{"description", "The caller has it already (If-None-Match)."}};
    }
    if (info.auth == Auth::Optional || info.auth == Auth::Reader || info.auth == Auth::Needed ||
        info.auth == Auth::Xet) {
        answers["401"] = refers("Unauthorized");
    }
    if (info.auth != Auth::None) {
        answers["403"] = refers("Forbidden");
    }
    if (!path.parameters.empty()) {
        answers["404"] = refers("NotFound");
    }
    answers["default"] = refers("Error");
    operation["responses"] = std::move(answers);
    return operation;
}

Json components() {
    const auto error = [](const char* text) -> Json {
        return {{"description", text},
                {"content",
                 {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}};
    };
    return {
        {"securitySchemes",
         {{"accessToken", {{"type", "http"}, {"scheme", "bearer"}}},
          {"basic",
           {{"type", "http"},
            {"scheme", "basic"},
            {"description", "An access token as the password, as git sends it."}}},
          {"xetToken", {{"type", "http"}, {"scheme", "bearer"}}},
          {"session", {{"type", "apiKey"}, {"in", "cookie"}, {"name", kSessionCookie}}}}},
        {"schemas",
         {{"Error",
           {{"type", "object"},
            {"required", {"error"}},
            {"properties",
             {{"error", {{"type", "string"}}}, {"request_id", {{"type", "string"}}}}}}}}},
        {"responses",
         {{"Unauthorized", error("A token is needed, or the one sent is not good.")},
          {"Forbidden", error("The caller may see it, but not do this.")},
          {"NotFound", error("It is not there, or not for the caller; X-Error-Code says what.")},
          {"Error", error("Anything else; 429 when there were too many requests.")}}}};
}

} // namespace

std::vector<DescribedRoute> described_routes() {
    std::vector<DescribedRoute> routes;
    for (const RouteInfo& info : kRoutes) {
        for (std::string& pattern : spell_out(info.pattern)) {
            routes.push_back({std::string(info.method), std::move(pattern)});
        }
    }
    return routes;
}

bool is_described(std::string_view method, std::string_view pattern) {
    static const std::vector<DescribedRoute> routes = described_routes();
    return std::any_of(routes.begin(), routes.end(), [&](const DescribedRoute& route) {
        return route.method == method && route.pattern == pattern;
    });
}

Json render_openapi(std::string_view version) {
    Json paths = Json::object();
    std::map<std::string, Path> by_shape;
    for (const RouteInfo& info : kRoutes) {
        for (const std::string& pattern : spell_out(info.pattern)) {
            const Path own = parse_pattern(pattern);
            const Path& path = by_shape.emplace(own.shape, own).first->second;
            paths[path.text][ascii_lower(info.method)] = describe(info, path);
        }
    }
    return {
        {"openapi", "3.1.0"},
        {"info",
         {{"title", "locara-hub"},
          {"version", version},
          {"description",
           "Routes of GET answer HEAD too. Clients of the Hugging Face Hub may use them as that "
           "describes them."}}},
        {"paths", std::move(paths)},
        {"components", components()}};
}

} // namespace locara::hub
