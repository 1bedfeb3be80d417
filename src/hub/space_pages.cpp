// The pages of namespaces, buckets and collections, and the one picture of accounts: what the
// addresses lead to that the API hands out. docs/hub.md, "Pages".
#include "buckets.hpp"
#include "collection_access.hpp"
#include "page_parts.hpp"
#include "routes.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/bytes.hpp>
#include <locara/base/percent.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kShown = 500;

/// Somebody, in grey: nobody here has a picture.
constexpr std::string_view kPicture =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\">"
    "<rect width=\"32\" height=\"32\" fill=\"#d8d8de\"/>"
    "<circle cx=\"16\" cy=\"12\" r=\"6\" fill=\"#8a8a94\"/>"
    "<path d=\"M4 32a12 12 0 0 1 24 0z\" fill=\"#8a8a94\"/></svg>\n";

std::string words_of(Visibility visibility) {
    return visibility == Visibility::Private ? "private" : "public";
}

// ------------------------------------------------------------------------------------- namespaces

/// The repositories of a namespace that the caller may see, as links.
Result<std::vector<std::string>> repositories_of(const Services& services,
                                                 const Caller& caller,
                                                 RepoType type,
                                                 const std::string& space) {
    LOCARA_TRY(const auto repos, services.names.list_repos(type));
    std::vector<std::string> lines;
    for (const Repo& repo : repos) {
        if (equals_ignoring_case(repo.id.space, space) && may(caller, repo, Action::See)) {
            const bool closed = repo.visibility == Visibility::Private;
            lines.push_back(link(page_of(repo), repo.id.render()) +
                            (closed ? small("private") : ""));
        }
    }
    return lines;
}

Result<std::vector<std::string>>
collections_of(const Services& services, const Caller& caller, const std::string& space) {
    LOCARA_TRY(const auto all, services.collections.list());
    std::vector<std::string> lines;
    for (const Collection& one : all) {
        if (equals_ignoring_case(one.space, space) && may(caller, one, Action::See)) {
            const bool closed = one.visibility == Visibility::Private;
            lines.push_back(link("/collections/" + one.slug(), one.title) +
                            (closed ? small("private") : ""));
        }
    }
    return lines;
}

/// Who has a namespace, and what is in it. Who belongs to an organization is not said.
Answer<Response> space_page(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify_visitor(services, request));
    const std::string& name = request.param("org");
    LOCARA_TRY(const auto user, services.names.find_account(name));
    LOCARA_TRY(const auto organization, services.organizations.find(name));
    std::string body;
    std::size_t found = 0;
    for (const auto& [type, title] : {std::pair(RepoType::Model, "Models"),
                                      std::pair(RepoType::Dataset, "Datasets"),
                                      std::pair(RepoType::Space, "Apps"),
                                      std::pair(RepoType::Bucket, "Buckets")}) {
        LOCARA_TRY(const auto lines, repositories_of(services, caller, type, name));
        found += lines.size();
        body += list_of(title, lines);
    }
    LOCARA_TRY(const auto shelves, collections_of(services, caller, name));
    found += shelves.size();
    body += list_of("Collections", shelves);
    if (!user && !organization && found == 0) { // A seed's namespaces have no account.
        return Refusal(404, "", "there is no namespace '" + name + "'");
    }
    const std::string kind = user ? "user" : organization ? "organization" : "namespace";
    const std::string& full = user           ? user->full_name
                              : organization ? organization->full_name
                                             : name;
    const std::string& spelled = user ? user->name : organization ? organization->name : name;
    return show(full,
                "<p><small>" + escape_html(kind + " " + spelled) + "</small></p>\n" +
                    (found == 0 ? "<p>There is nothing here that you may see.</p>\n" : body));
}

// ---------------------------------------------------------------------------------------- buckets

