// A catalog made by the real writer, served from memory, and the tools to forge it: any document
// can be changed and signed again with any keys, as somebody with some of the keys and all of the
// network could.
#pragma once

#include "metadata.hpp"

#include <locara/base/file.hpp>
#include <locara/catalog/client.hpp>
#include <locara/catalog/repository.hpp>
#include <locara/crypto/canonical_json.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace locara::catalog {

inline TimePoint at(const char* time) {
    return parse_time(time).value();
}

/// A folder for state that many tests write durably: in memory if the machine offers that.
inline TempFolder scratch() {
    const std::filesystem::path memory = "/dev/shm";
    auto folder = TempFolder::create(memory, "locara-catalog-");
    if (folder) {
        return *std::move(folder);
    }
    return TempFolder::create(std::filesystem::temp_directory_path(), "locara-catalog-").value();
}

inline std::string slurp(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Serves files from memory, as a hub that somebody may have taken over.
class Server : public Fetcher {
  public:
    std::map<std::string, std::string> files;
    std::vector<std::string> requests;
    bool reachable = true;
    std::size_t fail_after = static_cast<std::size_t>(-1); ///< Requests that are still answered.

    Result<std::string> fetch(std::string_view path, std::uint64_t limit_bytes) override {
        requests.emplace_back(path);
        if (!reachable || requests.size() > fail_after) {
            return Error(ErrorCode::Unavailable, "connection refused");
        }
        const auto file = files.find(std::string(path));
        if (file == files.end()) {
            return Error(ErrorCode::NotFound, "404");
        }
        if (file->second.size() > limit_bytes) {
            return Error(ErrorCode::TooLarge, "longer than " + std::to_string(limit_bytes));
        }
        return file->second;
    }

    /// Serves what lies in a tree.
    void load(const std::filesystem::path& tree) {
        files.clear();
        for (const auto* part : {"metadata", "targets"}) {
            for (const auto& entry : std::filesystem::recursive_directory_iterator(tree / part)) {
                if (entry.is_regular_file()) {
                    files[std::filesystem::relative(entry.path(), tree).string()] =
                        slurp(entry.path());
                }
            }
        }
    }
};

using Keys = std::vector<const crypto::SigningKey*>;

class Forge {
  public:
    Server& server;
    std::map<std::string, Json> docs;                           ///< Role to its `signed`.
    std::map<std::string, std::vector<crypto::SigningKey>> own; ///< Role to its private keys.
    bool hashes = true; ///< Whether snapshot and timestamp give lengths and hashes.

    Forge(Server& target, const std::filesystem::path& keys_dir) : server(target) {
        for (const auto& entry : std::filesystem::directory_iterator(keys_dir)) {
            const std::string name = entry.path().stem().string();
            own[name.substr(0, name.rfind('-'))].push_back(
                crypto::SigningKey::load(entry.path()).value());
        }
        read();
    }

    /// Takes up what the server serves now.
    void read() {
        docs.clear();
        for (std::uint64_t n = 1; server.files.count(root_path(n)) != 0; ++n) {
            docs["root"] = signed_of(root_path(n));
        }
        docs["timestamp"] = signed_of("metadata/timestamp.json");
        const auto version = docs["timestamp"]["meta"]["snapshot.json"]["version"];
        docs["snapshot"] = signed_of(path("snapshot", version));
        for (const auto& [file, meta] : docs["snapshot"]["meta"].items()) {
            const std::string role = file.substr(0, file.size() - 5);
            docs[role] = signed_of(path(role, meta["version"]));
        }
    }

    static std::string root_path(std::uint64_t version) {
        return "metadata/" + std::to_string(version) + ".root.json";
    }

    static std::string path(const std::string& role, std::uint64_t version) {
        return role == "timestamp" ? "metadata/timestamp.json"
                                   : "metadata/" + std::to_string(version) + "." + role + ".json";
    }

    Json signed_of(const std::string& file) const {
        return parse_json(server.files.at(file)).value().at("signed");
    }

    Keys keys(const std::string& role) const {
        Keys out;
        for (const auto& key : own.at(role)) {
            out.push_back(&key);
        }
        return out;
    }

    static Json signature(const Json& content, const crypto::SigningKey& key) {
        const auto canonical = crypto::render_canonical_json(content).value();
        return {{"keyid", key.public_key().id()},
                {"sig", render_hex(key.sign(as_bytes(canonical)))}};
    }

    static std::string sign(const Json& content, const Keys& keys) {
        Json signatures = Json::array();
        for (const auto* key : keys) {
            signatures.push_back(signature(content, *key));
        }
        return render_json({{"signatures", signatures}, {"signed", content}});
    }

    static Json key_object(const crypto::SigningKey& key) {
        return {{"keytype", "ed25519"},
                {"keyval", {{"public", key.public_key().value()}}},
                {"scheme", "ed25519"}};
    }

    /// Serves `bytes` as the current file of `role`.
    void put(const std::string& role, std::string bytes) {
        server.files[path(role, docs[role]["version"])] = std::move(bytes);
    }

    std::string& current(const std::string& role) {
        return server.files.at(path(role, docs[role]["version"]));
    }

    /// Signs `role` as it stands and serves it. `keys` empty: the role's own.
    void write(const std::string& role, const Keys& with = {}) {
        put(role, sign(docs[role], with.empty() ? keys(role) : with));
    }

    Json meta_of(const std::string& role) {
        Json meta = {{"version", docs[role]["version"]}};
        if (hashes) {
            const std::string& bytes = current(role);
            meta["length"] = bytes.size();
            meta["hashes"] = {{"sha256", crypto::sha256(as_bytes(bytes)).render()}};
        }
        return meta;
    }

    void bump(const std::string& role) {
        docs[role]["version"] = docs[role]["version"].get<std::uint64_t>() + 1;
    }

    /// A new version of each of `roles`, and of snapshot and timestamp, all in order.
    void commit(const std::vector<std::string>& roles) {
        for (const auto& role : roles) {
            bump(role);
            write(role);
        }
        relink(roles);
    }

    /// New snapshot and timestamp that say what is served for `roles`.
    void relink(const std::vector<std::string>& roles) {
        for (const auto& role : roles) {
            docs["snapshot"]["meta"][role + ".json"] = meta_of(role);
        }
        bump("snapshot");
        write("snapshot");
        retime();
    }

    /// A new timestamp for what is served as snapshot.
    void retime() {
        docs["timestamp"]["meta"]["snapshot.json"] = meta_of("snapshot");
        bump("timestamp");
        write("timestamp");
    }

    /// A new root, signed by the old and the new root keys.
    void commit_root(const Keys& extra = {}) {
        bump("root");
        Keys with = keys("root");
        with.insert(with.end(), extra.begin(), extra.end());
        write("root", with);
    }

    /// Gives a top-level role a fresh key in the root document; the role's old keys are forgotten.
    void replace_key(const std::string& role) {
        std::vector<crypto::SigningKey> fresh;
        fresh.push_back(crypto::SigningKey::generate());
        const auto id = fresh.front().public_key().id();
        docs["root"]["keys"][id] = key_object(fresh.front());
        docs["root"]["roles"][role] = {{"keyids", {id}}, {"threshold", 1}};
        own[role] = std::move(fresh);
    }
};

/// A catalog with one app and one model, and a client that trusts it and is up to date.
class CatalogTest : public ::testing::Test {
  public:
    CatalogTest() : CatalogTest(RepositoryOptions()) {}

    explicit CatalogTest(const RepositoryOptions& options)
        : repository(
              Repository::create(folder.path() / "tree", folder.path() / "keys", clock, options)
                  .value()) {
        EXPECT_TRUE(repository.put_target(
            kEntry, as_bytes(kEntryBytes), R"({"name":"Quick Add","category":"productivity"})"));
        EXPECT_TRUE(repository.put_target(kBundle, as_bytes(kBundleBytes)));
        EXPECT_TRUE(repository.put_target(kModel, as_bytes(kModelBytes)));
        EXPECT_TRUE(repository.publish(clock));
        server.load(folder.path() / "tree");
    }

    static constexpr auto kEntry = "apps/locara/quick-add-1.0.0.json";
    static constexpr auto kBundle = "apps/locara/quick-add-1.0.0.locapp";
    static constexpr auto kModel = "models/locara/quick-add/1.0.0.json";
    static constexpr auto kEntryBytes = "{\"schema\":\"locara.dev/app-entry/v1\"}";
    static constexpr auto kBundleBytes = "the bytes of the bundle";
    static constexpr auto kModelBytes = "{\"schema\":\"locara.dev/model/v1\"}";

    std::filesystem::path state() const { return folder.path() / "state"; }

    Client open() { return Client::open(state(), server, clock).value(); }

    Client trusting() {
        Client client = open();
        EXPECT_TRUE(client.trust(repository.first_root()));
        return client;
    }

    /// A client that has the catalog as it is served now.
    Client updated() {
        Client client = trusting();
        const auto refreshed = client.refresh();
        EXPECT_TRUE(refreshed) << refreshed.error().describe();
        return client;
    }

    Forge forge() { return Forge(server, folder.path() / "keys"); }

    /// The honest catalog with one more model in it, served again.
    void publish_honestly() {
        EXPECT_TRUE(repository.put_target("models/locara/later/1.0.0.json", as_bytes("later")));
        const auto published = repository.publish(clock);
        EXPECT_TRUE(published) << published.error().describe();
        server.load(folder.path() / "tree");
    }

    /// The update must fail verification with `words` in its message, and must leave what the
    /// client shows as it was, also after it is opened anew.
    void expect_refused(Client& client, std::string_view words) {
        const auto before = client.targets("*/*/*");
        const auto roles = client.roles();
        const auto refreshed = client.refresh();
        ASSERT_FALSE(refreshed);
        EXPECT_EQ(refreshed.error().code(), ErrorCode::Corrupt) << refreshed.error().describe();
        EXPECT_NE(refreshed.error().describe().find(words), std::string::npos)
            << refreshed.error().describe();
        EXPECT_EQ(client.targets("*/*/*"), before);
        const auto again = Client::open(state(), server, clock);
        ASSERT_TRUE(again) << again.error().describe();
        EXPECT_EQ(again->targets("*/*/*"), before);
        EXPECT_EQ(again->roles().size(), roles.size());
    }

    FakeClock clock{at("2026-11-22T12:00:00Z")};
    TempFolder folder = scratch();
    Repository repository;
    Server server;
};

} // namespace locara::catalog
