#include "buckets.hpp"

#include "database.hpp"
#include "names_rows.hpp"

#include <algorithm>

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

/// Rows that one statement reads.
constexpr std::size_t kBlock = 1000;

/// The first text after all that begin with `folder` and a slash: '0' follows '/' in ASCII.
std::string after(const std::string& folder) {
    return folder + "0";
}

/// Texts from `first` on, or those after it, below `end`: all but what begins with the greatest
/// code point there is, U+10FFFF, which is no character.
struct Span {
    std::string first;
    bool inclusive = true;
    std::string end = "\xf4\x8f\xbf\xbf";
};

/// All paths below a folder; "" is all there are.
Span below(const std::string& folder) {
    return folder.empty() ? Span{} : Span{folder + "/", true, after(folder)};
}

struct Row {
    std::string path, xet, content_type;
    long long size = 0, uploaded = 0, modified = 0;
    soci::indicator has_modified = soci::i_ok;

    Result<BucketFile> take() const {
        BucketFile file;
        file.path = path;
        LOCARA_TRY(file.xet, xet::FileHash::parse(xet));
        file.size = static_cast<std::uint64_t>(size);
        file.uploaded = time_of(uploaded);
        if (has_modified == soci::i_ok) {
            file.modified = modified;
        }
        file.content_type = content_type;
        return file;
    }
};

constexpr const char* kColumns = "path, xet, size, uploaded, modified, content_type";

soci::details::prepare_temp_type into_row(soci::details::prepare_temp_type statement, Row& row) {
    return (std::move(statement),
            into(row.path),
            into(row.xet),
            into(row.size),
            into(row.uploaded),
            into(row.modified, row.has_modified),
            into(row.content_type));
}

Result<std::vector<BucketFile>>
read_files(Database& database, std::int64_t bucket, const Span& span, std::size_t limit) {
    return database.with([&](soci::session& sql) -> Result<std::vector<BucketFile>> {
        const long long key = bucket;
        const auto most = static_cast<long long>(limit);
        Row row;
        soci::statement statement = into_row(
            (sql.prepare << "SELECT " << kColumns << " FROM bucket_files WHERE repo = :r AND path "
                         << (span.inclusive ? ">=" : ">")
                         << " :f AND path < :e ORDER BY path LIMIT :n",
             use(key),
             use(span.first),
             use(span.end),
             use(most)),
            row);
        statement.execute();
        std::vector<BucketFile> files;
        while (statement.fetch()) {
            LOCARA_TRY(BucketFile file, row.take());
            files.push_back(std::move(file));
        }
        return files;
    });
}

/// Content that no path of the bucket names is not its own any more.
void forget_content(soci::session& sql, long long bucket, const std::string& xet) {
    sql << "DELETE FROM files WHERE repo = :r AND xet = :x AND NOT EXISTS (SELECT 1 FROM"
           " bucket_files b WHERE b.repo = :r2 AND b.xet = :x2)",
        use(bucket, "r"), use(xet, "x"), use(bucket, "r2"), use(xet, "x2");
}

/// Takes a path out; what it named is returned, empty if it was not there.
std::string remove_path(soci::session& sql, long long bucket, const std::string& path) {
    std::string xet;
    sql << "SELECT xet FROM bucket_files WHERE repo = :r AND path = :p", use(bucket), use(path),
        into(xet);
    if (!sql.got_data()) {
        return "";
    }
    sql << "DELETE FROM bucket_files WHERE repo = :r AND path = :p", use(bucket), use(path);
    return xet;
}

Status put_file(soci::session& sql, long long bucket, const BucketFile& file) {
    const std::string xet = file.xet.render();
    int there = 0;
    sql << "SELECT 1 FROM files WHERE repo = :r AND xet = :x", use(bucket), use(xet), into(there);
    if (!sql.got_data()) { // Another removed the last path that named it.
        return Error(ErrorCode::Conflict,
                     "the content of " + file.path +
                         " went from the bucket meanwhile; nothing was changed, upload it again");
    }
    const auto size = static_cast<long long>(file.size);
    const long long uploaded = seconds(file.uploaded);
    const long long modified = file.modified.value_or(0);
    soci::indicator has_modified = file.modified ? soci::i_ok : soci::i_null;
    sql << "INSERT INTO bucket_files (repo, path, xet, size, uploaded, modified, content_type)"
           " VALUES (:r, :p, :x, :s, :u, :m, :c)",
        use(bucket), use(file.path), use(xet), use(size), use(uploaded),
        use(modified, has_modified), use(file.content_type);
    return {};
}

/// A page while it is put together.
class PageMaker {
  public:
    PageMaker(Database& database, const Repo& bucket, std::string folder, std::size_t limit)
        : database_(database), bucket_(bucket.key), folder_(std::move(folder)),
          limit_(std::clamp<std::size_t>(limit, 1, kBucketPage)) {}

    Result<BucketPage> run(const std::string& from, Buckets::Recursive recursive) {
        Span rest = below(folder_);
        // A cursor is the path of the last entry, with a slash at its end if that was a folder.
        if (from.ends_with('/')) {
            rest.first = std::max(rest.first, after(from.substr(0, from.size() - 1)));
        } else if (from >= rest.first && !from.empty()) {
            rest.first = from;
            rest.inclusive = false;
        }
        while (rest.first < rest.end) {
            LOCARA_TRY(const auto files, read_files(database_, bucket_, rest, kBlock));
            for (const BucketFile& file : files) {
                if (file.path < rest.first) {
                    continue; // Below a folder that is in the page already.
                }
                if (page_.entries.size() == limit_) {
                    page_.next = cursor();
                    return std::move(page_);
                }
                LOCARA_TRY(rest.first, add(file, recursive));
                rest.inclusive = page_.entries.back().kind == BucketEntry::Kind::Directory;
            }
            if (files.size() < kBlock) {
                break;
            }
        }
        return std::move(page_);
    }

