#include <locara/base/ascii.hpp>
#include <locara/http/client.hpp>

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <mutex>

#include <arpa/inet.h>

namespace locara::http {

namespace {

using Clock = std::chrono::steady_clock;

/// A redirect's own body is read only to keep the connection; past this it is not worth it.
constexpr std::uint64_t kMaxRedirectBodyBytes = 64U << 10U;
constexpr std::size_t kMaxUrlBytes = 16U << 10U; // signed download addresses run to a few KiB
constexpr long kReceiveBufferBytes = 256L << 10U;
constexpr int kLongestPollMs = 30'000;

/// RFC 9110, section 5.6.2: what methods and field names are made of.
bool is_token(std::string_view text) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
               kMarks.find(c) != std::string_view::npos;
    });
}

struct UrlDeleter {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

using UrlHandle = std::unique_ptr<CURLU, UrlDeleter>;

/// A part of a parsed URL, empty if it has none.
std::string url_part(const UrlHandle& url, CURLUPart part, unsigned flags = 0) {
    char* text = nullptr;
    if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) {
        return {};
    }
    std::string copy(text);
    curl_free(text);
    return copy;
}

/// Shown in messages: long or unprintable URLs are cut, and a query (it may hold a signature that
/// grants access) is left out.
std::string shown(std::string_view url) {
    std::string text(url.substr(0, std::min(url.find('?'), std::size_t{200})));
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < 0x21 || static_cast<unsigned char>(c) > 0x7e) {
            c = '?';
        }
    }
    return text;
}

Result<UrlHandle> parse_url(std::string_view text) {
    const auto refuse = [&](const char* why) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + shown(text) + "' is not a usable address: " + why +
                         "; give one like https://host/path");
    };
    if (text.size() > kMaxUrlBytes) {
        return refuse("it is too long");
    }
    if (text.find('\0') != std::string_view::npos) {
        return refuse("it holds a NUL byte");
    }
    UrlHandle url(curl_url());
    if (url == nullptr) {
        return Error(ErrorCode::Internal, "libcurl has no memory for an address");
    }
    const CURLUcode parsed = curl_url_set(url.get(),
                                          CURLUPART_URL,
                                          std::string(text).c_str(),
                                          CURLU_NON_SUPPORT_SCHEME | CURLU_DISALLOW_USER);
    if (parsed == CURLUE_USER_NOT_ALLOWED) {
        return refuse("it holds a user name or password");
    }
    if (parsed != CURLUE_OK) {
        return refuse(curl_url_strerror(parsed));
    }
    const std::string scheme = ascii_lower(url_part(url, CURLUPART_SCHEME));
    if (scheme != "http" && scheme != "https") {
        return refuse("only http and https are spoken");
    }
    return url;
}

Result<Origin> origin_of(const UrlHandle& url, std::string_view text) {
    Origin origin;
    origin.scheme = ascii_lower(url_part(url, CURLUPART_SCHEME));
    origin.host = ascii_lower(url_part(url, CURLUPART_HOST));
    if (origin.host.size() > 2 && origin.host.front() == '[') {
        origin.host = origin.host.substr(1, origin.host.size() - 2);
    }
    const std::string port = url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    const long number = std::strtol(port.c_str(), nullptr, 10);
    if (origin.host.empty() || number <= 0 || number > 65535) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + shown(text) + "' names no host and port that could be reached");
    }
    origin.port = static_cast<std::uint16_t>(number);
    return origin;
}

