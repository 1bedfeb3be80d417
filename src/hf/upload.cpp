#include "cas_client.hpp"
#include "chunk_list.hpp"
#include "client_state.hpp"
#include "protocol.hpp"
#include "resolve.hpp"
#include "xorb_plan.hpp"

#include <locara/base/file.hpp>
#include <locara/xet/chunker.hpp>
#include <locara/xet/xorb.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include <fcntl.h>

namespace locara::hf {

namespace {

constexpr auto kReportEvery = std::chrono::milliseconds(100);
constexpr int kMaxUploadConnections = 8;
constexpr std::uint64_t kMinXorbLimit = 1U << 20U;
/// Former files are asked for while they are at most this many times as large as what is uploaded:
/// of larger ones little can be the same.
constexpr std::uint64_t kFormerTimes = 4;
/// Records of 48 bytes after which a shard is closed: some GiB of weights, and 2 MiB of memory. So
/// none grows with a file, whatever its size, nor comes near xet::kMaxShardBytes.
constexpr std::size_t kShardRecords = 1U << 14U;

Status check(const Upload& upload, const UploadOptions& options) {
    if (upload.files.empty() || upload.files.size() > kMaxUploadFiles) {
        return Error(ErrorCode::InvalidArgument,
                     "an upload takes 1 to " + std::to_string(kMaxUploadFiles) + " files");
    }
    std::set<std::string_view> paths;
    for (const UploadFile& file : upload.files) {
        LOCARA_CHECK(check_path(file.path));
        if (!paths.insert(file.path).second) {
            return Error(ErrorCode::InvalidArgument,
                         "two files would become " + printable(file.path));
        }
    }
    if (!upload.parent_commit.empty() && !is_commit(upload.parent_commit)) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + printable(upload.parent_commit) +
                         "' is not a commit: give 40 lower-case hex digits");
    }
    if (options.connections < 1 || options.connections > kMaxUploadConnections ||
        options.xorb_bytes < kMinXorbLimit || options.xorb_bytes > xet::kMaxXorbBytes) {
        return Error(ErrorCode::InvalidArgument,
                     "an upload takes 1 to " + std::to_string(kMaxUploadConnections) +
                         " connections and xorbs of " + render_memory(kMinXorbLimit) + " to " +
                         render_memory(xet::kMaxXorbBytes));
    }
    return {};
}

/// Tells the sink how far an upload is, not too often. Thread-safe.
class UploadReporter {
  public:
    explicit UploadReporter(ProgressSink& sink) : sink_(sink) {}

    void begin(std::string task, std::string item, std::uint64_t total, std::uint64_t reused) {
        const std::lock_guard guard(mutex_);
        state_ = Progress();
        state_.task = std::move(task);
        state_.item = std::move(item);
        state_.total_bytes = total;
        state_.done_bytes = state_.received_bytes = state_.reused_bytes = reused;
        last_ = {};
        report();
    }

    void add(std::uint64_t bytes) {
        const std::lock_guard guard(mutex_);
        state_.done_bytes += bytes;
        state_.received_bytes = state_.done_bytes;
        report();
    }

  private:
    void report() {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ >= kReportEvery || state_.done_bytes == state_.total_bytes) {
            last_ = now;
            sink_.report(state_);
        }
    }

    std::mutex mutex_; ///< Guards what follows; held while the sink is called.
    ProgressSink& sink_;
    Progress state_;
    std::chrono::steady_clock::time_point last_{};
};

/// A file on its way.
struct Item {
    const UploadFile* file = nullptr;
    std::uint64_t size = 0;
    UploadMode mode = UploadMode::Lfs;
    std::string oid;          ///< Of what stands at its path now; may be empty.
    std::string content;      ///< For files inside the commit.
    std::uint64_t chunks = 0; ///< For the others: how many follow in the list of all.
    xet::FileHash hash;
    crypto::Sha256Digest sha256;
    bool unchanged = false;
    bool ignored = false;

    bool goes_by_xet() const { return mode == UploadMode::Lfs && !unchanged && !ignored; }
};

Error changed(const UploadFile& file) {
    return Error(ErrorCode::Conflict,
                 file.local.string() + " changed while it was uploaded: upload it again");
}

/// O_NONBLOCK: opening a FIFO that somebody put there must not hang.
Result<Fd> open_local(const UploadFile& file) {
    return open_file(file.local, O_RDONLY | O_NONBLOCK);
}

/// One call of Client::upload.
class Uploader {
  public:
    using Send = std::function<Result<http::ClientResponse>(const http::ClientRequest&)>;

