// Every fault that a disk, a cut connection or a mirror can make of a repository: one bit of each
// byte changed, a file cut at each length, the files of roles swapped, older ones replayed. Never
// trusted, and never in the way of the honest update that follows.
//
// LOCARA_FAULTS=all (`./dev soak`) flips all eight bits of each byte, and fetches the honest
// catalog after every single fault.
#include "test/forge.hpp"

#include <cstdlib>

namespace locara::catalog {
namespace {

RepositoryOptions one_key_each() {
    RepositoryOptions options; // small, and no signature is spare: every byte matters
    options.root = {1, 1, options.root.lifetime};
    options.targets = {1, 1, options.targets.lifetime};
    return options;
}

bool all_faults() {
    const char* const wanted = std::getenv("LOCARA_FAULTS");
    return wanted != nullptr && std::string_view(wanted) == "all";
}

class CatalogFault : public CatalogTest {
  public:
    CatalogFault() : CatalogTest(one_key_each()) {
        // A client that has the catalog as it was; every file of the next one is new to it.
        EXPECT_TRUE(updated().check_fresh());
        old = server.files;
        std::filesystem::copy(state(), old_state(), std::filesystem::copy_options::recursive);
        EXPECT_TRUE(repository.rotate_keys("root", clock));
        clock.advance(std::chrono::hours{24 * 300}); // all roles are due
        publish_honestly();
        honest = server.files;
        server.requests.clear();
        EXPECT_TRUE(open().refresh());
        for (const auto& path : server.requests) {
            if (path.starts_with("metadata/") && honest.count(path) != 0) {
                files.push_back(path);
            }
        }
        EXPECT_EQ(std::set<std::string>(files.begin(), files.end()).size(), 8U);
    }

    std::filesystem::path old_state() const { return folder.path() / "old-state"; }

    /// A client as it was before the honest update.
    Client victim() {
        std::filesystem::remove_all(state());
        std::filesystem::copy(old_state(), state(), std::filesystem::copy_options::recursive);
        return open();
    }

    void expect_recovers(Client& client, const std::string& path) {
        server.files = honest;
        const auto recovered = client.refresh();
        ASSERT_TRUE(recovered) << path << ": " << recovered.error().describe();
        EXPECT_TRUE(client.find_target("models/locara/later/1.0.0.json"));
        EXPECT_TRUE(open().find_target("models/locara/later/1.0.0.json"));
    }

    /// Serves each of `faults(good bytes)` as each file, and wants each refused.
    template <class Faults> void expect_never_trusted(const Faults& faults) {
        std::size_t count = 0;
        for (const auto& path : files) {
            Client client = victim();
            const auto before = client.targets("*/*/*/*");
            faults(honest.at(path), [&](std::string bad, std::size_t where) {
                server.files[path] = std::move(bad);
                const auto refreshed = client.refresh();
                ASSERT_FALSE(refreshed) << path << " at " << where;
                ASSERT_EQ(refreshed.error().code(), ErrorCode::Corrupt)
                    << path << " at " << where << ": " << refreshed.error().describe();
                ++count;
                if (all_faults()) {
                    expect_recovers(client, path);
                    client = victim();
                }
            });
            EXPECT_EQ(client.targets("*/*/*/*"), before) << path;
            EXPECT_EQ(open().targets("*/*/*/*"), before) << path;
            expect_recovers(client, path);
        }
        RecordProperty("faults", static_cast<int>(count));
        EXPECT_GT(count, 5000U);
    }

    std::map<std::string, std::string> old;
    std::map<std::string, std::string> honest;
    std::vector<std::string> files; ///< What an update to the honest catalog fetches, in order.
};

TEST_F(CatalogFault, of_any_byte_is_never_trusted) {
    expect_never_trusted([](const std::string& good, const auto& serve) {
        for (std::size_t i = 0; i < good.size() && !HasFatalFailure(); ++i) {
            for (std::size_t bit = 0; bit < 8; ++bit) {
                if (all_faults() || bit == i % 8) {
                    std::string bad = good;
                    bad[i] = static_cast<char>(static_cast<unsigned char>(bad[i]) ^ (1U << bit));
                    serve(std::move(bad), i);
                }
            }
        }
    });
}

TEST_F(CatalogFault, of_a_file_cut_at_any_length_is_never_trusted) {
    expect_never_trusted([](const std::string& good, const auto& serve) {
        for (std::size_t length = 0; length < good.size() && !HasFatalFailure(); ++length) {
            serve(good.substr(0, length), length);
        }
    });
}

/// Any file of the catalog, new or old, in the place of any other: what comes of it is what was, or
/// a refusal.
TEST_F(CatalogFault, of_files_swapped_or_replayed_is_never_trusted) {
    std::set<std::string> contents;
    for (const auto* all : {&honest, &old}) {
        for (const auto& [path, bytes] : *all) {
            if (path.starts_with("metadata/")) {
                contents.insert(bytes);
            }
        }
    }
    ASSERT_GE(contents.size(), 16U);
    for (const auto& path : files) {
        for (const auto& bytes : contents) {
            if (bytes == honest.at(path)) {
                continue;
            }
            Client client = victim();
            const auto before = client.targets("*/*/*/*");
            server.files[path] = bytes;
            const auto refreshed = client.refresh();
            // An old timestamp says that nothing is new, and then it expires.
            EXPECT_FALSE(refreshed) << path;
            EXPECT_EQ(refreshed.error().code(), ErrorCode::Corrupt) << refreshed.error().describe();
            EXPECT_EQ(client.targets("*/*/*/*"), before) << path;
            EXPECT_EQ(open().targets("*/*/*/*"), before) << path;
            expect_recovers(client, path);
        }
    }
}

} // namespace
} // namespace locara::catalog
