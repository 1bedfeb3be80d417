#include "routes.hpp"

#include <locara/crypto/sha256.hpp>

namespace locara::hub {
namespace {

constexpr std::string_view kStyle =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;"
    "color:#1c1c1e;background:#fff}"
    "h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}"
    "li{margin:.8rem 0}ul{padding-left:1.2rem}"
    "code,pre{font:14px/1.5 ui-monospace,monospace;background:#f2f2f5;border-radius:4px}"
    "code{padding:.1rem .3rem;overflow-wrap:anywhere}pre{padding:.8rem;overflow-x:auto}"
    "small{color:#5c5c66}"
    "@media(prefers-color-scheme:dark){body{color:#e8e8ec;background:#1c1c1e}"
    "code,pre{background:#2c2c30}small{color:#a0a0aa}}";

std::string line(std::string_view name,
                 std::string_view id,
                 std::string_view version,
                 std::string_view description,
                 std::string_view facts) {
    return "<li><strong>" + escape_html(name) + "</strong> <code>" + escape_html(id) + "</code> " +
           escape_html(version) + "<br>" + escape_html(description) + "<br><small>" +
           escape_html(facts) + "</small></li>\n";
}

} // namespace

RenderedPage render_page(const Page& page) {
    std::string html = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                       "<meta name=\"viewport\" content=\"width=device-width\">"
                       "<title>Locara hub</title><style>";
    html += kStyle;
    html += "</style></head><body>\n<h1>Locara hub</h1>\n"
            "<p>Apps on this hub run wholly on your own machine, on model weights that are pinned "
            "and verified.</p>\n<h2>Apps</h2>\n";
    html += page.apps.empty() ? "<p>None yet.</p>\n" : "<ul>\n";
    for (const PageApp& app : page.apps) {
        html += line(app.name,
                     app.id,
                     app.version,
                     app.description,
                     "License " + app.license + (app.commercial ? "" : ", no commercial use") +
                         (app.model.empty() ? "" : ", runs " + app.model));
    }
    html += page.apps.empty() ? "" : "</ul>\n";
    html += "<h2>Models</h2>\n";
    html += page.models.empty() ? "<p>None yet.</p>\n" : "<ul>\n";
    for (const PageModel& model : page.models) {
        html += line(model.name,
                     model.id,
                     model.version,
                     model.description,
                     "License " + model.license + ", " + render_size(model.bytes) + ", files in " +
                         model.repo);
    }
    html += page.models.empty() ? "" : "</ul>\n";
    html += "<h2>Use it</h2>\n<pre>locara hub add ADDRESS-OF-THIS-PAGE\nlocara install " +
            escape_html(page.apps.empty() ? "PUBLISHER/NAME" : page.apps.front().id) +
            "</pre>\n<p>Compare the fingerprint that <code>locara hub add</code> shows with what "
            "the people who run this hub tell you:<br><code>sha256:" +
            escape_html(page.fingerprint) + "</code></p>\n</body></html>\n";
    const std::string style_hash = render_base64(crypto::sha256(as_bytes(kStyle)).bytes);
    return {std::move(html),
            "default-src 'none'; style-src 'sha256-" + style_hash +
                "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"};
}

} // namespace locara::hub