    /// `send` sends to the hub, with retries.
    Uploader(const Endpoint& endpoint,
             const Upload& upload,
             const UploadOptions& options,
             ProgressSink& progress,
             std::stop_token stop,
             Send send)
        : endpoint_(endpoint), upload_(upload), options_(options), reporter_(progress),
          stop_(std::move(stop)), send_(std::move(send)), parent_commit_(upload.parent_commit) {}

    Result<UploadResult> run() {
        LOCARA_CHECK(open_files());
        LOCARA_CHECK(find_others());
        LOCARA_CHECK(preupload());
        LOCARA_CHECK(read_files());
        LOCARA_CHECK(send_by_xet());
        LOCARA_CHECK(commit());
        for (const Item& item : items_) {
            UploadedFile file;
            file.path = item.file->path;
            file.size = item.size;
            file.sha256 = item.sha256;
            file.unchanged = item.unchanged;
            file.ignored = item.ignored;
            if (item.mode == UploadMode::Lfs) {
                file.xet_hash = item.hash;
            }
            result_.files.push_back(std::move(file));
        }
        return std::move(result_);
    }

  private:
    Result<std::string> api_url(std::string_view call) const {
        return make_api_url(endpoint_.options.endpoint,
                            render_plural(upload_.kind),
                            upload_.repo,
                            call,
                            upload_.revision);
    }

    Status check_stop() const {
        return stop_.stop_requested()
                   ? Status(Error(ErrorCode::Cancelled, "stopped; what was sent is kept"))
                   : Status{};
    }

    Status open_files() {
        for (const UploadFile& file : upload_.files) {
            Item item;
            item.file = &file;
            LOCARA_TRY(const Fd fd, open_local(file));
            LOCARA_TRY(item.size, regular_file_size(fd, file.local));
            result_.size += item.size;
            items_.push_back(std::move(item));
        }
        return {};
    }

    /// Which files of the repository this upload takes away.
    Status find_others() {
        if (upload_.others == Upload::Others::Keep) {
            return {};
        }
        LOCARA_TRY(const std::string url, api_url("revision"));
        LOCARA_TRY(const http::ClientResponse response, send_(endpoint_.request(url)));
        LOCARA_TRY(RevisionInfo info, parse_revision_info(response.body));
        std::set<std::string_view> stays = {".gitattributes"};
        for (const UploadFile& file : upload_.files) {
            stays.insert(file.path);
        }
        std::erase_if(info.paths, [&](const auto& path) { return stays.contains(path); });
        result_.removed = std::move(info.paths);
        parent_commit_ = std::move(info.commit);
        return {};
    }

    /// Asks which files go inside the commit and which by Xet.
    Status preupload() {
        LOCARA_TRY(const std::string url, api_url("preupload"));
        for (std::size_t first = 0; first < items_.size(); first += kFilesPerCall) {
            const std::size_t end = std::min(first + kFilesPerCall, items_.size());
            std::vector<PreuploadFile> files;
            for (std::size_t i = first; i < end; ++i) {
                PreuploadFile file{items_[i].file->path, items_[i].size, ""};
                file.sample.resize(std::min<std::uint64_t>(items_[i].size, kSampleBytes));
                LOCARA_TRY(const Fd fd, open_local(*items_[i].file));
                LOCARA_CHECK(read_exactly_at(
                    fd,
                    0,
                    std::as_writable_bytes(std::span(file.sample.data(), file.sample.size()))));
                files.push_back(std::move(file));
            }
            http::ClientRequest request = endpoint_.request(url);
            request.method = "POST";
            request.headers.add("Content-Type", "application/json");
            request.body = render_preupload(files);
            LOCARA_TRY(const http::ClientResponse response, send_(request));
            LOCARA_TRY(const PreuploadAnswer answer, parse_preupload(response.body));
            result_.commit = answer.commit;
            for (std::size_t i = first; i < end; ++i) {
                const auto said =
                    std::find_if(answer.files.begin(), answer.files.end(), [&](const auto& file) {
                        return file.path == items_[i].file->path;
                    });
                if (said == answer.files.end()) {
                    return Error(ErrorCode::Corrupt,
                                 "the answer to preupload leaves out " + items_[i].file->path);
                }
                // An empty file has no chunks; every client puts it into the commit.
                items_[i].mode = items_[i].size == 0 ? UploadMode::Regular : said->mode;
                items_[i].ignored = said->ignore;
                items_[i].oid = said->oid;
            }
        }
        return {};
    }

