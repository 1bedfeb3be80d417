#include "download.hpp"

#include "content_gate.hpp"
#include "verdict_store.hpp"

#include <locara/hub/git_repo.hpp>
#include <locara/policy/doors.hpp>

#include <algorithm>
#include <limits>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace locara::hub {
namespace {

constexpr std::size_t kMostWaiting = 4096;
constexpr unsigned kSmallThreads = 2;
constexpr std::uint64_t kSmallBytes = 16U << 20U;
constexpr std::size_t kBlock = 1U << 20U;

/// With the size: where upstream's listings tell two of them, each is fetched as it was told, and
/// the hash decides.
std::string key_of(const WantedFile& wanted) {
    return std::to_string(wanted.repo) + "-" + wanted.oid + "-" +
           std::to_string(wanted.source.size);
}

Refusal wrong_bytes(const WantedFile& wanted, const std::string& found) {
    return {502,
            "UpstreamCorrupt",
            wanted.source.path + ": the bytes that the mirrored hub sent have the hash " + found +
                " and not " + wanted.oid + "; ask again, they are fetched anew"};
}

Refusal stopped() {
    return {503, "", "this hub is about to stop"};
}

/// Hashes what is there of a part, for it to go on from.
Result<std::uint64_t> hash_part(const Fd& file, std::uint64_t size, crypto::Sha256& hash) {
    LOCARA_TRY(const std::uint64_t found, regular_file_size(file, "a part"));
    const std::uint64_t kept = found > size ? 0 : found;
    if (kept != found && ::ftruncate(file.get(), 0) != 0) {
        return Error::from_errno("emptying a part", errno);
    }
    Bytes block(kBlock);
    for (std::uint64_t at = 0; at < kept;) {
        const auto piece = std::span(block).first(
            static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), kept - at)));
        LOCARA_CHECK(read_exactly_at(file, at, piece));
        hash.update(piece);
        at += piece.size();
    }
    return kept;
}

Result<std::string> hash_blob(const Fd& file, std::uint64_t size) {
    std::string content(static_cast<std::size_t>(size), '\0');
    LOCARA_CHECK(read_exactly_at(file, 0, std::as_writable_bytes(std::span(content))));
    return id_of_blob(content);
}

} // namespace

// -------------------------------------------------------------------------------------- download

Download::View Download::view() const {
    View view;
    // Before the rest: a change in between is then seen as one.
    view.seen = changed_.count();
    const std::lock_guard guard(mutex_);
    view.stage = stage_;
    view.file = file_;
    view.refusal = refusal_;
    const std::uint64_t shown = size() > kHeldBytes ? size() - kHeldBytes : 0;
    view.readable = stage_ == Stage::Passed     ? size()
                    : stage_ == Stage::Arriving ? std::min(received_, shown)
                                                : 0;
    return view;
}

void Download::open(Fd file) {
    const std::lock_guard guard(mutex_);
    file_ = std::make_shared<const Fd>(std::move(file));
}

void Download::arrived(std::uint64_t bytes) {
    {
        const std::lock_guard guard(mutex_);
        received_ = bytes;
    }
    changed_.notify();
}

void Download::passed() {
    {
        const std::lock_guard guard(mutex_);
        stage_ = Stage::Passed;
    }
    changed_.notify();
}

void Download::fail(Refusal refusal) {
    {
        const std::lock_guard guard(mutex_);
        stage_ = Stage::Failed;
        refusal_ = std::move(refusal);
    }
    changed_.notify();
}

bool passes_mirror(const formats::Verdict& verdict, std::span<const std::string> pass_formats) {
    const policy::Answer said = policy::answer(policy::Door::Mirror, verdict);
    return said == policy::Answer::Admit ||
           (said == policy::Answer::Operator &&
            std::find(pass_formats.begin(), pass_formats.end(), verdict.format) !=
                pass_formats.end());
}

// ------------------------------------------------------------------------------------- downloads

Result<std::unique_ptr<Downloads>>
Downloads::create(const Services& services, const Upstream& upstream, Options options) {
    LOCARA_ASSERT(options.judge != nullptr);
    LOCARA_CHECK(create_folders(options.parts, 0700));
    auto made = std::unique_ptr<Downloads>(new Downloads(services, upstream, std::move(options)));
    for (unsigned i = 0; i < made->options_.threads; ++i) {
        made->threads_.emplace_back([self = made.get()] { self->work(Lane::AnySize); });
    }
    for (unsigned i = 0; i < kSmallThreads; ++i) {
        made->threads_.emplace_back([self = made.get()] { self->work(Lane::Small); });
    }
    return made;
}

