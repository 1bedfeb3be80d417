#include "page_parts.hpp"

#include "credentials.hpp"
#include "names.hpp"

#include <locara/base/percent.hpp>

namespace locara::hub {

std::string link(const std::string& address, std::string_view words) {
    return "<a href=\"" + escape_html(address) + "\">" + escape_html(words) + "</a>";
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
