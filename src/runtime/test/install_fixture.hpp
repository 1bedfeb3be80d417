// A signed catalog and a repository of weights behind a real HTTP server on loopback, and a home.
#pragma once

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/catalog/repository.hpp>
#include <locara/http/server.hpp>
#include <locara/runtime/install.hpp>
#include <locara/test_support/folders.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <fcntl.h>

namespace locara::runtime {

inline constexpr std::string_view kRevision = "0123456789abcdef0123456789abcdef01234567";

inline void write(const std::filesystem::path& path, std::string_view text) {
    ASSERT_TRUE(create_folders(path.parent_path()));
    ASSERT_TRUE(write_file_atomically(path, as_bytes(text)));
}

class InstallTest : public ::testing::Test {
  protected:
    InstallTest()
        : temp_(std::move(
              *TempFolder::create(std::filesystem::temp_directory_path(), "locara-install-"))),
          clock_(*parse_time("2026-11-22T12:00:00Z")), http_(std::move(*http::Client::create())) {
        weights_ =
            *read_file(test_support::source_dir() / "src/engine/test/data/tiny.gguf", 1U << 20U);
        auto repository = catalog::Repository::create(tree(), temp_.path() / "keys", clock_);
        EXPECT_TRUE(repository) << repository.error().describe();
        repository_ = std::make_unique<catalog::Repository>(std::move(*repository));
        start_server();
        home_.config = temp_.path() / "home/config";
        home_.data = temp_.path() / "home/data";
        home_.state = temp_.path() / "home/state";
        home_.cache = temp_.path() / "home/cache";
        home_.run = temp_.path() / "home/run";
        home_.store = home_.data / "store";
        home_.system = temp_.path() / "etc"; // not what this machine's administrator wrote
        publish_model();
        publish_app("locara/first", "1.0.0");
    }

    ~InstallTest() override { server_->stop(); }

    std::filesystem::path tree() const { return temp_.path() / "hub/catalog"; }

    std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }

    /// Changes what the server sends for a path; nullopt leaves it alone.
    std::function<std::optional<std::string>(const std::string& path, const std::string& body)>
        tamper_;
    std::atomic<int> requests_{0};
    std::atomic<bool> down_{false};

    void start_server() {
        http::ServerOptions options;
        auto started = http::Server::start(std::move(options), [this](http::Request request) {
            return answer(std::move(request));
        });
        EXPECT_TRUE(started) << started.error().describe();
        server_ = std::move(*started);
    }

    boost::asio::awaitable<http::Response> answer(http::Request request) {
        ++requests_;
        if (down_) {
            co_return http::problem(503, "down for the test");
        }
        std::filesystem::path file = temp_.path() / "hub";
        for (const auto& segment : request.segments) {
            file /= segment;
        }
        auto body = read_file(file, 64U << 20U);
        if (!body) {
            co_return http::problem(404, "no such file");
        }
        if (tamper_) {
            if (auto other = tamper_(request.path, *body)) {
                body = std::move(*other);
            }
        }
        http::Content content;
        content.etag = "\"" + crypto::sha256(as_bytes(*body)).render() + "\"";
        content.body = std::move(*body);
        auto response = http::content_response(request, std::move(content));
        response.headers.set("X-Repo-Commit", kRevision);
        co_return response;
    }

    Json model_json() const {
        const auto digest = crypto::sha256(as_bytes(weights_)).render();
        return {{"schema", "locara.dev/model/v1"},
                {"id", "locara/tiny"},
                {"version", "1.0.0"},
                {"name", "Tiny"},
                {"description", "For tests"},
                {"task", "text-generation"},
                {"modality", {{"input", {"text"}}, {"output", {"text"}}}},
                {"context_length", 128},
                {"source", {{"repo", "locara/tiny"}, {"revision", kRevision}}},
                {"variants",
                 {{{"name", "f32"},
                   {"quantization", "F32"},
                   {"files",
                    {{{"path", "tiny.gguf"},
                      {"size", weights_.size()},
                      {"sha256", digest},
                      {"format", "gguf"}}}},
                   {"engine", {{"name", "llama.cpp"}, {"minimum_version", "v0.5.0"}}},
                   {"weights_bytes", weights_.size()},
                   {"kv_bytes_per_token", 64}}}},
                {"default", "f32"},
                {"lineage", Json::array()},
                {"license",
                 {{"id", license_},
                  {"url", "https://example.org/license"},
                  {"terms",
                   {{"commercial", license_ == "MIT"},
                    {"redistribution", true},
                    {"attribution", true},
                    {"use_restrictions", Json::array()},
                    {"gated", false}}}}}};
    }

