// What the pages of repositories, buckets, collections and namespaces are put together from.
#pragma once

#include "answers.hpp"
#include "services.hpp"
#include "web_page.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// A link; both are escaped.
std::string link(const std::string& address, std::string_view words);

/// A line in small letters below what stands before it; escaped.
std::string small(std::string_view words);

/// A list under a title, at most 500 lines of HTML, and how many more there are; "" if there are
/// none.
std::string list_of(std::string_view title, const std::vector<std::string>& lines);

/// A page that is one person's to see, as much as what it shows is; pictures come from this hub.
http::Response
show(std::string_view title, const std::string& body, std::string_view forms = "'none'");

/// What is wrong, for people: what is not there may be there for who signs in. Below a name that is
/// the hub's own ("/api/nosuch") programs ask, and it stays a refusal.
Answer<http::Response> or_page(const http::Request& request, Answer<http::Response> answer);

class Routes;

/// The pages of namespaces, buckets and collections, and the picture of accounts.
void add_space_pages(Routes& routes, const Services& services);

} // namespace locara::hub
