#include "database.hpp"
#include "names.hpp"
#include "names_rows.hpp"

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

/// Using a file again within this time is not written down: gc waits longer than that.
constexpr std::chrono::minutes kUseStep{10};

} // namespace

Status Names::add_file(std::int64_t repo, const StoredFile& file, TimePoint now) {
    return database_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const long long used = seconds(now);
        const std::string sha256 = file.sha256.render();
        const std::string xet = file.xet.render();
        const auto size = static_cast<long long>(file.size);
        sql << "INSERT INTO files (repo, sha256, xet, size, used) VALUES (:r, :s, :x, :z, :u)"
               " ON CONFLICT (repo, sha256) DO UPDATE"
               " SET xet = excluded.xet, size = excluded.size, used = excluded.used",
            use(key), use(sha256), use(xet), use(size), use(used);
        return {};
    });
}

Result<std::optional<StoredFile>> Names::find_file(std::int64_t repo,
                                                   const crypto::Sha256Digest& sha256) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<StoredFile>> {
        const long long key = repo;
        const std::string wanted = sha256.render();
        std::string xet;
        long long size = 0;
        sql << "SELECT xet, size FROM files WHERE repo = :r AND sha256 = :s", use(key), use(wanted),
            into(xet), into(size);
        if (!sql.got_data()) {
            return std::optional<StoredFile>();
        }
        LOCARA_TRY(const auto hash, xet::FileHash::parse(xet));
        return std::optional(StoredFile{sha256, hash, static_cast<std::uint64_t>(size)});
    });
}

Result<std::optional<StoredFile>> Names::find_file(std::int64_t repo,
                                                   const xet::FileHash& hash) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<StoredFile>> {
        const long long key = repo;
        const std::string wanted = hash.render();
        std::string sha256;
        long long size = 0;
        sql << "SELECT sha256, size FROM files WHERE repo = :r AND xet = :x", use(key), use(wanted),
            into(sha256), into(size);
        if (!sql.got_data()) {
            return std::optional<StoredFile>();
        }
        LOCARA_TRY(const auto digest, crypto::Sha256Digest::parse(sha256));
        return std::optional(StoredFile{digest, hash, static_cast<std::uint64_t>(size)});
    });
}

Result<std::vector<StoredFile>> Names::list_files(std::int64_t repo) const {
    return list_unused_files(repo, TimePoint::max());
}

Result<std::vector<StoredFile>> Names::list_unused_files(std::int64_t repo, TimePoint limit) const {
    return database_->with([&](soci::session& sql) -> Result<std::vector<StoredFile>> {
        const long long key = repo;
        const long long before = seconds(limit);
        std::string sha256;
        std::string xet;
        long long size = 0;
        long long used = 0;
        soci::statement statement =
            (sql.prepare
                 << "SELECT sha256, xet, size, used FROM files WHERE repo = :r AND used < :l",
             use(key),
             use(before),
             into(sha256),
             into(xet),
             into(size),
             into(used));
        statement.execute();
        std::vector<StoredFile> files;
        while (statement.fetch()) {
            LOCARA_TRY(const auto digest, crypto::Sha256Digest::parse(sha256));
            LOCARA_TRY(const auto hash, xet::FileHash::parse(xet));
            files.push_back({digest, hash, static_cast<std::uint64_t>(size), time_of(used)});
        }
        return files;
    });
}

Result<std::optional<StoredFile>>
Names::use_file(std::int64_t repo, const crypto::Sha256Digest& sha256, TimePoint now) {
    return database_->with([&](soci::session& sql) -> Result<std::optional<StoredFile>> {
        const long long key = repo;
        const std::string wanted = sha256.render();
        const long long used = seconds(now);
        std::string xet;
        long long size = 0;
        long long known = 0;
        sql << "SELECT xet, size, used FROM files WHERE repo = :r AND sha256 = :s", use(key),
            use(wanted), into(xet), into(size), into(known);
        if (!sql.got_data()) {
            return std::optional<StoredFile>();
        }
        if (known < seconds(now - kUseStep)) {
            soci::statement update =
                (sql.prepare << "UPDATE files SET used = :u WHERE repo = :r AND sha256 = :s",
                 use(used),
                 use(key),
                 use(wanted));
            update.execute(true);
            if (update.get_affected_rows() == 0) {
                return std::optional<StoredFile>(); // gc was faster.
            }
        }
        LOCARA_TRY(const auto hash, xet::FileHash::parse(xet));
        return std::optional(StoredFile{sha256, hash, static_cast<std::uint64_t>(size)});
    });
}

