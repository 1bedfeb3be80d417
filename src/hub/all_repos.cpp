#include "all_repos.hpp"

#include <algorithm>
#include <iterator>

namespace locara::hub {

Result<std::vector<Repo>> list_all_repos(const Names& names) {
    std::vector<Repo> all;
    for (const RepoType type :
         {RepoType::Model, RepoType::Dataset, RepoType::Space, RepoType::Bucket}) {
        LOCARA_TRY(auto some, names.list_repos(type));
        std::move(some.begin(), some.end(), std::back_inserter(all));
    }
    std::sort(all.begin(), all.end(), [](const Repo& a, const Repo& b) { return a.key < b.key; });
    return all;
}

} // namespace locara::hub