    Status read_files() {
        std::uint64_t inlined = 0;
        for (Item& item : items_) {
            LOCARA_CHECK(check_stop());
            if (item.ignored) {
                continue;
            }
            if (item.mode == UploadMode::Regular) {
                inlined += item.size;
                if (inlined > kMaxInlineBytes) {
                    return Error(ErrorCode::TooLarge,
                                 "the hub wants more than " + render_size(kMaxInlineBytes) +
                                     " of files inside the commit: upload fewer at once, or track "
                                     "them in .gitattributes");
                }
                LOCARA_TRY(item.content, read_file(item.file->local, item.size));
                item.sha256 = crypto::sha256(as_bytes(item.content));
                item.size = item.content.size();
                continue;
            }
            reporter_.begin("hash", item.file->path, item.size, 0);
            xet::IndexOptions how;
            how.threads = options_.hash_threads;
            how.sha256 = xet::WithSha256::Yes;
            how.stop = stop_;
            how.progress = [this](std::size_t bytes) { reporter_.add(bytes); };
            LOCARA_TRY(const Fd fd, open_local(*item.file));
            LOCARA_TRY(const xet::FileIndex index,
                       xet::index_file(fd, how).context("reading " + item.file->local.string()));
            if (index.size != item.size) {
                return changed(*item.file);
            }
            item.sha256 = *index.sha256;
            item.hash = index.hash;
            item.unchanged = item.oid == item.sha256.render();
            if (item.goes_by_xet()) {
                LOCARA_CHECK(keep_chunks(item, index.chunks));
            }
        }
        return {};
    }

    /// One list for all files, however many they are.
    Status keep_chunks(Item& item, const Spill<xet::Chunk>& chunks) {
        item.chunks = chunks.size();
        SpillReader<xet::Chunk> reader(chunks);
        while (true) {
            LOCARA_TRY(const xet::Chunk* const chunk, reader.next());
            if (chunk == nullptr) {
                return {};
            }
            LOCARA_CHECK(chunks_.add(*chunk));
        }
    }

    Status send_by_xet() {
        std::vector<Item*> files;
        for (Item& item : items_) {
            if (item.goes_by_xet()) {
                files.push_back(&item);
            }
        }
        if (files.empty()) {
            return {};
        }
        LOCARA_TRY(std::string token_url, api_url("xet-write-token"));
        CasClient cas(endpoint_,
                      std::move(token_url),
                      endpoint_.asked(upload_.repo, upload_.revision, files.front()->file->path));
        if (Status open = cas.open(stop_); !open) {
            if (open.error().code() == ErrorCode::NotFound) {
                return Error(ErrorCode::Unsupported,
                             endpoint_.options.endpoint +
                                 " takes no large files by Xet, and no other way is known here (" +
                                 open.error().message() + ")");
            }
            return open;
        }
        Status done = send_files(cas, files, Dedup::Yes);
        if (!done && relied_on_server_ &&
            (done.error().code() == ErrorCode::NotFound ||
             done.error().code() == ErrorCode::Forbidden ||
             done.error().code() == ErrorCode::Corrupt)) {
            // What the server named as known is gone, or not for us, or not what it said: send
            // everything.
            endpoint_.log.warning(
                "hf", "dedup_refused", {{"repo", upload_.repo}, {"why", done.error().describe()}});
            done = send_files(cas, files, Dedup::No);
        }
        result_.retries += cas.retries();
        return done;
    }

    enum class Dedup { No, Yes };

    Status send_files(CasClient& cas, const std::vector<Item*>& files, Dedup dedup) {
        XorbPlan plan(chunks_, options_.xorb_bytes);
        XorbPlan::Ask ask;
        if (dedup == Dedup::Yes) {
            LOCARA_CHECK(add_former_files(cas, files, plan));
            ask = [&](const xet::ChunkHash& chunk) {
                return without_corrupt(cas.find_chunk(chunk, stop_));
            };
        }
        for (const Item* item : files) {
            LOCARA_CHECK(check_stop());
            LOCARA_CHECK(plan.add_file(item->chunks, ask));
        }
        plan.finish();
        relied_on_server_ = plan.relies_on_server();
        result_.known_bytes = plan.known_bytes();
        result_.new_bytes = plan.new_bytes();
        reporter_.begin("upload",
                        files.size() == 1 ? files.front()->file->path
                                          : std::to_string(files.size()) + " files",
                        plan.known_bytes() + plan.new_bytes(),
                        plan.known_bytes());
        LOCARA_TRY(const auto packed, send_xorbs(cas, files, plan));
        return send_shards(cas, files, plan, packed);
    }

