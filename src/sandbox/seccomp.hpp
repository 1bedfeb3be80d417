// The seccomp filters, as programs ready for the --seccomp of bubblewrap and locara-sandbox-init.
#pragma once

#include <locara/base/file.hpp>
#include <locara/base/result.hpp>
#include <locara/sandbox/profile.hpp>

namespace locara::sandbox {

/// The filter in a memory file, read position at its start, close-on-exec. Unavailable if
/// libseccomp cannot make it for this processor.
Result<Fd> build_seccomp_filter(SyscallPolicy policy);

} // namespace locara::sandbox
