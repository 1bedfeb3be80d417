// The front page: what the catalog offers, and the shelves that people made of what is here.
#include "all_repos.hpp"
#include "collection_access.hpp"
#include "page_parts.hpp"
#include "published_catalog.hpp"
#include "routes.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/bytes.hpp>
#include <locara/crypto/sha256.hpp>

#include <set>
#include <utility>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kShelves = 50;

std::string line(std::string_view name,
                 std::string_view id,
                 const manifest::Version& version,
                 std::string_view description,
                 std::string_view facts) {
    return "<strong>" + escape_html(name) + "</strong> <code>" + escape_html(id) + "</code> " +
           escape_html(version.render()) + "<br>" + escape_html(description) + small(facts);
}

/// What the curators say of it by now; "" if nothing.
std::string mark(const CalledBack::Entries& entries, const std::string& id) {
    const auto found = entries.find(id);
    return found == entries.end()
               ? ""
               : "<br><strong class=\"error\">Called back on " + escape_html(found->second.date) +
                     " (" + std::string(catalog::render(found->second.action)) +
                     "): " + escape_html(found->second.reason) + "</strong>";
}

std::string list_apps(const CatalogContents& contents, const CalledBack& called_back) {
    std::vector<std::string> lines;
    for (const auto& [id, app] : contents.apps) {
        lines.push_back(
            line(app.name,
                 id,
                 app.version,
                 app.description,
                 "License " + app.license + (app.commercial ? "" : ", no commercial use") +
                     (app.models.empty() ? "" : ", runs " + app.models.front().id.render())) +
            mark(called_back.apps, id));
    }
    return lines.empty() ? "<h2>Apps</h2>\n<p>None yet.</p>\n" : list_of("Apps", lines);
}

std::string list_models(const CatalogContents& contents, const CalledBack& called_back) {
    std::vector<std::string> lines;
    for (const manifest::ModelManifest* model : contents.newest_models()) {
        lines.push_back(line(model->name,
                             model->id.render(),
                             model->version,
                             model->description,
                             "License " + describe_license(*model) + ", " +
                                 render_size(model->get_default().download_bytes()) +
                                 ", files in " + model->source.repo) +
                        mark(called_back.models, model->id.render()));
    }
    return lines.empty() ? "<h2>Models</h2>\n<p>None yet.</p>\n" : list_of("Models", lines);
}

/// The curators' collections, as far as everybody sees them: what is here, arranged by those whose
/// choice the catalog is.
Result<std::string> list_shelves(const Services& services, const std::string& curators) {
    LOCARA_TRY(const auto shelves, services.collections.list());
    std::vector<std::string> lines;
    for (const Collection& one : shelves) {
        if (lines.size() < kShelves && equals_ignoring_case(one.space, curators) &&
            may(Caller(), one, Action::See)) {
            lines.push_back(link("/collections/" + one.slug(), one.title) +
                            (one.description.empty() ? "" : small(one.description)));
        }
    }
    return list_of("Collections", lines);
}

/// Whose repositories everybody sees.
Result<std::string> list_spaces(const Services& services) {
    std::set<std::string> spaces;
    LOCARA_TRY(const auto repos, list_all_repos(services.names));
    for (const Repo& repo : repos) {
        if (repo.origin == Origin::Here && may(Caller(), repo, Action::See)) {
            spaces.insert(repo.id.space);
        }
    }
    std::vector<std::string> lines;
    for (const std::string& space : spaces) {
        lines.push_back(link("/" + space, space));
    }
    return list_of("People and organizations", lines);
}

std::string list_uses(const PublishedCatalog::Snapshot& catalog) {
    const auto& apps = catalog.contents.apps;
    return "<h2>Use it</h2>\n<pre>locara hub add ADDRESS-OF-THIS-PAGE\nlocara install " +
           escape_html(apps.empty() ? "PUBLISHER/NAME" : apps.begin()->first) +
           "</pre>\n<p>Compare the fingerprint that <code>locara hub add</code> shows with what "
           "the people who run this hub tell you:<br><code>sha256:" +
           escape_html(catalog.fingerprint) + "</code></p>\n";
}

} // namespace

void add_front_page(Routes& routes,
                    const Services& services,
                    PublishedCatalog& published,
                    std::string curators) {
    routes.get("/",
               [&services, &published, curators = std::move(curators)](
                   const Request& request) -> Answer<Response> {
                   LOCARA_TRY(const auto catalog, published.get());
                   LOCARA_TRY(const std::string shelves, list_shelves(services, curators));
                   LOCARA_TRY(const std::string spaces, list_spaces(services));
                   const RenderedPage page = frame_page(
                       "Locara hub",
                       "<p>Apps on this hub run wholly on your own machine, on model weights that "
                       "are pinned and verified.</p>\n" +
                           list_apps(catalog->contents, catalog->called_back) +
                           list_models(catalog->contents, catalog->called_back) + shelves + spaces +
                           list_uses(*catalog),
                       "'none'");
                   http::Content content;
                   content.body = page.html;
                   content.content_type = "text/html; charset=utf-8";
                   content.etag =
                       "\"" + crypto::sha256(as_bytes(page.html)).render().substr(0, 32) + "\"";
                   Response response = http::content_response(request, std::move(content));
                   response.headers.add("Content-Security-Policy", page.policy);
                   response.headers.add("Referrer-Policy", "no-referrer");
                   return response;
               });
}

} // namespace locara::hub
