#include "list_page.hpp"

#include "answers.hpp"

#include <algorithm>

namespace locara::hub {

void ListPage::add_next(const http::Request& request, http::Response& response) const {
    if (end < total) {
        response.headers.add("Link", next_page(request, limit, end));
    }
}

ListPage
page_of(const http::Request& request, std::size_t total, std::size_t most, std::size_t usual) {
    ListPage page;
    page.limit = std::clamp<std::size_t>(number(request, "limit").value_or(usual), 1, most);
    page.begin = std::min(number(request, "cursor").value_or(0), total);
    page.end = page.begin + std::min(page.limit, total - page.begin);
    page.total = total;
    return page;
}

ListPage page_of(const http::Request& request, std::size_t total, std::size_t most) {
    return page_of(request, total, most, most);
}

} // namespace locara::hub
