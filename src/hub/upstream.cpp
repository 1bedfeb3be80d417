#include "upstream.hpp"

#include <algorithm>
#include <charconv>

namespace locara::hub {
namespace {

using Again = hf::Failure::Again;

/// Somebody waits for the answer: give up early.
constexpr hf::RetryPolicy kAskPolicy = {.attempts = 3,
                                        .first_wait = std::chrono::milliseconds(200),
                                        .longest_wait = std::chrono::seconds(2),
                                        .longest_asked_wait = std::chrono::seconds(5)};
/// Nobody waits for a file as for an answer, and what came stays.
constexpr hf::RetryPolicy kFetchPolicy = {.attempts = 6,
                                          .first_wait = std::chrono::milliseconds(250),
                                          .longest_wait = std::chrono::seconds(15),
                                          .longest_asked_wait = std::chrono::seconds(120)};
constexpr std::chrono::seconds kConnectTimeout{5};
constexpr std::chrono::seconds kAskTimeout{20};
constexpr std::chrono::seconds kStallTimeout{30};
constexpr std::size_t kErrorBody = 16U << 10U;

/// Text from outside, fit for a line of ours.
std::string printable(std::string_view text) {
    std::string copy(text.substr(0, 300));
    std::replace_if(
        copy.begin(), copy.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    return copy;
}

/// What an error body of the Hub says.
std::string words_of(const http::ResponseHead& head, std::string_view body) {
    if (const auto message = head.headers.find("X-Error-Message")) {
        return printable(*message);
    }
    const auto json = parse_json(body);
    const auto words = json && json->is_object() ? text_at(*json, "error") : std::nullopt;
    return words ? printable(*words) : "upstream answers " + std::to_string(head.status);
}

Refusal unavailable(std::string message) {
    return {502,
            "UpstreamUnavailable",
            "the hub that this one mirrors does not answer as it should: " + std::move(message)};
}

/// An answer that contradicts what is known.
Trouble contradiction(std::string message, Again again) {
    return {unavailable(message), {Error(ErrorCode::Corrupt, message), again, {}}};
}

Trouble trouble_of(Error error) {
    // What went wrong names addresses, which are the operator's affair: `count` logs it.
    Refusal refusal = unavailable("it cannot be reached, or breaks off");
    if (error.code() == ErrorCode::Timeout) {
        refusal = unavailable("it takes too long");
        refusal.status = 504;
    }
    return {std::move(refusal), hf::failure_of(std::move(error))};
}

/// Whose access token a request carries.
enum class Sent { OwnToken, CallersToken, None };

/// What an answer that is no 2xx means.
Trouble trouble_of(const http::ResponseHead& head, std::string_view body, Sent sent) {
    const std::string words = words_of(head, body);
    if (head.status == 401 && sent == Sent::OwnToken && !head.headers.find("X-Error-Code")) {
        // It has ended, or was revoked: it says nothing of the repository, and is not for callers.
        Error refused(ErrorCode::Unauthorized,
                      "upstream does not take this hub's own token (mirror.token_file): " + words);
        return {unavailable("it does not let this hub in"), {std::move(refused), Again::Never, {}}};
    }
    const Error error(ErrorCode::Unavailable,
                      "upstream answers " + std::to_string(head.status) + " (" + words + ")");
    if (head.status == 429) {
        Refusal refusal(429, "", "the hub that this one mirrors asks to slow down: " + words);
        const auto wait = hf::asked_wait(head.headers).value_or(std::chrono::seconds(10));
        refusal.headers.add("Retry-After", std::to_string(wait.count()));
        return {std::move(refusal), {error, Again::Later, hf::asked_wait(head.headers)}};
    }
    if (head.status == 408 || head.status >= 500 || head.status < 400) {
        return {unavailable(error.message()), {error, Again::Later, hf::asked_wait(head.headers)}};
    }
    return {Refusal(head.status, printable(head.headers.find("X-Error-Code").value_or("")), words),
            {error, Again::Never, {}}};
}

bool is_good(int status) {
    return status >= 200 && status < 300;
}

/// Takes the body of one answer about a file, if its head fits.
class FileSink {
  public:
    FileSink(const UpstreamFile& file,
             Sent sent,
             std::uint64_t from,
             const std::function<Status(ByteView)>& take)
        : file_(file), sent_(sent), from_(from), take_(take) {}

    http::ResponseSink sink() {
        return {[this](const http::ResponseHead& head) { return on_head(head); },
                [this](ByteView bytes) { return on_body(bytes); }};
    }

    std::optional<Trouble> trouble; ///< Why the answer is not the file.
    std::optional<Error> own;       ///< What `take` said.
    std::uint64_t taken = 0;

    /// What is wrong with an answer that has ended by itself.
    std::optional<Trouble> ended(const http::ResponseHead& head) const {
        if (!good_) {
            return trouble_of(head, error_body_, sent_);
        }
        if (from_ + taken != file_.size) {
            return contradiction("the file ended after " + std::to_string(from_ + taken) + " of " +
                                     std::to_string(file_.size) + " bytes",
                                 Again::Later);
        }
        return std::nullopt;
    }

  private:
    Status refuse(std::string message, Again again) {
        trouble = contradiction(message, again);
        return Error(ErrorCode::Corrupt, std::move(message));
    }

    Status on_head(const http::ResponseHead& head) {
        good_ = is_good(head.status);
        if (!good_) {
            return {};
        }
        const auto states_other_commit = [this](const http::Hop& hop) {
            const auto commit = hop.headers.find("X-Repo-Commit");
            return commit && *commit != file_.commit;
        };
        if (states_other_commit(head) ||
            std::any_of(head.redirects.begin(), head.redirects.end(), states_other_commit)) {
            return refuse("upstream answers for another commit than " + file_.commit, Again::Never);
        }
        const std::string range = "bytes " + std::to_string(from_) + "-" +
                                  std::to_string(file_.size - 1) + "/" + std::to_string(file_.size);
        const auto given = head.headers.find("Content-Range");
        if (head.status == 206 && given.value_or("") != range) {
            return refuse("upstream sends '" + printable(given.value_or("")) + "' and not '" +
                              range + "'",
                          Again::Never);
        }
        // Without ranges it sends all of it again; what is here already is dropped.
        skip_ = head.status == 206 ? 0 : from_;
        const auto length = head.headers.find("Content-Length");
        const std::uint64_t expected = file_.size - from_ + skip_;
        if (length && *length != std::to_string(expected)) {
            return refuse("upstream wants to send " + printable(*length) + " bytes and not " +
                              std::to_string(expected),
                          Again::Never);
        }
        return {};
    }

    Status on_body(ByteView bytes) {
        if (!good_) {
            const std::size_t room = kErrorBody - std::min(kErrorBody, error_body_.size());
            error_body_ += as_text(bytes.first(std::min(bytes.size(), room)));
            return {};
        }
        const auto dropped = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, bytes.size()));
        skip_ -= dropped;
        bytes = bytes.subspan(dropped);
        if (bytes.size() > file_.size - from_ - taken) {
            return refuse("upstream sends more than the " + std::to_string(file_.size) +
                              " bytes that the file has",
                          Again::Never);
        }
        taken += bytes.size();
        const Status status = take_(bytes);
        if (!status) {
            own = status.error();
        }
        return status;
    }