Downloads::Downloads(const Services& services, const Upstream& upstream, Options options)
    : services_(services), upstream_(upstream), options_(std::move(options)) {}

Downloads::~Downloads() {
    stop();
}

std::filesystem::path Downloads::part_of(const WantedFile& wanted) const {
    return options_.parts / key_of(wanted);
}

Result<bool> Downloads::is_known(const WantedFile& wanted) const {
    LOCARA_TRY(const auto known, services_.names.find_mirrored_file(wanted.repo, wanted.oid));
    return known.has_value();
}

Result<std::shared_ptr<Download>> Downloads::start(WantedFile wanted) {
    const std::string key = key_of(wanted);
    const std::lock_guard guard(mutex_);
    if (stopping_) {
        return Error(ErrorCode::Busy, "this hub is about to stop");
    }
    const auto found = known_.find(key);
    if (found != known_.end()) {
        return found->second;
    }
    // Under the lock: one that has just ended left known_ after it was noted.
    LOCARA_TRY(const bool known, is_known(wanted));
    if (known) {
        return std::shared_ptr<Download>();
    }
    if (queue_.size() >= kMostWaiting) {
        return Error(ErrorCode::Busy, "too many files are on their way; ask again later");
    }
    auto download = std::make_shared<Download>(std::move(wanted));
    known_.emplace(key, download);
    queue_.push_back(download);
    wake_.notify_all(); // Not every thread is for every file.
    return download;
}

