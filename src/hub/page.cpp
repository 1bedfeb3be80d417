#include "routes.hpp"

#include <locara/crypto/sha256.hpp>

namespace locara::hub {
namespace {

constexpr std::string_view kStyle =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;"
    "color:#1c1c1e;background:#fff}"
    "h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}"
    "nav{display:flex;gap:1.2rem;font-size:.9rem}td{overflow-wrap:anywhere}"
    "li{margin:.8rem 0}ul{padding-left:1.2rem}"
    "code,pre{font:14px/1.5 ui-monospace,monospace;background:#f2f2f5;border-radius:4px}"
    "code{padding:.1rem .3rem;overflow-wrap:anywhere}pre{padding:.8rem;overflow-x:auto}"
    "small{color:#5c5c66}"
    "input,button{font:inherit;padding:.5rem .8rem;border-radius:6px;border:1px solid #8a8a94}"
    "input{width:100%;box-sizing:border-box;margin:.3rem 0 1rem;background:#fff;color:#1c1c1e}"
    "button{background:#fff;color:#1c1c1e;margin-right:.6rem;cursor:pointer}"
    "button.main{background:#1d5fd0;border-color:#1d5fd0;color:#fff}"
    ".error{color:#b3261e}"
    "input[type=checkbox]{width:auto;margin:0 .4rem 0 0}"
    "select{font:inherit;display:block;padding:.5rem;margin:.3rem 0 1rem}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}"
    "td,th{padding:.2rem .8rem .2rem 0;border-bottom:1px solid #d8d8de}"
    "th:not([align]){text-align:left}"
    "article{border-left:3px solid #d8d8de;padding-left:1rem;overflow-wrap:anywhere}"
    "img{max-width:100%}"
    "@media(prefers-color-scheme:dark){body{color:#e8e8ec;background:#1c1c1e}"
    "code,pre{background:#2c2c30}small{color:#a0a0aa}"
    "a{color:#8ab4f8}input,button,select{background:#2c2c30;color:#e8e8ec}.error{color:#ff8a80}}";

} // namespace

RenderedPage frame_page(std::string_view title, std::string_view body, std::string_view forms) {
    std::string html = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                       "<meta name=\"viewport\" content=\"width=device-width\"><title>" +
                       escape_html(title) + "</title><style>";
    html += kStyle;
    html +=
        "</style></head><body>\n<nav><a href=\"/\">This hub</a> <a href=\"/login\">You</a></nav>\n"
        "<main>\n<h1>" +
        escape_html(title) + "</h1>\n";
    html += body;
    html += "</main>\n</body></html>\n";
    const std::string style_hash = render_base64(crypto::sha256(as_bytes(kStyle)).bytes);
    return {std::move(html),
            "default-src 'none'; style-src 'sha256-" + style_hash +
                "'; img-src 'self'; base-uri 'none'; form-action " + std::string(forms) +
                "; frame-ancestors 'none'"};
}

http::Response page_answer(const RenderedPage& page, int status) {
    http::Response response;
    response.status = status;
    response.body = page.html;
    response.headers.add("Content-Type", "text/html; charset=utf-8");
    response.headers.add("Content-Security-Policy", page.policy);
    response.headers.add("Referrer-Policy", "no-referrer");
    response.headers.add("Cache-Control", "no-store");
    return response;
}

Answer<std::monostate> require_own_page(const http::Request& request) {
    const auto site = request.headers.find("Sec-Fetch-Site");
    const auto origin = request.headers.find("Origin");
    const bool ours =
        site ? *site == "same-origin" || *site == "none" : !origin || *origin == endpoint(request);
    if (!ours) {
        return Refusal(403, "", "this was sent by a page of another site");
    }
    return std::monostate();
}

http::Response see_other(const std::string& address) {
    http::Response response;
    response.status = 303;
    response.headers.add("Location", address);
    response.headers.add("Cache-Control", "no-store");
    return response;
}

} // namespace locara::hub
