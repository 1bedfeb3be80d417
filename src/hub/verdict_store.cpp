#include "verdict_store.hpp"

#include "database.hpp"
#include "names_rows.hpp"

#include <locara/formats/verdict_json.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

/// Verdicts about a moment: of time, memory of a busy machine, or a scanner that did not work.
constexpr std::string_view kPassing[] = {
    "antivirus.unseen", "scan.memory", "scan.time", "yara.time"};

} // namespace

bool is_passing(const formats::Verdict& verdict) {
    return verdict.label == formats::Label::Unreadable ||
           std::find(std::begin(kPassing), std::end(kPassing), verdict.rule) != std::end(kPassing);
}

std::string content_id(const GitEntry& file) {
    return file.lfs ? file.lfs->sha256.render() : file.oid;
}

std::string name_of(std::string_view path) {
    return std::string(path.substr(path.rfind('/') + 1));
}

Status VerdictStore::note(const std::string& content,
                          const std::string& name,
                          const Judgement& judgement) const {
    const bool passing = is_passing(judgement.verdict);
    if (passing && judgement.verdict.decision == formats::Decision::Refuse) {
        return {};
    }
    const auto decision = static_cast<int>(judgement.verdict.decision);
    const std::string scanners = passing ? "" : judgement.scanners;
    const long long made = seconds(judgement.made);
    const std::string verdict = render_json(formats::render_verdict(judgement.verdict));
    const std::string conflict =
        passing ? "DO NOTHING"
                : "DO UPDATE SET decision = excluded.decision, scanners = excluded.scanners,"
                  " judged = excluded.judged, verdict = excluded.verdict, facts = excluded.facts";
    return database_->with([&](soci::session& sql) -> Status {
        sql << "INSERT INTO verdicts (content, name, decision, scanners, judged, verdict, facts)"
               " VALUES (:c, :n, :d, :s, :j, :v, :f) ON CONFLICT (content, name) " +
                   conflict,
            use(content), use(name), use(decision), use(scanners), use(made), use(verdict),
            use(judgement.facts);
        return {};
    });
}

Result<std::optional<Judgement>> VerdictStore::find(const std::string& content,
                                                    const std::string& name) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<Judgement>> {
        Judgement found;
        std::string verdict;
        long long made = 0;
        sql << "SELECT scanners, judged, verdict, facts FROM verdicts WHERE content = :c AND name "
               "= :n",
            use(content), use(name), into(found.scanners), into(made), into(verdict),
            into(found.facts);
        if (!sql.got_data()) {
            return std::optional<Judgement>();
        }
        LOCARA_TRY(const Json json, parse_json(verdict));
        auto parsed = formats::parse_verdict(json);
        if (!parsed) { // Of a program with other rules: it is judged again.
            return std::optional<Judgement>();
        }
        found.verdict = std::move(*parsed);
        found.made = time_of(made);
        return std::optional(std::move(found));
    });
}

Result<std::optional<formats::Verdict>>
VerdictStore::find_refusal(const std::string& content) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<formats::Verdict>> {
        std::string verdict;
        sql << "SELECT verdict FROM verdicts WHERE content = :a AND decision = 2 AND NOT EXISTS"
               " (SELECT 1 FROM verdicts v WHERE v.content = :b AND v.decision <> 2)"
               " ORDER BY name LIMIT 1",
            use(content, "a"), use(content, "b"), into(verdict);
        if (!sql.got_data()) {
            return std::optional<formats::Verdict>();
        }
        LOCARA_TRY(const Json json, parse_json(verdict));
        auto parsed = formats::parse_verdict(json);
        return parsed ? std::optional(std::move(*parsed)) : std::nullopt;
    });
}

Result<RefusedBlobs> VerdictStore::refused_blobs() const {
    return database_->with([&](soci::session& sql) -> Result<RefusedBlobs> {
        std::string content;
        std::string name;
        soci::statement statement =
            (sql.prepare << "SELECT content, name FROM verdicts WHERE decision = 2"
                            " AND LENGTH(content) = 40 AND NOT EXISTS (SELECT 1 FROM verdicts v"
                            " WHERE v.content = verdicts.content AND v.decision <> 2)",
             into(content),
             into(name));
        statement.execute();
        RefusedBlobs blobs;
        while (statement.fetch()) {
            blobs[content].push_back(name);
        }
        return blobs;
    });
}

Result<std::vector<std::string>> VerdictStore::names_of(const std::string& content) const {
    return database_->with([&](soci::session& sql) -> Result<std::vector<std::string>> {
        std::string name;
        soci::statement statement =
            (sql.prepare << "SELECT name FROM verdicts WHERE content = :c ORDER BY name",
             use(content),
             into(name));
        statement.execute();
        std::vector<std::string> names;
        while (statement.fetch()) {
            names.push_back(name);
        }
        return names;
    });
}

Result<std::unordered_set<std::string>> VerdictStore::old_blobs(TimePoint limit) const {
    return database_->with([&](soci::session& sql) -> Result<std::unordered_set<std::string>> {
        const long long before = seconds(limit);
        std::string content;
        soci::statement statement =
            (sql.prepare << "SELECT content FROM verdicts WHERE LENGTH(content) = 40"
                            " AND judged < :l",
             use(before),
             into(content));
        statement.execute();
        std::unordered_set<std::string> blobs;
        while (statement.fetch()) {
            blobs.insert(content);
        }
        return blobs;
    });
}

Result<std::uint64_t> VerdictStore::forget(const std::unordered_set<std::string>& blobs,
                                           TimePoint limit) const {
    return database_->transact([&](soci::session& sql) -> Result<std::uint64_t> {
        const long long before = seconds(limit);
        long long rows = 0;
        long long left = 0;
        sql << "SELECT COUNT(*) FROM verdicts", into(rows);
        sql << "DELETE FROM verdicts WHERE LENGTH(content) = 64 AND judged < :l"
               " AND name NOT LIKE '%.locapp' AND content NOT IN (SELECT sha256 FROM files)",
            use(before);
        for (const std::string& blob : blobs) {
            sql << "DELETE FROM verdicts WHERE content = :c AND judged < :l", use(blob, "c"),
                use(before, "l");
        }
        sql << "SELECT COUNT(*) FROM verdicts", into(left);
        return static_cast<std::uint64_t>(rows - left);
    });
}

} // namespace locara::hub
