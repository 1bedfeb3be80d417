#include "cas_client.hpp"

#include <locara/base/clock.hpp>

#include <utility>

namespace locara::hf {

namespace {

constexpr std::int64_t kRenewSeconds = 60;
/// Answers of stores to uploads are lines of progress: small, however many.
constexpr std::uint64_t kMaxAnswerBytes = 8U << 20U;
/// A store checks each chunk of a shard before it answers; large ones take their time.
constexpr auto kShardStall = std::chrono::seconds(120);

bool is_success(int status) {
    return status >= 200 && status < 300;
}

bool has_several_ranges(const xet::Plan& plan) {
    for (const xet::XorbFetch& xorb : plan.xorbs) {
        for (const xet::FetchEntry& entry : xorb.entries) {
            if (entry.ranges.size() > 1) {
                return true;
            }
        }
    }
    return false;
}

bool is_absent(const Error& error) {
    return error.code() == ErrorCode::NotFound || error.code() == ErrorCode::Unsupported;
}

http::ClientRequest shard_request(ByteView shard) {
    http::ClientRequest request;
    request.method = "POST";
    request.headers.add("Content-Type", "application/octet-stream");
    request.large_body = shard;
    request.stall_timeout = kShardStall;
    request.body_limit_bytes = kMaxAnswerBytes;
    return request;
}

} // namespace

Failure
store_failure(const http::ResponseHead& head, std::string_view body, const std::string& what) {
    using Again = Failure::Again;
    const auto origin = http::parse_origin(head.url);
    const std::string said = "the chunk store " + (origin ? origin->render() : std::string()) +
                             " answers " + std::to_string(head.status) + said_in(head, body) +
                             " to " + what;
    const auto wait = asked_wait(head.headers);
    switch (head.status) {
    case 400:
    case 422:
        return {Error(ErrorCode::Corrupt, said), Again::Never, {}};
    case 401:
        return {Error(ErrorCode::Unauthorized, said), Again::Never, {}};
    case 403:
        return {Error(is_refused(head.headers.find("X-Error-Code").value_or(""))
                          ? ErrorCode::Refused
                          : ErrorCode::Forbidden,
                      said),
                Again::Never,
                {}};
    case 404:
    case 410:
        return {Error(ErrorCode::NotFound, said), Again::Never, {}};
    case 405:
    case 501:
        return {Error(ErrorCode::Unsupported, said), Again::Never, {}};
    case 408:
        return {Error(ErrorCode::Timeout, said), Again::Later, wait};
    case 409:
        return {Error(ErrorCode::Conflict, said), Again::Never, {}};
    case 413:
        return {Error(ErrorCode::TooLarge, said), Again::Never, {}};
    case 429:
        return {Error(ErrorCode::Unavailable, said + ": too many requests"), Again::Later, wait};
    default:
        return {Error(ErrorCode::Unavailable, said),
                head.status >= 500 ? Again::Later : Again::Never,
                wait};
    }
}

CasClient::CasClient(const Endpoint& endpoint, std::string token_url, Asked asked)
    : endpoint_(endpoint), token_url_(std::move(token_url)), asked_(std::move(asked)) {}

Status CasClient::open(const std::stop_token& stop) {
    LOCARA_CHECK(token(stop));
    return {};
}

Result<XetToken> CasClient::token(const std::stop_token& stop) {
    const std::lock_guard guard(mutex_);
    const std::int64_t now = system_clock().now().time_since_epoch().count();
    if (token_ && !token_->value.empty() && now < token_->expires - kRenewSeconds) {
        return *token_;
    }
    Retry retry(endpoint_.options.retry, endpoint_.timer, endpoint_.log);
    const http::ClientRequest request = endpoint_.request(token_url_);
    while (true) {
        auto response = endpoint_.http.send(request, stop);
        if (response && is_success(response->status)) {
            LOCARA_TRY(XetToken fresh, parse_xet_token(response->body));
            LOCARA_TRY(const http::Origin store, http::parse_origin(fresh.cas_url));
            if (endpoint_.origin.scheme == "https" && store.scheme != "https") {
                return Error(ErrorCode::Refused,
                             endpoint_.options.endpoint + " names the chunk store " +
                                 printable(fresh.cas_url) +
                                 ", which has no TLS: chunks are not asked for there");
            }
            token_ = std::move(fresh);
            return *token_;
        }
        LOCARA_CHECK(retry.after(response ? failure_of(*response, response->body, asked_)
                                          : failure_of(std::move(response).error()),
                                 stop));
        ++retries_;
    }
}

void CasClient::forget(const Secret& value) {
    const std::lock_guard guard(mutex_);
    if (token_ && token_->value.equals(value.reveal())) {
        token_->value = Secret();
    }
}

Status CasClient::check_data_url(const std::string& url) const {
    LOCARA_TRY(const http::Origin origin,
               http::parse_origin(url).context("the address of a range of a xorb"));
    const std::lock_guard guard(mutex_);
    if (token_ && token_->cas_url.starts_with("https:") && origin.scheme != "https") {
        return Error(ErrorCode::Refused,
                     "the chunk store sends us to " + origin.render() +
                         ", which has no TLS: not followed");
    }
    return {};
}

struct CasClient::Spilled {
    explicit Spilled(std::filesystem::path folder_in) : folder(std::move(folder_in)) {}

