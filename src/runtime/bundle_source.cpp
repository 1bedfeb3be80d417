#include "bundle_source.hpp"

#include <locara/base/file.hpp>
#include <locara/runtime/home.hpp>

namespace locara::runtime {

namespace fs = std::filesystem;

namespace {

/// Says what is missing: a bundle has no server that might have it later.
class BundleFetcher : public catalog::FolderFetcher {
  public:
    explicit BundleFetcher(const fs::path& folder) : FolderFetcher(folder), folder_(folder) {}

    Result<std::string> fetch(std::string_view path, std::uint64_t limit_bytes) override {
        auto bytes = FolderFetcher::fetch(path, limit_bytes);
        if (!bytes) {
            return told(std::move(bytes).error(), path);
        }
        return bytes;
    }

    Status stream(std::string_view path,
                  std::uint64_t limit_bytes,
                  const std::function<Status(ByteView)>& sink) override {
        Status done = FolderFetcher::stream(path, limit_bytes, sink);
        return done ? std::move(done) : Status(told(std::move(done).error(), path));
    }

  private:
    Error told(Error error, std::string_view path) const {
        // The end of the chain of roots is where a root is not there.
        if (error.code() != ErrorCode::NotFound || path.ends_with(".root.json")) {
            return error;
        }
        return Error(ErrorCode::Corrupt,
                     (folder_ / path).string() +
                         " is missing; the bundle was copied in part, or has not this app");
    }

    fs::path folder_;
};

} // namespace

fs::path bundle_note(const fs::path& folder) {
    return folder / "bundle.json";
}

fs::path bundle_catalog(const fs::path& folder) {
    return folder / "catalog";
}

std::string bundle_file(const crypto::Sha256Digest& digest) {
    const std::string name = digest.render();
    return "files/" + name.substr(0, 2) + "/" + name;
}

fs::path bundle_license(const fs::path& folder, const crypto::Sha256Digest& digest) {
    return folder / "licenses" / (digest.render() + ".txt");
}

Result<BundleSource> BundleSource::open(fs::path folder) {
    const auto path = bundle_note(folder);
    const auto text = read_file(path, manifest::kOfflineBundleLimitBytes);
    if (!text && text.error().code() == ErrorCode::NotFound) {
        return Error(ErrorCode::NotFound,
                     folder.string() + " holds no finished offline bundle: there is no " +
                         path.filename().string());
    }
    if (!text) {
        return text.error();
    }
    auto note = manifest::OfflineBundle::parse(*text);
    if (!note) {
        const bool newer = note.error().code() == ErrorCode::Unsupported;
        return Error(newer ? ErrorCode::Unsupported : ErrorCode::Corrupt,
                     path.string() + ": " + note.error().describe());
    }
    auto hub = normalize_hub_url(note->hub);
    if (!hub || *hub != note->hub) {
        return Error(ErrorCode::Corrupt, path.string() + ": hub is no address of a hub");
    }
    const auto root =
        bundle_catalog(folder) / "metadata" / (std::to_string(note->root) + ".root.json");
    std::error_code failed;
    if (!fs::is_regular_file(root, failed)) {
        return Error(ErrorCode::Corrupt,
                     root.string() + " is missing; the bundle was copied in part");
    }
    return BundleSource(std::move(folder), std::move(*note));
}

std::unique_ptr<catalog::Fetcher> BundleSource::fetcher() const {
    return std::make_unique<BundleFetcher>(bundle_catalog(folder_));
}

Result<std::optional<fs::path>>
BundleSource::find_license(const crypto::Sha256Digest& digest) const {
    auto path = bundle_license(folder_, digest);
    const auto text = read_file(path, kLicenseTextLimitBytes);
    if (!text && text.error().code() == ErrorCode::NotFound) {
        return std::optional<fs::path>();
    }
    if (!text) {
        return text.error();
    }
    if (crypto::sha256(as_bytes(*text)) != digest) {
        return Error(ErrorCode::Corrupt,
                     path.string() + " is not the text that its name says; it was changed");
    }
    return std::optional(std::move(path));
}

} // namespace locara::runtime
