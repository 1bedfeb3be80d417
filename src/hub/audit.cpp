#include "database.hpp"

#include <locara/crypto/chained_line.hpp>
#include <locara/hub/audit.hpp>

#include <array>
#include <cstdlib>
#include <mutex>
#include <set>

#include <pwd.h>
#include <unistd.h>

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

/// Lines read at once.
constexpr int kPage = 1000;
/// Texts that is_new remembers; behind them it begins anew.
constexpr std::size_t kSeen = 8192;

struct Row {
    long long seq = 0;
    std::string line;
};

} // namespace

struct Audit::Seen {
    std::mutex mutex;
    std::set<std::string> texts; // under mutex
};

Audit::Audit(std::shared_ptr<Database> database, const Clock& clock)
    : database_(std::move(database)), clock_(&clock), seen_(std::make_shared<Seen>()) {}

bool Audit::is_new(const std::string& what) {
    const std::lock_guard lock(seen_->mutex);
    if (seen_->texts.size() >= kSeen && seen_->texts.count(what) == 0) {
        seen_->texts.clear();
    }
    return seen_->texts.insert(what).second;
}

Result<Audit> Audit::open(const std::filesystem::path& data, const Clock& clock) {
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Fail));
    return Audit(std::move(database), clock);
}

Status Audit::append(std::string_view event, const Json& fields) {
    return database_->transact([&](soci::session& sql) -> Status {
        Row last;
        sql << "SELECT seq, line FROM audit ORDER BY seq DESC LIMIT 1", into(last.seq),
            into(last.line);
        crypto::ChainEnd end;
        if (sql.got_data()) {
            LOCARA_TRY(const auto line, crypto::ChainedLine::parse(last.line));
            end = line.end();
        }
        const std::string made = crypto::ChainedLine::render(end, clock_->now(), event, fields);
        const auto seq = static_cast<long long>(end.seq) + 1;
        sql << "INSERT INTO audit (seq, line) VALUES (:s, :l)", use(seq), use(made);
        return {};
    });
}

Result<Audit::Report> Audit::verify(const Sink& sink) const {
    crypto::ChainEnd end;
    while (true) {
        const auto after = static_cast<long long>(end.seq);
        LOCARA_TRY(const auto rows,
                   database_->with([&](soci::session& sql) -> Result<std::vector<Row>> {
                       Row row;
                       soci::statement statement =
                           (sql.prepare << "SELECT seq, line FROM audit WHERE seq > :s"
                                           " ORDER BY seq LIMIT " +
                                               std::to_string(kPage),
                            use(after),
                            into(row.seq),
                            into(row.line));
                       statement.execute();
                       std::vector<Row> found;
                       while (statement.fetch()) {
                           found.push_back(row);
                       }
                       return found;
                   }));
        if (rows.empty()) {
            return Report{end.seq, end.hash};
        }
        for (const Row& row : rows) {
            const std::string where = "line " + std::to_string(row.seq) + " of the audit log";
            LOCARA_TRY(const auto line, crypto::ChainedLine::parse(row.line).context(where));
            if (!line.follows(end) || line.end().seq != static_cast<std::uint64_t>(row.seq)) {
                return Error(ErrorCode::Corrupt,
                             where + " does not follow the line before it (something was taken "
                                     "out, put in or moved)");
            }
            end = line.end();
            if (sink) {
                LOCARA_CHECK(sink(line.members()));
            }
        }
    }
}

std::string operator_name() {
    const char* const user =
        std::getenv("USER"); // NOLINT(concurrency-mt-unsafe): set by nobody here
    if (user != nullptr && *user != '\0') {
        return std::string("operator:") + user;
    }
    // As under a timer or in a container, where nobody sets it.
    std::array<char, 4096> space{};
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(::geteuid(), &entry, space.data(), space.size(), &found) == 0 &&
        found != nullptr && found->pw_name != nullptr) {
        return std::string("operator:") + found->pw_name;
    }
    return "operator:uid-" + std::to_string(::geteuid());
}

} // namespace locara::hub
