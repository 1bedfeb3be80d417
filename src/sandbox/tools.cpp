#include "landlock_abi.hpp"

#include <locara/sandbox/profile.hpp>

#include <cstdlib>
#include <system_error>

#include <unistd.h>

namespace locara::sandbox {

namespace {

namespace fs = std::filesystem;

bool may_run(const fs::path& path) {
    return access(path.c_str(), X_OK) == 0;
}

} // namespace

Result<Tools> Tools::find() {
    Tools tools;
    for (const char* path : {"/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"}) {
        if (may_run(path)) {
            tools.bubblewrap = path;
            break;
        }
    }
    if (tools.bubblewrap.empty()) {
        return Error(ErrorCode::Unavailable,
                     "wall bubblewrap: bubblewrap is not installed: apt install bubblewrap");
    }
    LOCARA_TRY(tools.init, find_init());
    return tools;
}

Result<fs::path> Tools::find_init() {
    fs::path init;
    if (const char* chosen = std::getenv("LOCARA_SANDBOX_INIT"); chosen != nullptr) {
        init = chosen;
    } else {
        std::error_code error;
        const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
        init = folder / "locara-sandbox-init";
        if (!may_run(init)) {
            init = folder.parent_path() / "libexec/locara/locara-sandbox-init";
        }
    }
    if (!may_run(init)) {
        return Error(ErrorCode::Unavailable,
                     "wall landlock: locara-sandbox-init is neither beside this program nor in "
                     "../libexec/locara (looked for " +
                         init.string() + "): install Locara again, or set LOCARA_SANDBOX_INIT");
    }
    return init;
}

int landlock_abi() {
    return landlock::abi();
}

} // namespace locara::sandbox
