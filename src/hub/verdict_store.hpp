// VerdictStore: what the gate said, kept in the hub's database by content and name, so that nothing
// is judged twice by the same scanners and every decision can be shown.
//
// Content is named as git does it here: the SHA-256 of a large file (64 hex digits), or the id of a
// blob (40). The name is the last part of a path, since the gate takes it into account.
// Threads, processes, and errors besides those named: as Database.
#pragma once

#include <locara/hub/git_repo.hpp>
#include <locara/hub/verdicts.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace locara::hub {

class Database;

/// What names the content of a file here: its SHA-256 if it is a large one, else the id of its
/// blob.
std::string content_id(const GitEntry& file);

/// Whether a verdict is about a moment, and not about what was judged: of time, of memory of a busy
/// machine, of a scanner that did not work.
bool is_passing(const formats::Verdict& verdict);

/// The last part of a path.
std::string name_of(std::string_view path);

/// Blobs of git by their ids, each with the names under which it is refused.
using RefusedBlobs = std::unordered_map<std::string, std::vector<std::string>>;

class VerdictStore {
  public:
    explicit VerdictStore(std::shared_ptr<Database> database) : database_(std::move(database)) {}

    /// Keeps a verdict in place of an older one. What says more about this moment than about the
    /// content (a scanner that is down, time that was over) is kept only as a flag, without its
    /// scanners, and where nothing better is known.
    Status
    note(const std::string& content, const std::string& name, const Judgement& judgement) const;

    /// What is kept; nothing also if this program does not know the rule any more.
    Result<std::optional<Judgement>> find(const std::string& content,
                                          const std::string& name) const;

    /// A refusal of content that is refused under every name it is known by: one that somebody gave
    /// it elsewhere does not count alone.
    Result<std::optional<formats::Verdict>> find_refusal(const std::string& content) const;

    /// All blobs that find_refusal is about, also those that were refused when they came.
    Result<RefusedBlobs> refused_blobs() const;

    /// The names under which a content was judged, sorted.
    Result<std::vector<std::string>> names_of(const std::string& content) const;

    /// The blobs of git that verdicts from before `limit` are about.
    Result<std::unordered_set<std::string>> old_blobs(TimePoint limit) const;

    /// Forgets verdicts from before `limit` about large files that no repository has, unless they
    /// are named as apps' bundles, which the catalog has, and about these blobs. Gives how many.
    Result<std::uint64_t> forget(const std::unordered_set<std::string>& blobs,
                                 TimePoint limit) const;

  private:
    std::shared_ptr<Database> database_;
};

} // namespace locara::hub