void Downloads::stop() {
    {
        const std::lock_guard guard(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) {
        thread.join();
    }
    threads_.clear();
    std::map<std::string, std::shared_ptr<Download>> left;
    {
        const std::lock_guard guard(mutex_);
        left.swap(known_);
        queue_.clear();
    }
    for (const auto& [key, download] : left) {
        download->fail(stopped());
    }
}

/// The first of the repository that has the fewest on their way: who asks for many large files does
/// not keep the others waiting. The queue's end if there is nothing for this lane.
Downloads::Queue::iterator Downloads::find_next(Lane lane) {
    auto best = queue_.end();
    unsigned fewest = std::numeric_limits<unsigned>::max();
    for (auto one = queue_.begin(); one != queue_.end(); ++one) {
        if (lane == Lane::Small && (*one)->size() > kSmallBytes) {
            continue;
        }
        const auto running = running_.find((*one)->wanted().repo);
        const unsigned count = running == running_.end() ? 0 : running->second;
        if (count < fewest) {
            best = one;
            fewest = count;
        }
    }
    return best;
}

void Downloads::work(Lane lane) {
    std::unique_lock guard(mutex_);
    while (true) {
        auto found_next = queue_.end();
        wake_.wait(guard, [&] {
            found_next = find_next(lane);
            return stopping_ || found_next != queue_.end();
        });
        if (stopping_) {
            return;
        }
        const std::shared_ptr<Download> next = std::move(*found_next);
        queue_.erase(found_next);
        const std::int64_t repo = next->wanted().repo;
        ++running_[repo];
        guard.unlock();
        run(*next);
        guard.lock();
        if (--running_[repo] == 0) {
            running_.erase(repo);
        }
        const auto found = known_.find(key_of(next->wanted()));
        if (found != known_.end() && found->second == next) { // Not one that began after it failed.
            known_.erase(found);
        }
    }
}

void Downloads::run(Download& download) {
    const std::filesystem::path part = part_of(download.wanted());
    std::optional<Refusal> refusal;
    try {
        refusal = bring(download, part);
    } catch (const std::exception& error) {
        refusal = Error(ErrorCode::Internal, error.what());
    }
    if (refusal) {
        services_.log.warning(
            "mirror",
            "download_failed",
            {{"file", download.wanted().source.path},
             {"error", refusal->cause ? refusal->cause->describe() : refusal->message}});
        {
            // First: who hears of the failure and asks again has the file fetched anew.
            const std::lock_guard guard(mutex_);
            known_.erase(key_of(download.wanted()));
        }
        download.fail(std::move(*refusal));
    }
}

/// Everything from the first byte to the store. A refusal when clients must not get the rest.
std::optional<Refusal> Downloads::bring(Download& download, const std::filesystem::path& part) {
    const WantedFile& wanted = download.wanted();
    if (wanted.is_blob() && download.size() > kBlobBytes) {
        return Error(ErrorCode::TooLarge,
                     wanted.source.path + " is larger than what git may hold of a mirrored "
                                          "repository");
    }
    auto opened = open_file(part, O_RDWR | O_CREAT, 0600);
    if (!opened) {
        return std::move(opened).error();
    }
    download.open(std::move(*opened));
    const std::shared_ptr<const Fd> file = download.view().file;
    crypto::Sha256 hash;
    const auto kept = hash_part(*file, download.size(), hash);
    if (!kept) {
        return kept.error();
    }
    if (auto refusal = receive(download, *file, hash, *kept)) {
        return refusal;
    }
    const crypto::Sha256Digest sha256 = hash.finish();
    const auto found =
        wanted.is_blob() ? hash_blob(*file, download.size()) : Result<std::string>(sha256.render());
    if (!found) {
        return found.error();
    }
    std::error_code ignored;
    if (*found != wanted.oid) {
        // Who has read some of these bytes must not get the rest of others.
        std::filesystem::remove(part, ignored);
        return wrong_bytes(wanted, *found);
    }
    if (Status fine = check_called_back(services_, policy::Door::Mirror, sha256.render()); !fine) {
        std::filesystem::remove(part, ignored);
        return std::move(fine).error();
    }
    const auto verdict = options_.judge(*file, wanted.name, sha256);
    if (!verdict) {
        return verdict.error();
    }
    if (!passes_mirror(*verdict, options_.pass_formats)) {
        return refuse(wanted, *verdict, sha256, part);
    }
    download.passed();
    if (const Status stored = store(download, *file, sha256); !stored) {
        // Clients have it all the same; the part stays for the next try.
        services_.log.error("mirror",
                            "not_stored",
                            {{"file", wanted.source.path}, {"error", stored.error().describe()}});
        return std::nullopt;
    }
    std::filesystem::remove(part, ignored);
    if (options_.stored) {
        options_.stored(wanted);
    }
    return std::nullopt;
}

std::optional<Refusal> Downloads::receive(Download& download,
                                          const Fd& file,
                                          crypto::Sha256& hash,
                                          std::uint64_t received) {
    download.arrived(received);
    hf::Retry retry = upstream_.make_retry();
    const auto take = [&](ByteView bytes) -> Status {
        LOCARA_CHECK(write_all_at(file, received, bytes));
        hash.update(bytes);
        received += bytes.size();
        download.arrived(received);
        return {};
    };
    while (received < download.size()) {
        const std::uint64_t before = received;
        auto trouble = upstream_.fetch(download.wanted().source, before, take);
        if (received - before >= hf::kProgressBytes) {
            retry.progressed();
        }
        if (trouble && !retry.after(std::move(trouble->failure), upstream_.stop())) {
            return std::move(trouble->refusal);
        }
    }
    return std::nullopt;
}

/// The gate has something against the file. What it has only for the moment is not noted, and the
/// part stays: it is judged again when somebody asks again.
std::optional<Refusal> Downloads::refuse(const WantedFile& wanted,
                                         const formats::Verdict& verdict,
                                         const crypto::Sha256Digest& sha256,
                                         const std::filesystem::path& part) {
    const bool passing = is_passing(verdict);
    Refusal refusal(403,
                    "RefusedByGate",
                    wanted.source.path +
                        (passing ? " cannot be judged by the format gate now: "
                                 : " is refused by the format gate: ") +
                        verdict.reason + " (" + verdict.rule + ")");
    if (passing) {
        return refusal;
    }
    std::error_code ignored;
    std::filesystem::remove(part, ignored);
    const Status noted = services_.names.put_mirrored_file({wanted.repo,
                                                            wanted.oid,
                                                            sha256,
                                                            wanted.source.size,
                                                            services_.clock.now(),
                                                            refusal.message});
    return noted ? std::move(refusal) : Refusal(noted.error());
}

Status
Downloads::store(const Download& download, const Fd& file, const crypto::Sha256Digest& sha256) {
    const WantedFile& wanted = download.wanted();
    LOCARA_TRY(const cas::Ingested stored, services_.cas.ingest(file, sha256));
    LOCARA_CHECK(own_file(services_, wanted.repo, stored.info.hash));
    return services_.names.put_mirrored_file(
        {wanted.repo, wanted.oid, sha256, download.size(), services_.clock.now(), ""});
}

} // namespace locara::hub
