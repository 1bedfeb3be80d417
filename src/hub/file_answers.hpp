// What answers about a file of a repository have in common, wherever its content comes from.
#pragma once

#include "access.hpp"
#include "services.hpp"

#include <locara/http/message.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace locara::hub {

/// A file by its name.
struct FileAt {
    const Repo& repo;   ///< Borrowed, as by a view.
    std::string commit; ///< Empty in a bucket, which has no history.
    std::string path;
    bool pinned = false; ///< The request named the commit, so the answer never changes.
};

/// What is at such a place: one of the two.
struct FoundFile {
    std::string oid;                  ///< Of the blob.
    std::optional<std::string> blob;  ///< A file that git itself holds.
    std::optional<StoredFile> stored; ///< One whose pointer git holds.
};

/// By the ending of the path: never a type that a browser would run.
std::string content_type(std::string_view path);

/// What every answer about a file carries, whatever its body is: it never becomes a page with
/// rights here, and where it is not for everybody, a page of another origin cannot show it.
void add_file_headers(http::Response& response, const http::Request& request, const FileAt& file);

/// A large file of the chunk store: its bytes, or the way by Xet to who asks for that.
http::Response stored_answer(const Services& services,
                             const http::Request& request,
                             const FileAt& at,
                             const StoredFile& file);

/// Either of them.
http::Response found_answer(const Services& services,
                            const http::Request& request,
                            const FileAt& at,
                            const FoundFile& found);

/// Who asks for a file that pages show or link to: by a token if there is one, else, for GET and
/// HEAD, who is signed in and comes from a page of this hub, or from none, by what browsers say.
/// What is given for the cookie is inert, and closed to pages of other origins (add_file_headers).
Answer<Caller> identify_reader(const Services& services, const http::Request& request);

/// To who brings a cookie, a refusal closes itself to pages of other origins as the file does: they
/// must not tell what is there from what is not.
Answer<http::Response> close_to_others(const http::Request& request, Answer<http::Response> answer);

} // namespace locara::hub