    const UpstreamFile& file_;
    const Sent sent_;
    const std::uint64_t from_;
    const std::function<Status(ByteView)>& take_;
    bool good_ = false;
    std::uint64_t skip_ = 0;
    std::string error_body_;
};

Sent sent_with(const Secret& callers, const Secret& own) {
    return !callers.empty() ? Sent::CallersToken : own.empty() ? Sent::None : Sent::OwnToken;
}

std::optional<std::size_t> total_of(const http::ResponseHead& head) {
    const std::string_view text = head.headers.find("X-Total-Count").value_or("");
    std::size_t total = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), total);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole ? std::optional(total) : std::nullopt;
}

} // namespace

Refusal not_here_offline(std::string message) {
    return {kNotHereOffline, "MirrorOffline", std::move(message)};
}

http::ClientRequest Upstream::request(const std::string& path, const Secret& token) const {
    http::ClientRequest request;
    request.url = config_.upstream + path;
    const Secret& used = token.empty() ? config_.token : token;
    if (!used.empty()) {
        request.headers.add("Authorization", "Bearer " + used.reveal());
    }
    // Bytes are wanted as they are, and counted.
    request.headers.add("Accept-Encoding", "identity");
    request.connect_timeout = kConnectTimeout;
    request.stall_timeout = kStallTimeout;
    return request;
}

