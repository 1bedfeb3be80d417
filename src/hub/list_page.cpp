#include "list_page.hpp"

#include "answers.hpp"
#include "given.hpp"

#include <algorithm>

namespace locara::hub {

void ListPage::add_next(const http::Request& request, http::Response& response) const {
    if (end < total) {
        response.headers.add("Link", next_page(request, limit, end));
    }
}

Answer<ListPage>
page_of(const http::Request& request, std::size_t total, std::size_t most, std::size_t usual) {
    ListPage page;
    LOCARA_TRY(const auto limit, given_number(request, "limit"));
    LOCARA_TRY(const auto cursor, given_number(request, "cursor"));
    page.limit = std::clamp<std::size_t>(limit.value_or(usual), 1, most);
    page.begin = std::min(cursor.value_or(0), total);
    page.end = page.begin + std::min(page.limit, total - page.begin);
    page.total = total;
    return page;
}

Answer<ListPage> page_of(const http::Request& request, std::size_t total, std::size_t most) {
    return page_of(request, total, most, most);
}

} // namespace locara::hub
