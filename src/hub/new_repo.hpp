// Repositories as they begin: their git folder with one commit, then their name; as they end; and
// the words in which clients ask for one and are answered.
#pragma once

#include "services.hpp"

#include <locara/hub/git_repo.hpp>

#include <initializer_list>
#include <optional>
#include <string_view>

namespace locara::hub {

/// Makes the git repository with one commit of these files and notes the repository's name. The
/// repository's internal id is made here. Conflict when the name is taken, Refused when the gate
/// refuses a file; nothing is left then.
Result<Repo> create_repo(const Services& services, Repo repo, const GitSnapshot& first);

/// The same; `repos` is the folder of git repositories.
Result<Repo>
create_repo(Names& names, const std::filesystem::path& repos, Repo repo, const GitSnapshot& first);

/// What a removed repository took, in bytes.
struct RemovedSpace {
    std::uint64_t freed = 0; ///< Its git repository's, given back at once.
    /// The sizes of its large files: what gc gives back of them, after the grace time, is what no
    /// other repository shares.
    std::uint64_t reclaimable = 0;
};

/// Removes a repository with all that belongs to it; gc takes what it had in the store.
Result<RemovedSpace>
remove_repo(Names& names, const std::filesystem::path& repos, const Repo& repo);

/// {"freedBytes":, "reclaimableBytes":}
Json render(const RemovedSpace& space);

/// What a body says of who may see a repository: "visibility", or "private"; nothing if neither.
/// 400 for another word or another type than is allowed.
Answer<std::optional<Visibility>> parse_visibility(const Json& body);

/// 400, which names it, for a setting that is none of those `known`.
Answer<std::monostate> require_settings(const Json& body,
                                        std::initializer_list<std::string_view> known);

/// Forbidden, naming the option of hub.toml, if repositories of this type may not be so visible.
Status check_visibility(const RepoConfig& rules, RepoType type, Visibility visibility);

/// Who may see a new repository whose maker says `asked` of it. Of what may not be public the rest
/// is private, else it is as its namespace has it. Forbidden as check_visibility.
Result<Visibility>
choose_visibility(const Services& services, const RepoId& id, std::optional<Visibility> asked);

/// Its address on the web: "http://host/datasets/ana/words".
std::string repo_url(const http::Request& request, const RepoId& id);

/// 409 with the address of the repository that has this id already.
http::Response already_there(const http::Request& request, const RepoId& id);

} // namespace locara::hub
