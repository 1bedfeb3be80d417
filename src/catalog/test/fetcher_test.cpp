#include "test/fetcher_contract.hpp"
#include "test/forge.hpp"

namespace locara::catalog {
namespace {

class FolderPlace : public FetcherPlace {
  public:
    void put(const std::string& path, std::string bytes) override {
        const auto file = folder_.path() / path;
        ASSERT_TRUE(create_folders(file.parent_path()));
        ASSERT_TRUE(write_file_atomically(file, as_bytes(bytes)));
    }

    Fetcher& fetcher() override { return fetcher_; }

  private:
    TempFolder folder_ = scratch();
    FolderFetcher fetcher_{folder_.path()};
};

/// The double that the tests of the client use must keep the promises too.
class ServerPlace : public FetcherPlace {
  public:
    void put(const std::string& path, std::string bytes) override {
        server_.files[path] = std::move(bytes);
    }

    Fetcher& fetcher() override { return server_; }

  private:
    Server server_;
};

template <class Place> std::unique_ptr<FetcherPlace> make() {
    return std::make_unique<Place>();
}

INSTANTIATE_TEST_SUITE_P(Folder, FetcherContract, ::testing::Values(&make<FolderPlace>));
INSTANTIATE_TEST_SUITE_P(Double, FetcherContract, ::testing::Values(&make<ServerPlace>));

} // namespace
} // namespace locara::catalog
