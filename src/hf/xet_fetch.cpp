#include "xet_fetch.hpp"

#include "hash_beside.hpp"

#include <locara/xet/subtree.hpp>

#include <algorithm>
#include <utility>

namespace locara::hf {

namespace {

/// Local chunks are copied in runs of at most this, so that stopping is quick.
constexpr std::uint64_t kRunBytes = 32U << 20U;
constexpr std::size_t kRunChunks = 1024; // small ones would take memory
/// After so many look-ups the pages of the indexes are let go.
constexpr std::size_t kDropEvery = 2048;
/// A job with more gaps than this is fetched again as a whole instead of by plans of its own.
constexpr std::size_t kMostSpansOfJob = 8;
/// How often a fresh address may be refused for the same bytes.
constexpr int kMostDenials = 3;

bool is_denial(int status) {
    return status == 401 || status == 403 || status == 404 || status == 410;
}

/// The first of the gaps (sorted) that ends after `at`.
auto first_gap_after(const std::vector<store::Span>& gaps, std::uint64_t at) {
    return std::upper_bound(
        gaps.begin(), gaps.end(), at, [](std::uint64_t wanted, const store::Span& one) {
            return wanted < one.end;
        });
}

/// How much of `span` the gaps (sorted) cover.
std::uint64_t overlap(const std::vector<store::Span>& gaps, store::Span span) {
    auto gap = first_gap_after(gaps, span.first);
    std::uint64_t bytes = 0;
    for (; gap != gaps.end() && gap->first < span.end; ++gap) {
        bytes += std::min(gap->end, span.end) - std::max(gap->first, span.first);
    }
    return bytes;
}

std::uint64_t raw_bytes(const xet::Plan& plan) {
    std::uint64_t sum = 0;
    for (const xet::FileTerm& term : plan.terms) {
        sum += term.raw_bytes;
    }
    return sum;
}

} // namespace

/// One answer with records of a xorb, as it arrives.
class XetFetch::Answer {
  public:
    Answer(XetFetch& fetch, const Job& job)
        : fetch_(fetch), job_(job),
          reader_([this](const xet::XorbReader::Chunk& chunk) { return take_chunk(chunk); }) {
        for (const Place& place : job.places) {
            cursors_.push_back({place.span.first, {}});
        }
    }

    http::ResponseSink sink() {
        http::ResponseSink sink;
        sink.on_head = [this](const http::ResponseHead& head) { return take_head(head); };
        sink.on_body = [this](ByteView bytes) { return take_body(bytes); };
        return sink;
    }

    enum class End {
        Whole,  ///< All chunks of the range are in the part.
        Failed, ///< See failure().
        Denied, ///< The address is no longer good.
        Wrong,  ///< The server sent something else than the plan promised: see wrong().
    };

    End finish(Result<http::ClientResponse> response);

    std::uint64_t gained() const { return gained_; }

    Failure failure() { return *std::move(failure_); }

    /// What is wrong, and with which chunk it began.
    const std::string& wrong() const { return wrong_; }

    std::uint32_t wrong_chunk() const { return job_.range.chunks.begin + seen_; }

    std::string host() const { return host_; }

  private:
    struct Cursor {
        std::uint64_t at = 0;                ///< Where its next chunk belongs.
        std::optional<std::uint64_t> number; ///< Of the place's first chunk in the list.
    };

    Status take_head(const http::ResponseHead& head);
    Status take_body(ByteView bytes);
    Status take_chunk(const xet::XorbReader::Chunk& chunk);
    Status put(std::size_t place, std::uint32_t index, const xet::XorbReader::Chunk& chunk);
    /// What the list has where the place's chunk `index` belongs.
    Result<std::optional<ChunkList::Chunk>>
    find_chunk(const Place& place, Cursor& cursor, std::uint32_t index) const;

    Status end_as_wrong(std::string what) {
        wrong_ = std::move(what);
        return Error(ErrorCode::Corrupt, wrong_);
    }

    Status end_with(Failure failure) {
        failure_ = std::move(failure);
        return failure_->error;
    }

