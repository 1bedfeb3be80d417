#include "database_watch.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <libpq-fe.h>
#include <poll.h>

namespace locara::hub {
namespace {

namespace asio = boost::asio;
using Version = std::optional<long long>;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPause{1}; // before it connects again

struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};

struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
};

/// Waits until the server has said something. False at the deadline.
bool wait_for_input(PGconn* connection, Clock::time_point deadline) {
    while (true) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) {
            return false;
        }
        pollfd waiting{PQsocket(connection), POLLIN, 0};
        const int ready = ::poll(&waiting, 1, static_cast<int>(left.count()));
        if (ready > 0) {
            return true;
        }
        if (ready < 0 && errno != EINTR) {
            return false;
        }
    }
}

/// A session and what it said last. Of one thread.
class Session {
  public:
    explicit Session(std::string url) : url_(std::move(url)) {}

    bool is_connected() const { return connection_ != nullptr; }

    /// Takes five seconds at most, unless the address says otherwise.
    void connect() {
        const std::array keywords = {
            "connect_timeout", "dbname", static_cast<const char*>(nullptr)};
        const std::array values = {"5", url_.c_str(), static_cast<const char*>(nullptr)};
        constexpr int kExpand = 1; // what is called dbname is an address
        connection_.reset(PQconnectdbParams(keywords.data(), values.data(), kExpand));
        if (PQstatus(connection_.get()) != CONNECTION_OK) {
            connection_.reset();
        }
        snapshot_.clear(); // It may be another server by now.
    }

    /// Nothing, and no connection any more, if it cannot be told in time.
    Version ask() {
        std::string snapshot = ask_for_snapshot();
        if (snapshot.empty()) {
            connection_.reset();
            return std::nullopt;
        }
        if (snapshot != snapshot_) {
            snapshot_ = std::move(snapshot);
            ++version_;
        }
        return version_;
    }

  private:
    std::string ask_for_snapshot() const {
        const auto deadline = Clock::now() + DatabaseWatch::kLongest;
        PGconn* const connection = connection_.get();
        if (PQsendQuery(connection, "SELECT pg_catalog.pg_current_snapshot()") != 1) {
            return "";
        }
        std::string snapshot;
        while (true) {
            while (PQisBusy(connection) == 1) {
                if (!wait_for_input(connection, deadline) || PQconsumeInput(connection) != 1) {
                    return "";
                }
            }
            const std::unique_ptr<PGresult, Clear> result(PQgetResult(connection));
            if (!result) {
                return snapshot;
            }
            if (PQresultStatus(result.get()) != PGRES_TUPLES_OK || PQntuples(result.get()) != 1) {
                return "";
            }
            snapshot = PQgetvalue(result.get(), 0, 0);
        }
    }

    const std::string url_;
    std::unique_ptr<PGconn, Finish> connection_;
    std::string snapshot_;
    long long version_ = 0;
};

/// One thread asks for all who wait; who comes while a question is under way waits for the next
/// one, since what was committed before he came must count.
class PostgresqlWatch final : public DatabaseWatch {
  public:
    explicit PostgresqlWatch(std::string url)
        : session_(std::move(url)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

    bool is_immediate() const override { return false; }

    Version version() override { return std::nullopt; }

    asio::awaitable<Version> ask() override {
        const auto executor = co_await asio::this_coro::executor;
        Version answer;
        auto initiate = [this, &answer, &executor](auto handler) {
            const auto shared = std::make_shared<decltype(handler)>(std::move(handler));
            wait([&answer, executor, shared](Version told) {
                answer = told;
                asio::post(executor, std::move(*shared));
            });
        };
        asio::use_awaitable_t<> token;
        auto told = asio::async_initiate<asio::use_awaitable_t<>, void()>(initiate, token);
        co_await std::move(told);
        co_return answer;
    }

    Version seen() override {
        const std::lock_guard lock(mutex_);
        wanted_ = true;
        wake_.notify_one();
        return seen_;
    }

  private:
    using Waiting = std::function<void(Version)>;

    void wait(Waiting one) {
        {
            const std::lock_guard lock(mutex_);
            wanted_ = true;
            wake_.notify_one();
            if (connected_) {
                waiting_.push_back(std::move(one));
                return;
            }
        }
        one(std::nullopt); // To connect may take long.
    }

    /// Those who wait for the next question.
    std::vector<Waiting> take(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, stop, [this] { return wanted_; });
        wanted_ = false;
        return std::exchange(waiting_, {});
    }

    /// Returns those who came too late for what was told.
    std::vector<Waiting> note(Version told) {
        const std::lock_guard lock(mutex_);
        seen_ = told;
        connected_ = session_.is_connected();
        return connected_ ? std::vector<Waiting>() : std::exchange(waiting_, {});
    }

    void pause(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, kPause, [] { return false; });
    }

    void run(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const auto waiting = take(stop);
            if (!session_.is_connected() && !stop.stop_requested()) {
                session_.connect();
            }
            const Version told = session_.is_connected() ? session_.ask() : std::nullopt;
            const auto late = note(told);
            for (const Waiting& one : waiting) {
                one(told);
            }
            for (const Waiting& one : late) {
                one(std::nullopt);
            }
            if (!told) {
                pause(stop);
            }
        }
    }

    Session session_; ///< The thread's.
    std::mutex mutex_;
    std::condition_variable_any wake_;
    bool wanted_ = false; // under mutex_, as all below
    bool connected_ = false;
    Version seen_;
    std::vector<Waiting> waiting_;
    std::jthread thread_; ///< Last: it uses what is above.
};

} // namespace

std::unique_ptr<DatabaseWatch> DatabaseWatch::connect(std::string url) {
    return std::make_unique<PostgresqlWatch>(std::move(url));
}

} // namespace locara::hub
