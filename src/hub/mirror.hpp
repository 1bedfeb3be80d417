// Mirror: what is known here of another hub's repositories, and asking it for the rest.
//
// Everything that is named by a commit is kept for good; where a branch stands is asked again when
// it has been believed for MirrorConfig::freshness. Of a repository are kept: where its revisions
// stand and which content is here (in names.db), the listing of each commit asked for and other
// answers as they came (files below `mirror/`). Content is in the chunk store.
//
// A namespace that has an account or a repository here is never asked for upstream, so nobody can
// slip in what this hub calls its own, and private names do not leak.
//
// Every question is put with a Reach: with Reach::Here the answer is the refusal is_wanting() if
// upstream would have to be asked. So what is here is answered at once, however slow upstream is.
//
// Threads: may be used from any; calls block, those with Reach::Upstream for as long as upstream
// takes. One question at a time is asked for the same thing; others wait for its answer.
#pragma once

#include "download.hpp"
#include "listing.hpp"
#include "mirror_counts.hpp"
#include "upstream.hpp"

#include <locara/hub/config.hpp>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace locara::hub {

enum class Reach { Here, Upstream };

/// Whether a refusal only says that upstream would have to be asked.
bool is_wanting(const Refusal& refusal);

/// Who asks, as far as upstream is concerned.
struct Asker {
    Secret token;                  ///< One of upstream's; empty for none.
    std::string key;               ///< Stands for the token where it must not be kept; "" for none.
    std::optional<TimePoint> ends; ///< When the token of this hub that came instead ends.
};

/// What every question comes with.
struct Visit {
    RepoId id;
    Asker asker;
    Reach reach = Reach::Here;
};

/// A commit of a mirrored repository, and a path in it.
struct Spot {
    Repo repo;
    std::string commit;
    std::string path;
    bool pinned = false; ///< The revision was the commit itself.
    TimePoint until{};   ///< How long it is believed to be there; the epoch if not even now.
};

/// The content of a file: in the store, or on its way. Neither: it is empty, or was not wanted.
struct FoundContent {
    std::optional<StoredFile> stored;
    std::shared_ptr<Download> download;
};

class Mirror {
  public:
    /// Who asks upstream: this process, or only the one that has the folder, which this one has
    /// joined (hub.hpp). Then what is here is served as offline.
    enum class Fetcher { Self, Owner };

    struct Options {
        MirrorConfig config;
        Fetcher fetcher = Fetcher::Self;
        std::filesystem::path folder; ///< Made if it is not there.
        Judge judge;
        std::function<Result<std::string>()> scanners; ///< Gate::scanners.
    };

    /// Borrows `services`. Begins to prefetch.
    static Result<std::unique_ptr<Mirror>> create(const Services& services, Options options);

    ~Mirror(); ///< stop()
    Mirror(const Mirror&) = delete;
    Mirror& operator=(const Mirror&) = delete;

    /// Whether questions about this repository go to upstream. Only reads names.
    Result<bool> claims(const RepoId& id) const;

    /// The asker of a request. 401 for a token that is none of this hub's, unless such tokens are
    /// forwarded.
    Answer<Asker> identify(const http::Request& request) const;

    /// 403 if the rules do not allow the repository.
    Answer<std::monostate> check_rules(const RepoId& id) const;

    /// The whole id of one that has no namespace ("gpt2"), as upstream gives it to everybody. 403
    /// if the rules do not allow it.
    Answer<RepoId> find_alias(RepoType type, const std::string& name, Reach reach);

    /// A revision of the repository, by whatever name. `path` stays empty.
    Answer<Spot> find_revision(const Visit& visit, const std::string& revision);

    /// As locate() of place.hpp: the revision is the segment `at`, or several, when its slashes
    /// came unencoded; "main" without it.
    Answer<Spot>
    locate(const Visit& visit, const std::vector<std::string>& segments, std::size_t at);

    Answer<std::shared_ptr<const Listing>>
    list(const Visit& visit, const Repo& repo, const std::string& commit);

    /// Whether the asker may read the content of files.
    Answer<std::monostate> check_access(const Visit& visit, const Repo& repo);

    /// An answer of upstream's API, as it came: `call` after `prefix` of the repository, such as
    /// "/revision/<commit>?blobs=true". Kept for good, or as long as a branch is believed.
    enum class Keep { ForGood, WhileFresh };
    Answer<UpstreamAnswer> pass_on(const Visit& visit,
                                   const Repo& repo,
                                   const std::string& call,
                                   Keep keep,
                                   const std::optional<std::string>& body = std::nullopt);

    /// The branches that are known here, as refs; no commits.
    Result<Json> kept_refs(const Repo& repo) const;