    XetFetch& fetch_;
    const Job& job_;
    xet::XorbReader reader_;
    std::vector<Cursor> cursors_; ///< One a place.
    std::size_t first_ = 0;       ///< Places before it are complete.
    std::uint32_t seen_ = 0;      ///< Chunks taken.
    std::uint64_t gained_ = 0;
    bool is_error_ = false; ///< The body explains an error.
    std::string error_body_;
    std::string host_;
    std::optional<Failure> failure_;
    std::string wrong_;
};

Status XetFetch::Answer::take_head(const http::ResponseHead& head) {
    if (head.status != 200 && head.status != 206) {
        is_error_ = true;
        return {};
    }
    const auto origin = http::parse_origin(head.url);
    host_ = origin ? origin->host : "";
    {
        const std::lock_guard guard(fetch_.mutex_);
        fetch_.source_ = host_;
    }
    if (const auto coding = head.headers.find("Content-Encoding");
        coding && *coding != "identity") {
        return end_as_wrong("it comes in the coding '" + printable(*coding) +
                            "', which was not asked for");
    }
    const xet::ByteRange& bytes = job_.range.bytes;
    if (head.status == 200) {
        const auto length = head.headers.find("Content-Length");
        if (bytes.begin == 0 && length && parse_length(*length) == bytes.size()) {
            return {}; // the range is all there is
        }
        return end_as_wrong("the server ignores the range that was asked for");
    }
    const std::string text(head.headers.find("Content-Range").value_or(""));
    const auto range = ContentRange::parse(text);
    if (!range || range->first != bytes.begin || range->last != bytes.end - 1) {
        return end_as_wrong("the answer is '" + printable(text) + "' where bytes " +
                            std::to_string(bytes.begin) + "-" + std::to_string(bytes.end - 1) +
                            " were asked for");
    }
    return {};
}

Status XetFetch::Answer::take_body(ByteView bytes) {
    if (is_error_) {
        error_body_.append(as_text(bytes), 0, kMaxErrorBodyBytes - error_body_.size());
        return error_body_.size() < kMaxErrorBodyBytes
                   ? Status{}
                   : Error(ErrorCode::TooLarge, "the error page is long enough");
    }
    if (Status due = fetch_.limit_.take(bytes.size(), fetch_.stop_.get_token()); !due) {
        return end_with({std::move(due).error(), Failure::Again::Never, {}});
    }
    fetch_.fetched_ += bytes.size();
    Status taken = reader_.update(bytes);
    if (!taken && wrong_.empty() && !failure_) { // not a xorb's records
        return end_as_wrong(taken.error().message());
    }
    return taken;
}

Status XetFetch::Answer::take_chunk(const xet::XorbReader::Chunk& chunk) {
    const std::uint32_t index = job_.range.chunks.begin + chunk.index;
    if (index >= job_.range.chunks.end) {
        return end_as_wrong("more chunks come than the plan says");
    }
    while (first_ < job_.places.size() && job_.places[first_].chunks.end <= index) {
        ++first_;
    }
    for (std::size_t i = first_; i < job_.places.size(); ++i) {
        if (index < job_.places[i].chunks.begin) {
            break;
        }
        if (index < job_.places[i].chunks.end) {
            LOCARA_CHECK(put(i, index, chunk));
        }
    }
    ++seen_;
    gained_ += chunk.header.packed;
    return {};
}

Status XetFetch::Answer::put(std::size_t number,
                             std::uint32_t index,
                             const xet::XorbReader::Chunk& chunk) {
    const Place& place = job_.places[number];
    Cursor& cursor = cursors_[number];
    const std::uint64_t end = cursor.at + chunk.raw.size();
    if (end > place.span.end || (index + 1 == place.chunks.end && end != place.span.end)) {
        return end_as_wrong("its chunks do not have the size that the plan says");
    }
    if (fetch_.list_) {
        const auto known = find_chunk(place, cursor, index);
        if (!known) {
            return end_with({known.error(), Failure::Again::Never, {}});
        }
        if (!*known || (*known)->offset != cursor.at) {
            return end_as_wrong("the plan contradicts the file's chunks");
        }
        if ((*known)->hash != chunk.hash || (*known)->size != chunk.raw.size()) {
            return end_as_wrong("expected chunk hash " + (*known)->hash.render() + " (" +
                                std::to_string((*known)->size) + " bytes), found " +
                                chunk.hash.render() + " (" + std::to_string(chunk.raw.size()) +
                                " bytes)");
        }
    }
    if (Status written = fetch_.part_.write(cursor.at, chunk.raw); !written) {
        return end_with({std::move(written).error(), Failure::Again::Never, {}});
    }
    if (!fetch_.list_) {
        Status noted = fetch_.note_seen(
            cursor.at, static_cast<std::uint32_t>(chunk.raw.size()), index, chunk.hash, job_.xorb);
        if (!noted) {
            return end_with({std::move(noted).error(), Failure::Again::Never, {}});
        }
    }
    cursor.at = end;
    return {};
}

Result<std::optional<ChunkList::Chunk>>
XetFetch::Answer::find_chunk(const Place& place, Cursor& cursor, std::uint32_t index) const {
    const ChunkList& list = *fetch_.list_;
    if (!cursor.number) {
        LOCARA_TRY(cursor.number, list.find(place.span.first));
    }
    const std::uint64_t count = list.chunks().size();
    const std::uint64_t at = cursor.number.value_or(count) + (index - place.chunks.begin);
    if (at >= count) {
        return std::optional<ChunkList::Chunk>();
    }
    LOCARA_TRY(const ChunkList::Chunk chunk, list.chunks().get(at));
    return std::optional(chunk);
}

XetFetch::Answer::End XetFetch::Answer::finish(Result<http::ClientResponse> response) {
    if (failure_) {
        return End::Failed;
    }
    if (!wrong_.empty()) {
        return End::Wrong;
    }
    if (is_error_) {
        if (!response) { // cut, or too long, while it explained an error
            failure_ = Failure{std::move(response).error(), Failure::Again::Later, {}};
            return End::Failed;
        }
        if (is_denial(response->status)) {
            failure_ =
                store_failure(*response, error_body_, "a range of xorb " + job_.xorb.render());
            return End::Denied;
        }
        failure_ = store_failure(*response, error_body_, "a range of xorb " + job_.xorb.render());
        return End::Failed;
    }
    if (!response) {
        if (response.error().code() == ErrorCode::TooLarge) {
            wrong_ = "more bytes come than were asked for";
            return End::Wrong;
        }
        failure_ = failure_of(std::move(response).error());
        return End::Failed;
    }
    if (response->body_bytes < job_.range.bytes.size()) {
        failure_ =
            Failure{Error(ErrorCode::Unavailable,
                          "the server " + host_ + " ended its answer " +
                              std::to_string(job_.range.bytes.size() - response->body_bytes) +
                              " bytes too early"),
                    Failure::Again::Later,
                    {}};
        return End::Failed;
    }
    const auto summary = reader_.finish();
    if (!summary) {
        wrong_ = summary.error().message();
    } else if (summary->footer) {
        wrong_ = "bytes follow that belong to no chunk";
    } else if (seen_ != job_.range.chunks.size()) {
        wrong_ = "fewer chunks come than the plan says";
    }
    return wrong_.empty() ? End::Whole : End::Wrong;
}

XetFetch::XetFetch(const Endpoint& endpoint,
                   const FileRef& file,
                   const xet::FileHash& hash,
                   CasClient& cas,
                   store::Store& store,
                   store::Part& part,
                   const PullOptions& options)
    : endpoint_(endpoint), file_(file), hash_(hash), cas_(cas), store_(store), part_(part),
      options_(options), limit_(options.limit_bytes_per_second, endpoint.timer),
      seen_(store.scratch()) {}

std::string XetFetch::source() const {
    const std::lock_guard guard(mutex_);
    return source_;
}

Status XetFetch::prepare(const std::stop_token& stop) {
    LOCARA_TRY(const auto shard, cas_.find_file_shard(hash_, store_.scratch(), stop));
    if (shard) {
        LOCARA_TRY(list_, ChunkList::create(*shard, hash_, file_.size, store_.scratch()));
        return {};
    }
    const std::lock_guard guard(plan_mutex_);
    return ask_whole_plan(stop);
}

Status XetFetch::ask_whole_plan(const std::stop_token& stop) {
    LOCARA_TRY(xet::Plan plan, cas_.get_plan(hash_, std::nullopt, stop));
    if (plan.offset_into_first_range != 0 || raw_bytes(plan) != file_.size) {
        return Error(ErrorCode::Corrupt,
                     "the plan of Xet file " + hash_.render() + " gives " +
                         std::to_string(raw_bytes(plan) - plan.offset_into_first_range) +
                         " bytes, expected " + std::to_string(file_.size));
    }
    plan_ = std::move(plan);
    ++plan_number_;
    return {};
}

Status XetFetch::run(const std::stop_token& stop,
                     const std::function<void(const std::string&)>& progress) {
    const std::stop_callback pass_on(stop, [this] { stop_.request_stop(); });
    std::vector<std::jthread> workers;
    running_ = options_.connections;
    in_flight_ = 1; // the lead's preparations
    workers.emplace_back([this] {
        lead();
        work();
    });
    for (int i = 1; i < options_.connections; ++i) {
        workers.emplace_back([this] { work(); });
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
    if (error_) {
        return *error_;
    }
    if (const auto missing = part_.missing(); !missing.empty()) {
        return Error(ErrorCode::Corrupt,
                     "the plan of Xet file " + hash_.render() + " leaves out byte " +
                         std::to_string(missing.front().first));
    }
    return {};
}

void XetFetch::lead() {
    if (Status started = start(); !started) {
        fail(std::move(started).error());
    }
    finished();
}

Status XetFetch::start() {
    if (list_) {
        LOCARA_CHECK(copy_by_hash());
    } else {
        LOCARA_CHECK(copy_by_place(*plan_));
    }
    if (part_.missing().empty()) {
        return {};
    }
    const std::lock_guard guard(plan_mutex_);
    if (!plan_) {
        LOCARA_CHECK(ask_whole_plan(stop_.get_token()));
    }
    LOCARA_TRY(auto jobs, make_jobs(*plan_, 0, plan_number_));
    const auto gaps = part_.missing();
    for (Job& job : jobs) {
        if (needed_of(job, gaps) > 0 && !push_spans(job, gaps)) {
            push(std::move(job));
        }
    }
    return {};
}

Status XetFetch::copy_run(std::uint64_t offset, std::vector<store::FoundChunk>& run) {
    if (run.empty()) {
        return {};
    }
    LOCARA_CHECK(check_stop());
    const auto copied = part_.copy_chunks(offset, store_, run);
    run.clear();
    if (copied) {
        copied_ += copied->bytes;
        return {};
    }
    // A file that was removed meanwhile has nothing for us any more.
    return copied.error().code() == ErrorCode::NotFound ? Status{} : copied.error();
}

Status XetFetch::check_stop() const {
    return stop_.stop_requested()
               ? Status(Error(ErrorCode::Cancelled, "stopped; what has arrived is kept"))
               : Status{};
}

Status XetFetch::copy_by_hash() {
    LOCARA_TRY(const store::ChunkFinder finder, store_.open_finder());
    if (finder.files() == 0) {
        return {};
    }
    std::vector<store::FoundChunk> run;
    std::uint64_t run_at = 0;
    std::optional<store::FoundChunk> last;
    std::size_t looked_up = 0;
    for (const store::Span& gap : part_.missing()) {
        LOCARA_TRY(auto chunks, list_->inside(gap));
        while (true) {
            LOCARA_TRY(const ChunkList::Chunk* const chunk, chunks.next());
            if (chunk == nullptr) {
                break;
            }
            if (++looked_up % kDropEvery == 0) {
                finder.drop_pages();
            }
            auto found = finder.find(chunk->hash, last ? &*last : nullptr);
            const bool usable = found && found->size == chunk->size;
            const bool goes_on = usable && !run.empty() && run.back().is_before(*found) &&
                                 chunk->offset - run_at < kRunBytes && run.size() < kRunChunks;
            if (!goes_on) {
                LOCARA_CHECK(copy_run(run_at, run));
                run_at = chunk->offset;
            }
            if (usable) {
                run.push_back(*found);
                last = std::move(found);
            }
        }
        LOCARA_CHECK(copy_run(run_at, run));
    }
    return {};
}

Status XetFetch::copy_by_place(const xet::Plan& plan) {
    LOCARA_TRY(const store::ChunkFinder finder, store_.open_finder());
    if (finder.files() == 0) {
        return {};
    }
    const auto gaps = part_.missing();
    std::uint64_t offset = 0;
    for (const xet::FileTerm& term : plan.terms) {
        if (overlap(gaps, {offset, offset + term.raw_bytes}) > 0) {
            LOCARA_CHECK(copy_term(finder, term, offset));
        }
        offset += term.raw_bytes;
    }
    return {};
}

/// Sizes of a term's chunks are not known but for those found here, so where a chunk belongs is
/// known only if all before it are found, or all after it.
Status XetFetch::copy_term(const store::ChunkFinder& finder,
                           const xet::FileTerm& term,
                           std::uint64_t offset) {
    std::vector<store::FoundChunk> front;
    std::uint64_t front_bytes = 0;
    std::uint32_t index = term.chunks.begin;
    for (; index < term.chunks.end; ++index) {
        const auto found = finder.find(term.xorb, index, front.empty() ? nullptr : &front.back());
        if (!found) {
            break;
        }
        front_bytes += found->size;
        front.push_back(*found);
    }
    std::vector<store::FoundChunk> back;
    std::uint64_t back_bytes = 0;
    for (std::uint32_t i = term.chunks.end; i > index + 1; --i) {
        const auto found = finder.find(term.xorb, i - 1);
        if (!found) {
            break;
        }
        back_bytes += found->size;
        back.push_back(*found);
    }
    std::reverse(back.begin(), back.end());
    const std::uint64_t left = term.chunks.size() - front.size() - back.size();
    const bool sizes_fit = left == 0 ? front_bytes + back_bytes == term.raw_bytes
                                     : front_bytes + back_bytes < term.raw_bytes;
    if (!sizes_fit) { // an index that is wrong about places
        return {};
    }
    LOCARA_CHECK(copy_found(offset, term.xorb, term.chunks.begin, front));
    return copy_found(offset + term.raw_bytes - back_bytes,
                      term.xorb,
                      term.chunks.end - static_cast<std::uint32_t>(back.size()),
                      back);
}

Status XetFetch::copy_found(std::uint64_t offset,
                            const xet::XorbHash& xorb,
                            std::uint32_t index,
                            const std::vector<store::FoundChunk>& found) {
    std::vector<store::FoundChunk> run;
    std::uint64_t run_at = offset;
    for (const store::FoundChunk& chunk : found) {
        LOCARA_CHECK(note_seen(offset, chunk.size, index, chunk.hash, xorb));
        if (!run.empty() && (!run.back().is_before(chunk) || offset - run_at >= kRunBytes)) {
            LOCARA_CHECK(copy_run(run_at, run));
        }
        if (run.empty()) {
            run_at = offset;
        }
        run.push_back(chunk);
        offset += chunk.size;
        ++index;
    }
    return copy_run(run_at, run);
}

Result<std::vector<XetFetch::Job>>
XetFetch::make_jobs(const xet::Plan& plan, std::uint64_t base, std::uint64_t number) const {
    std::vector<Job> jobs;
    std::map<const xet::FetchRange*, std::size_t> job_of;
    LOCARA_TRY(const auto sources, xet::find_sources(plan));
    std::uint64_t offset = base;
    for (std::size_t i = 0; i < plan.terms.size(); ++i) {
        const xet::FileTerm& term = plan.terms[i];
        const xet::PlanSource& source = sources[i];
        const auto [known, is_new] = job_of.try_emplace(source.range, jobs.size());
        if (is_new) {
            LOCARA_CHECK(cas_.check_data_url(source.entry->url));
            jobs.push_back({term.xorb, source.entry->url, *source.range, {}, number, 0});
        }
        jobs[known->second].places.push_back({term.chunks, {offset, offset + term.raw_bytes}});
        offset += term.raw_bytes;
    }
    if (offset > file_.size) {
        return Error(ErrorCode::Corrupt,
                     "the plan of Xet file " + hash_.render() + " goes past its end");
    }
    for (Job& job : jobs) {
        std::sort(job.places.begin(), job.places.end(), [](const Place& a, const Place& b) {
            return a.chunks < b.chunks;
        });
    }
    return jobs;
}

std::uint64_t XetFetch::needed_of(const Job& job, const std::vector<store::Span>& gaps) const {
    std::uint64_t bytes = 0;
    for (const Place& place : job.places) {
        bytes += overlap(gaps, place.span);
    }
    return bytes;
}

std::vector<store::Span> XetFetch::spans_of(const Job& job,
                                            const std::vector<store::Span>& gaps) const {
    std::vector<store::Span> spans;
    for (const Place& place : job.places) {
        for (auto gap = first_gap_after(gaps, place.span.first);
             gap != gaps.end() && gap->first < place.span.end;
             ++gap) {
            spans.push_back(
                {std::max(gap->first, place.span.first), std::min(gap->end, place.span.end)});
        }
    }
    std::sort(spans.begin(), spans.end(), [](const store::Span& a, const store::Span& b) {
        return a.first < b.first;
    });
    std::vector<store::Span> joined;
    for (const store::Span& span : spans) {
        if (!joined.empty() && span.first <= joined.back().end + options_.gap_bytes) {
            joined.back().end = std::max(joined.back().end, span.end);
        } else {
            joined.push_back(span);
        }
    }
    return joined;
}

bool XetFetch::push_spans(const Job& job, const std::vector<store::Span>& gaps) {
    std::uint64_t all = 0;
    for (const Place& place : job.places) {
        all += place.span.size();
    }
    const std::uint64_t needed = needed_of(job, gaps);
    const double spare = 1.0 - static_cast<double>(needed) / static_cast<double>(all);
    const double waste = spare * static_cast<double>(job.range.bytes.size());
    if (needed == all || waste <= static_cast<double>(options_.gap_bytes)) {
        return false;
    }
    const auto spans = spans_of(job, gaps);
    if (spans.size() > kMostSpansOfJob) {
        return false;
    }
    for (const store::Span& span : spans) {
        push(Wanted{span, job.denied});
    }
    return true;
}

Status XetFetch::do_wanted(const Wanted& wanted) {
    LOCARA_TRY(const xet::Plan plan,
               cas_.get_plan(
                   hash_, xet::ByteRange{wanted.span.first, wanted.span.end}, stop_.get_token()));
    if (plan.offset_into_first_range > wanted.span.first) {
        return Error(ErrorCode::Corrupt,
                     "the plan of Xet file " + hash_.render() + " begins before the file");
    }
    LOCARA_TRY(auto jobs, make_jobs(plan, wanted.span.first - plan.offset_into_first_range, 0));
    const auto gaps = part_.missing();
    for (Job& job : jobs) {
        if (needed_of(job, gaps) > 0) {
            job.denied = wanted.denied;
            push(std::move(job));
        }
    }
    return {};
}

Status XetFetch::do_job(Job job, Retry& retry) {
    http::ClientRequest request; // without any token: the address is the permission
    request.url = job.url;
    request.connect_timeout = endpoint_.options.connect_timeout;
    request.stall_timeout = endpoint_.options.stall_timeout;
    request.range = {job.range.bytes.begin, job.range.bytes.end - 1};
    request.body_limit_bytes = job.range.bytes.size();
    Answer answer(*this, job);
    const http::ResponseSink sink = answer.sink();
    auto response = endpoint_.http.send(request, stop_.get_token(), &sink);
    const auto end = answer.finish(std::move(response));
    if (end == Answer::End::Whole || answer.gained() >= kProgressBytes) {
        retry.progressed();
    }
    if (end == Answer::End::Whole || stop_.stop_requested()) {
        return {};
    }
    if (end == Answer::End::Wrong) {
        const std::string what = "chunk " + std::to_string(answer.wrong_chunk()) + " of xorb " +
                                 job.xorb.render() + " from " + answer.host() + ": " +
                                 answer.wrong();
        {
            const std::lock_guard guard(mutex_);
            if (!suspects_.emplace(job.xorb, answer.wrong_chunk()).second) {
                return Error(ErrorCode::Corrupt,
                             what + "; it came wrong twice. All other chunks are kept: pull "
                                    "again, from another endpoint if it stays so");
            }
        }
        endpoint_.log.warning("hf", "wrong_chunk", {{"file", file_.path}, {"what", what}});
        ++retries_;
        return put_back(std::move(job), Address::Renewed);
    }
    if (end == Answer::End::Denied) {
        if (++job.denied > kMostDenials) {
            return answer.failure().error;
        }
        ++retries_;
        return put_back(std::move(job), Address::Renewed);
    }
    LOCARA_CHECK(retry.after(answer.failure(), stop_.get_token()));
    ++retries_;
    return put_back(std::move(job), Address::Kept);
}

Status XetFetch::put_back(Job job, Address address) {
    const auto gaps = part_.missing();
    if (needed_of(job, gaps) == 0 || push_spans(job, gaps)) {
        return {};
    }
    if (address == Address::Kept) {
        push(std::move(job));
        return {};
    }
    LOCARA_TRY(const bool renewed, renew_address(job));
    if (renewed) {
        push(std::move(job));
        return {};
    }
    for (const store::Span& span : spans_of(job, gaps)) {
        push(Wanted{span, job.denied});
    }
    return {};
}

Result<bool> XetFetch::renew_address(Job& job) {
    if (job.plan == 0) {
        return false;
    }
    const std::lock_guard guard(plan_mutex_);
    if (job.plan == plan_number_) { // else another worker has asked already
        LOCARA_CHECK(ask_whole_plan(stop_.get_token()));
    }
    for (const xet::XorbFetch& xorb : plan_->xorbs) {
        if (xorb.xorb != job.xorb) {
            continue;
        }
        for (const xet::FetchEntry& entry : xorb.entries) {
            if (std::find(entry.ranges.begin(), entry.ranges.end(), job.range) !=
                entry.ranges.end()) {
                LOCARA_CHECK(cas_.check_data_url(entry.url));
                job.url = entry.url;
                job.plan = plan_number_;
                return true;
            }
        }
    }
    return false;
}

void XetFetch::work() {
    Retry retry(endpoint_.options.retry, endpoint_.timer, endpoint_.log);
    while (auto work = take()) {
        Status done = std::holds_alternative<Job>(*work)
                          ? do_job(std::get<Job>(std::move(*work)), retry)
                          : do_wanted(std::get<Wanted>(*work));
        if (!done) {
            fail(std::move(done).error());
        }
        finished();
    }
    const std::lock_guard guard(mutex_);
    --running_;
    changed_.notify_all();
}

std::optional<XetFetch::Work> XetFetch::take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop_.get_token(), [this] { return !queue_.empty() || in_flight_ == 0; });
    if (stop_.stop_requested() || queue_.empty()) {
        changed_.notify_all();
        return std::nullopt;
    }
    Work work = std::move(queue_.front());
    queue_.pop_front();
    ++in_flight_;
    return work;
}

