// Copies folders of files, as they come and go meanwhile.
//
// Threads: one.
#pragma once

#include <locara/base/file.hpp>
#include <locara/hub/backup.hpp>

#include <filesystem>
#include <functional>

namespace locara::hub {

class TreeCopy {
  public:
    explicit TreeCopy(const BackupOptions& options) : options_(options) {}

    enum class How { Copy, MayLink };

    /// Whether a file or folder comes along, by its path in the tree copied.
    using Filter = std::function<bool(const std::filesystem::path& path)>;

    /// Copies what is below a folder, if it is there, to a folder that is made. Modes and times
    /// come along, links and whatever else is no file or folder do not; what goes meanwhile is left
    /// out. What it shares blocks with where the file system can. Nothing is synced.
    Status folder(const std::filesystem::path& from,
                  const std::filesystem::path& to,
                  How how,
                  const Filter& take);

    /// One file; nothing happens if it is not there.
    Status file(const std::filesystem::path& from, const std::filesystem::path& to, How how);

    const BackupReport& report() const { return report_; }

    BackupReport& report() { return report_; }

  private:
    Status below(const std::filesystem::path& from,
                 const std::filesystem::path& to,
                 const std::filesystem::path& path,
                 How how,
                 const Filter& take);

    const BackupOptions& options_;
    BackupReport report_;
};

/// Takes everything.
bool take_all(const std::filesystem::path& path);

} // namespace locara::hub