    /// What upstream finds. `query` as it came, encoded.
    Answer<UpstreamAnswer> search(RepoType type, const std::string& query, const Asker& asker);

    /// What is known here of the repositories of a type, as upstream described each last; of a
    /// namespace, unless `space` is empty. Not of private ones, and of gated ones no files. `id` is
    /// the one that they have here; `gated` and `tags` are there.
    Result<std::vector<Json>> describe_kept(RepoType type, std::string_view space) const;

    /// The content of a file that the asker may read (check_access). With Begin::Yes it begins to
    /// be fetched if it is not here; with Begin::No neither is found then. 403 if the gate has
    /// refused it; 424 offline.
    enum class Begin { No, Yes };
    Answer<FoundContent>
    open(const Visit& visit, const Spot& spot, const GitEntry& file, Begin begin);

    /// The content if it is here.
    Result<std::optional<StoredFile>> find_stored(const Repo& repo, const GitEntry& file) const;

    bool is_offline() const { return upstream_.is_offline(); }

    const MirrorConfig& config() const { return options_.config; }

    MirrorCounts& counts() { return counts_; }

    /// Ends all work. Before the server's coroutines go.
    void stop();

  private:
    struct Flight;
    struct Kept;

    Mirror(const Services& services, Options options, http::Client http);

    template <class Work> Answer<std::monostate> once(const std::string& key, Work work);
    Answer<std::monostate> ask_alias(RepoType type, const std::string& name);
    Answer<std::monostate> ask_revision(const Visit& visit, const std::string& revision);
    Answer<std::monostate>
    ask_listing(const Visit& visit, const Repo& repo, const std::string& commit);
    /// What upstream says about a repository. If it says that there is none, what is here of it is
    /// for nobody but whom upstream lets in, until it says otherwise.
    Answer<UpstreamAnswer> ask_about(const RepoId& id, const UpstreamCall& call);
    Answer<std::monostate> ask_access(const Visit& visit, const Repo& repo);
    /// Whether upstream has said yes of late.
    bool knows_access(const Visit& visit, const Repo& repo);
    /// Whether a private repository has to look to this visitor as one that is not known here.
    bool is_hidden(const Visit& visit, const Repo& repo);
    Answer<std::monostate> may_see(const Visit& visit, const Repo& repo);
    Answer<std::monostate> require_access(const Visit& visit, const Repo& repo);
    Answer<Spot> longest_ref(const Visit& visit,
                             const std::vector<std::string>& segments,
                             std::size_t at,
                             const Refusal& otherwise);
    std::string why_not_asked() const;
    Refusal not_here(const std::string& what) const;
    Result<Repo> note_repo(const RepoId& id, Origin origin);
    Result<std::optional<Repo>> find_repo(const RepoId& id) const;

    std::filesystem::path folder_of(const Repo& repo) const;
    Result<std::optional<Kept>> read_kept(const std::filesystem::path& folder,
                                          const std::string& key) const;
    Status write_kept(const std::filesystem::path& folder,
                      const std::string& key,
                      const UpstreamAnswer& answer);

    Result<bool> is_refused_still(const MirroredFile& file, const std::string& name) const;
    void note_use(const Repo& repo, const MirroredFile& file) const;
    void prefetch();
    /// `promised` are the bytes of rules before it, and of this one afterwards.
    Answer<std::monostate> prefetch_one(const PrefetchRule& rule, std::uint64_t& promised);
    Answer<std::monostate>
    require_prefetch_room(const Repo& repo, const Listing& listing, std::uint64_t& promised) const;
    void evict(const std::string& newest) const;

    const Services& services_;
    const Options options_;
    http::Client http_;
    std::stop_source stop_;
    MirrorCounts counts_;
    const Upstream upstream_;
    std::unique_ptr<Downloads> downloads_;
    std::thread prefetcher_;

    std::mutex mutex_; ///< Guards what follows.
    std::condition_variable_any changed_;
    std::map<std::string, std::shared_ptr<Flight>> flights_;
    /// Failures of late, so that a hub in trouble is not asked for each client.
    std::map<std::string, std::pair<Refusal, TimePoint>> failures_;
    /// Upstream's yes to an asker: repository and asker -> until when.
    std::map<std::string, TimePoint> access_;
    /// Listings used last: key, value; the last one is the newest.
    std::vector<std::pair<std::string, std::shared_ptr<const Listing>>> listings_;
};

/// "/api/models/org/name", and "/org/name" with the type's prefix.
std::string api_path(const RepoId& id);
std::string web_path(const RepoId& id);

} // namespace locara::hub
