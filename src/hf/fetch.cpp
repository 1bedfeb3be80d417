#include "fetch.hpp"

#include "hash_beside.hpp"

#include <algorithm>
#include <limits>
#include <thread>
#include <utility>

namespace locara::hf {

namespace {

constexpr std::size_t kSha256Digits = 64;
/// With it a server that has Xet answers with a few words about the file instead of its bytes.
constexpr std::string_view kXetFileInfo = "application/vnd.xet-fileinfo+json";
/// The body of an answer that offers Xet is read up to here, to keep the connection.
constexpr std::uint64_t kMaxOfferBytes = 16U << 10U;

bool is_client_error(int status) {
    return status >= 400 && status < 500 && status != 408 && status != 429;
}

} // namespace

Status RateLimit::take(std::uint64_t bytes, const std::stop_token& stop) {
    if (bytes_per_second_ == 0) {
        return {};
    }
    std::chrono::milliseconds wait{0};
    {
        const std::lock_guard guard(mutex_);
        const auto now = timer_.now();
        free_at_ = std::max(free_at_, now);
        wait = std::chrono::duration_cast<std::chrono::milliseconds>(free_at_ - now);
        free_at_ += std::chrono::nanoseconds(static_cast<std::int64_t>(
            static_cast<double>(bytes) * 1e9 / static_cast<double>(bytes_per_second_)));
    }
    return wait.count() > 0 ? timer_.sleep(wait, stop) : Status{};
}

/// One answer as it arrives.
class Fetch::Answer {
  public:
    Answer(Fetch& fetch, int index, store::Span span) : fetch_(fetch), index_(index), span_(span) {}

    http::ResponseSink sink() {
        http::ResponseSink sink;
        sink.on_head = [this](const http::ResponseHead& head) { return take_head(head); };
        sink.on_body = [this](ByteView bytes) { return take_body(bytes); };
        return sink;
    }

    /// What came of it. nullopt: all bytes of the answer are in the part.
    std::optional<Failure> outcome(Result<http::ClientResponse> response, bool used_direct);

    std::uint64_t gained() const { return gained_; }

  private:
    Status take_head(const http::ResponseHead& head);
    Status look_for_xet(const http::ResponseHead& head);
    Status take_range(const http::ResponseHead& head);
    Status take_whole(const http::ResponseHead& head);
    Status take_body(ByteView bytes);

    /// Ends the transfer with this failure.
    Status end_with(Failure failure) {
        failure_ = std::move(failure);
        return failure_->error;
    }

    /// Ends the transfer because the server has other bytes.
    Status end_as_wrong(std::string found) {
        wrong_ = found;
        return end_with({Error(ErrorCode::Corrupt, std::move(found)), Failure::Again::Never, {}});
    }

    std::string host() const { return "the server " + fetch_.source(); }

