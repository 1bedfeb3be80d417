// What every command gets: the global flags, where to write, and the installer.
#pragma once

#include "exit_codes.hpp"
#include "interrupt.hpp"
#include "progress.hpp"
#include "style.hpp"

#include <locara/base/json.hpp>
#include <locara/http/client.hpp>
#include <locara/runtime/install.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::cli {

struct Flags {
    bool json = false;
    bool quiet = false;
    bool yes = false;
    bool accept_powers = false;
    bool dry_run = false;
    bool offline = false;
    int verbose = 0;
    std::string hub;
    std::string endpoint;
    std::string progress = "auto";
    std::string color = "auto";
    std::vector<std::string> accepted_licenses;
};

class Context {
  public:
    explicit Context(Flags given) : flags(std::move(given)) {}

    Flags flags;

    /// Standard output: results. A line gets its newline; false once nobody reads it any more.
    void print(std::string_view text);
    void print_json(const Json& json);

    /// Standard error: what people read on the way. Nothing with --quiet or --json.
    void say(std::string_view text);

    /// Tells an error on standard error, as a line or as JSON, and returns its exit code.
    int tell(const Error& error);

    /// Colours for what print() and say() write.
    Style out_style() const;
    Style err_style() const;

    /// A yes-or-no question on the terminal; `otherwise` is what an empty answer means.
    /// InvalidArgument, naming `flag`, when there is no terminal to ask on. Cancelled.
    enum class Answer { No, Yes };
    Result<bool> ask(const std::string& question, const std::string& flag, Answer otherwise);

    bool terminal_in() const;
    bool terminal_out() const; ///< Standard output.
    bool terminal_err() const;

    Log& log() const;
    Result<runtime::Home> home() const;
    Result<http::Client*> http();
    Result<runtime::Installer> installer();
    /// Everything comes from the folder `bundle`, unless it is empty.
    Result<runtime::Installer> installer(const std::string& bundle,
                                         std::stop_token stop = interrupt_token());
    /// Knows this hub alone, or all of them if it is empty, whatever --hub and LOCARA_HUB say:
    /// where apps come from is a choice, who calls back is none.
    Result<runtime::Installer> installer_of(const std::string& hub, std::stop_token stop);

    /// The same for the commands that add and list hubs: the one that is named may not be known
    /// yet. Everything comes from the folder `bundle`, unless it is empty.
    Result<runtime::Installer> installer_of_all(const std::string& bundle = "");

    /// Gives the gate what policy.toml says of scanners, before it is asked for the first time.
    /// Errors: those of policy::Policy::load.
    Status prepare_gate() const;
    std::unique_ptr<ProgressView> progress();

  private:
    Result<runtime::InstallerOptions> installer_options(std::stop_token stop);

    std::unique_ptr<http::Client> http_;
};

/// Pads a text to columns (characters, not bytes).
std::string pad(std::string_view text, std::size_t width);

/// "1 app", "2 apps".
std::string count(std::uint64_t n, std::string_view word);

/// Rows of a table, columns two spaces apart, the last one as it is. `paint`, if there is one, may
/// colour the first cell of each row.
std::string
render_table(const std::vector<std::vector<std::string>>& rows,
             const std::function<std::string(const std::string& cell)>& paint = nullptr);

// The commands. Each returns the exit code or the error that main tells.
struct HubAddRequest {
    std::string url; ///< May be empty with `from`.
    std::string root_file;
    std::string fingerprint;
    std::string from; ///< An offline bundle; empty: the network.
};

Result<int> run_hub_add(Context& context, const HubAddRequest& request);
Result<int> run_hub_list(Context& context);
Result<int> run_hub_remove(Context& context, const std::string& url);
Result<int> run_search(Context& context, const std::vector<std::string>& words, bool refresh);
Result<int> run_show(Context& context, const std::string& ref);
/// `from` is an offline bundle or empty; with one, no refs mean all of its apps.
Result<int> run_install(Context& context, std::vector<std::string> refs, const std::string& from);

