// Fetching what a part misses by chunks: from other files of the store, else from ranges of xorbs.
// Private to the module.
//
// Work comes in two kinds: a *job* is one range of one xorb at one address, with the places in the
// file where its chunks belong; a *span* is a run of missing bytes of the file for which a plan of
// its own has yet to be asked (the store then trims the ranges to the chunks that hold them). The
// plan of the whole file gives the first jobs; a job of which only some chunks are missing, was cut
// off, or whose address is no longer good, becomes spans.
//
// Each range is asked for exactly as the plan has it: stores sign it into the address. A worker
// takes the answer apart while it arrives, so no range is ever in memory as a whole.
#pragma once

#include "cas_client.hpp"
#include "chunk_list.hpp"
#include "fetch.hpp"

#include <locara/store/chunk_index.hpp>
#include <locara/xet/reconstruction.hpp>
#include <locara/xet/xorb.hpp>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <variant>
#include <vector>

namespace locara::hf {

class XetFetch {
  public:
    /// All arguments must outlive it. `hash` is the file's, from the manifest or a hint.
    XetFetch(const Endpoint& endpoint,
             const FileRef& file,
             const xet::FileHash& hash,
             CasClient& cas,
             store::Store& store,
             store::Part& part,
             const PullOptions& options);

    /// Asks what the file is made of: its shard, else its plan. Before any byte of it. Errors:
    /// those of CasClient; NotFound: the store has no such file; Corrupt: what it says about the
    /// file contradicts the hash or the size; NoSpace for the list of chunks.
    Status prepare(const std::stop_token& stop);

    /// Returns when nothing is missing any more, or with the first error. `progress` is called from
    /// the calling thread, often, as are the part's bytes hashed. Corrupt: the server sent a wrong
    /// chunk twice. REQUIRES: prepare succeeded.
    Status run(const std::stop_token& stop,
               const std::function<void(const std::string&)>& progress);

    std::uint64_t fetched_bytes() const { return fetched_; }

    std::uint64_t copied_bytes() const { return copied_; }

    int retries() const { return retries_; }

    /// The host that bytes came from, "" while none has answered.
    std::string source() const;

    /// What the file is made of, if all of it is known: proven with a shard, else after the file's
    /// SHA-256 was right. Gives away what it kept for that: call it once, after run. Errors:
    /// NoSpace, Io.
    Result<std::optional<store::IndexedFile>> take_index();

  private:
    class Answer;

    /// A run of chunks of a job's xorb that belongs into the file.
    struct Place {
        xet::ChunkRange chunks;
        store::Span span; ///< In the file; of all these chunks.
    };

    struct Job {
        xet::XorbHash xorb;
        std::string url;
        xet::FetchRange range;
        std::vector<Place> places; ///< Sorted by where their chunks begin.
        std::uint64_t plan = 0;    ///< Which plan of the whole file it came from; 0: a span's.
        int denied = 0;            ///< How often its address was no longer good.
    };

    struct Wanted {
        store::Span span;
        int denied = 0;
    };

    using Work = std::variant<Job, Wanted>;

    /// A chunk as it was seen, for the index of a file without a shard.
    struct Seen {
        std::uint64_t offset = 0;
        std::uint32_t size = 0;
        std::uint32_t index = 0;
        std::uint32_t xorb = 0; ///< Number in seen_xorbs_.
        xet::ChunkHash hash;

        auto operator<=>(const Seen&) const = default; // by offset first
    };

    Status note_seen(std::uint64_t offset,
                     std::uint32_t size,
                     std::uint32_t index,
                     const xet::ChunkHash& hash,
                     const xet::XorbHash& xorb);

    void lead();
    void work();
    Status start();
    Status ask_whole_plan(const std::stop_token& stop); ///< REQUIRES: plan_mutex_ is held.

    Status check_stop() const;
    Status copy_by_hash();
    Status copy_by_place(const xet::Plan& plan);
    Status
    copy_term(const store::ChunkFinder& finder, const xet::FileTerm& term, std::uint64_t offset);
    Status copy_found(std::uint64_t offset,
                      const xet::XorbHash& xorb,
                      std::uint32_t index,
                      const std::vector<store::FoundChunk>& found);
    /// Copies the run and empties it.
    Status copy_run(std::uint64_t offset, std::vector<store::FoundChunk>& run);

    /// The jobs of a plan whose first term begins at `base` in the file.
    Result<std::vector<Job>>
    make_jobs(const xet::Plan& plan, std::uint64_t base, std::uint64_t number) const;
    std::uint64_t needed_of(const Job& job, const std::vector<store::Span>& gaps) const;
    /// What a job would bring that is missing, with small gaps between included.
    std::vector<store::Span> spans_of(const Job& job, const std::vector<store::Span>& gaps) const;
    /// Pushes the spans of a job of which enough is here already. False: fetch it as it is.
    bool push_spans(const Job& job, const std::vector<store::Span>& gaps);

    Status do_wanted(const Wanted& wanted);
    Status do_job(Job job, Retry& retry);
    enum class Address { Kept, Renewed };
    /// Queues what of a job is still missing.
    Status put_back(Job job, Address address);
    /// Gives a job the address of a fresh plan. False if its range has none of its own there.
    Result<bool> renew_address(Job& job);

    std::optional<Work> take();
    void push(Work work);
    void finished();
    void fail(Error error);

    // Constant after construction or prepare.
    const Endpoint& endpoint_;
    const FileRef& file_;
    const xet::FileHash hash_;
    CasClient& cas_;
    store::Store& store_;
    store::Part& part_;
    const PullOptions& options_;
    std::optional<ChunkList> list_;

    std::stop_source stop_; ///< Stops the workers, on failure too.
    RateLimit limit_;
    std::atomic<std::uint64_t> fetched_ = 0;
    std::atomic<std::uint64_t> copied_ = 0;
    std::atomic<int> retries_ = 0;

    std::mutex plan_mutex_;         ///< Guards what follows; held while a plan is asked for.
    std::optional<xet::Plan> plan_; ///< Of the whole file: for its jobs' addresses.
    std::uint64_t plan_number_ = 0; ///< Counts the plans of the whole file.

    mutable std::mutex mutex_; ///< Guards what follows.
    std::condition_variable_any changed_;
    std::deque<Work> queue_;
    int in_flight_ = 0;
    int running_ = 0; ///< Threads that have not returned.
    std::string source_;
    SpillSorter<Seen> seen_;
    std::map<xet::XorbHash, std::uint32_t> seen_xorbs_; ///< Their numbers.
    /// Chunks that came wrong once.
    std::set<std::pair<xet::XorbHash, std::uint32_t>> suspects_;
    std::optional<Error> error_; ///< The first that ended it.
};

} // namespace locara::hf
