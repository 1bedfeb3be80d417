// WarmFiles: files that were asked for just now, so that asking again takes no pool, no libgit2 and
// no table.
//
// It never gives what the routes would not give: an answer is kept with all that it followed from,
// and each of these is looked at again before it is given.
//   - Who the caller is, what he may, whether the repository is there and what it is called: the
//     database has not changed at all since, neither by this process nor by another
//     (DatabaseWatch). SQLite is asked on the spot; PostgreSQL takes a round trip, which all share
//     who ask at the same time.
//   - When his token ends: by the clock.
//   - Where the branch stands: its ref's file is the same one still. Kept are whole commit ids, and
//     branches without '/' in their name that have a file and have not moved in the last moment. A
//     tag "main/x", which a path of the branch "main" might mean, keeps answers away.
//   - Gated repositories, where access ends by itself, are never kept. Of what is mirrored, neither
//     what upstream does not give to everybody; the rest for as long as a branch is believed.
// What a commit holds never changes; if one goes away, its files may still be had for kKeptFor.
//
// Threads: any. Memory: kMostFiles and kMostBytes.
#pragma once

#include "access.hpp"
#include "file_answers.hpp"

#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace locara::hub {

class DatabaseWatch;
class Routes;
struct Place;

class WarmFiles {
  public:
    static constexpr std::size_t kMostFiles = 4096;
    static constexpr std::size_t kMostBytes = 16U << 20U; ///< Of all files together.
    static constexpr std::size_t kLargestFile = 64U << 10U;
    static constexpr std::chrono::seconds kKeptFor{60};

    /// Without a watch it keeps nothing.
    WarmFiles(std::unique_ptr<DatabaseWatch> watch, const Services& services);
    ~WarmFiles();

    /// The answer to a GET or HEAD if it is known; then its notes have route and user too. Does not
    /// wait: for KnownFirst.
    std::optional<http::Response> answer(const http::Request& request);

    /// The same where the database has to be asked first, which answer() does not wait for;
    /// nothing where it has not. The request is borrowed.
    boost::asio::awaitable<std::optional<http::Response>> ask(const http::Request& request);

    /// How things stood before an answer was looked for.
    struct Before {
        std::optional<long long> version;
    };

    Before before();

    /// Keeps what was found for a request of this caller, unless it is one of those above.
    void keep(const Before& before,
              const http::Request& request,
              const Caller& caller,
              const Place& place,
              const FoundFile& found);

    /// The same for what everybody may have of a mirrored repository, until upstream, or the
    /// caller's token, has to be looked at again. Each GET that it answers counts as one of `hits`,
    /// which is borrowed.
    void keep_mirrored(const Before& before,
                       const http::Request& request,
                       const FileAt& at,
                       const FoundFile& found,
                       TimePoint until,
                       std::atomic<std::uint64_t>& hits);

    /// How many files are kept.
    std::size_t size() const;

  private:
    struct File;

    /// The key of a request if a database of this kind should be asked about it.
    enum class Watched { AtOnce, ByAsking };
    std::optional<std::string> kept_key(const http::Request& request, Watched watched) const;
    std::optional<http::Response> answer_as_of(std::optional<long long> version,
                                               const http::Request& request,
                                               const std::string& key);
    std::shared_ptr<const File> find(std::optional<long long> version, const std::string& key);
    bool holds(const File& file) const;
    void put(const Before& before, const http::Request& request, std::shared_ptr<const File> file);
    void forget_all(); ///< With mutex_ held.

    const std::unique_ptr<DatabaseWatch> watch_;
    const Services& services_;
    mutable std::mutex mutex_;
    // Under mutex_, as all below: the database's when all files were found.
    std::optional<long long> version_;
    std::unordered_map<std::string, std::shared_ptr<const File>> files_;
    std::deque<std::string> order_; ///< The keys of files_, oldest first.
    std::size_t bytes_ = 0;
};

/// Content by `resolve`, of every type; borrows everything.
void add_resolve_routes(Routes& routes, const Services& services, WarmFiles& warm);

} // namespace locara::hub
