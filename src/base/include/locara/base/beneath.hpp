// Opening files below a folder of somebody else's making: a seed, an app's folder, an unpacked
// bundle.
//
// openat2(2) with RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS: whatever became
// of the folder since its files were listed, no symbolic link is followed on the way and nothing
// outside is reached. The folder itself is the caller's word: open it before it is listed.
// Threads: as open(2).
#pragma once

#include <locara/base/file.hpp>

#include <filesystem>
#include <string>

namespace locara {

/// The folder, for open_beneath. Its own path may lead over links. Errors as open_file.
Result<Fd> open_folder(const std::filesystem::path& path);

/// The regular file `name` (relative, with '/'), for reading. NotFound if there is none;
/// InvalidArgument if it is, or lies behind, a symbolic link, leads out of the folder, or is no
/// regular file; never waits for a FIFO. Else as open_file.
Result<Fd> open_beneath(const Fd& folder, const std::string& name);

/// Makes the file `name` for writing, in a sub-folder that is there, with mode 0600. Conflict if
/// there is something of that name. Else as open_beneath.
Result<Fd> create_beneath(const Fd& folder, const std::string& name);

} // namespace locara
