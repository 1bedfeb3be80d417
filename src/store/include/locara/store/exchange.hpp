// Files of a store to and from a folder that travels: what has a known digest goes out and comes
// in.
//
// Threads and processes: as Store.
#pragma once

#include <locara/store/store.hpp>

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string_view>

namespace locara::store {

/// Brings in a file whose digest and size are known, from `place` in a folder of such files, which
/// may be of somebody else's making (base/beneath.hpp): copied into a
/// part, hashed as it lies there, past `gate`, published. Going on after Cancelled or a kill copies
/// only what is missing. Gives nullopt if the store had it. Errors: NotFound (no such file),
/// InvalidArgument (a symbolic link, no regular file),
/// Corrupt (another size, or wrong bytes; nothing of it is kept), the gate's (nothing is kept),
/// Cancelled, NoSpace, Io. Progress: task "pull", item `name`, source the folder.
Result<std::optional<FileInfo>> import_file(Store& store,
                                            const std::filesystem::path& folder,
                                            const std::string& place,
                                            const FileInfo& wanted,
                                            std::string_view name,
                                            const Gate& gate = nullptr,
                                            ProgressSink& progress = null_progress(),
                                            std::stop_token stop = {});

/// Puts a file of the store at `dest`, mode 0444: by sharing blocks, else by a hard link (not of
/// adopted files, whose owners may write to them), else by copying; hashed in any case. A copy that
/// was cut short (`dest` and ".part") is gone on with, and what is at `dest` already stays if it
/// has this digest. Gives nullopt if it was copied or there. Errors: NotFound, Corrupt (the store's
/// bytes are damaged), Cancelled, NoSpace, Io. Durable on return. Progress: task "bundle", item
/// `name`.
Result<std::optional<LinkKind>> export_file(const Store& store,
                                            const Digest& digest,
                                            const std::filesystem::path& dest,
                                            std::string_view name,
                                            ProgressSink& progress = null_progress(),
                                            std::stop_token stop = {});

} // namespace locara::store
