#include "client_state.hpp"
#include "fetch.hpp"
#include "hash_beside.hpp"
#include "resolve.hpp"
#include "xet_fetch.hpp"

#include <utility>

namespace locara::hf {

namespace {

constexpr auto kReportEvery = std::chrono::milliseconds(100);
constexpr int kMaxConnections = 32;
constexpr std::uint64_t kMinRangeBytes = 64U << 10U;
constexpr std::uint64_t kMaxRangeBytes = 1U << 30U;
constexpr std::string_view kOnDisk = "already on disk";

Status check(const FileRef& file, const PullOptions& options) {
    if (!is_commit(file.revision)) {
        return Error(ErrorCode::InvalidArgument,
                     "the revision '" + printable(file.revision) + "' of " + printable(file.repo) +
                         " is not a commit: only 40 lower-case hex digits pin a file for good");
    }
    constexpr std::uint64_t kMaxGapBytes = 64U << 20U;
    if (options.gap_bytes > kMaxGapBytes) {
        return Error(ErrorCode::InvalidArgument,
                     "gaps of more than " + render_memory(kMaxGapBytes) + " are not fetched along");
    }
    if (options.connections < 1 || options.connections > kMaxConnections ||
        options.range_bytes < kMinRangeBytes || options.range_bytes > kMaxRangeBytes) {
        return Error(ErrorCode::InvalidArgument,
                     "a pull takes 1 to " + std::to_string(kMaxConnections) +
                         " connections and ranges of " + render_memory(kMinRangeBytes) + " to " +
                         render_memory(kMaxRangeBytes));
    }
    return {};
}

/// Tells the sink how far a pull is, not too often.
class Reporter {
  public:
    Reporter(const FileRef& file, ProgressSink& sink) : sink_(sink) {
        state_.task = "pull";
        state_.item = file.path;
        state_.total_bytes = file.size;
    }

    void at(const store::Part& part, std::uint64_t reused, const std::string& source) {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < kReportEvery) {
            return;
        }
        last_ = now;
        state_.received_bytes = part.received_bytes();
        // The last byte is verified when the whole digest is.
        state_.done_bytes = part.hashed_bytes() == state_.total_bytes && state_.total_bytes > 0
                                ? state_.total_bytes - 1
                                : part.hashed_bytes();
        state_.reused_bytes = reused;
        state_.source = source;
        sink_.report(state_);
    }

    void waiting() {
        state_.source = "another process";
        sink_.report(state_);
    }

    void done(std::uint64_t reused, std::string_view source) {
        state_.received_bytes = state_.total_bytes;
        state_.done_bytes = state_.total_bytes;
        state_.reused_bytes = reused;
        state_.source = source;
        sink_.report(state_);
    }

  private:
    ProgressSink& sink_;
    Progress state_;
    std::chrono::steady_clock::time_point last_{};
};

/// One pull of a file that is not in the store: fetch, prove, and once more if the bytes are wrong.
class Pull {
  public:
    Pull(const Endpoint& endpoint,
         const FileRef& file,
         std::string url,
         store::Store& store,
         store::Part& part,
         const PullOptions& options,
         Reporter& reporter)
        : endpoint_(endpoint), file_(file), url_(std::move(url)), store_(store), part_(part),
          options_(options), reporter_(reporter) {}

    Result<PullResult> run(const std::stop_token& stop) {
        result_.size = file_.size;
        result_.reused_bytes = part_.reused_bytes();
        LOCARA_TRY(std::string wrong, attempt(options_.xet, stop));
        if (!wrong.empty()) {
            endpoint_.log.warning(
                "hf", "wrong_bytes", {{"file", name()}, {"found", wrong}, {"then", "again"}});
            LOCARA_CHECK(part_.reset());
            result_.reused_bytes = 0;
            result_.copied_bytes = 0;
            result_.fetched_again = true;
            result_.by_chunks = false;
            chunks_.reset();
            LOCARA_TRY(wrong, attempt(UseXet::No, stop));
        }
        if (!wrong.empty()) {
            LOCARA_CHECK(part_.discard());
            return Error(ErrorCode::Corrupt,
                         name() + ": " + result_.source +
                             " sent wrong bytes twice: expected "
                             "SHA-256 " +
                             file_.sha256.render() + " (" + std::to_string(file_.size) +
                             " bytes), found " + wrong +
                             "; nothing was kept: try another endpoint, or tell whoever "
                             "publishes the manifest");
        }
        LOCARA_CHECK(publish());
        keep_index();
        if (result_.source.empty()) {
            result_.source = kOnDisk;
        }
        reporter_.done(result_.reused_bytes, result_.source);
        return result_;
    }

