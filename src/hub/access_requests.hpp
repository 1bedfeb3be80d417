// Who asked to read the files of gated repositories, and what became of it.
// Threads, processes, and errors besides those named: as Database.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/hub/accounts.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace locara::hub {

class Database;

enum class RequestState { Pending, Accepted, Rejected };

/// "pending", "accepted", "rejected".
std::string_view render(RequestState state);
std::optional<RequestState> parse_request_state(std::string_view text);

/// One account and one repository have one at most.
struct AccessRequest {
    Account account;
    RequestState state = RequestState::Pending;
    TimePoint made;                   ///< When it was asked, or granted.
    std::optional<TimePoint> expires; ///< When an accepted one ends; never, if absent.
    bool granted = false;             ///< Nobody asked: access was given.
    std::string fields = "{}";        ///< What the asker filled in: a JSON object of texts.
    std::string reason;               ///< Why it was rejected.

    /// An accepted one that has ended counts for nothing.
    bool is_over(TimePoint now) const {
        return state == RequestState::Accepted && expires && *expires <= now;
    }
};

class AccessRequests {
  public:
    explicit AccessRequests(std::shared_ptr<Database> database) : database_(std::move(database)) {}

    /// Conflict when there is one of this account that is not over: its state stays.
    Status add(std::int64_t repo, const AccessRequest& request, TimePoint now);

    /// `repo` is Repo::key, `account` Account::key. One that is over is still found.
    Result<std::optional<AccessRequest>> find(std::int64_t repo, std::int64_t account) const;

    /// Gives a request another state, with the reason or the end that go with it; what was asked
    /// stays. NotFound; Conflict when it has this state already and is not over.
    Status decide(std::int64_t repo, const AccessRequest& decided, TimePoint now);

    /// NotFound.
    Status remove(std::int64_t repo, std::int64_t account);

    /// Of a repository, sorted by name; of all states, or of one.
    Result<std::vector<AccessRequest>> list(std::int64_t repo,
                                            std::optional<RequestState> state = {}) const;

    /// The repositories whose files the account may read now.
    Result<std::vector<std::int64_t>> admitted(std::int64_t account, TimePoint now) const;

  private:
    std::shared_ptr<Database> database_;
};

} // namespace locara::hub