    Fetch& fetch_;
    const int index_;
    const store::Span span_;
    bool is_error_ = false; ///< The body explains an error and is no part of the file.
    std::string error_body_;
    std::uint64_t at_ = 0;  ///< Where the next byte belongs.
    std::uint64_t end_ = 0; ///< Where the answer ends.
    bool whole_ = false;
    bool is_offer_ = false; ///< Xet is offered; the body is not wanted.
    std::uint64_t offer_bytes_ = 0;
    bool enough_ = false; ///< Everything was there and the server kept sending.
    std::uint64_t gained_ = 0;
    std::optional<Failure> failure_;
    std::string wrong_;
};

Status Fetch::Answer::take_head(const http::ResponseHead& head) {
    if (head.status != 200 && head.status != 206) {
        is_error_ = true;
        return {};
    }
    const auto origin = http::parse_origin(head.url);
    {
        const std::lock_guard guard(fetch_.mutex_);
        fetch_.source_ = origin ? origin->host : "";
    }
    if (Status commit = check_commit(head, fetch_.asked_); !commit) {
        return end_with({std::move(commit).error(), Failure::Again::Never, {}});
    }
    if (const auto coding = head.headers.find("Content-Encoding");
        coding && *coding != "identity") {
        return end_with({Error(ErrorCode::Unsupported,
                               host() + " sends the file in the coding '" + printable(*coding) +
                                   "', which was not asked for"),
                         Failure::Again::Never,
                         {}});
    }
    LOCARA_CHECK(look_for_xet(head));
    if (is_offer_) {
        return {};
    }
    // A server that says by itself that it has another file spares us the download.
    for (std::size_t i = 0; i <= head.redirects.size(); ++i) {
        const http::Hop& hop = i < head.redirects.size() ? head.redirects[i] : head;
        const std::string linked = bare_etag(hop.headers.find("X-Linked-Etag").value_or(""));
        if (linked.size() == kSha256Digits && linked != fetch_.file_.sha256.render()) {
            return end_as_wrong("SHA-256 " + printable(linked) + ", by its own words");
        }
    }
    if (!head.redirects.empty()) { // before take_range lets the others begin
        const std::lock_guard guard(fetch_.mutex_);
        fetch_.direct_url_ = head.url;
    }
    return head.status == 206 ? take_range(head) : take_whole(head);
}

Status Fetch::Answer::look_for_xet(const http::ResponseHead& head) {
    const std::lock_guard guard(fetch_.mutex_);
    if (std::exchange(fetch_.look_, LookForXet::No) == LookForXet::No) {
        return {};
    }
    for (std::size_t i = 0; i <= head.redirects.size(); ++i) {
        const http::Hop& hop = i < head.redirects.size() ? head.redirects[i] : head;
        const auto hash = xet::FileHash::parse(hop.headers.find("X-Xet-Hash").value_or(""));
        if (hash && !hash->is_zero()) {
            fetch_.offered_ = *hash;
            is_offer_ = true;
            return {};
        }
    }
    if (head.headers.find("Content-Type").value_or("").starts_with(kXetFileInfo)) {
        return end_with(
            {Error(ErrorCode::Unavailable, printable(head.url) + " offers Xet without a hash"),
             Failure::Again::Now,
             {}});
    }
    return {};
}

Status Fetch::Answer::take_range(const http::ResponseHead& head) {
    const std::string text(head.headers.find("Content-Range").value_or(""));
    const auto range = ContentRange::parse(text);
    if (range && range->total && *range->total != fetch_.file_.size) {
        return end_as_wrong(std::to_string(*range->total) + " bytes");
    }
    if (!range || range->first != span_.first || range->last >= span_.end) {
        return end_with({Error(ErrorCode::Unavailable,
                               host() + " answers with the range '" + printable(text) +
                                   "' where bytes " + std::to_string(span_.first) + "-" +
                                   std::to_string(span_.end - 1) + " were asked for"),
                         Failure::Again::Later,
                         {}});
    }
    at_ = range->first;
    end_ = range->last + 1;
    const std::lock_guard guard(fetch_.mutex_);
    if (fetch_.mode_ == Mode::Unknown) {
        fetch_.mode_ = Mode::Ranges;
        fetch_.changed_.notify_all();
    }
    return {};
}

Status Fetch::Answer::take_whole(const http::ResponseHead& head) {
    const auto length = head.headers.find("Content-Length");
    if (length && parse_length(*length) != fetch_.file_.size) {
        return end_as_wrong(printable(*length) + " bytes");
    }
    whole_ = true;
    at_ = 0;
    end_ = fetch_.file_.size;
    const std::lock_guard guard(fetch_.mutex_);
    if (fetch_.mode_ != Mode::Stream) {
        fetch_.mode_ = Mode::Stream;
        fetch_.owner_ = index_;
    }
    return {};
}

Status Fetch::Answer::take_body(ByteView bytes) {
    if (is_error_) {
        error_body_.append(as_text(bytes), 0, kMaxErrorBodyBytes - error_body_.size());
        return error_body_.size() < kMaxErrorBodyBytes
                   ? Status{}
                   : Error(ErrorCode::TooLarge, "the error page is long enough");
    }
    if (is_offer_) {
        offer_bytes_ += bytes.size();
        return offer_bytes_ <= kMaxOfferBytes ? Status{}
                                              : Error(ErrorCode::TooLarge, "enough was said");
    }
    const bool too_many = bytes.size() > end_ - at_;
    if (too_many && whole_) {
        return end_as_wrong("more than " + std::to_string(fetch_.file_.size) + " bytes");
    }
    const ByteView wanted = bytes.first(std::min<std::uint64_t>(bytes.size(), end_ - at_));
    if (Status due = fetch_.limit_.take(wanted.size(), fetch_.stop_.get_token()); !due) {
        return end_with({std::move(due).error(), Failure::Again::Never, {}});
    }
    if (Status written = fetch_.part_.write(at_, wanted); !written) {
        return end_with({std::move(written).error(), Failure::Again::Never, {}});
    }
    at_ += wanted.size();
    gained_ += wanted.size();
    fetch_.fetched_ += bytes.size();
    if (too_many) {
        enough_ = true;
        return Error(ErrorCode::TooLarge, "the range is complete");
    }
    return {};
}

std::optional<Failure> Fetch::Answer::outcome(Result<http::ClientResponse> response,
                                              bool used_direct) {
    if (!wrong_.empty()) {
        fetch_.fail(failure_->error, wrong_);
    }
    if (is_offer_) {
        fetch_.stop_.request_stop();
        return std::nullopt;
    }
    if (failure_ || enough_) {
        return std::move(failure_);
    }
    if (!is_error_) {
        if (!response) {
            return failure_of(std::move(response).error());
        }
        if (at_ == end_) {
            return std::nullopt;
        }
        return Failure{
            Error(ErrorCode::Unavailable,
                  host() + " ended its answer " + std::to_string(end_ - at_) + " bytes too early"),
            Failure::Again::Later,
            {}};
    }
    if (!response) { // cut, or too long, while it explained an error
        return Failure{std::move(response).error(), Failure::Again::Later, {}};
    }
    if (used_direct && is_client_error(response->status)) {
        // Addresses that a hub redirects to are good for some minutes only: ask the hub again.
        const std::lock_guard guard(fetch_.mutex_);
        fetch_.direct_url_.clear();
        return Failure{
            failure_of(*response, error_body_, fetch_.asked_).error, Failure::Again::Now, {}};
    }
    if (response->status == 416) {
        const std::string range(response->headers.find("Content-Range").value_or("fewer"));
        const std::size_t slash = range.find('/');
        wrong_ = printable(slash == std::string::npos ? range : range.substr(slash + 1)) + " bytes";
        fetch_.fail(Error(ErrorCode::Corrupt, wrong_), wrong_);
    }
    return failure_of(*response, error_body_, fetch_.asked_);
}

Fetch::Fetch(const Endpoint& endpoint,
             const FileRef& file,
             std::string url,
             store::Part& part,
             const PullOptions& options,
             LookForXet look)
    : endpoint_(endpoint), file_(file), url_(std::move(url)), part_(part), options_(options),
      asked_(endpoint.asked(file.repo, file.revision, file.path)),
      limit_(options.limit_bytes_per_second, endpoint.timer), look_(look) {}

std::string Fetch::source() const {
    const std::lock_guard guard(mutex_);
    return source_;
}

Status Fetch::run(const std::stop_token& stop,
                  const std::function<void(const std::string&)>& progress) {
    for (const store::Span& span : part_.missing()) {
        for (std::uint64_t at = span.first; at < span.end; at += options_.range_bytes) {
            queue_.push_back({at, std::min(at + options_.range_bytes, span.end)});
        }
    }
    const std::stop_callback pass_on(stop, [this] { stop_.request_stop(); });
    std::vector<std::jthread> workers;
    const std::size_t count =
        std::min(queue_.size(), static_cast<std::size_t>(options_.connections));
    running_ = static_cast<int>(count);
    for (std::size_t i = 0; i < count; ++i) {
        workers.emplace_back([this, i] { work(static_cast<int>(i)); });
    }
    hash_beside(
        part_,
        {mutex_, changed_, running_},
        [&] { progress(source()); },
        [this](Error error) { fail(std::move(error)); });
    workers.clear(); // joins
    if (stop.stop_requested()) {
        return Error(ErrorCode::Cancelled, "stopped; what has arrived is kept");
    }
    return error_ ? Status(*error_) : Status{};
}

void Fetch::work(int index) {
    Retry retry(endpoint_.options.retry, endpoint_.timer, endpoint_.log);
    while (const auto span = take(index)) {
        std::uint64_t gained = 0;
        auto failure = fetch_span(index, *span, gained);
        give_back(*span);
        if (!failure || gained >= kProgressBytes) {
            retry.progressed();
        }
        if (!failure) {
            continue;
        }
        const Status again = retry.after(*std::move(failure), stop_.get_token());
        if (!again) {
            fail(again.error());
            break;
        }
        ++retries_;
    }
    const std::lock_guard guard(mutex_);
    --running_;
    changed_.notify_all();
}

std::vector<store::Span> Fetch::missing_of(store::Span span) const {
    std::vector<store::Span> result;
    for (const store::Span& gap : part_.missing()) {
        const store::Span both{std::max(gap.first, span.first), std::min(gap.end, span.end)};
        if (both.first < both.end) {
            result.push_back(both);
        }
    }
    return result;
}

std::optional<store::Span> Fetch::take(int index) {
    std::unique_lock lock(mutex_);
    while (true) {
        const auto may_take = [&] {
            return !queue_.empty() && (mode_ == Mode::Ranges || owner_ == index);
        };
        const auto is_over = [&] { return queue_.empty() && in_flight_ == 0; };
        changed_.wait(lock, stop_.get_token(), [&] { return may_take() || is_over(); });
        if (stop_.stop_requested() || is_over()) {
            changed_.notify_all();
            return std::nullopt;
        }
        const store::Span span = queue_.front();
        queue_.pop_front();
        // A stream may have brought some of it meanwhile.
        auto gaps = missing_of(span);
        if (gaps.empty()) {
            continue;
        }
        queue_.insert(queue_.begin(), gaps.begin() + 1, gaps.end());
        ++in_flight_;
        return gaps.front();
    }
}

void Fetch::give_back(store::Span span) {
    const auto gaps = missing_of(span);
    const std::lock_guard guard(mutex_);
    queue_.insert(queue_.begin(), gaps.begin(), gaps.end());
    --in_flight_;
    changed_.notify_all();
}

std::optional<Failure> Fetch::fetch_span(int index, store::Span span, std::uint64_t& gained) {
    std::string url;
    bool look = false;
    {
        const std::lock_guard guard(mutex_);
        url = direct_url_;
        look = look_ == LookForXet::Yes;
    }
    const bool used_direct = !url.empty();
    http::ClientRequest request = endpoint_.request(used_direct ? url : url_);
    request.range = {span.first, span.end - 1};
    if (look) {
        request.headers.add("Accept", std::string(kXetFileInfo) + ", */*");
    }
    request.body_limit_bytes = std::numeric_limits<std::uint64_t>::max(); // Answer has the bounds
    Answer answer(*this, index, span);
    const http::ResponseSink sink = answer.sink();
    auto response = endpoint_.http.send(request, stop_.get_token(), &sink);
    auto failure = answer.outcome(std::move(response), used_direct);
    gained = answer.gained();
    return failure;
}

void Fetch::fail(Error error, std::string wrong) {
    {
        const std::lock_guard guard(mutex_);
        if (error_) {
            return;
        }
        error_ = std::move(error);
        wrong_ = std::move(wrong);
    }
    stop_.request_stop();
}

} // namespace locara::hf