    void publish_model() {
        model_bytes_ = render_json(model_json());
        write(temp_.path() / "hub/locara/tiny/resolve" / kRevision / "tiny.gguf", weights_);
        ASSERT_TRUE(
            repository_->put_target("models/locara/tiny/1.0.0.json", as_bytes(model_bytes_)));
    }

    Json app_json(const std::string& id, const std::string& version) const {
        return {{"schema", "locara.dev/app/v1"},
                {"id", id},
                {"version", version},
                {"name", "App " + id},
                {"description", "An app of the tests"},
                {"category", "other"},
                {"license", "MIT"},
                {"entry", {{"kind", "web"}, {"root", "dist"}, {"index", "index.html"}}},
                {"capabilities", Json::object()},
                {"models",
                 {{{"role", "text"},
                   {"task", "text-generation"},
                   {"id", "locara/tiny"},
                   {"manifest", "sha256:" + crypto::sha256(as_bytes(model_bytes_)).render()}}}},
                {"requires", {{"memory_bytes", 1000}, {"disk_bytes", 1000}, {"gpu", "none"}}}};
    }

    /// Packs and signs an app; `listed` is the manifest that the catalog shows, if another.
    void publish_app(const std::string& id,
                     const std::string& version,
                     const std::optional<Json>& listed = std::nullopt) {
        const auto folder = temp_.path() / "source" / id;
        write(folder / "locara.json", render_json(app_json(id, version)));
        write(folder / "dist/index.html", "<!doctype html>" + id + version);
        const auto archive = temp_.path() / "packed.locapp";
        const auto packed = manifest::pack_bundle(folder, archive);
        ASSERT_TRUE(packed) << packed.error().describe();
        const auto app = *manifest::AppId::parse(id);
        const auto entry =
            manifest::AppEntry::render(render_json(listed ? *listed : app_json(id, version)),
                                       packed->archive_bytes,
                                       packed->archive_sha256,
                                       packed->id);
        ASSERT_TRUE(entry) << entry.error().describe();
        const auto parsed = *manifest::Version::parse(version);
        ASSERT_TRUE(repository_->put_target_file(manifest::bundle_target(app, parsed), archive));
        ASSERT_TRUE(repository_->put_target(manifest::entry_target(app, parsed), as_bytes(*entry)));
        const auto published = repository_->publish(clock_);
        ASSERT_TRUE(published) << published.error().describe();
    }

    void take_down(catalog::Repository& repository,
                   const std::string& kind,
                   const std::string& id,
                   catalog::TakedownAction action,
                   const std::string& reason,
                   const std::string& date = "2026-11-22") {
        ASSERT_TRUE(repository.add_takedown({kind, id, std::nullopt, action, reason, date}));
        ASSERT_TRUE(repository.publish(clock_));
    }

    Installer open(Network network = Network::Allowed,
                   std::optional<std::string> hub = std::nullopt) {
        InstallerOptions options;
        options.hub = std::move(hub);
        options.home = home_;
        options.http = &http_;
        options.clock = &clock_;
        options.network = network;
        options.endpoint = url();
        options.stop = stop_.get_token();
        auto installer = Installer::open(std::move(options));
        EXPECT_TRUE(installer) << installer.error().describe();
        return std::move(*installer);
    }

    /// An installer that knows the hub.
    Installer open_with_hub() {
        auto installer = open();
        const auto added = installer.add_hub(url(), repository_->first_root());
        EXPECT_TRUE(added) << added.error().describe();
        return installer;
    }

    static manifest::AppRef ref(std::string_view text) { return *manifest::AppRef::parse(text); }

    static Result<Lock> install(Installer& installer, std::string_view app) {
        LOCARA_TRY(const auto plan, installer.plan(ref(app)));
        return installer.install(plan, null_progress());
    }

    /// Everything below a folder, relative; folders that are empty do not count.
    static std::vector<std::string> files_below(const std::filesystem::path& folder) {
        std::vector<std::string> out;
        std::error_code failed;
        for (std::filesystem::recursive_directory_iterator it(folder, failed), end;
             !failed && it != end;
             it.increment(failed)) {
            if (!it->is_directory()) {
                out.push_back(it->path().lexically_relative(folder).string());
            }
        }
        std::sort(out.begin(), out.end());
        return out;
    }

    void expect_nothing_installed(Installer& installer) {
        EXPECT_TRUE(installer.list()->empty());
        EXPECT_THAT(files_below(home_.apps()), ::testing::IsEmpty());
        EXPECT_THAT(files_below(home_.temporary()), ::testing::IsEmpty());
    }

    TempFolder temp_;
    FakeClock clock_;
    http::Client http_;
    std::string weights_;
    std::string license_ = "MIT";
    std::string model_bytes_;
    Home home_;
    std::unique_ptr<catalog::Repository> repository_;
    std::unique_ptr<http::Server> server_;
    std::stop_source stop_;
};

} // namespace locara::runtime