/// Only links below upstream's own address count.
std::string Upstream::next_of(const http::ResponseHead& head) const {
    const std::string_view link = head.headers.find("Link").value_or("");
    const std::size_t end = link.find(">; rel=\"next\"");
    const std::string start = "<" + config_.upstream + "/api/";
    if (end == std::string_view::npos || link.rfind(start, 0) != 0 || link.find('>') != end) {
        return "";
    }
    return std::string(link.substr(1 + config_.upstream.size(), end - 1 - config_.upstream.size()));
}

Answer<UpstreamAnswer> Upstream::ask(const UpstreamCall& call) const {
    if (is_offline()) {
        return not_here_offline("this hub works offline and does not ask the hub that it mirrors");
    }
    http::ClientRequest wanted = request(call.path, call.token);
    wanted.body_limit_bytes = call.limit_bytes;
    wanted.total_timeout = kAskTimeout;
    if (call.body) {
        wanted.method = "POST";
        wanted.headers.add("Content-Type", "application/json");
        wanted.body = call.body;
    }
    hf::Retry retry(kAskPolicy, hf::system_timer(), log_);
    while (true) {
        auto answer = http_.send(wanted, stop_);
        if (answer && is_good(answer->status)) {
            return UpstreamAnswer{std::move(answer->body), next_of(*answer), total_of(*answer)};
        }
        Trouble trouble =
            answer ? trouble_of(*answer, answer->body, sent_with(call.token, config_.token))
                   : trouble_of(std::move(answer).error());
        count(trouble);
        // Who waited for a whole time-out is not kept waiting for another.
        if (trouble.refusal.status == 504) {
            return std::move(trouble.refusal);
        }
        if (!retry.after(std::move(trouble.failure), stop_)) {
            return std::move(trouble.refusal);
        }
    }
}

std::optional<Trouble> Upstream::fetch(const UpstreamFile& file,
                                       std::uint64_t from,
                                       const std::function<Status(ByteView)>& take) const {
    http::ClientRequest wanted = request(file.path, file.token);
    if (from > 0) {
        wanted.range = std::pair(from, file.size - 1);
    }
    // More than the file is told apart by the sink, which knows what the bytes are for.
    wanted.body_limit_bytes = file.size + kErrorBody;
    const std::function<Status(ByteView)> counted = [this, &take](ByteView bytes) {
        counts_.fetched_bytes += bytes.size();
        return take(bytes);
    };
    FileSink taker(file, sent_with(file.token, config_.token), from, counted);
    const http::ResponseSink sink = taker.sink();
    const auto answer = http_.send(wanted, stop_, &sink);
    if (taker.own) {
        return Trouble{Refusal(*taker.own), {*taker.own, Again::Never, {}}};
    }
    std::optional<Trouble> trouble = taker.trouble ? std::move(taker.trouble)
                                     : answer      ? taker.ended(*answer)
                                                   : trouble_of(answer.error());
    if (trouble) {
        count(*trouble);
    }
    return trouble;
}

void Upstream::count(const Trouble& trouble) const {
    const int status = trouble.refusal.status;
    const bool stopped = trouble.failure.error.code() == ErrorCode::Cancelled;
    if (!stopped && (status == 429 || status >= 500)) {
        ++counts_.upstream_errors;
        log_.warning(
            "mirror",
            "upstream_failed",
            {{"status", std::to_string(status)}, {"error", trouble.failure.error.describe()}});
    }
}

hf::Retry Upstream::make_retry() const {
    return {kFetchPolicy, hf::system_timer(), log_};
}

} // namespace locara::hub