    /// What helps to send less is not worth failing for.
    template <class Shard>
    Result<std::optional<Shard>> without_corrupt(Result<std::optional<Shard>> answer) const {
        if (!answer && answer.error().code() == ErrorCode::Corrupt) {
            endpoint_.log.warning("hf", "bad_shard", {{"why", answer.error().describe()}});
            return std::optional<Shard>();
        }
        return answer;
    }

    /// What stood at these paths before: most of it is often still the same.
    Status add_former_files(CasClient& cas, const std::vector<Item*>& files, XorbPlan& plan) {
        std::vector<std::string> paths;
        std::uint64_t budget = 0; // sizes come from the server, and memory with them
        for (const Item* item : files) {
            budget += kFormerTimes * item->size;
            if (!item->oid.empty()) {
                paths.push_back(item->file->path);
            }
        }
        LOCARA_TRY(const std::string url, api_url("paths-info"));
        for (std::size_t first = 0; first < paths.size(); first += kFilesPerCall) {
            http::ClientRequest request = endpoint_.request(url);
            request.method = "POST";
            request.headers.add("Content-Type", "application/json");
            request.body = render_paths_info(
                {paths.begin() + static_cast<std::ptrdiff_t>(first),
                 paths.begin() +
                     static_cast<std::ptrdiff_t>(std::min(first + kFilesPerCall, paths.size()))});
            LOCARA_TRY(const http::ClientResponse response, send_(request));
            LOCARA_TRY(const auto infos, parse_paths_info(response.body));
            for (const PathInfo& info : infos) {
                if (!info.xet_hash || info.size > budget) {
                    continue;
                }
                budget -= info.size;
                LOCARA_TRY(
                    const auto shard,
                    without_corrupt(cas.find_file_shard(*info.xet_hash, scratch_folder(), stop_)));
                if (!shard) {
                    continue;
                }
                const auto list =
                    ChunkList::create(*shard, *info.xet_hash, info.size, scratch_folder());
                if (!list && list.error().code() != ErrorCode::Corrupt) {
                    return list.error();
                }
                if (!list) {
                    endpoint_.log.warning(
                        "hf", "bad_shard", {{"path", info.path}, {"why", list.error().describe()}});
                    continue;
                }
                LOCARA_CHECK(add_known(*list, plan));
            }
        }
        return {};
    }

    static Status add_known(const ChunkList& list, XorbPlan& plan) {
        SpillReader<ChunkList::Chunk> reader(list.chunks());
        while (true) {
            LOCARA_TRY(const ChunkList::Chunk* const chunk, reader.next());
            if (chunk == nullptr) {
                return {};
            }
            LOCARA_CHECK(plan.add_known(chunk->hash, list.xorbs()[chunk->xorb], chunk->index));
        }
    }

    /// Makes and sends the new xorbs on several threads. Their packed sizes; 0 for those that an
    /// earlier try had sent.
    Result<std::vector<std::uint32_t>>
    send_xorbs(CasClient& cas, const std::vector<Item*>& files, const XorbPlan& plan) {
        const auto& xorbs = plan.new_xorbs();
        std::vector<std::uint32_t> packed(xorbs.size());
        std::atomic<std::size_t> next = 0;
        std::stop_source stop;
        const std::stop_callback pass_on(stop_, [&] { stop.request_stop(); });
        std::mutex mutex;
        std::optional<Error> error;
        const auto work = [&] {
            XorbMaker maker(files, plan);
            while (!stop.stop_requested()) {
                const std::size_t i = next++;
                if (i >= xorbs.size()) {
                    return;
                }
                auto sent = send_xorb(cas, maker, xorbs[i], stop.get_token());
                if (!sent) {
                    const std::lock_guard guard(mutex);
                    if (!error) {
                        error = std::move(sent).error();
                    }
                    stop.request_stop();
                    return;
                }
                packed[i] = *sent;
                reporter_.add(xorbs[i].raw_bytes);
            }
        };
        {
            std::vector<std::jthread> workers;
            const std::size_t count =
                std::min(xorbs.size(), static_cast<std::size_t>(options_.connections));
            for (std::size_t i = 0; i < count; ++i) {
                workers.emplace_back(work);
            }
        }
        LOCARA_CHECK(check_stop());
        if (error) {
            return *std::move(error);
        }
        return packed;
    }

