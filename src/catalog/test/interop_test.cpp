// Catalogs that other programs made and signed, with ECDSA keys: test/data/*/README.md says where
// they come from.
#include "test/forge.hpp"

#include <locara/test_support/folders.hpp>

#include <filesystem>

namespace locara::catalog {
namespace {

class CatalogInterop : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(repositories,
                         CatalogInterop,
                         ::testing::Values("tuf-on-ci-0.11"),
                         [](const auto& instance) {
                             std::string name = instance.param;
                             for (auto& c : name) {
                                 c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
                             }
                             return name;
                         });

TEST_P(CatalogInterop, is_followed_to_a_target) {
    const std::filesystem::path data = test_support::data_dir() / GetParam();
    const auto folder = scratch();
    // "2025-02-09 12:02:08+00:00"
    const std::string when = slurp(data / "faketime");
    const FakeClock clock(at((when.substr(0, 10) + "T" + when.substr(11, 8) + "Z").c_str()));
    FolderFetcher fetcher(data);
    Client client = Client::open(folder.path() / "state", fetcher, clock).value();
    ASSERT_TRUE(client.trust(slurp(data / "initial_root.json")));
    const auto refreshed = client.refresh();
    ASSERT_TRUE(refreshed) << refreshed.error().describe();
    EXPECT_TRUE(client.check_fresh());

    std::string target = slurp(data / "targetpath");
    target.erase(target.find('\n'));
    const auto bytes = client.get_target(target);
    ASSERT_TRUE(bytes) << bytes.error().describe();
    EXPECT_FALSE(bytes->empty());
    EXPECT_TRUE(Client::open(folder.path() / "state", fetcher, clock)->find_target(target));
}

} // namespace
} // namespace locara::catalog