    /// The newest of what lies below a folder; nothing if nothing does.
    static Result<std::optional<TimePoint>>
    newest_below(Database& database, std::int64_t bucket, const std::string& folder) {
        const Span span = below(folder);
        return database.with([&](soci::session& sql) -> Result<std::optional<TimePoint>> {
            const long long key = bucket;
            long long uploaded = 0;
            soci::indicator found = soci::i_ok;
            sql << "SELECT MAX(uploaded) FROM bucket_files WHERE repo = :r AND path >= :f"
                   " AND path < :e",
                use(key), use(span.first), use(span.end), into(uploaded, found);
            return found == soci::i_ok ? std::optional(time_of(uploaded)) : std::nullopt;
        });
    }

  private:
    /// Adds the file, or the folder in which it is seen from here. Gives where to go on.
    Result<std::string> add(const BucketFile& file, Buckets::Recursive recursive) {
        const std::size_t begin = folder_.empty() ? 0 : folder_.size() + 1;
        const std::size_t slash = file.path.find('/', begin);
        if (recursive == Buckets::Recursive::Yes || slash == std::string::npos) {
            page_.entries.push_back({BucketEntry::Kind::File, file});
            return file.path;
        }
        BucketEntry entry{BucketEntry::Kind::Directory, {}};
        entry.file.path = file.path.substr(0, slash);
        LOCARA_TRY(const auto newest, newest_below(database_, bucket_, entry.file.path));
        entry.file.uploaded = newest.value_or(file.uploaded);
        page_.entries.push_back(entry);
        return after(entry.file.path);
    }

    std::string cursor() const {
        const BucketEntry& last = page_.entries.back();
        return last.file.path + (last.kind == BucketEntry::Kind::Directory ? "/" : "");
    }

    Database& database_;
    const std::int64_t bucket_;
    const std::string folder_;
    const std::size_t limit_;
    BucketPage page_;
};

} // namespace

Status Buckets::apply(const Repo& bucket, std::span<const BucketChange> changes) {
    return database_->transact([&](soci::session& sql) -> Status {
        const long long key = bucket.key;
        std::vector<std::string> dropped;
        for (const BucketChange& change : changes) {
            std::string before = remove_path(sql, key, change.file.path);
            if (change.kind == BucketChange::Kind::Put) {
                LOCARA_CHECK(put_file(sql, key, change.file));
            }
            if (!before.empty()) {
                dropped.push_back(std::move(before));
            }
        }
        for (const std::string& xet : dropped) {
            forget_content(sql, key, xet);
        }
        return {};
    });
}

Result<std::optional<BucketFile>> Buckets::find(const Repo& bucket, const std::string& path) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<BucketFile>> {
        const long long key = bucket.key;
        Row row;
        soci::statement statement =
            into_row((sql.prepare << "SELECT " << kColumns
                                  << " FROM bucket_files WHERE repo = :r AND path = :p",
                      use(key),
                      use(path)),
                     row);
        if (!statement.execute(true)) {
            return std::optional<BucketFile>();
        }
        LOCARA_TRY(BucketFile file, row.take());
        return std::optional(std::move(file));
    });
}

Result<std::optional<BucketEntry>> Buckets::find_folder(const Repo& bucket,
                                                        const std::string& path) const {
    LOCARA_TRY(const auto newest, PageMaker::newest_below(*database_, bucket.key, path));
    if (!newest) {
        return std::optional<BucketEntry>();
    }
    BucketEntry folder{BucketEntry::Kind::Directory, {}};
    folder.file.path = path;
    folder.file.uploaded = *newest;
    return std::optional(std::move(folder));
}

Result<BucketPage> Buckets::list(const Repo& bucket,
                                 const std::string& folder,
                                 Recursive recursive,
                                 const std::string& from,
                                 std::size_t limit) const {
    return PageMaker(*database_, bucket, folder, limit).run(from, recursive);
}

Result<BucketTotals> Buckets::totals(const Repo& bucket) const {
    return database_->with([&](soci::session& sql) -> Result<BucketTotals> {
        const long long key = bucket.key;
        long long files = 0;
        long long bytes = 0;
        long long uploaded = 0;
        soci::indicator has_any = soci::i_ok;
        sql << "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT), MAX(uploaded)"
               " FROM bucket_files"
               " WHERE repo = :r",
            use(key), into(files), into(bytes), into(uploaded, has_any);
        BucketTotals totals{
            static_cast<std::uint64_t>(files), static_cast<std::uint64_t>(bytes), {}};
        if (has_any == soci::i_ok) {
            totals.uploaded = time_of(uploaded);
        }
        return totals;
    });
}

Result<FileDigests> Buckets::list_unnamed(const Repo& bucket, TimePoint limit) const {
    return database_->with([&](soci::session& sql) -> Result<FileDigests> {
        const long long key = bucket.key;
        const long long before = seconds(limit);
        std::string sha256;
        soci::statement statement =
            (sql.prepare << "SELECT sha256 FROM files WHERE repo = :r AND used < :l AND NOT EXISTS"
                            " (SELECT 1 FROM bucket_files b WHERE b.repo = files.repo"
                            " AND b.xet = files.xet)",
             use(key),
             use(before),
             into(sha256));
        statement.execute();
        FileDigests files;
        while (statement.fetch()) {
            LOCARA_TRY(const auto digest, crypto::Sha256Digest::parse(sha256));
            files.insert(digest);
        }
        return files;
    });
}

} // namespace locara::hub
