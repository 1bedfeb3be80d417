// One byte changed, at every place of every metadata file: never trusted, and never in the way of
// the honest update that follows.
#include "test/forge.hpp"

namespace locara::catalog {
namespace {

RepositoryOptions one_key_each() {
    RepositoryOptions options; // small, and no signature is spare: every byte matters
    options.root = {1, 1, options.root.lifetime};
    options.targets = {1, 1, options.targets.lifetime};
    return options;
}

class CatalogFlip : public CatalogTest {
  public:
    CatalogFlip() : CatalogTest(one_key_each()) {}
};

TEST_F(CatalogFlip, of_any_byte_is_never_trusted) {
    // The client has the catalog as it was; every file of the next one is new to it.
    Client client = updated();
    ASSERT_TRUE(repository.rotate_keys("root", clock));
    clock.advance(std::chrono::hours{24 * 300}); // all roles are due
    publish_honestly();
    const auto honest = server.files;
    const auto old_state = folder.path() / "old-state";
    std::filesystem::copy(state(), old_state, std::filesystem::copy_options::recursive);

    ASSERT_TRUE(client.refresh());
    std::vector<std::string> files;
    for (const auto& path : server.requests) {
        if (path.starts_with("metadata/") && honest.count(path) != 0) {
            files.push_back(path);
        }
    }
    files.erase(files.begin(), files.end() - 8);
    ASSERT_EQ(std::set<std::string>(files.begin(), files.end()).size(), 8U);

    const auto reset = [&] {
        std::filesystem::remove_all(state());
        std::filesystem::copy(old_state, state(), std::filesystem::copy_options::recursive);
    };
    std::size_t flips = 0;
    for (const auto& path : files) {
        reset();
        Client victim = open();
        const auto before = victim.targets("*/*/*/*");
        const std::string& good = honest.at(path);
        for (std::size_t i = 0; i < good.size(); ++i) {
            std::string bad = good;
            bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
            server.files[path] = std::move(bad);
            const auto refreshed = victim.refresh();
            ASSERT_FALSE(refreshed) << path << " byte " << i;
            ASSERT_EQ(refreshed.error().code(), ErrorCode::Corrupt)
                << path << " byte " << i << ": " << refreshed.error().describe();
            ++flips;
        }
        EXPECT_EQ(victim.targets("*/*/*/*"), before) << path;
        EXPECT_EQ(open().targets("*/*/*/*"), before) << path;
        server.files = honest;
        const auto recovered = victim.refresh();
        ASSERT_TRUE(recovered) << path << ": " << recovered.error().describe();
        EXPECT_TRUE(victim.find_target("models/locara/later/1.0.0.json"));
    }
    RecordProperty("flips", static_cast<int>(flips));
    EXPECT_GT(flips, 5000U);
}

} // namespace
} // namespace locara::catalog