struct BundleWords {
    std::vector<std::string> apps;
    std::string folder;
    std::vector<std::string> licenses;
};

Result<int> run_bundle(Context& context, const BundleWords& words);

/// When the roles that may have lapsed in a bundle were signed, for people and as JSON.
std::string render_signed(const std::vector<catalog::RoleInfo>& roles, TimePoint now);
Json signed_json(const std::vector<catalog::RoleInfo>& roles, TimePoint now);
Result<int> run_list(Context& context);
Result<int> run_remove(Context& context, const std::vector<std::string>& ids);
Result<int> run_pull(Context& context, const std::string& model, const std::string& manifest_file);

struct VerifyRequest {
    std::string app; ///< Empty: everything.
    bool all = false;
    bool repair = false;
};

Result<int> run_verify(Context& context, const VerifyRequest& request);
Result<int> run_df(Context& context);
Result<int> run_why(Context& context, const std::string& reference);

struct GcRequest {
    std::string older_than; ///< "30d", "12h", "0s"; empty: an hour, parts a week.
    bool adopted = false;
};

Result<int> run_gc(Context& context, const GcRequest& request);

struct AdoptWords {
    std::vector<std::string> paths;
    std::string link = "auto";
};

Result<int> run_adopt(Context& context, const AdoptWords& words);
Result<int> run_pin(Context& context, const std::string& digest);
Result<int> run_unpin(Context& context, const std::string& name);

/// "30d", "12h", "15m", "40s". InvalidArgument.
Result<std::chrono::seconds> parse_age(std::string_view text);
Result<int> run_doctor(Context& context);
Result<int> run_policy_test(Context& context, const std::string& reference);
Result<int> run_scan(Context& context, const std::vector<std::string>& paths);
Result<int> run_xet_inspect(Context& context, const std::string& path);
Result<int> run_xet_dedup(Context& context, const std::string& old_path, const std::string& path);
Result<int> run_welcome(Context& context);

struct UploadArguments {
    std::string repo;
    std::vector<std::string> files;
    std::string path; ///< In the repository: of the one file, or the folder of several.
    std::string message;
    std::string revision = "main";
    std::string parent; ///< The commit that must still be the newest; may be empty.
    std::string type = "model";
    bool create = false;
};

Result<int> run_upload(Context& context, const UploadArguments& arguments);

Result<int> run_lint(Context& context, const std::string& folder);
Result<int> run_publish(Context& context, const std::string& folder, const std::string& message);

struct RunOptions {
    std::string app;
    std::optional<std::string> once;
    bool open = false;
};

Result<int> run_app(Context& context, const RunOptions& options);

struct ServeOptions {
    std::uint16_t port = 0;
    std::uint64_t idle_seconds = 0; ///< 0: as the broker has it.
    std::uint64_t context_limit = 0;
};

Result<int> run_serve(Context& context, const ServeOptions& options);
Result<int> run_stop(Context& context);
Result<int> run_status(Context& context);

struct InstallOutcome {
    std::optional<runtime::Lock> lock; ///< What is installed now; null if nothing is.
    Json json;                         ///< The members of locara.install/1 for this app.
};

/// The plan, then the questions, then the install: what `install` and `run` share. Says what was
/// saved at the end. The lock is the installed one, also if there was nothing to do.
Result<InstallOutcome>
install_with_plan(Context& context, runtime::Installer& installer, const manifest::AppRef& ref);

/// Does `one` for each of the words, and goes on after an error. With one word its error is the
/// answer. With several, each error is told at once and stands in the list that is returned as
/// {"id","error"} beside what `one` added to it; `exit` is then kPartly if something was done, else
/// the code of the first error. Cancelled ends it.
struct EachOutcome {
    Json list = Json::array();
    int exit = kDone;
};

Result<EachOutcome> for_each_word(Context& context,
                                  const std::vector<std::string>& words,
                                  const std::function<Status(const std::string&, Json& list)>& one);

} // namespace locara::cli
