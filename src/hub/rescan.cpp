#include "rescan.hpp"

#include "all_repos.hpp"
#include "catalog_files.hpp"
#include "content_gate.hpp"
#include "database.hpp"
#include "layout.hpp"
#include "named_files.hpp"

#include <locara/base/file.hpp>
#include <locara/hub/git_repo.hpp>
#include <locara/manifest/bundle.hpp>

#include <limits>
#include <map>

#include <fcntl.h>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

/// Bytes of the budget for a look at what is known of one content.
constexpr std::uint64_t kLookCost = 4096;

/// In place of a repository, behind all of them.
constexpr std::int64_t kCatalog = std::numeric_limits<std::int64_t>::max();

/// Content that a repository has.
struct Content {
    std::uint64_t size = 0;
    std::optional<xet::FileHash> xet;         ///< Of a large file; else git holds it.
    std::map<std::string, std::string> paths; ///< By their last part, one of each.
};

/// By its id, so that a step can begin at one.
using Contents = std::map<std::string, Content>;

class Rescanner {
  public:
    Rescanner(const RescanSources& sources, const RescanOptions& options)
        : sources_(sources), options_(options) {}

    Result<RescanReport> run() {
        LOCARA_TRY(const auto repos, list_all_repos(sources_.names));
        LOCARA_TRY(refused_, sources_.verdicts.refused_blobs());
        for (const Repo& repo : repos) {
            if (options_.from && repo.key < options_.from->repo) {
                continue;
            }
            if (const Status done = rescan_repo(repo); !done) {
                LOCARA_CHECK(pass_over(repo, done.error()));
            }
            if (report_.next) {
                return std::move(report_);
            }
        }
        LOCARA_CHECK(rescan_catalog());
        return std::move(report_);
    }

  private:
    bool is_spent() const { return options_.budget_bytes != 0 && spent_ >= options_.budget_bytes; }

    /// One that is damaged keeps nobody from the others; one that was removed meanwhile is none.
    Status pass_over(const Repo& repo, const Error& error) {
        if (error.code() == ErrorCode::Cancelled) {
            return error;
        }
        found_.clear();
        LOCARA_TRY(const auto there, sources_.names.find_repo(repo.key));
        if (there) {
            report_.unread.push_back({full_name(repo), error});
        }
        return {};
    }

    Status rescan_catalog() {
        LOCARA_TRY(const auto bundles, list_bundles(sources_.data));
        for (const PublishedBundle& bundle : bundles) {
            const std::string id = bundle.sha256.render();
            if (options_.from && options_.from->repo == kCatalog && id < options_.from->content) {
                continue;
            }
            if (is_spent()) {
                report_.next = RescanPlace{kCatalog, id};
                return {};
            }
            LOCARA_CHECK(ask(id, bundle));
        }
        return {};
    }

    Status ask(const std::string& id, const PublishedBundle& bundle) {
        LOCARA_TRY(auto verdict, judge(id, name_of(bundle.target), [&] { return look(bundle); }));
        ++report_.files;
        const policy::Answer said = policy::answer(policy::Door::Serve, verdict);
        if (said == policy::Answer::Later) {
            ++report_.unjudged;
        } else if (said == policy::Answer::Refuse) {
            report_.refused.push_back({RescanReport::Refused::Kind::Bundle,
                                       0,
                                       "catalog",
                                       bundle.target,
                                       bundle.sha256,
                                       std::move(verdict)});
        }
        return {};
    }

    /// Its files, one by one, as they were judged when it was published; the worst counts.
    Result<formats::Examination> look(const PublishedBundle& bundle) {
        LOCARA_TRY(const auto scratch, TempFolder::create(sources_.data, ".rescan-"));
        const auto unpacked =
            manifest::unpack_bundle(bundle.path, bundle.files_sha256, scratch.path());
        if (!unpacked) {
            return formats::Examination{
                formats::make_verdict("unreadable",
                                      {std::string(formats::kRuleRead),
                                       bundle.target + ": " + unpacked.error().describe(),
                                       {}}),
                {}};
        }
        formats::Examination worst{
            formats::make_verdict("locapp", {"archive.members", "every file of it passes", {}}),
            {}};
        for (const manifest::BundleFile& file : unpacked->list.files) {
            LOCARA_CHECK(check_stop());
            const fs::path path = scratch.path() / file.path;
            LOCARA_TRY(const Fd fd, open_file(path, O_RDONLY | O_NOFOLLOW));
            LOCARA_TRY(const auto source, formats::FileSource::create(fd, path));
            formats::Examination seen = options_.judge(source, name_of(file.path));
            spent_ += file.size;
            if (formats::is_worse(seen.verdict, worst.verdict)) {
                seen.verdict.member =
                    file.path + (seen.verdict.member.empty() ? "" : "!/" + seen.verdict.member);
                worst.verdict = std::move(seen.verdict);
            }
        }
        return worst;
    }