Result<bool>
Names::remove_unused_file(std::int64_t repo, const crypto::Sha256Digest& sha256, TimePoint limit) {
    return database_->with([&](soci::session& sql) -> Result<bool> {
        const long long key = repo;
        const std::string gone = sha256.render();
        const long long before = seconds(limit);
        soci::statement remove =
            (sql.prepare << "DELETE FROM files WHERE repo = :r AND sha256 = :s AND used < :l"
                            " AND NOT EXISTS (SELECT 1 FROM bucket_files b"
                            " WHERE b.repo = files.repo AND b.xet = files.xet)",
             use(key),
             use(gone),
             use(before));
        remove.execute(true);
        return remove.get_affected_rows() > 0;
    });
}

Status Names::add_xorb(std::int64_t repo, const xet::XorbHash& xorb) {
    const Status added = database_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const std::string hash = xorb.render();
        sql << "INSERT INTO xorbs (xorb, repo) VALUES (:x, :r) ON CONFLICT (xorb, repo) DO NOTHING",
            use(hash), use(key);
        return {};
    });
    return added ? settle_xorb(xorb) : added;
}

Status Names::add_unnamed_xorb(std::int64_t repo,
                               const xet::XorbHash& xorb,
                               std::uint64_t size,
                               IsNew is_new) {
    return database_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const std::string hash = xorb.render();
        const auto bytes = static_cast<long long>(size);
        const std::string known =
            is_new == IsNew::Yes ? "DO UPDATE SET unnamed = excluded.unnamed" : "DO NOTHING";
        sql << "INSERT INTO xorbs (xorb, repo, unnamed) VALUES (:x, :r, :b)"
               " ON CONFLICT (xorb, repo) " +
                   known,
            use(hash), use(key), use(bytes);
        return {};
    });
}

Result<std::uint64_t> Names::unnamed_bytes(const std::string& space,
                                           const xet::XorbHash& but) const {
    return database_->with([&](soci::session& sql) -> Result<std::uint64_t> {
        const std::string hash = but.render();
        long long bytes = 0;
        sql << "SELECT CAST(COALESCE(SUM(held.unnamed), 0) AS BIGINT) FROM"
               " (SELECT DISTINCT x.xorb, x.unnamed FROM xorbs x JOIN repos r ON r.key = x.repo"
               " WHERE r.space = :s AND r.origin = 0 AND x.unnamed > 0 AND x.xorb <> :x) AS held",
            use(space), use(hash), into(bytes);
        return static_cast<std::uint64_t>(bytes);
    });
}

Result<std::vector<xet::XorbHash>> Names::list_unnamed_xorbs() const {
    return database_->with([&](soci::session& sql) -> Result<std::vector<xet::XorbHash>> {
        std::string text;
        soci::statement statement =
            (sql.prepare << "SELECT DISTINCT xorb FROM xorbs WHERE unnamed > 0", into(text));
        statement.execute();
        std::vector<xet::XorbHash> found;
        while (statement.fetch()) {
            LOCARA_TRY(const auto hash, xet::XorbHash::parse(text));
            found.push_back(hash);
        }
        return found;
    });
}

Status Names::settle_xorb(const xet::XorbHash& xorb) {
    return database_->with([&](soci::session& sql) -> Status {
        const std::string hash = xorb.render();
        sql << "UPDATE xorbs SET unnamed = 0 WHERE xorb = :x AND unnamed > 0", use(hash);
        return {};
    });
}

Result<bool> Names::may_use_xorb(std::int64_t repo, const xet::XorbHash& xorb) const {
    return database_->with([&](soci::session& sql) -> Result<bool> {
        const long long key = repo;
        const std::string hash = xorb.render();
        int found = 0;
        sql << "SELECT 1 FROM xorbs x JOIN repos r ON r.key = x.repo"
               " WHERE x.xorb = :x AND (r.key = :r OR (r.private = 0 AND r.gated = 0)) LIMIT 1",
            use(hash), use(key), into(found);
        return sql.got_data();
    });
}

} // namespace locara::hub