  private:
    std::string name() const { return file_.repo + "@" + file_.revision + " " + file_.path; }

    /// "" when the part is complete and right, else what was found instead.
    Result<std::string> attempt(UseXet xet, const std::stop_token& stop) {
        const bool by_chunks =
            xet == UseXet::Yes && file_.size >= options_.xet_from_bytes && !part_.missing().empty();
        if (by_chunks && file_.xet_hash) {
            LOCARA_TRY(const bool fetched, fetch_chunks(*file_.xet_hash, Source::Manifest, stop));
            if (fetched) {
                return verify(stop);
            }
        }
        auto look = by_chunks && !file_.xet_hash ? LookForXet::Yes : LookForXet::No;
        while (true) {
            LOCARA_TRY(const auto answer, fetch_plainly(look, stop));
            if (!answer.offered) {
                return answer.wrong.empty() ? verify(stop) : answer.wrong;
            }
            LOCARA_TRY(const bool fetched, fetch_chunks(*answer.offered, Source::Hint, stop));
            if (fetched) {
                return verify(stop);
            }
            look = LookForXet::No;
        }
    }

    enum class Source { Manifest, Hint };

    /// False when the server does not offer the file by Xet after all.
    Result<bool> fetch_chunks(const xet::FileHash& hash, Source from, const std::stop_token& stop) {
        LOCARA_TRY(std::string token_url,
                   make_api_url(endpoint_.options.endpoint,
                                render_plural(RepoKind::Model),
                                file_.repo,
                                "xet-read-token",
                                file_.revision));
        cas_ = std::make_unique<CasClient>(endpoint_,
                                           std::move(token_url),
                                           endpoint_.asked(file_.repo, file_.revision, file_.path));
        chunks_ =
            std::make_unique<XetFetch>(endpoint_, file_, hash, *cas_, store_, part_, options_);
        Status done = cas_->open(stop);
        if (done) {
            done = chunks_->prepare(stop);
        }
        if (done) {
            result_.by_chunks = true;
            const std::uint64_t here = result_.reused_bytes;
            done = chunks_->run(stop, [&](const std::string& source) {
                reporter_.at(part_, here + chunks_->copied_bytes(), source);
            });
            result_.copied_bytes = chunks_->copied_bytes();
            result_.reused_bytes = here + result_.copied_bytes;
            result_.fetched_bytes += chunks_->fetched_bytes();
            if (!chunks_->source().empty()) {
                result_.source = chunks_->source();
            }
        }
        result_.retries += cas_->retries() + chunks_->retries();
        if (done) {
            return true;
        }
        if (!may_go_plainly(done.error(), from)) {
            return keep(std::move(done).error());
        }
        endpoint_.log.info("hf", "no_xet", {{"file", name()}, {"why", done.error().describe()}});
        result_.by_chunks = false;
        chunks_.reset();
        return false;
    }

    /// Whether the plain way may still work: the server has no Xet for the file or not for us, or
    /// what it said about it was only a hint and led nowhere.
    bool may_go_plainly(const Error& error, Source from) const {
        switch (error.code()) {
        case ErrorCode::NotFound:
        case ErrorCode::Unsupported:
        case ErrorCode::Unauthorized:
        case ErrorCode::Forbidden:
            return true;
        case ErrorCode::Corrupt:
        case ErrorCode::Refused:
            return from == Source::Hint && !result_.by_chunks;
        default:
            return false;
        }
    }

    struct Plainly {
        std::optional<xet::FileHash> offered; ///< Nothing was fetched: go by chunks.
        std::string wrong;                    ///< What the server has instead of the file.
    };

