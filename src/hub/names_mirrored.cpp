#include "database.hpp"
#include "names.hpp"
#include "names_rows.hpp"

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

/// The columns of a mirrored file.
struct MirroredFileRow {
    MirroredFile file;
    std::string sha256;
    long long repo = 0, size = 0, used = 0;

    Result<MirroredFile> take() const {
        MirroredFile taken = file;
        LOCARA_TRY(taken.sha256, crypto::Sha256Digest::parse(sha256));
        taken.repo = repo;
        taken.size = static_cast<std::uint64_t>(size);
        taken.used = time_of(used);
        return taken;
    }
};

} // namespace

Result<bool> Names::is_own_space(const std::string& space) const {
    return database_->with([&](soci::session& sql) -> Result<bool> {
        int found = 0;
        sql << "SELECT 1 FROM accounts WHERE name = :a UNION ALL"
               " SELECT 1 FROM repos WHERE space = :s AND origin = 0 LIMIT 1",
            use(space, "a"), use(space, "s"), into(found);
        return sql.got_data();
    });
}

Result<bool> Names::knows_token(const crypto::Sha256Digest& digest) const {
    return database_->with([&](soci::session& sql) -> Result<bool> {
        const std::string wanted = digest.render();
        int found = 0;
        sql << "SELECT 1 FROM tokens WHERE digest = :d", use(wanted), into(found);
        return sql.got_data();
    });
}

Status Names::set_origin(std::int64_t repo, Origin origin) {
    return database_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const int value = static_cast<int>(origin);
        const int is_private = visibility_of(origin) == Visibility::Private ? 1 : 0;
        sql << "UPDATE repos SET origin = :o, private = :p WHERE key = :k AND origin <> 0",
            use(value), use(is_private), use(key);
        return {};
    });
}

Status Names::set_mirrored_revision(std::int64_t repo,
                                    const std::string& revision,
                                    const MirroredRevision& found) {
    return database_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const long long checked = seconds(found.checked);
        sql << "INSERT INTO mirrored_revisions (repo, revision, commit_id, checked)"
               " VALUES (:r, :n, :c, :t) ON CONFLICT (repo, revision)"
               " DO UPDATE SET commit_id = excluded.commit_id, checked = excluded.checked",
            use(key), use(revision), use(found.commit), use(checked);
        return {};
    });
}

Result<std::vector<std::pair<std::string, std::string>>>
Names::list_mirrored_revisions(std::int64_t repo) const {
    using Found = std::vector<std::pair<std::string, std::string>>;
    return database_->with([&](soci::session& sql) -> Result<Found> {
        const long long key = repo;
        std::string revision;
        std::string commit;
        soci::statement statement =
            (sql.prepare << "SELECT revision, commit_id FROM mirrored_revisions WHERE repo = :r"
                            " ORDER BY revision",
             use(key),
             into(revision),
             into(commit));
        statement.execute();
        Found found;
        while (statement.fetch()) {
            found.emplace_back(revision, commit);
        }
        return found;
    });
}

Result<std::optional<MirroredRevision>>
Names::find_mirrored_revision(std::int64_t repo, const std::string& revision) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<MirroredRevision>> {
        const long long key = repo;
        MirroredRevision found;
        long long checked = 0;
        sql << "SELECT commit_id, checked FROM mirrored_revisions WHERE repo = :r"
               " AND revision = :n",
            use(key), use(revision), into(found.commit), into(checked);
        if (!sql.got_data()) {
            return std::optional<MirroredRevision>();
        }
        found.checked = time_of(checked);
        return std::optional(std::move(found));
    });
}

Result<std::optional<MirroredRevision>> Names::newest_mirrored_revision(std::int64_t repo) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<MirroredRevision>> {
        const long long key = repo;
        MirroredRevision found;
        long long checked = 0;
        sql << "SELECT commit_id, checked FROM mirrored_revisions WHERE repo = :r"
               " ORDER BY CASE revision WHEN 'main' THEN 0 ELSE 1 END, checked DESC LIMIT 1",
            use(key), into(found.commit), into(checked);
        if (!sql.got_data()) {
            return std::optional<MirroredRevision>();
        }
        found.checked = time_of(checked);
        return std::optional(std::move(found));
    });
}

