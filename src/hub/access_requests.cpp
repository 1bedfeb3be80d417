#include "access_requests.hpp"

#include "database.hpp"
#include "names_rows.hpp"

#include <array>

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

constexpr std::array kStates = {
    RequestState::Pending, RequestState::Accepted, RequestState::Rejected};

/// The columns of a request joined with its account, in the order of kColumns.
struct Row {
    long long key = 0, created = 0, made = 0, expires = 0;
    soci::indicator has_end = soci::i_ok;
    int state = 0, granted = 0;
    AccessRequest request;

    Result<AccessRequest> take() const {
        if (state < 0 || static_cast<std::size_t>(state) >= kStates.size()) {
            return Error(ErrorCode::Corrupt, "a request in the database has a wrong state");
        }
        AccessRequest taken = request;
        taken.account.key = key;
        taken.account.created = time_of(created);
        taken.state = kStates[static_cast<std::size_t>(state)];
        taken.made = time_of(made);
        taken.granted = granted != 0;
        taken.expires = has_end == soci::i_null ? std::nullopt : std::optional(time_of(expires));
        return taken;
    }
};

constexpr const char* kColumns =
    "SELECT a.key, a.id, a.name, a.full_name, a.created, q.state, q.made, q.expires, q.granted,"
    " q.fields, q.reason FROM access_requests q JOIN accounts a ON a.key = q.account ";

soci::details::prepare_temp_type into_row(soci::details::prepare_temp_type statement, Row& row) {
    return (std::move(statement),
            into(row.key),
            into(row.request.account.id),
            into(row.request.account.name),
            into(row.request.account.full_name),
            into(row.created),
            into(row.state),
            into(row.made),
            into(row.expires, row.has_end),
            into(row.granted),
            into(row.request.fields),
            into(row.request.reason));
}

Result<std::optional<AccessRequest>>
find_request(soci::session& sql, std::int64_t repo, std::int64_t account) {
    const long long of = repo;
    const long long by = account;
    Row row;
    soci::statement statement = into_row(
        (sql.prepare << kColumns << "WHERE q.repo = :r AND q.account = :a", use(of), use(by)), row);
    if (!statement.execute(true)) {
        return std::optional<AccessRequest>();
    }
    LOCARA_TRY(AccessRequest request, row.take());
    return std::optional(std::move(request));
}

} // namespace

std::string_view render(RequestState state) {
    switch (state) {
    case RequestState::Pending:
        return "pending";
    case RequestState::Accepted:
        return "accepted";
    case RequestState::Rejected:
        return "rejected";
    }
    return "pending";
}

std::optional<RequestState> parse_request_state(std::string_view text) {
    for (const RequestState state : kStates) {
        if (render(state) == text) {
            return state;
        }
    }
    return std::nullopt;
}

Status AccessRequests::add(std::int64_t repo, const AccessRequest& request, TimePoint now) {
    return database_->transact([&](soci::session& sql) -> Status {
        LOCARA_TRY(const auto known, find_request(sql, repo, request.account.key));
        if (known && !known->is_over(now)) {
            return Error(ErrorCode::Conflict,
                         "the request of user " + known->account.name + " is " +
                             std::string(render(known->state)) + " already");
        }
        const long long of = repo;
        const long long by = request.account.key;
        const int state = static_cast<int>(request.state);
        const long long made = seconds(request.made);
        const long long expires = request.expires ? seconds(*request.expires) : 0;
        soci::indicator has_end = request.expires ? soci::i_ok : soci::i_null;
        const int granted = request.granted ? 1 : 0;
        sql << "DELETE FROM access_requests WHERE repo = :r AND account = :a", use(of), use(by);
        sql << "INSERT INTO access_requests"
               " (repo, account, state, made, expires, granted, fields, reason)"
               " VALUES (:r, :a, :s, :m, :e, :g, :f, :w)",
            use(of), use(by), use(state), use(made), use(expires, has_end), use(granted),
            use(request.fields), use(request.reason);
        return {};
    });
}

Result<std::optional<AccessRequest>> AccessRequests::find(std::int64_t repo,
                                                          std::int64_t account) const {
    return database_->with([&](soci::session& sql) { return find_request(sql, repo, account); });
}

Status AccessRequests::decide(std::int64_t repo, const AccessRequest& decided, TimePoint now) {
    return database_->transact([&](soci::session& sql) -> Status {
        LOCARA_TRY(const auto known, find_request(sql, repo, decided.account.key));
        if (!known) {
            return Error(ErrorCode::NotFound,
                         "user " + decided.account.name + " has not asked for access");
        }
        if (known->state == decided.state && !known->is_over(now)) {
            return Error(ErrorCode::Conflict,
                         "the request of user " + known->account.name + " is " +
                             std::string(render(known->state)) + " already");
        }
        const long long of = repo;
        const long long by = decided.account.key;
        const int state = static_cast<int>(decided.state);
        const long long expires = decided.expires ? seconds(*decided.expires) : 0;
        soci::indicator has_end = decided.expires ? soci::i_ok : soci::i_null;
        sql << "UPDATE access_requests SET state = :s, expires = :e, reason = :w"
               " WHERE repo = :r AND account = :a",
            use(state), use(expires, has_end), use(decided.reason), use(of), use(by);
        return {};
    });
}

Status AccessRequests::remove(std::int64_t repo, std::int64_t account) {
    return database_->with([&](soci::session& sql) -> Status {
        const long long of = repo;
        const long long by = account;
        soci::statement statement =
            (sql.prepare << "DELETE FROM access_requests WHERE repo = :r AND account = :a",
             use(of),
             use(by));
        statement.execute(true);
        if (statement.get_affected_rows() == 0) {
            return Error(ErrorCode::NotFound, "there is no such request");
        }
        return {};
    });
}

Result<std::vector<AccessRequest>> AccessRequests::list(std::int64_t repo,
                                                        std::optional<RequestState> state) const {
    return database_->with([&](soci::session& sql) -> Result<std::vector<AccessRequest>> {
        const long long of = repo;
        const int wanted = state ? static_cast<int>(*state) : -1;
        Row row;
        soci::statement statement =
            into_row((sql.prepare << kColumns
                                  << "WHERE q.repo = :r AND (:s < 0 OR q.state = :w)"
                                     " ORDER BY a.name",
                      use(of, "r"),
                      use(wanted, "s"),
                      use(wanted, "w")),
                     row);
        statement.execute();
        std::vector<AccessRequest> found;
        while (statement.fetch()) {
            LOCARA_TRY(AccessRequest request, row.take());
            found.push_back(std::move(request));
        }
        return found;
    });
}

Result<std::vector<std::int64_t>> AccessRequests::admitted(std::int64_t account,
                                                           TimePoint now) const {
    return database_->with([&](soci::session& sql) -> Result<std::vector<std::int64_t>> {
        const long long by = account;
        const int accepted = static_cast<int>(RequestState::Accepted);
        const long long time = seconds(now);
        long long repo = 0;
        soci::statement statement =
            (sql.prepare << "SELECT repo FROM access_requests WHERE account = :a AND state = :s"
                            " AND (expires IS NULL OR expires > :t)",
             use(by),
             use(accepted),
             use(time),
             into(repo));
        statement.execute();
        std::vector<std::int64_t> found;
        while (statement.fetch()) {
            found.push_back(repo);
        }
        return found;
    });
}

} // namespace locara::hub