    Result<Plainly> fetch_plainly(LookForXet look, const std::stop_token& stop) {
        Fetch fetch(endpoint_, file_, url_, part_, options_, look);
        Status fetched = fetch.run(stop, [this](const std::string& source) {
            reporter_.at(part_, result_.reused_bytes, source);
        });
        result_.fetched_bytes += fetch.fetched_bytes();
        result_.retries += fetch.retries();
        if (!fetch.source().empty()) {
            result_.source = fetch.source();
        }
        if (!fetch.wrong().empty()) {
            return Plainly{std::nullopt, fetch.wrong()};
        }
        if (!fetched) {
            return keep(std::move(fetched).error());
        }
        return Plainly{fetch.offered(), {}};
    }

    /// "" when the bytes are right, else what was found instead.
    Result<std::string> verify(const std::stop_token& stop) {
        while (part_.hashed_bytes() < part_.size()) {
            if (stop.stop_requested()) {
                return keep(Error(ErrorCode::Cancelled, "stopped while verifying"));
            }
            LOCARA_CHECK(part_.advance_hash(kHashStepBytes));
            reporter_.at(part_, result_.reused_bytes, result_.source);
        }
        LOCARA_TRY(const auto found, part_.finish_hash(stop));
        return found == file_.sha256
                   ? std::string()
                   : "SHA-256 " + found.render() + " (" + std::to_string(file_.size) + " bytes)";
    }

    /// Notes what has arrived, for the next pull.
    Error keep(Error error) {
        if (const Status noted = part_.checkpoint(); !noted) {
            endpoint_.log.warning(
                "hf", "part_not_noted", {{"file", name()}, {"error", noted.error().describe()}});
        }
        return std::move(error).add_context("pulling " + name());
    }

    Status publish() {
        bool refused = false;
        store::Gate gate;
        if (options_.gate) {
            gate = [&](const Fd& file) {
                Status answer = options_.gate(file, file_.path);
                refused = !answer;
                return answer;
            };
        }
        auto published = part_.publish(gate);
        if (published) {
            return {};
        }
        if (refused) { // the right bytes, and still not wanted: no use in keeping them
            LOCARA_CHECK(part_.discard());
            return std::move(published).context("pulling " + name()).error();
        }
        return keep(std::move(published).error());
    }

    /// So that later pulls find these chunks. Derived data: without it nothing is lost but them.
    void keep_index() {
        if (!chunks_) {
            return;
        }
        const auto keep = [&]() -> Status {
            LOCARA_TRY(const auto indexed, chunks_->take_index());
            return indexed ? store_.put_index(*indexed) : Status{};
        };
        if (const Status kept = keep(); !kept) {
            endpoint_.log.warning(
                "hf", "index_not_kept", {{"file", name()}, {"error", kept.error().describe()}});
        }
    }

    const Endpoint& endpoint_;
    const FileRef& file_;
    const std::string url_;
    store::Store& store_;
    store::Part& part_;
    const PullOptions& options_;
    Reporter& reporter_;
    PullResult result_;
    std::unique_ptr<CasClient> cas_;   ///< Of the last way by chunks.
    std::unique_ptr<XetFetch> chunks_; ///< Uses *cas_. Knows what the file is made of.
};

} // namespace

Result<PullResult> Client::pull(const FileRef& file,
                                store::Store& store,
                                ProgressSink& progress,
                                std::stop_token stop,
                                const PullOptions& options) {
    LOCARA_CHECK(check(file, options));
    LOCARA_TRY(const std::string url, resolve_url(file.repo, file.revision, file.path));
    const std::string name = file.repo + " " + file.path;
    if (!store.has(file.sha256)) {
        LOCARA_CHECK(state_->endpoint.check_online(name));
    }
    Reporter reporter(file, progress);
    LOCARA_TRY(auto opened,
               store.open_part(file.sha256, file.size, stop, [&] { reporter.waiting(); }));
    if (std::holds_alternative<store::FileInfo>(opened)) {
        reporter.done(file.size, kOnDisk);
        PullResult result;
        result.size = file.size;
        result.reused_bytes = file.size;
        result.source = kOnDisk;
        return result;
    }
    store::Part& part = std::get<store::Part>(opened);
    if (!part.missing().empty()) {
        LOCARA_CHECK(state_->endpoint.check_online(name));
    }
    part.set_pace(options.pace);
    return Pull(state_->endpoint, file, url, store, part, options, reporter).run(stop);
}

} // namespace locara::hf