/// What all lanes of a Client share: resolved names and TLS sessions, each kind with its lock.
struct Share {
    Share() : handle(curl_share_init()) {
        if (handle != nullptr) {
            curl_share_setopt(handle, CURLSHOPT_LOCKFUNC, &Share::lock);
            curl_share_setopt(handle, CURLSHOPT_UNLOCKFUNC, &Share::unlock);
            curl_share_setopt(handle, CURLSHOPT_USERDATA, this);
            curl_share_setopt(handle, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
            curl_share_setopt(handle, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
        }
    }

    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    ~Share() {
        if (handle != nullptr) {
            curl_share_cleanup(handle);
        }
    }

    static void lock(CURL* /*easy*/, curl_lock_data data, curl_lock_access /*access*/, void* self) {
        static_cast<Share*>(self)->locks.at(static_cast<std::size_t>(data)).lock();
    }

    static void unlock(CURL* /*easy*/, curl_lock_data data, void* self) {
        static_cast<Share*>(self)->locks.at(static_cast<std::size_t>(data)).unlock();
    }

    CURLSH* handle;
    std::array<std::mutex, CURL_LOCK_DATA_LAST> locks;
};

/// One connection's worth of curl: used by one call at a time. libcurl does not allow connections
/// to be shared between threads, so what is pooled is the lane that holds them.
class Lane {
  public:
    static std::unique_ptr<Lane> create() {
        std::unique_ptr<Lane> lane(new Lane);
        return lane->multi == nullptr || lane->easy == nullptr ? nullptr : std::move(lane);
    }

    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    ~Lane() {
        if (easy != nullptr) {
            curl_easy_cleanup(easy);
        }
        if (multi != nullptr) {
            curl_multi_cleanup(multi);
        }
    }

    CURLM* multi;
    CURL* easy;
    Origin last; ///< Where its kept connection leads.

  private:
    Lane() : multi(curl_multi_init()), easy(curl_easy_init()) {
        if (multi != nullptr) {
            curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 2L);
        }
    }
};

class HeaderList {
  public:
    HeaderList() = default;
    HeaderList(const HeaderList&) = delete;
    HeaderList& operator=(const HeaderList&) = delete;

    ~HeaderList() { curl_slist_free_all(list_); }

    void append(const std::string& line) {
        curl_slist* longer = curl_slist_append(list_, line.c_str());
        LOCARA_ASSERT(longer != nullptr); // out of memory
        list_ = longer;
    }

    curl_slist* get() const { return list_; }

  private:
    curl_slist* list_ = nullptr;
};

/// What one hop gathers while curl runs.
struct Transfer {
    ResponseHead head;
    std::string body;
    std::uint64_t body_bytes = 0;
    std::uint64_t body_limit = 0;
    std::size_t header_bytes = 0;
    const ResponseSink* sink = nullptr;
    bool may_redirect = false;
    bool head_request = false;
    bool in_body = false;
    bool head_told = false;
    Status failure; ///< Why a callback stopped the transfer.

    bool is_redirect() const {
        return may_redirect &&
               (head.status == 301 || head.status == 302 || head.status == 303 ||
                head.status == 307 || head.status == 308) &&
               head.headers.find("Location").has_value();
    }

    Status take_header(std::string_view line) {
        header_bytes += line.size();
        while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) {
            line.remove_suffix(1);
        }
        if (line.starts_with("HTTP/")) { // a new answer: interim (1xx) ones are forgotten
            head.headers = {};
            const std::size_t space = line.find(' ');
            head.status = space == std::string_view::npos
                              ? 0
                              : static_cast<int>(std::strtol(
                                    std::string(line.substr(space)).c_str(), nullptr, 10));
            return {};
        }
        if (line.empty() || in_body) { // end of the headers, or trailers, which nobody needs
            return {};
        }
        if (header_bytes > kMaxResponseHeaderBytes ||
            head.headers.fields().size() >= kMaxResponseHeaders) {
            return Error(ErrorCode::TooLarge,
                         "the headers of " + shown(head.url) + " are too large (at most " +
                             std::to_string(kMaxResponseHeaders) + " fields and " +
                             render_memory(kMaxResponseHeaderBytes) + " are taken)");
        }
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) {
            return {};
        }
        std::string_view value = line.substr(colon + 1);
        while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) {
            value.remove_prefix(1);
        }
        while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) {
            value.remove_suffix(1);
        }
        head.headers.add(std::string(line.substr(0, colon)), std::string(value));
        return {};
    }

    Status tell_head() {
        if (head_told || is_redirect()) {
            return {};
        }
        head_told = true;
        if (!head_request) {
            const auto length = head.headers.find("Content-Length");
            if (length && std::strtoull(std::string(*length).c_str(), nullptr, 10) > body_limit) {
                return too_large();
            }
        }
        return sink != nullptr && sink->on_head ? sink->on_head(head) : Status{};
    }

    Status take_body(ByteView bytes) {
        in_body = true;
        body_bytes += bytes.size();
        if (is_redirect()) {
            return body_bytes <= kMaxRedirectBodyBytes ? Status{} : too_large();
        }
        LOCARA_CHECK(tell_head());
        if (body_bytes > body_limit) {
            return too_large();
        }
        if (sink != nullptr) {
            return sink->on_body ? sink->on_body(bytes) : Status{};
        }
        body.append(as_text(bytes));
        return {};
    }

    Error too_large() const {
        return Error(ErrorCode::TooLarge,
                     shown(head.url) + " answers with more than the " + std::to_string(body_limit) +
                         " bytes that are taken here");
    }
};

