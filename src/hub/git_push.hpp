// A push while it is taken: what the hub demands of its refs and of what it brings, and how both
// become the repository's: all of it or nothing.
//
// The pack is unpacked by git into a quarantine (docs/adr/0009), a folder that only this push sees.
// Threads: one at a time. Every call blocks.
#pragma once

#include "access.hpp"
#include "git_wire.hpp"

#include <locara/base/file.hpp>
#include <locara/hub/git_repo.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <unordered_set>

namespace locara::hub {

/// What one pack may have. Large files come by Git LFS.
inline constexpr std::uint64_t kPackLimit = 1ULL << 30U;

/// The refs of a repository and what this hub can do, as a push is told first.
Answer<std::string> advertise_push(const Services& services, const Repo& repo);

class Push {
  public:
    /// `asked` is what the audit log tells of the request: its id, peer and notes.
    Push(const Services& services,
         Repo repo,
         Identity who,
         PushRequest request,
         http::Request asked);

    /// Whether the refs may be moved like that, as far as is to be seen without the pack.
    Status check_commands();

    /// Whether a pack comes after the commands.
    bool brings_pack() const;

    /// Where the pack is to be unpacked.
    Result<std::filesystem::path> make_quarantine();

    std::filesystem::path repository() const { return services_.folder_of(repo_); }

    /// The pack is no good, in git's words.
    void refuse_pack(const std::string& why);

    /// Nothing is going to move: somebody has said no.
    bool is_refused() const { return refused_.has_value(); }

    /// Looks at everything that is new.
    Status check_objects();

    /// Moves the new objects in and the refs, if nothing was refused, and removes the quarantine.
    Status apply();

    /// What becomes of each command, for the client.
    std::string report() const;

    bool can(std::string_view ability) const { return request_.can(ability); }

  private:
    /// Why nothing moves.
    struct Refused {
        std::string ref; ///< Whose fault it is; empty for the whole push.
        std::string why; ///< One line.
    };

    void refuse(std::string ref, std::string_view why);

    /// Errors that the client is told of become a refusal; others come back.
    Status take_error(std::string ref, Status status);
    Status check_command(const RefCommand& command, const std::vector<GitRef>& refs) const;
    Status check_pull(const RefCommand& command) const;
    Result<std::unordered_set<std::string>> judged_blobs() const;
    Status move_pack_in() const;
    void record_moves() const;

    const Services& services_;
    const Repo repo_;
    const Identity who_;
    const PushRequest request_;
    const http::Request asked_;
    std::optional<TempFolder> quarantine_;
    std::optional<Refused> refused_;
    std::optional<std::string> bad_pack_;
};

} // namespace locara::hub