    /// Reads chunks back and packs them. Belongs to one thread.
    class XorbMaker {
      public:
        XorbMaker(const std::vector<Item*>& files, const XorbPlan& plan)
            : files_(files), plan_(plan) {}

        /// Conflict when a file no longer has the bytes that were hashed.
        Result<xet::Xorb> make(const XorbPlan::NewXorb& xorb) {
            builder_.reserve(xorb.count, xorb.raw_bytes);
            for (std::uint32_t i = 0; i < xorb.count; ++i) {
                LOCARA_TRY(const XorbPlan::Source source, plan_.source(xorb, i));
                const Item& item = *files_[source.file];
                if (&item != open_) {
                    LOCARA_TRY(fd_, open_local(*item.file));
                    open_ = &item;
                }
                LOCARA_TRY(const xet::Chunk chunk, plan_.chunk(source));
                bytes_.resize(chunk.length);
                const Status read = read_exactly_at(fd_, chunk.offset, bytes_);
                if (!read && read.error().code() != ErrorCode::Corrupt) {
                    return read.error();
                }
                if (!read || xet::chunk_hash(bytes_) != chunk.hash) {
                    return changed(*item.file);
                }
                LOCARA_CHECK(builder_.add(chunk.hash, bytes_));
            }
            return builder_.finish();
        }

      private:
        const std::vector<Item*>& files_;
        const XorbPlan& plan_;
        const Item* open_ = nullptr; ///< Whose descriptor fd_ is.
        Fd fd_;
        Bytes bytes_;
        xet::XorbBuilder builder_;
    };

    Result<std::uint32_t> send_xorb(CasClient& cas,
                                    XorbMaker& maker,
                                    const XorbPlan::NewXorb& xorb,
                                    const std::stop_token& stop) {
        LOCARA_TRY(const bool there, cas.has_xorb(xorb.hash, stop));
        if (there) {
            const std::lock_guard guard(result_mutex_);
            ++result_.xorbs_there;
            return 0U;
        }
        LOCARA_TRY(const xet::Xorb made, maker.make(xorb));
        LOCARA_CHECK(cas.put_xorb(made.hash, made.bytes, stop));
        const std::lock_guard guard(result_mutex_);
        ++result_.xorbs_sent;
        result_.sent_bytes += made.bytes.size();
        return static_cast<std::uint32_t>(made.bytes.size());
    }

    /// Registers the files: xorbs first, so that a file's are known when it comes.
    Status send_shards(CasClient& cas,
                       const std::vector<Item*>& files,
                       const XorbPlan& plan,
                       const std::vector<std::uint32_t>& packed) {
        xet::Shard shard;
        std::size_t records = 0;
        const auto flush = [&]() -> Status {
            if (shard.files.empty() && shard.xorbs.empty()) {
                return {};
            }
            LOCARA_TRY(const Bytes bytes, xet::render_shard(shard));
            LOCARA_CHECK(cas.put_shard(bytes, nullptr, stop_));
            result_.sent_bytes += bytes.size();
            shard = {};
            records = 0;
            return {};
        };
        for (std::size_t i = 0; i < packed.size(); ++i) {
            LOCARA_TRY(xet::XorbBlock block, plan.xorb_block(plan.new_xorbs()[i], packed[i]));
            shard.xorbs.push_back(std::move(block));
            records += 1 + shard.xorbs.back().chunks.size();
            if (records > kShardRecords) {
                LOCARA_CHECK(flush());
            }
        }
        for (std::size_t i = 0; i < files.size(); ++i) {
            LOCARA_TRY(xet::FileBlock block, plan.file_block(i));
            block.hash = files[i]->hash;
            block.sha256 = files[i]->sha256;
            records += 2 + 2 * block.terms.size();
            shard.files.push_back(std::move(block));
            if (records > kShardRecords) {
                LOCARA_CHECK(flush());
            }
        }
        return flush();
    }