std::size_t on_header(char* data, std::size_t /*one*/, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.failure = transfer.take_header({data, size});
    return transfer.failure ? size : 0;
}

std::size_t on_body(char* data, std::size_t /*one*/, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.failure = transfer.take_body(as_bytes({data, size}));
    return transfer.failure ? size : 0;
}

Error curl_error(CURLcode code, const std::string& url, const char* detail) {
    const std::string words =
        detail != nullptr && *detail != '\0' ? std::string(detail) : curl_easy_strerror(code);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return Error(ErrorCode::Timeout, shown(url) + " did not answer in time: " + words);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return Error(ErrorCode::Refused,
                     "the certificate of " + shown(url) + " is not trusted: " + words +
                         "; set SSL_CERT_FILE if your network has an authority of its own");
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return Error(ErrorCode::InvalidArgument, shown(url) + " cannot be asked: " + words);
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
        return Error(ErrorCode::Internal, "libcurl: " + words);
    default:
        return Error(ErrorCode::Unavailable, "no answer from " + shown(url) + ": " + words);
    }
}

} // namespace

std::optional<std::string_view> ClientHeaders::find(std::string_view name) const {
    for (const Field& field : fields_) {
        if (equals_ignoring_case(field.first, name)) {
            return field.second;
        }
    }
    return std::nullopt;
}

void ClientHeaders::add(std::string name, std::string value) {
    fields_.emplace_back(std::move(name), std::move(value));
}

void ClientHeaders::remove(std::string_view name) {
    std::erase_if(fields_,
                  [&](const Field& field) { return equals_ignoring_case(field.first, name); });
}

std::string Origin::render() const {
    const bool own_port = (scheme == "http" && port == 80) || (scheme == "https" && port == 443);
    const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
    return scheme + "://" + name + (own_port ? "" : ":" + std::to_string(port));
}

bool Origin::is_loopback() const {
    in_addr v4{};
    if (inet_pton(AF_INET, host.c_str(), &v4) == 1) {
        return (ntohl(v4.s_addr) >> 24U) == 127U;
    }
    in6_addr v6{};
    if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) {
        return IN6_IS_ADDR_LOOPBACK(&v6);
    }
    return host == "localhost" || host.ends_with(".localhost");
}

Result<Origin> parse_origin(std::string_view url) {
    LOCARA_TRY(const UrlHandle parsed, parse_url(url));
    return origin_of(parsed, url);
}

struct Client::State {
    Options options;
    std::string ca_path;
    Share share;
    std::mutex mutex;
    std::vector<std::unique_ptr<Lane>> idle; ///< Guarded by mutex.

    /// An idle lane, at best one that has a connection to `origin`, else a new one. May be null.
    std::unique_ptr<Lane> take_lane(const Origin& origin) {
        const std::lock_guard lock(mutex);
        if (idle.empty()) {
            return Lane::create();
        }
        auto found = std::find_if(
            idle.rbegin(), idle.rend(), [&](const auto& lane) { return lane->last == origin; });
        const auto at = found == idle.rend() ? std::prev(idle.end()) : std::prev(found.base());
        std::unique_ptr<Lane> lane = std::move(*at);
        idle.erase(at);
        return lane;
    }

    void give_back(std::unique_ptr<Lane> lane) {
        constexpr std::size_t kMostIdle = 16;
        const std::lock_guard lock(mutex);
        if (idle.size() < kMostIdle) {
            idle.push_back(std::move(lane));
        }
    }

