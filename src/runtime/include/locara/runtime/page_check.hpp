// A look at an app's page before it enters a catalog: accessibility (axe-core), a smoke run, and a
// record of everything that the page reached for.
//
// The page runs in a real Chromium, served by the real broker (locara-page-server), both in a
// sandbox whose network is a loopback of its own (docs/sandbox.md). The driver is a script,
// share/locara/page-check, which needs Node. Where Chromium, Node or the script are not there, the
// result says so: it is the caller's affair what an unchecked page is worth.
// Docs: docs/formats/reviews.md, "page". Threads: plain functions; a call takes ten seconds and up.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/manifest/app_manifest.hpp>

#include <chrono>
#include <filesystem>

namespace locara::runtime {

struct PageCheckOptions {
    std::filesystem::path share;    ///< Empty: find_share_folder.
    std::filesystem::path chromium; ///< Empty: LOCARA_CHROMIUM, else /usr/bin/chromium.
    std::filesystem::path node;     ///< Empty: LOCARA_NODE, else /usr/bin/node.
    std::filesystem::path server;   ///< Empty: locara-page-server beside this program.
    std::chrono::seconds time = std::chrono::seconds(90); ///< A page that hangs takes it all.
};

/// Looks at the page of the app in an unpacked `bundle`. Always an object with `checked`: true and
/// what was found, or false and `why`, one line for people.
Json check_page(const std::filesystem::path& bundle,
                const manifest::AppManifest& app,
                const PageCheckOptions& options);

} // namespace locara::runtime
