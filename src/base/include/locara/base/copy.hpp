// Copying byte ranges between files with as little work as the file system allows.
//
// Threads: plain functions.
#pragma once

#include <locara/base/file.hpp>

#include <cstdint>

namespace locara {

/// Copies `size` bytes. Whole blocks are shared (FICLONERANGE) where both offsets lie alike in
/// their blocks and the file system can, else copied in the kernel (copy_file_range), else through
/// memory. Returns how many bytes are shared. Corrupt when the source ends too early; NoSpace, Io.
/// After an error any part of the target range may have been written.
Result<std::uint64_t> copy_range(
    const Fd& source, std::uint64_t from, const Fd& target, std::uint64_t to, std::uint64_t size);

/// Makes the empty file `target` share all blocks of `source` (FICLONE). Unsupported where the file
/// system cannot.
Status clone_file(const Fd& source, const Fd& target);

} // namespace locara