    Status prepare(CURL* easy,
                   const ClientRequest& request,
                   const Origin& origin,
                   Clock::time_point deadline,
                   HeaderList& headers,
                   Transfer& transfer,
                   char* error_text) {
        curl_easy_reset(easy); // keeps connections, DNS entries and sessions
        curl_easy_setopt(easy, CURLOPT_SHARE, share.handle);
        curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); // the caller has encoded it
        curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kReceiveBufferBytes);
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text);
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
        curl_easy_setopt(
            easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.count()));
        if (request.stall_timeout.count() > 0) {
            curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, request.stall_bytes_per_second);
            curl_easy_setopt(
                easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.stall_timeout.count()));
        }
        if (deadline != Clock::time_point::max()) {
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
            if (left.count() <= 0) {
                return Error(ErrorCode::Timeout, shown(request.url) + " did not answer in time");
            }
            curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
        }
        if (origin.is_loopback()) {
            curl_easy_setopt(easy, CURLOPT_PROXY, "");
        }
        if (!options.ca_file.empty()) {
            curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
        }
        if (!ca_path.empty()) {
            curl_easy_setopt(easy, CURLOPT_CAPATH, ca_path.c_str());
        }
        return prepare_message(easy, request, headers);
    }

    static Status prepare_message(CURL* easy, const ClientRequest& request, HeaderList& headers) {
        if (!is_token(request.method)) {
            return Error(ErrorCode::InvalidArgument,
                         "'" + shown(request.method) + "' is not an HTTP method");
        }
        if (request.method == "HEAD") {
            curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        } else if (request.method != "GET" || request.body || !request.large_body.empty()) {
            curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
            if (request.body || !request.large_body.empty() || request.method == "POST" ||
                request.method == "PUT") {
                const std::string_view body = !request.large_body.empty()
                                                  ? as_text(request.large_body)
                                              : request.body ? std::string_view(*request.body)
                                                             : std::string_view();
                curl_easy_setopt(
                    easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
                // Not copied: the request outlives the transfer.
                curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.empty() ? "" : body.data());
                headers.append("Expect:");
                if (!request.headers.find("Content-Type")) {
                    headers.append("Content-Type:"); // not curl's guess of a form
                }
            }
        }
        if (request.range) {
            if (request.range->first > request.range->second) {
                return Error(ErrorCode::InvalidArgument, "a byte range ends before it starts");
            }
            curl_easy_setopt(
                easy,
                CURLOPT_RANGE,
                (std::to_string(request.range->first) + "-" + std::to_string(request.range->second))
                    .c_str());
        }
        for (const auto& [name, value] : request.headers.fields()) {
            if (!is_token(name) ||
                value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
                return Error(ErrorCode::InvalidArgument,
                             "the header '" + shown(name) +
                                 "' cannot be sent: a name or value "
                                 "with characters that HTTP does not allow");
            }
            headers.append(value.empty() ? name + ";" : name + ": " + value);
        }
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
        return {};
    }

    /// Runs one hop. On success transfer.head is complete.
    Status run(const ClientRequest& request,
               const Origin& origin,
               Clock::time_point deadline,
               const std::stop_token& stop,
               Transfer& transfer) {
        auto lane = take_lane(origin);
        if (lane == nullptr) {
            return Error(ErrorCode::Internal, "libcurl has no memory for another connection");
        }
        lane->last = origin;
        HeaderList headers;
        std::array<char, CURL_ERROR_SIZE> error_text{};
        LOCARA_CHECK(
            prepare(lane->easy, request, origin, deadline, headers, transfer, error_text.data()));

        CURLMcode multi_code = curl_multi_add_handle(lane->multi, lane->easy);
        CURLcode code = CURLE_OK;
        bool done = multi_code != CURLM_OK;
        {
            const std::stop_callback wake(stop, [&] { curl_multi_wakeup(lane->multi); });
            while (!done && !stop.stop_requested()) {
                int running = 0;
                multi_code = curl_multi_perform(lane->multi, &running);
                int waiting = 0;
                while (const CURLMsg* message = curl_multi_info_read(lane->multi, &waiting)) {
                    if (message->msg == CURLMSG_DONE) {
                        code = message->data.result;
                        done = true;
                    }
                }
                if (multi_code == CURLM_OK && !done) {
                    // Bounded by curl's own timers; a stop wakes it.
                    multi_code = curl_multi_poll(lane->multi, nullptr, 0, kLongestPollMs, nullptr);
                }
                done = done || multi_code != CURLM_OK;
            }
        }
        curl_multi_remove_handle(lane->multi, lane->easy);
        curl_easy_setopt(lane->easy, CURLOPT_ERRORBUFFER, nullptr);
        curl_easy_setopt(lane->easy, CURLOPT_HTTPHEADER, nullptr);
        give_back(std::move(lane));

        if (!transfer.failure) {
            return std::move(transfer.failure);
        }
        if (!done) {
            return Error(ErrorCode::Cancelled, "stopped while waiting for " + shown(request.url));
        }
        if (multi_code != CURLM_OK) {
            return Error(ErrorCode::Internal,
                         std::string("libcurl: ") + curl_multi_strerror(multi_code));
        }
        if (code != CURLE_OK) {
            return curl_error(code, request.url, error_text.data());
        }
        return transfer.tell_head();
    }
};

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}

Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::create() {
    return create(Options());
}