Status Names::put_mirrored_file(const MirroredFile& file) {
    return database_->with([&](soci::session& sql) -> Status {
        const long long key = file.repo;
        const std::string sha256 = file.sha256.render();
        const auto size = static_cast<long long>(file.size);
        const long long used = seconds(file.used);
        sql << "INSERT INTO mirrored_files (repo, oid, sha256, size, used, refused)"
               " VALUES (:r, :o, :s, :z, :u, :f) ON CONFLICT (repo, oid)"
               " DO UPDATE SET sha256 = excluded.sha256, size = excluded.size,"
               " used = excluded.used, refused = excluded.refused",
            use(key), use(file.oid), use(sha256), use(size), use(used), use(file.refused);
        return {};
    });
}

Result<std::optional<MirroredFile>> Names::find_mirrored_file(std::int64_t repo,
                                                              const std::string& oid) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<MirroredFile>> {
        const long long key = repo;
        MirroredFileRow row;
        sql << "SELECT repo, oid, sha256, size, used, refused FROM mirrored_files"
               " WHERE repo = :r AND oid = :o",
            use(key), use(oid), into(row.repo), into(row.file.oid), into(row.sha256),
            into(row.size), into(row.used), into(row.file.refused);
        if (!sql.got_data()) {
            return std::optional<MirroredFile>();
        }
        LOCARA_TRY(MirroredFile file, row.take());
        return std::optional(std::move(file));
    });
}

Status Names::touch_mirrored_file(std::int64_t repo, const std::string& oid, TimePoint now) {
    return database_->with([&](soci::session& sql) -> Status {
        const long long key = repo;
        const long long used = seconds(now);
        sql << "UPDATE mirrored_files SET used = :u WHERE repo = :r AND oid = :o", use(used),
            use(key), use(oid);
        return {};
    });
}

Result<std::uint64_t> Names::mirrored_bytes() const {
    return database_->with([](soci::session& sql) -> Result<std::uint64_t> {
        long long bytes = 0;
        sql << "SELECT COALESCE(SUM(size), 0) FROM mirrored_files WHERE refused = ''", into(bytes);
        return static_cast<std::uint64_t>(bytes);
    });
}

Result<std::vector<MirroredFile>> Names::list_mirrored_files() const {
    return database_->with([&](soci::session& sql) -> Result<std::vector<MirroredFile>> {
        MirroredFileRow row;
        soci::statement statement =
            (sql.prepare << "SELECT repo, oid, sha256, size, used, refused FROM mirrored_files"
                            " WHERE refused = '' ORDER BY used, repo, oid",
             into(row.repo),
             into(row.file.oid),
             into(row.sha256),
             into(row.size),
             into(row.used),
             into(row.file.refused));
        statement.execute();
        std::vector<MirroredFile> files;
        while (statement.fetch()) {
            LOCARA_TRY(MirroredFile file, row.take());
            files.push_back(std::move(file));
        }
        return files;
    });
}

Status Names::remove_mirrored_file(const MirroredFile& file) {
    return database_->transact([&](soci::session& sql) -> Status {
        const long long key = file.repo;
        const std::string sha256 = file.sha256.render();
        sql << "DELETE FROM mirrored_files WHERE repo = :r AND oid = :o", use(key), use(file.oid);
        // The same bytes may stand in the repository under another name for them.
        sql << "DELETE FROM files WHERE repo = :r AND sha256 = :s AND NOT EXISTS"
               " (SELECT 1 FROM mirrored_files m WHERE m.repo = :r2 AND m.sha256 = :s2"
               " AND m.refused = '')",
            use(key, "r"), use(sha256, "s"), use(key, "r2"), use(sha256, "s2");
        return {};
    });
}

} // namespace locara::hub
