#include <locara/base/line.hpp>
#include <locara/runtime/hub_fetcher.hpp>

#include <algorithm>

namespace locara::runtime {

namespace {

constexpr std::size_t kMostWords = 500; // of what a hub says of an error

Status judge(const http::ResponseHead& head, const std::string& url) {
    if (head.status == 200) {
        return {};
    }
    std::string what = url + " answered " + std::to_string(head.status);
    if (const auto why = head.headers.find("X-Error-Message")) {
        what += ": " + clean_line(why->substr(0, kMostWords));
    }
    switch (head.status) {
    case 403:
    case 404:
    case 410:
        return Error(ErrorCode::NotFound, what);
    case 401:
        return Error(ErrorCode::Unauthorized, what + "; this hub wants a sign-in");
    default:
        return Error(ErrorCode::Unavailable, what + "; try again later");
    }
}

std::string with_slash(std::string url) {
    return url.ends_with('/') ? url : url + "/";
}

constexpr std::uint64_t kErrorBytes = 1U << 16U;
constexpr std::string_view kTargets = "targets/";
constexpr std::string_view kMetadata = "metadata/";

} // namespace

HubFetcher::HubFetcher(http::Client* client, const std::string& hub, std::stop_token stop)
    : HubFetcher(client, {hub + "/catalog/metadata", hub + "/catalog/targets"}, std::move(stop)) {}

HubFetcher::HubFetcher(http::Client* client, CatalogAddresses addresses, std::stop_token stop)
    : client_(client), addresses_{with_slash(std::move(addresses.metadata)),
                                  with_slash(std::move(addresses.targets))},
      stop_(std::move(stop)) {}

std::string HubFetcher::url_of(std::string_view path) const {
    if (path.starts_with(kTargets)) {
        return addresses_.targets + std::string(path.substr(kTargets.size()));
    }
    LOCARA_ASSERT(path.starts_with(kMetadata));
    return addresses_.metadata + std::string(path.substr(kMetadata.size()));
}

Status HubFetcher::stream(std::string_view path,
                          std::uint64_t limit_bytes,
                          const std::function<Status(ByteView)>& sink) {
    if (client_ == nullptr) {
        return Error(ErrorCode::Offline,
                     "the network is not to be used and " + url_of(path) +
                         " is not here; run the command without --offline");
    }
    http::ClientRequest request;
    request.url = url_of(path);
    request.connect_timeout = std::chrono::seconds(10);
    request.stall_timeout = std::chrono::seconds(30);
    // What is said of an error may be longer than the file that was wanted.
    request.body_limit_bytes = std::max(limit_bytes, kErrorBytes);
    std::uint64_t taken = 0; // once bytes were handed on, a second try would repeat them
    http::ResponseSink response_sink;
    response_sink.on_head = [&](const http::ResponseHead& head) {
        return judge(head, request.url);
    };
    response_sink.on_body = [&](ByteView bytes) -> Status {
        taken += bytes.size();
        if (taken > limit_bytes) {
            return Error(ErrorCode::TooLarge,
                         request.url + " has more than " + std::to_string(limit_bytes) + " bytes");
        }
        return sink(bytes);
    };
    for (int attempt = 0;; ++attempt) {
        const auto response = client_->send(request, stop_, &response_sink);
        const bool again = !response && attempt == 0 && taken == 0 &&
                           response.error().code() == ErrorCode::Unavailable;
        if (!again) {
            return response ? Status() : Status(response.error());
        }
    }
}

Result<std::string> HubFetcher::fetch(std::string_view path, std::uint64_t limit_bytes) {
    std::string body;
    LOCARA_CHECK(stream(path, limit_bytes, [&body](ByteView bytes) {
        body += as_text(bytes);
        return Status();
    }));
    return body;
}

} // namespace locara::runtime
