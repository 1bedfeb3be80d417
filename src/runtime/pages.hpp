// Static files of the shell, of prompt apps and of web apps, with the headers that keep them in.
// Follows docs/threat-model.md, "Pages".
#pragma once

#include <locara/http/message.hpp>
#include <locara/manifest/app_manifest.hpp>
#include <locara/runtime/origin.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace locara::runtime {

/// The file below `root` that `segments` name; `index` for none, or for a path that ends in '/'.
/// No symbolic link is followed and no name starts with a dot. NotFound for everything that is not
/// a regular file there.
Result<http::Content> open_page_file(const std::filesystem::path& root,
                                     const std::vector<std::string>& segments,
                                     std::string_view index);

/// By the ending of its name; "application/octet-stream" for an unknown one.
std::string_view content_type(std::string_view name);

/// The headers of every answer that has none of its own: nothing may load, frame or keep it.
void add_plain_headers(http::Response& response);

/// The shell's page. Its frame-src names the one app that it shows, or none.
void add_shell_headers(http::Response& response,
                       const Origins& origins,
                       const std::optional<manifest::AppId>& app);

/// A file of an app. `type` is its content type: documents may be framed by the shell.
void add_app_headers(http::Response& response,
                     const Origins& origins,
                     const manifest::AppManifest& app,
                     std::string_view type);

} // namespace locara::runtime
