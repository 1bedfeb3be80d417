#include "catalog_files.hpp"

#include <locara/base/file.hpp>
#include <locara/manifest/model_signature.hpp>

namespace locara::hub {

namespace {

/// Manifests, their signatures and entries; bundles are not read this way.
constexpr std::uint64_t kTargetLimit = manifest::kModelSignatureLimitBytes;

} // namespace

Result<std::string> read_target(const std::filesystem::path& tree, const catalog::Target& target) {
    const auto hash = target.hashes.find("sha256");
    if (hash == target.hashes.end()) {
        return Error(ErrorCode::Corrupt, target.name + " has no sha256");
    }
    const std::filesystem::path name = target.name;
    const std::string file = hash->second + "." + name.filename().string();
    return read_file(tree / "targets" / name.parent_path() / file, kTargetLimit);
}

} // namespace locara::hub