void XetFetch::push(Work work) {
    const std::lock_guard guard(mutex_);
    queue_.push_back(std::move(work));
    changed_.notify_all();
}

void XetFetch::finished() {
    const std::lock_guard guard(mutex_);
    --in_flight_;
    changed_.notify_all();
}

void XetFetch::fail(Error error) {
    {
        const std::lock_guard guard(mutex_);
        if (error_) {
            return;
        }
        error_ = std::move(error);
    }
    stop_.request_stop();
}

Status XetFetch::note_seen(std::uint64_t offset,
                           std::uint32_t size,
                           std::uint32_t index,
                           const xet::ChunkHash& hash,
                           const xet::XorbHash& xorb) {
    const std::lock_guard guard(mutex_);
    const auto [number, is_new] =
        seen_xorbs_.try_emplace(xorb, static_cast<std::uint32_t>(seen_xorbs_.size()));
    return seen_.add({offset, size, index, number->second, hash});
}

Result<std::optional<store::IndexedFile>> XetFetch::take_index() {
    using Index = std::optional<store::IndexedFile>;
    if (list_) {
        LOCARA_TRY(auto index, list_->indexed(file_.sha256, hash_));
        list_.reset();
        return Index(std::move(index));
    }
    const std::lock_guard guard(mutex_);
    store::IndexedFile result(store_.scratch());
    result.sha256 = file_.sha256;
    result.hash = hash_;
    result.xorbs.resize(seen_xorbs_.size());
    for (const auto& [xorb, number] : seen_xorbs_) {
        result.xorbs[number] = xorb;
    }
    xet::FileHasher hasher;
    LOCARA_CHECK(seen_.sort());
    while (true) {
        LOCARA_TRY(const std::optional<Seen> chunk, seen_.next());
        if (!chunk) {
            break;
        }
        if (chunk->offset < result.size) { // seen twice
            continue;
        }
        if (chunk->offset > result.size) { // here from an earlier pull
            return Index();
        }
        LOCARA_CHECK(result.add({chunk->hash, chunk->size, chunk->xorb, chunk->index}));
        hasher.add({chunk->hash, chunk->size});
    }
    if (result.size != file_.size || hasher.finish() != hash_) {
        return Index();
    }
    return Index(std::move(result));
}

} // namespace locara::hf
