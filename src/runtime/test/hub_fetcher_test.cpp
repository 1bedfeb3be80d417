#include "test/fetcher_contract.hpp"

#include <locara/http/server.hpp>
#include <locara/runtime/hub_fetcher.hpp>

#include <gmock/gmock.h>

#include <map>
#include <mutex>

namespace locara::runtime {
namespace {

/// A hub that serves what was put into it, below /catalog/.
class HubPlace : public catalog::FetcherPlace {
  public:
    void put(const std::string& path, std::string bytes) override {
        const std::lock_guard lock(mutex_);
        files_["/catalog/" + path] = std::move(bytes);
    }

    catalog::Fetcher& fetcher() override { return fetcher_; }

  private:
    static std::unique_ptr<http::Server> start(HubPlace& place) {
        return http::Server::start(
                   {}, [&place](http::Request request) { return place.answer(std::move(request)); })
            .value();
    }

    boost::asio::awaitable<http::Response> answer(http::Request request) {
        const std::lock_guard lock(mutex_);
        const auto file = files_.find(request.path);
        if (file == files_.end()) {
            co_return http::problem(404, "no such file");
        }
        http::Response response;
        response.body = file->second;
        co_return response;
    }

    std::mutex mutex_;
    std::map<std::string, std::string> files_; // GUARDED_BY(mutex_)
    std::unique_ptr<http::Server> server_ = start(*this);
    http::Client client_ = http::Client::create().value();
    HubFetcher fetcher_{&client_, "http://127.0.0.1:" + std::to_string(server_->port()), {}};
};

std::unique_ptr<catalog::FetcherPlace> make_hub() {
    return std::make_unique<HubPlace>();
}

} // namespace
} // namespace locara::runtime

namespace locara::catalog {
INSTANTIATE_TEST_SUITE_P(Hub, FetcherContract, ::testing::Values(&runtime::make_hub));
} // namespace locara::catalog

namespace locara::runtime {
namespace {

TEST(HubFetcher, without_a_network_says_so_and_how_to_have_one) {
    HubFetcher fetcher(nullptr, "http://127.0.0.1:1", {});
    const auto fetched = fetcher.fetch("metadata/1.root.json", 100);
    ASSERT_FALSE(fetched);
    EXPECT_EQ(fetched.error().code(), ErrorCode::Offline);
    EXPECT_THAT(fetched.error().message(), ::testing::HasSubstr("--offline"));
}

} // namespace
} // namespace locara::runtime
