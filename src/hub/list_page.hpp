// A page of a list that is here as a whole, by the `limit` and `cursor` of a request.
#pragma once

#include "refusal.hpp"

#include <cstddef>

namespace locara::hub {

/// The elements from `begin` up to `end` of `total`.
struct ListPage {
    std::size_t limit = 0;
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t total = 0;

    /// Adds the address of the next page (answers.hpp), if there is one.
    void add_next(const http::Request& request, http::Response& response) const;
};

/// From 1 to `most` elements; `usual` if the request does not say how many. A cursor behind the end
/// gives none. 400 where either is no number.
Answer<ListPage>
page_of(const http::Request& request, std::size_t total, std::size_t most, std::size_t usual);

/// The same where the most is what is usual.
Answer<ListPage> page_of(const http::Request& request, std::size_t total, std::size_t most);

} // namespace locara::hub
