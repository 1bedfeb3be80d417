#include "client_state.hpp"
#include "protocol.hpp"
#include "resolve.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>

namespace locara::hf {

namespace {

constexpr std::string_view kModels = "models";
/// Of one listing: a server that always names another page is not followed for ever.
constexpr int kMaxPages = 2'000;

/// The meaning that huggingface_hub gives to switches in the environment.
bool is_set(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr) {
        return false;
    }
    std::string text(value);
    std::transform(text.begin(), text.end(), text.begin(), [](char c) {
        return (c >= 'a' && c <= 'z') ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return text == "1" || text == "ON" || text == "YES" || text == "TRUE";
}

std::string without_slash(std::string text) {
    while (text.ends_with('/')) {
        text.pop_back();
    }
    return text;
}

bool is_header_safe(const std::string& token) {
    return std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_success(int status) {
    return status >= 200 && status < 300;
}

bool is_redirect(int status) {
    return status >= 300 && status < 400;
}

} // namespace

Options Options::from_environment(std::optional<std::string> endpoint) {
    Options options;
    if (const char* home = std::getenv("HF_ENDPOINT"); home != nullptr && *home != '\0') {
        options.endpoint = home;
    }
    const auto home = http::parse_origin(options.endpoint);
    if (endpoint) {
        options.endpoint = *std::move(endpoint);
    }
    const auto used = http::parse_origin(options.endpoint);
    const char* token = std::getenv("HF_TOKEN");
    if (token != nullptr && home && used && *home == *used &&
        !is_set("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
        options.token = Secret(token);
    }
    options.offline = is_set("HF_HUB_OFFLINE") ? OfflineMode::Yes : OfflineMode::No;
    return options;
}

void Options::take_hub_token() {
    const char* given = std::getenv("LOCARA_TOKEN");
    const char* hub = std::getenv("LOCARA_HUB");
    const bool named = hub != nullptr && *hub != '\0';
    const auto used = http::parse_origin(endpoint);
    const auto home = http::parse_origin(named ? std::string_view(hub) : kDefaultEndpoint);
    if (given != nullptr && *given != '\0' && used && home && (*used == *home) == named) {
        token = Secret(given);
    }
}

http::ClientRequest Endpoint::request(const std::string& url) const {
    http::ClientRequest request;
    request.url = url;
    request.connect_timeout = options.connect_timeout;
    request.stall_timeout = options.stall_timeout;
    const auto target = http::parse_origin(url);
    if (!options.token.empty() && target && *target == origin) {
        request.headers.add("Authorization", "Bearer " + options.token.reveal());
    }
    return request;
}

Asked Endpoint::asked(std::string_view repo,
                      std::string_view revision,
                      std::string_view path) const {
    return {options.endpoint,
            std::string(repo),
            std::string(revision),
            std::string(path),
            !options.token.empty()};
}

Status Endpoint::check_online(std::string_view what) const {
    if (options.offline == Options::OfflineMode::No) {
        return {};
    }
    return Error(ErrorCode::Offline,
                 std::string(what) + " is not in the store, and the network is switched off "
                                     "(HF_HUB_OFFLINE or --offline): allow it, and try again");
}

/// Sends until an answer with 2xx or 3xx comes back, within the retry policy.
Result<http::ClientResponse> Client::State::ask(const http::ClientRequest& request,
                                                const Asked& asked,
                                                const std::stop_token& stop) {
    Retry retry(endpoint.options.retry, endpoint.timer, endpoint.log);
    while (true) {
        auto response = endpoint.http.send(request, stop);
        if (response && (is_success(response->status) || is_redirect(response->status))) {
            return response;
        }
        LOCARA_CHECK(retry.after(response ? failure_of(*response, response->body, asked)
                                          : failure_of(std::move(response).error()),
                                 stop));
    }
}

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}

Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::create(http::Client& http, Options options) {
    options.endpoint = without_slash(std::move(options.endpoint));
    if (options.endpoint.find_first_of("?#") != std::string::npos) {
        return Error(ErrorCode::InvalidArgument,
                     "the endpoint " + printable(options.endpoint) +
                         " holds a query or fragment; give only scheme, host and path");
    }
    auto origin = http::parse_origin(options.endpoint);
    if (!origin) {
        return std::move(origin).context("the endpoint of the hub (HF_ENDPOINT)").error();
    }
    if (!is_header_safe(options.token.reveal())) {
        return Error(ErrorCode::InvalidArgument,
                     "the token holds spaces or characters that cannot be sent; copy it again "
                     "(HF_TOKEN)");
    }
    Timer& timer = options.timer != nullptr ? *options.timer : system_timer();
    Log& log = options.log != nullptr ? *options.log : null_log();
    return Client(std::make_unique<State>(
        State{Endpoint{http, std::move(options), *std::move(origin), timer, log}}));
}

const std::string& Client::endpoint() const {
    return state_->endpoint.options.endpoint;
}

Result<std::string>
Client::resolve_url(std::string_view repo, std::string_view revision, std::string_view path) const {
    return make_resolve_url(endpoint(), repo, revision, path);
}

Result<RemoteFile> Client::head(std::string_view repo,
                                std::string_view revision,
                                std::string_view path,
                                std::stop_token stop) {
    LOCARA_TRY(const std::string url, resolve_url(repo, revision, path));
    LOCARA_CHECK(state_->endpoint.check_online(path));
    const Asked asked = state_->endpoint.asked(repo, revision, path);
    http::ClientRequest request = state_->endpoint.request(url);
    request.method = "HEAD";
    // A redirect to a download host bears the metadata itself, and that host's own headers say
    // less. A redirect without metadata (a renamed repository) is followed.
    request.follow = http::FollowRedirects::No;
    LOCARA_TRY(http::ClientResponse response, state_->ask(request, asked, stop));
    if (is_redirect(response.status) && !response.headers.find("X-Repo-Commit")) {
        request.follow = http::FollowRedirects::Yes;
        LOCARA_TRY(response, state_->ask(request, asked, stop));
    }
    if (is_commit(revision)) {
        LOCARA_CHECK(check_commit(response, asked));
    }
    RemoteFile file;
    file.commit = printable(response.headers.find("X-Repo-Commit").value_or(""));
    const auto linked_etag = response.headers.find("X-Linked-Etag");
    const auto etag = linked_etag ? linked_etag : response.headers.find("ETag");
    file.etag = printable(bare_etag(etag.value_or("")));
    auto size = response.headers.find("X-Linked-Size");
    if (!size && is_success(response.status)) { // the length of a redirect is that of its own body
        size = response.headers.find("Content-Length");
    }
    if (size) {
        file.size = parse_length(*size);
    }
    return file;
}

Result<std::string> Client::get_text(std::string_view repo,
                                     std::string_view revision,
                                     std::string_view path,
                                     std::uint64_t limit_bytes,
                                     std::stop_token stop) {
    LOCARA_TRY(const std::string url, resolve_url(repo, revision, path));
    LOCARA_CHECK(state_->endpoint.check_online(path));
    const Asked asked = state_->endpoint.asked(repo, revision, path);
    http::ClientRequest request = state_->endpoint.request(url);
    request.body_limit_bytes = limit_bytes;
    LOCARA_TRY(http::ClientResponse response, state_->ask(request, asked, stop));
    if (is_commit(revision)) {
        LOCARA_CHECK(check_commit(response, asked));
    }
    return std::move(response.body);
}

Result<Revision>
Client::get_revision(std::string_view repo, std::string_view revision, std::stop_token stop) {
    LOCARA_TRY(const std::string url,
               make_api_url(endpoint(), kModels, repo, "revision", revision));
    LOCARA_CHECK(state_->endpoint.check_online(repo));
    const Asked asked = state_->endpoint.asked(repo, revision, "");
    LOCARA_TRY(const http::ClientResponse response,
               state_->ask(state_->endpoint.request(url), asked, stop));
    LOCARA_TRY(RevisionInfo info, parse_revision_info(response.body));
    if (is_commit(revision) && info.commit != revision) {
        return Error(ErrorCode::Corrupt,
                     endpoint() + " answers with commit " + info.commit + " of " +
                         std::string(repo) + " where " + std::string(revision) + " was asked for");
    }
    return Revision{std::move(info.commit), info.gated};
}

Result<std::vector<RepoFile>>
Client::list_files(std::string_view repo, std::string_view commit, std::stop_token stop) {
    LOCARA_TRY(std::string url, make_api_url(endpoint(), kModels, repo, "tree", commit));
    LOCARA_CHECK(state_->endpoint.check_online(repo));
    const Asked asked = state_->endpoint.asked(repo, commit, "");
    url += "?recursive=true";
    std::vector<RepoFile> files;
    for (int pages = 0; pages < kMaxPages; ++pages) {
        LOCARA_TRY(const http::ClientResponse response,
                   state_->ask(state_->endpoint.request(url), asked, stop));
        LOCARA_TRY(auto page, parse_tree_page(response.body));
        if (page.size() > kMaxListedFiles - files.size()) {
            return Error(ErrorCode::TooLarge,
                         std::string(repo) + " has more than " + std::to_string(kMaxListedFiles) +
                             " files");
        }
        std::move(page.begin(), page.end(), std::back_inserter(files));
        const std::string_view link = response.headers.find("Link").value_or("");
        const std::size_t end = link.find(">; rel=\"next\"");
        if (end == std::string_view::npos) {
            return files;
        }
        if (!link.starts_with("<" + endpoint() + "/api/models/")) {
            return Error(ErrorCode::Corrupt,
                         endpoint() + " continues the list of files of " + std::string(repo) +
                             " at another place: " + printable(link));
        }
        url = link.substr(1, end - 1);
    }
    return Error(ErrorCode::TooLarge,
                 std::string(repo) + " is listed on more than " + std::to_string(kMaxPages) +
                     " pages");
}

Result<std::string> Client::read_range(std::string_view repo,
                                       std::string_view commit,
                                       std::string_view path,
                                       std::uint64_t first,
                                       std::uint64_t length,
                                       std::stop_token stop) {
    LOCARA_TRY(const std::string url, resolve_url(repo, commit, path));
    LOCARA_CHECK(state_->endpoint.check_online(path));
    if (length == 0) {
        return std::string();
    }
    const Asked asked = state_->endpoint.asked(repo, commit, path);
    http::ClientRequest request = state_->endpoint.request(url);
    request.range = {first, first + length - 1};
    request.body_limit_bytes = length;
    auto response = state_->ask(request, asked, stop);
    if (!response && response.error().code() == ErrorCode::TooLarge) {
        return Error(ErrorCode::Unsupported,
                     endpoint() + " does not serve parts of " + printable(path));
    }
    LOCARA_CHECK(response);
    LOCARA_CHECK(check_commit(*response, asked));
    const auto range = ContentRange::parse(response->headers.find("Content-Range").value_or(""));
    const bool whole = response->status == 200 && first == 0;
    if (response->body.size() != length || (!whole && (!range || range->first != first))) {
        return Error(ErrorCode::Corrupt,
                     endpoint() + " sends other bytes of " + printable(path) +
                         " than it was asked for");
    }
    return std::move(response->body);
}

} // namespace locara::hf