    Status check_stop() const {
        return options_.stop.stop_requested()
                   ? Status(Error(ErrorCode::Cancelled, "the rescan was stopped"))
                   : Status();
    }

    Status rescan_repo(const Repo& repo) {
        const bool has_git = repo.origin == Origin::Here && repo.id.type != RepoType::Bucket;
        std::optional<GitRepo> git;
        Contents contents;
        if (has_git) {
            LOCARA_TRY(git, GitRepo::open(repo_folder(sources_.data / kRepos, repo.internal)));
            LOCARA_CHECK(add_git(*git, contents));
            LOCARA_CHECK(add_history(*git, contents));
        }
        LOCARA_CHECK(add_files(repo, contents));
        const bool begun = options_.from && options_.from->repo == repo.key;
        for (auto at = contents.lower_bound(begun ? options_.from->content : "");
             at != contents.end();
             ++at) {
            const auto& [id, content] = *at;
            if (is_spent()) {
                report_.next = RescanPlace{repo.key, id};
                break;
            }
            if (content.xet) {
                const StoredSource source(sources_.chunks, *content.xet, content.size);
                LOCARA_CHECK(ask(repo, id, content, source));
            } else if (is_git_id(id)) {
                LOCARA_TRY(const std::string blob, git->read_blob(id, content.size));
                LOCARA_CHECK(ask(repo, id, content, formats::MemorySource(as_bytes(blob))));
            }
        }
        return settle(repo);
    }

    /// Reports what was refused of a repository, but for what only lies there.
    Status settle(const Repo& repo) {
        FileDigests unnamed;
        if (repo.origin == Origin::Here) {
            for (const RescanReport::Refused& one : found_) {
                if (one.path.empty()) {
                    unnamed.insert(one.sha256);
                }
            }
        }
        if (!unnamed.empty() && repo.id.type != RepoType::Bucket) {
            LOCARA_CHECK(take_out_named(
                repo_folder(sources_.data / kRepos, repo.internal), unnamed, options_.stop));
        }
        for (RescanReport::Refused& one : found_) {
            if (one.path.empty() && unnamed.contains(one.sha256)) {
                ++report_.unnamed;
            } else {
                report_.refused.push_back(std::move(one));
            }
        }
        found_.clear();
        return {};
    }

    static bool is_git_id(const std::string& id) { return id.size() == 40; }

    /// What git holds, and the names of large files.
    static Status add_git(const GitRepo& git, Contents& contents) {
        LOCARA_TRY(const auto refs, git.refs());
        for (const GitRef& ref : refs) {
            LOCARA_TRY(const auto entries, git.list(ref.commit, "", GitRepo::Recursive::Yes));
            for (const GitEntry& entry : entries) {
                if (entry.kind == GitEntry::Kind::File) {
                    Content& content = contents[content_id(entry)];
                    content.size = entry.size();
                    content.paths.emplace(name_of(entry.path), entry.path);
                }
            }
        }
        return {};
    }

    /// What was refused and is in the history only: it is withheld with all that leads to it, which
    /// must end when the signature was wrong.
    Status add_history(const GitRepo& git, Contents& contents) const {
        for (const auto& [blob, names] : refused_) {
            LOCARA_TRY(const auto size, git.find_blob(blob));
            if (size) {
                contents[blob].size = *size;
            }
        }
        return {};
    }

    /// Large files; and of all the names that they were judged under before, at any door.
    Status add_files(const Repo& repo, Contents& contents) const {
        LOCARA_TRY(const auto files, sources_.names.list_files(repo.key));
        std::map<xet::FileHash, std::string> ids;
        for (const StoredFile& file : files) {
            const std::string id = file.sha256.render();
            Content& content = contents[id];
            content.size = file.size;
            content.xet = file.xet;
            ids.emplace(file.xet, id);
        }
        if (repo.id.type == RepoType::Bucket) {
            LOCARA_CHECK(add_bucket(repo, ids, contents));
        }
        for (auto& [id, content] : contents) {
            LOCARA_TRY(const auto names, sources_.verdicts.names_of(id));
            for (const std::string& name : names) {
                content.paths.emplace(name, "");
            }
            if (content.paths.empty()) {
                content.paths.emplace("", "");
            }
        }
        return {};
    }

