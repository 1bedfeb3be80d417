#include "bubblewrap.hpp"

#include "inner_words.hpp"

#include <system_error>

namespace locara::sandbox {

namespace {

namespace fs = std::filesystem;

constexpr const char* kInitInside = "/run/locara/sandbox-init";

Status check_bind(const Bind& bind, const std::string& name) {
    if (!bind.host.is_absolute() || !bind.inside.is_absolute()) {
        return Error(ErrorCode::InvalidArgument,
                     name + ": paths to show must be absolute, found \"" + bind.host.string() +
                         "\" at \"" + bind.inside.string() + "\"");
    }
    std::error_code error;
    if (!fs::exists(bind.host, error)) {
        return Error(ErrorCode::NotFound, name + ": " + bind.host.string() + " does not exist");
    }
    return {};
}

void append(std::vector<std::string>& words, std::initializer_list<std::string> more) {
    words.insert(words.end(), more);
}

// /lib, /bin and their like: links into /usr on a merged system, folders of their own on others.
void append_system(std::vector<std::string>& words) {
    append(words, {"--ro-bind", "/usr", "/usr"});
    for (const char* name : {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
        std::error_code error;
        if (fs::is_symlink(name, error)) {
            append(words, {"--symlink", fs::read_symlink(name, error).string(), name});
        } else if (fs::is_directory(name, error)) {
            append(words, {"--ro-bind", name, name});
        }
    }
    append(words, {"--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"});
    append(words, {"--ro-bind-try", "/etc/alternatives", "/etc/alternatives"});
}

std::vector<std::string> inner_command(const Profile& profile, int status) {
    std::vector<std::string> words{kInitInside, "inner", "--status", std::to_string(status)};
    append_limits(words, profile.limits);
    if (profile.syscalls == SyscallPolicy::Browser) {
        append(words, {"--network", "loopback"});
    }
    append(words, {"--read", "/usr", "--read", "/proc", "--read", "/etc"});
    append(words, {"--device", "/dev", "--write", "/tmp"});
    for (const auto& bind : profile.read_only) {
        append(words, {"--read", bind.inside});
    }
    for (const auto& bind : profile.writable) {
        append(words, {"--write", bind.inside});
    }
    if (profile.executables.empty()) {
        append(words, {"--exec", "/usr"});
        for (const auto& bind : profile.read_only) {
            append(words, {"--exec", bind.inside});
        }
    } else {
        append_executables(words, profile.executables);
    }
    words.emplace_back("--");
    words.insert(words.end(), profile.command.begin(), profile.command.end());
    return words;
}

} // namespace

Result<std::vector<std::string>>
bubblewrap_command(const Profile& profile, const Tools& tools, const Channels& channels) {
    if (profile.command.empty() || !fs::path(profile.command.front()).is_absolute()) {
        return Error(ErrorCode::InvalidArgument,
                     profile.name + ": the command must start with an absolute path");
    }
    std::vector<std::string> words{tools.bubblewrap.string()};
    append(words, {"--unshare-all", "--unshare-user", "--disable-userns", "--new-session"});
    append(words, {"--die-with-parent", "--cap-drop", "ALL", "--clearenv", "--hostname", "locara"});
    append_system(words);
    append(words, {"--proc", "/proc", "--dev", "/dev", "--dir", "/etc"});
    if (profile.limits.tmp_bytes != 0) {
        append(words, {"--size", std::to_string(profile.limits.tmp_bytes)});
    }
    append(words, {"--tmpfs", "/tmp", "--ro-bind", tools.init.string(), kInitInside});
    for (const auto& bind : profile.read_only) {
        LOCARA_CHECK(check_bind(bind, profile.name));
        append(words, {"--ro-bind", bind.host, bind.inside});
    }
    for (const auto& bind : profile.writable) {
        LOCARA_CHECK(check_bind(bind, profile.name));
        append(words, {"--bind", bind.host, bind.inside});
    }
    if (profile.socket) {
        LOCARA_CHECK(check_bind(*profile.socket, profile.name));
        append(words, {"--bind", profile.socket->host, profile.socket->inside});
    }
    // The mount points above were made in a tmpfs that is the root; from here on it is read-only.
    append(words, {"--remount-ro", "/"});
    for (const auto& [name, value] : profile.environment) {
        append(words, {"--setenv", name, value});
    }
    append(words, {"--chdir", profile.working_folder});
    append(words, {"--seccomp", std::to_string(channels.seccomp)});
    append(words, {"--info-fd", std::to_string(channels.info), "--"});
    const auto inner = inner_command(profile, channels.status);
    words.insert(words.end(), inner.begin(), inner.end());
    return words;
}

std::string bubblewrap_advice(const std::string& last_words) {
    const auto says = [&](const char* text) { return last_words.find(text) != std::string::npos; };
    if (says("namespace") || says("uid map") || says("Operation not permitted")) {
        return "user namespaces must be allowed: set kernel.unprivileged_userns_clone=1 (Debian), "
               "kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu) and "
               "user.max_user_namespaces above 0 with sysctl; in a container they need its owner's "
               "leave";
    }
    if (says("Unknown option")) {
        return "bubblewrap 0.8 or newer is needed: apt install bubblewrap";
    }
    return "see docs/sandbox.md";
}

} // namespace locara::sandbox