    Status commit() {
        std::string lines;
        std::size_t count = 0;
        for (const Item& item : items_) {
            if (item.ignored || item.unchanged) {
                continue;
            }
            ++count;
            if (item.mode == UploadMode::Regular) {
                lines += render_commit_file(item.file->path, as_bytes(item.content));
                result_.sent_bytes += item.size;
            } else {
                lines += render_commit_lfs_file(item.file->path, item.sha256, item.size);
            }
        }
        for (const std::string& path : result_.removed) {
            ++count;
            lines += render_commit_removal(path);
        }
        if (count == 0) {
            return {};
        }
        const std::string summary = !upload_.message.empty() ? upload_.message
                                    : count == 1 ? "Upload " + upload_.files.front().path
                                                 : "Upload " + std::to_string(count) + " files";
        LOCARA_CHECK(check_stop());
        LOCARA_TRY(const std::string url, api_url("commit"));
        http::ClientRequest request = endpoint_.request(url);
        request.method = "POST";
        request.headers.add("Content-Type", "application/x-ndjson");
        request.body = render_commit_header(summary, upload_.description, parent_commit_) + lines;
        auto sent = send_(request);
        if (!sent && sent.error().code() == ErrorCode::Conflict) {
            return Error(
                ErrorCode::Conflict,
                upload_.revision + " of " + upload_.repo + " has moved on since you looked" +
                    (parent_commit_.empty() ? std::string() : " (commit " + parent_commit_ + ")") +
                    ": get its newest commit and upload again, nothing of the files is "
                    "sent twice; " +
                    sent.error().message());
        }
        LOCARA_TRY(const http::ClientResponse response, std::move(sent));
        LOCARA_TRY(CommitAnswer answer, parse_commit_answer(response.body));
        // A commit that would change nothing is answered with the one that is there.
        result_.committed = answer.commit != result_.commit;
        result_.commit = std::move(answer.commit);
        result_.url = std::move(answer.url);
        return {};
    }

    const Endpoint& endpoint_;
    const Upload& upload_;
    const UploadOptions& options_;
    UploadReporter reporter_;
    const std::stop_token stop_;
    const Send send_;
    std::vector<Item> items_;
    Spill<xet::Chunk> chunks_;  ///< Of all files that go by Xet, one after another.
    std::string parent_commit_; ///< That the branch must still be at; empty for any.
    bool relied_on_server_ = false;
    std::mutex result_mutex_; ///< Guards what several threads count in result_.
    UploadResult result_;
};

} // namespace

Result<UploadResult> Client::upload(const Upload& upload,
                                    ProgressSink& progress,
                                    std::stop_token stop,
                                    const UploadOptions& options) {
    LOCARA_CHECK(check(upload, options));
    const Endpoint& endpoint = state_->endpoint;
    LOCARA_CHECK(endpoint.check_online("the upload to " + upload.repo));
    const Asked asked = endpoint.asked(upload.repo, upload.revision, upload.files.front().path);
    return Uploader(endpoint,
                    upload,
                    options,
                    progress,
                    stop,
                    [&](const http::ClientRequest& request) {
                        return state_->ask(request, asked, stop);
                    })
        .run()
        .context("uploading to " + upload.repo);
}

Result<Client::Submitted>
Client::submit_app(std::string_view repo, std::string_view commit, std::stop_token stop) {
    const Endpoint& endpoint = state_->endpoint;
    LOCARA_TRY(
        const std::string url,
        make_api_url(
            endpoint.options.endpoint, render_plural(RepoKind::App), repo, "submissions", ""));
    LOCARA_CHECK(endpoint.check_online("submitting " + std::string(repo)));
    http::ClientRequest request = endpoint.request(url);
    request.method = "POST";
    request.headers.add("Content-Type", "application/json");
    request.body = render_json(Json{{"revision", commit}});
    const auto sent = state_->ask(request, endpoint.asked(repo, "", ""), stop);
    if (!sent && sent.error().code() == ErrorCode::NotFound) {
        return Error(ErrorCode::Unsupported,
                     endpoint.options.endpoint + " takes no submissions: it is no Locara hub");
    }
    LOCARA_CHECK(sent);
    LOCARA_TRY(SubmissionAnswer answer, parse_submission(sent->body));
    return Submitted{answer.number, std::move(answer.state), std::move(answer.why)};
}

Status Client::create_repo(RepoKind kind, std::string_view repo, std::stop_token stop) {
    const Endpoint& endpoint = state_->endpoint;
    LOCARA_CHECK(make_api_url(endpoint.options.endpoint, render_plural(kind), repo, "", ""));
    LOCARA_CHECK(endpoint.check_online("making " + std::string(repo)));
    http::ClientRequest request = endpoint.request(endpoint.options.endpoint + "/api/repos/create");
    request.method = "POST";
    request.headers.add("Content-Type", "application/json");
    request.body = render_create_repo(kind, repo);
    const auto sent = state_->ask(request, endpoint.asked(repo, "", ""), stop);
    if (!sent && sent.error().code() != ErrorCode::Conflict) { // there already
        return sent.error();
    }
    return {};
}

} // namespace locara::hf
