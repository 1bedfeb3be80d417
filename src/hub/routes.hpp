// What the hub's routes share.
#pragma once

#include <locara/catalog/client.hpp>
#include <locara/http/server.hpp>
#include <locara/store/store.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// A handler that may block; it runs on the pool.
using SyncHandler = std::function<http::Response(const http::Request&)>;

/// Fills a router with handlers that run on one pool. Borrows both.
class Routes {
  public:
    Routes(http::Router& router, http::BlockingPool& pool) : router_(router), pool_(pool) {}

    void get(std::string_view pattern, SyncHandler handler) {
        add("GET", pattern, std::move(handler));
    }

    void post(std::string_view pattern, SyncHandler handler) {
        add("POST", pattern, std::move(handler));
    }

  private:
    void add(std::string_view method, std::string_view pattern, SyncHandler handler);

    http::Router& router_;
    http::BlockingPool& pool_;
};

/// The model repositories below `repos`, with their content in `store`, by the protocol of the
/// Hugging Face Hub. Both folders and the store are borrowed; the handlers are thread-safe.
void add_model_routes(Routes& routes,
                      const std::filesystem::path& repos,
                      const store::Store& store,
                      Log& log);

/// `/catalog/metadata/...` and `/catalog/targets/...` from the tree of a catalog writer.
void add_catalog_routes(Routes& routes, const std::filesystem::path& tree);

/// One line of the front page.
struct PageApp {
    std::string id, version, name, description, license, model;
};

struct PageModel {
    std::string id, version, name, description, license, repo;
    std::uint64_t bytes = 0;
};

struct Page {
    std::vector<PageApp> apps;
    std::vector<PageModel> models;
    std::string fingerprint;
};

/// The page as HTML, every text escaped, with the Content-Security-Policy that it needs.
struct RenderedPage {
    std::string html;
    std::string policy;
};

RenderedPage render_page(const Page& page);

/// What the list of models knows of a repository beyond git: `<name>.json` beside `<name>.git`.
struct RepoFacts {
    std::string id; ///< "org/name"
    std::string task;
    std::string license;
    std::string manifest; ///< SHA-256 of the model manifest that pins it.
};

Result<RepoFacts> parse_repo_facts(std::string_view json);
std::string render_repo_facts(const RepoFacts& facts);

/// Whether a text can be the org or the name of a repository: letters, digits, '-', '_' and '.', at
/// most 96, first and last no punctuation, no "..", no ".git" at the end.
bool is_repo_part(std::string_view text);

} // namespace locara::hub