Answer<Response> bucket_page(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify_visitor(services, request));
    LOCARA_TRY(const Repo bucket,
               find_repo(services, request, caller, RepoType::Bucket, Action::See));
    LOCARA_TRY(const BucketTotals totals, services.buckets.totals(bucket));
    LOCARA_TRY(const BucketPage page,
               services.buckets.list(bucket, "", Buckets::Recursive::Yes, "", kShown));
    const bool linked = may(caller, bucket, Action::Read);
    const std::string here = page_of(bucket);
    std::string rows;
    std::size_t shown = 0;
    for (const BucketEntry& entry : page.entries) {
        if (entry.kind != BucketEntry::Kind::File) {
            continue;
        }
        ++shown;
        rows += "<tr><td>" +
                (linked ? link(here + "/resolve/" + percent_encode(entry.file.path, "/"),
                               entry.file.path)
                        : escape_html(entry.file.path)) +
                "</td><td align=\"right\">" + escape_html(render_size(entry.file.size)) +
                "</td></tr>\n";
    }
    std::string body =
        "<p><small>" +
        escape_html("bucket, " + words_of(bucket.visibility) + ", " + render_size(totals.bytes)) +
        "</small></p>\n<h2>Files</h2>\n";
    body += rows.empty() ? "<p>None.</p>\n"
                         : "<table>\n<thead><tr><th>Path</th><th "
                           "align=\"right\">Size</th></tr></thead>\n<tbody>\n" +
                               rows + "</tbody>\n</table>\n";
    if (totals.files > shown) {
        body += "<p>and " + std::to_string(totals.files - shown) + " more</p>\n";
    }
    body += "<h2>Use it</h2>\n<pre>" +
            escape_html("HF_ENDPOINT=" + endpoint(request) + " hf buckets sync hf:/" + here +
                        " ./" + bucket.id.name) +
            "</pre>\n";
    return show(bucket.id.render(), body);
}

// ------------------------------------------------------------------------------------ collections

/// An item as a line, or nothing if it is not for the caller to see.
Result<std::optional<std::string>>
show_item(const Services& services, const Caller& caller, const CollectionItem& item) {
    std::string address;
    std::string name;
    if (item.type == "collection") {
        LOCARA_TRY(const auto other, services.collections.find(item.target));
        if (!other || !may(caller, *other, Action::See)) {
            return std::optional<std::string>();
        }
        address = "/collections/" + other->slug();
        name = other->title;
    } else {
        LOCARA_TRY(const auto repo, find_target(services, caller, item));
        if (!repo) {
            return std::optional<std::string>();
        }
        address = repo->origin == Origin::Here ? page_of(*repo) : ""; // Mirrored: it has no page.
        name = repo->id.render();
    }
    const std::string note = item.note.empty() ? "" : "<br>" + escape_html(item.note);
    return std::optional((address.empty() ? escape_html(name) : link(address, name)) + " <small>" +
                         escape_html(item.type) + "</small>" + note);
}

Answer<Response> collection_page(const Services& services, const Request& request) {
    LOCARA_TRY(const Caller caller, identify_visitor(services, request));
    LOCARA_TRY(const auto found, services.collections.find(request.param("slug")));
    if (!found || !equals_ignoring_case(found->space, request.param("org")) ||
        !may(caller, *found, Action::See)) {
        return Refusal(404, "CollectionNotFound", "Collection not found");
    }
    LOCARA_TRY(const auto items, services.collections.items(*found));
    std::vector<std::string> lines;
    for (const CollectionItem& item : items) {
        LOCARA_TRY(auto line, show_item(services, caller, item));
        if (line) {
            lines.push_back(std::move(*line));
        }
    }
    std::string body = "<p><small>collection of " + link("/" + found->space, found->space) + ", " +
                       words_of(found->visibility) + "</small></p>\n";
    if (!found->description.empty()) {
        body += "<p>" + escape_html(found->description) + "</p>\n";
    }
    body += lines.empty() ? "<p>There is nothing on it that you may see.</p>\n"
                          : list_of("What is on it", lines);
    return show(found->title, body);
}

// --------------------------------------------------------------------------------------- pictures

/// "default.svg", and the names that the Hub gives: which addresses there are is not told.
Answer<Response> picture(const Request& request) {
    const std::string& name = request.param("name");
    const bool fits = name == "default.svg" || (name.size() == 36 && name.ends_with(".svg") &&
                                                name.find_first_not_of("0123456789abcdef") == 32);
    if (!fits) {
        return Refusal(404, "", "there is no such picture");
    }
    http::Content content;
    content.body = std::string(kPicture);
    content.content_type = "image/svg+xml";
    content.etag = "\"somebody\"";
    Response response = http::content_response(request, std::move(content));
    response.headers.add("Content-Security-Policy", "default-src 'none'; sandbox");
    return response;
}

} // namespace

void add_space_pages(Routes& routes, const Services& services) {
    using Handle = Answer<Response> (*)(const Services&, const Request&);
    const auto bind = [&services](Handle handle) {
        return [&services, handle](const Request& request) {
            return or_page(request, handle(services, request));
        };
    };
    routes.get("/{org}", bind(&space_page));
    routes.get("/buckets/{org}/{repo}", bind(&bucket_page));
    routes.get("/collections/{org}/{slug}", bind(&collection_page));
    routes.get("/avatars/{name}", &picture);
}

} // namespace locara::hub
