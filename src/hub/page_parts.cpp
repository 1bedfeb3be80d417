#include "page_parts.hpp"

#include "credentials.hpp"
#include "names.hpp"

#include <locara/base/percent.hpp>

#include <algorithm>

namespace locara::hub {

std::string link(const std::string& address, std::string_view words) {
    return "<a href=\"" + escape_html(address) + "\">" + escape_html(words) + "</a>";
}

std::string small(std::string_view words) {
    return "<br><small>" + escape_html(words) + "</small>";
}

std::string list_of(std::string_view title, const std::vector<std::string>& lines) {
    constexpr std::size_t kShown = 500;
    if (lines.empty()) {
        return "";
    }
    std::string html = "<h2>" + escape_html(title) + "</h2>\n<ul>\n";
    for (std::size_t i = 0; i < std::min(lines.size(), kShown); ++i) {
        html += "<li>" + lines[i] + "</li>\n";
    }
    html += "</ul>\n";
    if (lines.size() > kShown) {
        html += "<p>and " + std::to_string(lines.size() - kShown) + " more</p>\n";
    }
    return html;
}

http::Response show(std::string_view title, const std::string& body, std::string_view forms) {
    return page_answer(frame_page(title, body, forms));
}

Answer<http::Response> or_page(const http::Request& request, Answer<http::Response> answer) {
    const auto org = request.params.find("org");
    if (!answer && org != request.params.end() && is_reserved_space(org->second)) {
        return Refusal(404, "", "there is nothing at " + request.path);
    }
    if (answer || (answer.error().status != 404 && answer.error().status != 401)) {
        return answer;
    }
    std::string body = "<p>There is nothing here that you may see.</p>\n";
    if (!session_cookie(request)) {
        body += "<p>" + link("/login?next=" + percent_encode(request.target), "Sign in") +
                " to see what is not for everybody.</p>\n";
    }
    return page_answer(frame_page("Not found", body, "'none'"), 404);
}

} // namespace locara::hub