    http::ResponseSink sink() {
        http::ResponseSink sink;
        sink.on_head = [this](const http::ResponseHead& head) {
            good = is_success(head.status);
            bytes = SpillBytes(folder); // of this try
            error.clear();
            return Status{};
        };
        sink.on_body = [this](ByteView piece) {
            if (good) {
                return bytes.add(piece);
            }
            error.append(as_text(piece), 0, kMaxErrorBodyBytes - error.size());
            return Status{};
        };
        return sink;
    }

    const std::filesystem::path folder;
    bool good = false;
    SpillBytes bytes{folder};
    std::string error; ///< What explains another answer than 2xx.
};

Result<http::ClientResponse> CasClient::call(http::ClientRequest request,
                                             const std::string& path,
                                             const std::string& what,
                                             const std::stop_token& stop,
                                             Spilled* spilled) {
    Retry retry(endpoint_.options.retry, endpoint_.timer, endpoint_.log);
    request.connect_timeout = endpoint_.options.connect_timeout;
    request.stall_timeout = std::max(request.stall_timeout, endpoint_.options.stall_timeout);
    bool renewed = false;
    while (true) {
        LOCARA_TRY(const XetToken with, token(stop));
        request.url = with.cas_url + path;
        request.headers.remove("Authorization");
        request.headers.add("Authorization", "Bearer " + with.value.reveal());
        const http::ResponseSink sink = spilled != nullptr ? spilled->sink() : http::ResponseSink();
        auto response = endpoint_.http.send(request, stop, spilled != nullptr ? &sink : nullptr);
        if (response && is_success(response->status)) {
            return response;
        }
        if (response && spilled != nullptr) {
            response->body = spilled->error;
        }
        if (response && response->status == 401 && !renewed) {
            renewed = true; // the store may have ended it early
            forget(with.value);
            continue;
        }
        LOCARA_CHECK(retry.after(response ? store_failure(*response, response->body, what)
                                          : failure_of(std::move(response).error()),
                                 stop));
        ++retries_;
    }
}

Result<xet::Plan> CasClient::get_plan(const xet::FileHash& file,
                                      std::optional<xet::ByteRange> wanted,
                                      const std::stop_token& stop) {
    if (!plan_v1_only_) {
        auto plan = ask_plan(2, file, wanted, stop);
        if (plan && !has_several_ranges(*plan)) {
            return plan;
        }
        if (!plan && !is_absent(plan.error())) {
            return plan;
        }
        auto first_form = ask_plan(1, file, wanted, stop);
        if (first_form) {
            plan_v1_only_ = true;
            return first_form;
        }
        return plan && is_absent(first_form.error()) ? std::move(plan) : std::move(first_form);
    }
    return ask_plan(1, file, wanted, stop);
}

Result<xet::Plan> CasClient::ask_plan(int version,
                                      const xet::FileHash& file,
                                      std::optional<xet::ByteRange> wanted,
                                      const std::stop_token& stop) {
    const std::string what = "the plan of Xet file " + file.render();
    http::ClientRequest request;
    request.body_limit_bytes = xet::kMaxPlanJsonBytes;
    if (wanted) {
        request.range = {wanted->begin, wanted->end - 1};
    }
    LOCARA_TRY(const http::ClientResponse response,
               call(std::move(request),
                    "/v" + std::to_string(version) + "/reconstructions/" + file.render(),
                    what,
                    stop));
    LOCARA_TRY(
        xet::Plan plan,
        (version == 2 ? xet::parse_plan_v2(response.body) : xet::parse_plan_v1(response.body))
            .context(what));
    LOCARA_CHECK(xet::validate_plan(plan, wanted ? std::optional(wanted->size()) : std::nullopt)
                     .context(what));
    return plan;
}

Result<std::optional<xet::StoredShard>> CasClient::find_file_shard(
    const xet::FileHash& file, const std::filesystem::path& scratch, const std::stop_token& stop) {
    const std::string what = "the shard of Xet file " + file.render();
    http::ClientRequest request;
    request.body_limit_bytes = xet::kMaxShardBytes;
    Spilled body(scratch);
    auto response =
        call(std::move(request), "/v1/files/" + file.render() + "/shard", what, stop, &body);
    if (!response &&
        (is_absent(response.error()) || response.error().code() == ErrorCode::TooLarge)) {
        return std::optional<xet::StoredShard>();
    }
    LOCARA_CHECK(response);
    LOCARA_TRY(xet::StoredShard shard, xet::StoredShard::open(std::move(body.bytes)).context(what));
    return std::optional(std::move(shard));
}

Result<std::optional<xet::Shard>> CasClient::find_chunk(const xet::ChunkHash& chunk,
                                                        const std::stop_token& stop) {
    const std::string what = "whether chunk " + chunk.render() + " is known";
    http::ClientRequest request;
    request.body_limit_bytes = xet::kMaxShardBytes;
    auto response = call(std::move(request), "/v1/chunks/default/" + chunk.render(), what, stop);
    if (!response && is_absent(response.error())) {
        return std::optional<xet::Shard>();
    }
    LOCARA_TRY(const http::ClientResponse answer, std::move(response));
    LOCARA_TRY(xet::Shard shard, xet::parse_shard(as_bytes(answer.body)).context(what));
    return std::optional(std::move(shard));
}

Result<bool> CasClient::has_xorb(const xet::XorbHash& xorb, const std::stop_token& stop) {
    http::ClientRequest request;
    request.method = "HEAD";
    auto response = call(std::move(request),
                         "/v1/xorbs/default/" + xorb.render(),
                         "whether xorb " + xorb.render() + " is known",
                         stop);
    if (response) {
        return true;
    }
    // Forbidden: it may be there, but not for us; then it must be sent.
    if (is_absent(response.error()) || response.error().code() == ErrorCode::Forbidden) {
        return false;
    }
    return std::move(response).error();
}

Status CasClient::put_xorb(const xet::XorbHash& xorb, ByteView bytes, const std::stop_token& stop) {
    http::ClientRequest request;
    request.method = "POST";
    request.headers.add("Content-Type", "application/octet-stream");
    request.large_body = bytes;
    request.body_limit_bytes = kMaxAnswerBytes;
    LOCARA_CHECK(call(std::move(request),
                      "/v1/xorbs/default/" + xorb.render(),
                      "the upload of xorb " + xorb.render(),
                      stop));
    return {};
}

Status CasClient::put_shard(ByteView shard,
                            const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                            const std::stop_token& stop) {
    Status done = put_shard_v2(shard, progress, stop);
    // A store without the newer route says 404; so does one that lacks a xorb. The older route
    // tells which.
    return !done && is_absent(done.error()) ? put_shard_v1(shard, stop) : done;
}

Status CasClient::put_shard_v1(ByteView shard, const std::stop_token& stop) {
    LOCARA_CHECK(call(shard_request(shard), "/v1/shards", "the upload of a shard", stop));
    return {};
}

Status CasClient::put_shard_v2(ByteView shard,
                               const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                               const std::stop_token& stop) {
    Retry retry(endpoint_.options.retry, endpoint_.timer, endpoint_.log);
    while (true) {
        LOCARA_TRY(const http::ClientResponse response,
                   call(shard_request(shard), "/v2/shards", "the upload of a shard", stop));
        std::string_view rest = response.body;
        std::optional<ShardProgress> last;
        while (!rest.empty()) {
            const std::size_t end = rest.find('\n');
            const std::string_view line = rest.substr(0, end);
            rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
            if (line.empty()) {
                continue;
            }
            LOCARA_TRY(last, parse_shard_progress(line));
            if (last->kind == ShardProgress::Kind::Validating && progress && last->total > 0) {
                progress(last->verified, last->total);
            }
        }
        if (last && last->kind == ShardProgress::Kind::Result) {
            return {};
        }
        const bool refused = last && last->kind == ShardProgress::Kind::Error;
        const Error error(refused && !last->retryable ? ErrorCode::Corrupt : ErrorCode::Unavailable,
                          refused ? "the chunk store does not take the shard: " + last->message
                                  : "the chunk store ended its answer to a shard too early");
        LOCARA_CHECK(retry.after(
            {error,
             error.code() == ErrorCode::Unavailable ? Failure::Again::Later : Failure::Again::Never,
             {}},
            stop));
        ++retries_;
    }
}

} // namespace locara::hf