Result<Client> Client::create(Options options) {
    static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    auto state = std::make_unique<State>();
    if (started != CURLE_OK || state->share.handle == nullptr) {
        return Error(ErrorCode::Internal, "libcurl could not be started");
    }
    state->options = std::move(options);
    // libcurl reads the proxy variables, but these two only the curl program does.
    if (const char* file = std::getenv("SSL_CERT_FILE");
        file != nullptr && state->options.ca_file.empty()) {
        state->options.ca_file = file;
    }
    if (const char* folder = std::getenv("SSL_CERT_DIR")) {
        state->ca_path = folder;
    }
    return Client(std::move(state));
}

namespace {

/// The address that a redirect leads to, or why it is not followed.
Result<std::string>
next_url(const std::string& url, const Origin& origin, std::string_view location) {
    const auto refuse = [&](const std::string& why) {
        return Error(ErrorCode::Refused,
                     shown(url) + " redirects to '" + shown(location) + "': " + why);
    };
    LOCARA_TRY(const UrlHandle base, parse_url(url));
    if (location.size() > kMaxUrlBytes || location.find('\0') != std::string_view::npos ||
        curl_url_set(base.get(),
                     CURLUPART_URL,
                     std::string(location).c_str(),
                     CURLU_NON_SUPPORT_SCHEME | CURLU_DISALLOW_USER) != CURLUE_OK) {
        return refuse("that is not an address that can be followed");
    }
    const std::string scheme = ascii_lower(url_part(base, CURLUPART_SCHEME));
    if (scheme != "http" && scheme != "https") {
        return refuse("only http and https are followed");
    }
    if (origin.scheme == "https" && scheme == "http") {
        return refuse("from https to http is not followed");
    }
    return url_part(base, CURLUPART_URL);
}

} // namespace

Result<ClientResponse>
Client::send(const ClientRequest& request, std::stop_token stop, const ResponseSink* sink) {
    const auto deadline = request.total_timeout.count() > 0 ? Clock::now() + request.total_timeout
                                                            : Clock::time_point::max();
    ClientRequest hop = request;
    LOCARA_TRY(const Origin first, parse_origin(hop.url));
    Origin origin = first;
    std::vector<Hop> redirects;
    while (true) {
        Transfer transfer;
        transfer.head.url = hop.url;
        transfer.head.redirects = redirects;
        transfer.body_limit = request.body_limit_bytes;
        transfer.sink = sink;
        transfer.may_redirect = request.follow == FollowRedirects::Yes;
        transfer.head_request = hop.method == "HEAD";
        LOCARA_CHECK(state_->run(hop, origin, deadline, stop, transfer));
        if (!transfer.is_redirect()) {
            ClientResponse response;
            static_cast<ResponseHead&>(response) = std::move(transfer.head);
            response.body = std::move(transfer.body);
            response.body_bytes = transfer.body_bytes;
            return response;
        }
        if (redirects.size() >= static_cast<std::size_t>(kMaxRedirects)) {
            return Error(ErrorCode::Refused,
                         shown(request.url) + " redirects more than " +
                             std::to_string(kMaxRedirects) + " times; the last answer came from " +
                             shown(hop.url));
        }
        const std::string location(*transfer.head.headers.find("Location"));
        LOCARA_TRY(std::string next, next_url(hop.url, origin, location));
        LOCARA_TRY(origin, parse_origin(next));
        const int status = transfer.head.status;
        if (status == 303 ||
            ((status == 301 || status == 302) && hop.method != "GET" && hop.method != "HEAD")) {
            hop.method = hop.method == "HEAD" ? "HEAD" : "GET";
            hop.body.reset();
            hop.large_body = {};
            hop.headers.remove("Content-Type");
        }
        if (!(origin == first)) {
            hop.headers.remove("Authorization");
            hop.headers.remove("Cookie");
        }
        redirects.push_back(std::move(transfer.head)); // keeps only the Hop part
        hop.url = std::move(next);
    }
}

} // namespace locara::http
