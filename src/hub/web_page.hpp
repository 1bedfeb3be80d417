// The hub's own pages: HTML without scripts, in one frame.
#pragma once

#include "refusal.hpp"

#include <string>
#include <string_view>

namespace locara::hub {

/// A page with the Content-Security-Policy that it needs.
struct RenderedPage {
    std::string html;
    std::string policy;
};

/// A page of this title; `body` is HTML. Its forms may be sent, and be redirected from there, to
/// `forms`: sources as of `form-action`.
RenderedPage frame_page(std::string_view title, std::string_view body, std::string_view forms);

/// The page as an answer that nobody keeps, for what is one person's.
http::Response page_answer(const RenderedPage& page, int status = 200);

/// 403 unless a form of this hub's own pages may have sent the request, by what browsers say of it:
/// no other site's page can act in the name of who is signed in here.
Answer<std::monostate> require_own_page(const http::Request& request);

/// 303: look there.
http::Response see_other(const std::string& address);

} // namespace locara::hub