    Status add_bucket(const Repo& bucket,
                      const std::map<xet::FileHash, std::string>& ids,
                      Contents& contents) const {
        std::string from;
        do {
            LOCARA_TRY(
                const BucketPage page,
                sources_.buckets.list(bucket, "", Buckets::Recursive::Yes, from, kBucketPage));
            for (const BucketEntry& entry : page.entries) {
                if (const auto id = ids.find(entry.file.xet); id != ids.end()) {
                    contents[id->second].paths.emplace(name_of(entry.file.path), entry.file.path);
                }
            }
            from = page.next;
        } while (!from.empty());
        return {};
    }

    Status ask(const Repo& repo,
               const std::string& id,
               const Content& content,
               const formats::ByteSource& source) {
        std::vector<RescanReport::Refused> refused;
        bool passes = false; // Under one of its names.
        for (const auto& [name, path] : content.paths) {
            LOCARA_CHECK(check_stop());
            LOCARA_TRY(auto verdict,
                       judge(id, name, [&, &name = name]() -> Result<formats::Examination> {
                           spent_ += source.size();
                           return options_.judge(source, name);
                       }));
            ++report_.files;
            const policy::Answer said = policy::answer(door_of(repo.origin), verdict);
            if (said == policy::Answer::Later) {
                ++report_.unjudged;
            } else if (said == policy::Answer::Refuse) {
                refused.push_back({RescanReport::Refused::Kind::File,
                                   repo.key,
                                   full_name(repo),
                                   path,
                                   {},
                                   std::move(verdict)});
            } else {
                passes = true;
            }
        }
        if (passes) { // A bad name that somebody gave it elsewhere does not count.
            std::erase_if(refused, [](const auto& one) { return one.path.empty(); });
        }
        for (RescanReport::Refused& one : refused) {
            LOCARA_TRY(one.sha256, digest_of(id, source));
            (content.xet ? found_ : report_.refused).push_back(std::move(one));
        }
        return {};
    }

    static std::string full_name(const Repo& repo) {
        return std::string(render_plural(repo.id.type)) + "/" + repo.id.render();
    }

    /// What is known of today's scanners, else what `look` finds, which is kept.
    template <class Look>
    Result<formats::Verdict> judge(const std::string& id, const std::string& name, Look look) {
        spent_ += kLookCost;
        if (!options_.scanners.empty() && options_.known == RescanOptions::Known::Believe) {
            LOCARA_TRY(auto known, sources_.verdicts.find(id, name));
            if (known && known->scanners == options_.scanners) {
                return std::move(known->verdict);
            }
        }
        LOCARA_TRY(formats::Examination seen, look());
        Judgement judgement =
            make_judgement(std::move(seen), options_.scanners, sources_.clock.now());
        ++report_.judged;
        if (!options_.scanners.empty()) {
            LOCARA_CHECK(sources_.verdicts.note(id, name, judgement));
        }
        return std::move(judgement.verdict);
    }

    static Result<crypto::Sha256Digest> digest_of(const std::string& id,
                                                  const formats::ByteSource& source) {
        if (!is_git_id(id)) {
            return crypto::Sha256Digest::parse(id);
        }
        Bytes bytes(static_cast<std::size_t>(source.size())); // git holds small files
        LOCARA_CHECK(source.read(0, bytes));
        return crypto::sha256(bytes);
    }

    const RescanSources& sources_;
    const RescanOptions& options_;
    RefusedBlobs refused_; ///< Before.
    RescanReport report_;
    std::vector<RescanReport::Refused> found_; ///< Large files of the repository at hand.
    std::uint64_t spent_ = 0;                  ///< Of the budget.
};

} // namespace

std::string_view render(RescanReport::Refused::Kind kind) {
    return kind == RescanReport::Refused::Kind::File ? "file" : "bundle";
}

Result<RescanReport> rescan(const RescanSources& sources, const RescanOptions& options) {
    return Rescanner(sources, options).run();
}

Result<RescanReport>
rescan(const fs::path& data, const Clock& clock, const RescanOptions& options) {
    LOCARA_TRY(auto database, Database::open_in(data, Database::IfMissing::Fail));
    LOCARA_TRY(const auto backend, cas::open_directory(data / kChunks, clock));
    const cas::Cas chunks(*backend, {.clock = &clock});
    const Names names(database);
    const Buckets buckets(database);
    const VerdictStore verdicts(std::move(database));
    return rescan(RescanSources{data, names, buckets, verdicts, chunks, clock}, options);
}

} // namespace locara::hub
