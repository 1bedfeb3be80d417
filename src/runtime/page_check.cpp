#include <locara/base/file.hpp>
#include <locara/runtime/broker.hpp>
#include <locara/runtime/page_check.hpp>
#include <locara/sandbox/process.hpp>

#include <cstdlib>
#include <system_error>

#include <unistd.h>

namespace locara::runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kReportBytes = 2U << 20U; // the driver bounds its lists and texts
constexpr std::size_t kLineBytes = 1000;
constexpr std::uint64_t kTmpBytes = 512U << 20U; // the browser's profile and its log
constexpr std::uint64_t kMemoryBytes = 3ULL << 30U;
constexpr std::uint64_t kFileBytes = 256U << 20U;
constexpr std::uint64_t kTasks = 1024;
constexpr std::uint64_t kOpenFiles = 4096;

fs::path chosen(const fs::path& given, const char* variable, const char* otherwise) {
    if (!given.empty()) {
        return given;
    }
    const char* const named = std::getenv(variable);
    return named != nullptr ? named : otherwise;
}

Result<fs::path> program(const fs::path& path, const std::string& what) {
    if (access(path.c_str(), X_OK) != 0) {
        return Error(ErrorCode::NotFound,
                     what + " is not installed (looked for " + path.string() + ")");
    }
    std::error_code error;
    return fs::canonical(path, error);
}

std::string last_line(std::string text) {
    text.erase(text.find_last_not_of(" \n") + 1);
    return text.substr(text.rfind('\n') + 1, kLineBytes);
}

/// Of the configuration in /etc, what a browser needs and nothing else.
void add_browser_files(sandbox::Profile& profile) {
    for (const char* path : {"/etc/fonts", "/etc/chromium.d", "/etc/chromium"}) {
        std::error_code error;
        if (fs::exists(path, error)) {
            profile.read_only.push_back({path, path});
        }
    }
}

Result<Json>
look(const fs::path& bundle, const manifest::AppManifest& app, const PageCheckOptions& options) {
    if (app.entry.kind == manifest::Entry::Kind::Process) {
        return Error(ErrorCode::Unsupported, "an app of kind process has no page");
    }
    fs::path share = options.share;
    if (share.empty()) {
        LOCARA_TRY(share, find_share_folder());
    }
    const fs::path script = share / "page-check";
    std::error_code error;
    if (!fs::exists(script / "page_check.mjs", error)) {
        return Error(ErrorCode::NotFound, "there is no " + script.string());
    }
    LOCARA_TRY(const fs::path node,
               program(chosen(options.node, "LOCARA_NODE", "/usr/bin/node"), "Node"));
    const fs::path browser = chosen(options.chromium, "LOCARA_CHROMIUM", "/usr/bin/chromium");
    LOCARA_CHECK(program(browser, "Chromium"));
    const fs::path beside = fs::read_symlink("/proc/self/exe", error).parent_path();
    LOCARA_TRY(const fs::path server,
               program(options.server.empty() ? beside / "locara-page-server" : options.server,
                       "locara-page-server"));
    LOCARA_TRY(const auto tools, sandbox::Tools::find());
    LOCARA_TRY(const auto out, TempFolder::create(fs::temp_directory_path(), "locara-page-"));

    const Json job = {{"app", app.id.render()},
                      {"label", app.id.label()},
                      {"port", kBrokerPort},
                      {"bundle", "/run/locara/bundle"},
                      {"share", "/run/locara/share"},
                      {"server", "/run/locara/page-server"},
                      {"chromium", browser.string()},
                      {"out", "/run/locara/out/report.json"}};
    sandbox::Profile profile;
    profile.name = "the check of " + app.id.render() + "'s page";
    profile.command = {
        node.string(), "/run/locara/share/page-check/page_check.mjs", render_json(job)};
    profile.read_only = {{fs::canonical(bundle, error), "/run/locara/bundle"},
                         {fs::canonical(share, error), "/run/locara/share"},
                         {server, "/run/locara/page-server"}};
    for (const fs::path& each : {node, browser}) {
        if (each.string().rfind("/usr/", 0) != 0) {
            profile.read_only.push_back({each, each});
        }
    }
    add_browser_files(profile);
    profile.writable = {{out.path(), "/run/locara/out"}};
    profile.environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", "/tmp"}, {"LANG", "C.UTF-8"}};
    profile.working_folder = "/tmp";
    profile.syscalls = sandbox::SyscallPolicy::Browser;
    profile.limits = {.memory_bytes = kMemoryBytes,
                      .file_bytes = kFileBytes,
                      .open_files = kOpenFiles,
                      .tasks = kTasks,
                      .tmp_bytes = kTmpBytes};
    LOCARA_TRY(const auto process, sandbox::Process::start(profile, tools));
    const auto end = process->wait(options.time);
    if (!end) {
        return Error(ErrorCode::Timeout,
                     "the look took more than " + std::to_string(options.time.count()) +
                         " seconds");
    }
    if (end->code != 0 || end->signal != 0) {
        return Error(ErrorCode::Unavailable,
                     "the browser's driver ended with " + end->describe() + ": " +
                         last_line(process->error_tail()));
    }
    LOCARA_TRY(const std::string text, read_file(out.path() / "report.json", kReportBytes));
    LOCARA_TRY(Json report, parse_json(text));
    if (!report.is_object()) {
        return Error(ErrorCode::Corrupt, "the driver wrote no report");
    }
    report["checked"] = true;
    return report;
}

} // namespace

Json check_page(const fs::path& bundle,
                const manifest::AppManifest& app,
                const PageCheckOptions& options) {
    const auto seen = look(bundle, app, options);
    return seen ? *seen : Json{{"checked", false}, {"why", seen.error().describe()}};
}

} // namespace locara::runtime
