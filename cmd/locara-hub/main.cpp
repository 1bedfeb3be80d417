// locara-hub: the server a team hosts. Flags, wiring and words; everything else is in src/hub.
#include "account_commands.hpp"
#include "audit_commands.hpp"
#include "configuration.hpp"
#include "keys_commands.hpp"
#include "mirror_commands.hpp"
#include "model_commands.hpp"
#include "oauth_commands.hpp"
#include "org_commands.hpp"
#include "output.hpp"
#include "quota_commands.hpp"
#include "repo_commands.hpp"
#include "review_commands.hpp"
#include "scan_commands.hpp"
#include "upkeep_commands.hpp"

#include <locara/base/json.hpp>
#include <locara/base/json_log.hpp>
#include <locara/base/nearest_word.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/hub/database_choice.hpp>
#include <locara/hub/hub.hpp>
#include <locara/hub/seed.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace locara;

/// Exit codes as in `locara`: one table for both programs.
int exit_code(ErrorCode code) {
    switch (code) {
    case ErrorCode::InvalidArgument:
        return 2;
    case ErrorCode::NotFound:
        return 3;
    case ErrorCode::Unauthorized:
    case ErrorCode::Forbidden:
        return 4;
    case ErrorCode::Unavailable:
    case ErrorCode::Timeout:
        return 5;
    case ErrorCode::Corrupt:
        return 6;
    case ErrorCode::NoSpace:
        return 7;
    case ErrorCode::Refused:
        return 8;
    case ErrorCode::Busy:
    case ErrorCode::Conflict:
        return 9;
    case ErrorCode::Offline:
        return 12;
    case ErrorCode::Cancelled:
        return 130;
    case ErrorCode::TooLarge:
    case ErrorCode::Io:
    case ErrorCode::Unsupported:
    case ErrorCode::Internal:
        return 1;
    }
    return 1;
}

/// The signal that asked a long command to stop, 0 if none did.
std::atomic<int> seen_signal{0};

/// As a shell has it for whatever a signal ended.
int exit_of(int signal) {
    return 128 + signal;
}

int fail(const Error& error) {
    std::fprintf(stderr, "locara-hub: %s\n", error.describe().c_str());
    return error.code() == ErrorCode::Cancelled && seen_signal != 0 ? exit_of(seen_signal)
                                                                    : exit_code(error.code());
}

struct Listen {
    std::string address;
    std::uint16_t port = 0;

    /// "127.0.0.1:17864" or "[::1]:17864".
    static Result<Listen> parse(const std::string& text) {
        const std::size_t colon = text.rfind(':');
        Listen listen;
        listen.address = text.substr(0, colon);
        if (listen.address.size() > 2 && listen.address.front() == '[' &&
            listen.address.back() == ']') {
            listen.address = listen.address.substr(1, listen.address.size() - 2);
        }
        const std::string port = colon == std::string::npos ? "" : text.substr(colon + 1);
        const char* const last = port.data() + port.size();
        const auto [end, error] = std::from_chars(port.data(), last, listen.port);
        if (error != std::errc() || end != last || listen.address.empty()) {
            return Error(ErrorCode::InvalidArgument,
                         "found '" + text + "', wanted ADDRESS:PORT such as 127.0.0.1:17864");
        }
        return listen;
    }

    std::string render() const {
        const bool v6 = address.find(':') != std::string::npos;
        return (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
    }
};

constexpr const char* kListen = "127.0.0.1:17864";

struct Options {
    std::string data;
    std::string listen; ///< Empty, as those below: what the configuration says.
    std::string seed;
    std::string log_format;
    Configuration configuration;
    std::string database;
    std::string model;
    int ready_fd = -1;
    bool verbose = false;
    bool write = false;
    bool join = false;
    bool json = false;
};

/// Blocks the signals that end the program, so that one thread can wait for them. Before any
/// other thread is made.
sigset_t block_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
}

/// `asked` is the option's value and wins over that of the configuration.
Status
choose_database(const std::string& data, const std::string& asked, const std::string& configured) {
    const std::string& url = asked.empty() ? configured : asked;
    return url.empty() ? Status()
                       : hub::choose_database(data, url).context(asked.empty() ? "server.database"
                                                                               : "--database");
}

/// What another user makes in the folder of a hub, root too, the hub could not read any more.
Status check_owner(const std::filesystem::path& data) {
    struct stat info {};

    if (data.empty() || ::stat((data / "keys").c_str(), &info) != 0 || info.st_uid == ::geteuid()) {
        return {};
    }
    const passwd* const owner = ::getpwuid(info.st_uid);
    const std::string user = owner != nullptr ? owner->pw_name : "#" + std::to_string(info.st_uid);
    return Error(ErrorCode::Forbidden,
                 "the hub in " + data.string() + " belongs to the user " + user +
                     ", who could not read what another makes there; run this as that user: sudo "
                     "-u '" +
                     user + "' locara-hub ...");
}

/// The verb that a command line ends in.
const CLI::App& verb_of(const CLI::App& app) {
    const auto below = app.get_subcommands();
    return below.empty() ? app : verb_of(*below.front());
}

/// A path that a script did not set is none, and never means "here" or "at once".
Status check_paths(const CLI::App& verb) {
    for (const CLI::Option* const option : verb.get_options()) {
        const std::string name = option->get_name();
        static constexpr std::string_view kPaths[] = {
            "--data", "--to", "--config", "--keys", "--since", "--seed", "--signature"};
        const bool is_path =
            option->get_positional() ||
            std::find(std::begin(kPaths), std::end(kPaths), name) != std::end(kPaths);
        const auto& given = option->results();
        if (is_path && std::find(given.begin(), given.end(), "") != given.end()) {
            return Error(ErrorCode::InvalidArgument, name + " is empty");
        }
    }
    return {};
}

/// The folder that a command line names.
std::string data_of(const CLI::App& verb) {
    const CLI::Option* const data = verb.get_option_no_throw("--data");
    return data == nullptr || data->count() == 0 ? "" : data->as<std::string>();
}

Log& choose_log(const Options& options, const hub::ServerConfig& config) {
    const bool json = options.log_format.empty() ? config.log == hub::ServerConfig::LogFormat::Json
                                                 : options.log_format == "json";
    const bool verbose = options.verbose || config.verbose;
    if (json) {
        return stderr_json_log(verbose ? LogLevel::Debug : LogLevel::Warning);
    }
    return stderr_log(verbose ? LogLevel::Debug : LogLevel::Warning);
}

Status serve(const Options& options) {
    LOCARA_TRY(auto config, options.configuration.start(options.data));
    const hub::ServerConfig server = config.server;
    const std::string data = options.data.empty() ? server.data.string() : options.data;
    if (data.empty()) {
        return Error(ErrorCode::InvalidArgument,
                     "which folder to serve is in neither --data nor server.data of a --config; "
                     "see `locara-hub serve --help`");
    }
    LOCARA_CHECK(check_owner(data));
    const std::string address = !options.listen.empty()  ? options.listen
                                : !server.listen.empty() ? server.listen
                                                         : kListen;
    LOCARA_TRY(
        Listen listen,
        Listen::parse(address).context(options.listen.empty() ? "server.listen" : "--listen"));
    const bool join = options.join || server.join;
    if (join && !options.seed.empty()) {
        return Error(ErrorCode::InvalidArgument, "a hub that joins another one takes no seed");
    }
    // The file may be the first process's own, whose seed is its affair.
    const std::string seed = join ? "" : options.seed.empty() ? server.seed.string() : options.seed;
    Log& log = choose_log(options, server);
    LOCARA_CHECK(choose_database(data, options.database, server.database));
    using Part = hub::Hub::Part;
    LOCARA_TRY(const auto hub,
               hub::Hub::open(data, system_clock(), log, join ? Part::Joined : Part::Owner));
    hub->configure(std::move(config.hub));
    if (!seed.empty()) {
        LOCARA_TRY(const auto report, hub->take_seed(seed).context("the seed"));
        if (report.changed) {
            std::fprintf(stderr,
                         "locara-hub: published %zu model(s) and %zu app(s) from %s\n",
                         report.models,
                         report.apps,
                         seed.c_str());
        }
    }
    // Until here a signal ends the program at once: a large seed takes a while, and a start that is
    // cut off breaks nothing.
    const sigset_t signals = block_signals();
    LOCARA_CHECK(hub->serve(listen.address, listen.port));
    listen.port = hub->port();
    std::fprintf(stderr,
                 "locara-hub: serving http://%s (catalog root sha256:%s)\n",
                 listen.render().c_str(),
                 hub->fingerprint().c_str());
    if (options.ready_fd >= 0) {
        const Fd ready(options.ready_fd);
        LOCARA_CHECK(write_all(ready, as_bytes("ready\n")));
    }
    int signal = 0;
    sigwait(&signals, &signal);
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr); // A second one does not wait for open answers.
    hub->stop();
    return {};
}

/// Runs a long command; the first SIGINT or SIGTERM stops it at a good place, the second one at
/// once.
Status until_signal(const UpkeepCommands& command) {
    const sigset_t signals = block_signals();
    std::stop_source source;
    std::atomic<bool> done{false};
    std::thread waiter([&] {
        int signal = 0;
        sigwait(&signals, &signal);
        seen_signal = signal;
        source.request_stop();
        if (!done) {
            sigwait(&signals, &signal);
        }
        if (!done) {
            std::_Exit(exit_of(signal));
        }
    });
    const auto end_wait = [&done, &waiter](const void*) {
        done = true;
        pthread_kill(waiter.native_handle(), SIGTERM); // Ends the wait if nobody else did.
        waiter.join();
    };
    const std::unique_ptr<const void, decltype(end_wait)> ended(&done, end_wait); // Thrown too.
    return command.run(source.get_token());
}

Status init(const Options& options) {
    LOCARA_CHECK(choose_database(options.data, options.database, ""));
    LOCARA_TRY(const auto hub,
               hub::Hub::open(options.data, system_clock(), stderr_log(LogLevel::Warning)));
    if (options.json) {
        const Json words = {{"schema", "locara-hub.init/1"},
                            {"root", options.data + "/root.json"},
                            {"fingerprint", "sha256:" + hub->fingerprint()}};
        std::printf("%s\n", words.dump().c_str());
        return {};
    }
    std::printf("root         %s/root.json\nfingerprint  sha256:%s\n",
                options.data.c_str(),
                hub->fingerprint().c_str());
    return {};
}

Status pin(const Options& options) {
    LOCARA_TRY(const auto pinned, hub::pin_manifest(options.model));
    std::printf("revision  %s\n", pinned.pin.commit.c_str());
    for (const auto& file : pinned.pin.files) {
        std::printf("file      sha256:%s %12llu  %s\n",
                    file.sha256.render().c_str(),
                    static_cast<unsigned long long>(file.size),
                    file.path.c_str());
    }
    if (options.write && pinned.changed) {
        LOCARA_CHECK(
            write_file_atomically(options.model + "/manifest.json", as_bytes(pinned.manifest)));
    }
    std::printf("manifest  sha256:%s%s\n",
                crypto::sha256(as_bytes(pinned.manifest)).render().c_str(),
                pinned.changed && !options.write ? "  (not what is there; add --write)" : "");
    return {};
}

/// What the help of a verb, and of those below it, ends with.
struct Examples {
    const char* verb;
    const char* lines;
};

constexpr Examples kExamples[] = {
    {"serve",
     "  locara-hub serve --data /var/lib/locara-hub\n"
     "  locara-hub serve --config hub.toml\n"
     "  locara-hub serve --data ./hub --listen 127.0.0.1:0 --seed build/share/locara/seed"},
    {"init",
     "  locara-hub init --data DATA\n"
     "  locara-hub init --data DATA --database postgresql://hub@db.example.org/hub"},
    {"pin", "  locara-hub pin --write models/quick-add"},
    {"user",
     "  locara-hub user add ana --full-name \"Ana A.\" --data DATA\n"
     "  locara-hub user list --data DATA --json\n"
     "  locara-hub user rm ana --data DATA"},
    {"token",
     "  locara-hub token create --user ana --role write --expires 90d --data DATA\n"
     "  locara-hub token create --user ana --role fine-grained --repo lab/tiny=write --data DATA\n"
     "  locara-hub token revoke 65f0c1d2e3f4a5b6c7d8e9f0 --data DATA"},
    {"org",
     "  locara-hub org create lab --full-name \"The lab\" --data DATA\n"
     "  locara-hub org add-member lab ana --role write --data DATA"},
    {"oauth",
     "  locara-hub oauth add board --redirect https://board.example.org/in --data DATA\n"
     "  locara-hub oauth list --data DATA"},
    {"audit",
     "  locara-hub audit list --event repo-removed --by ana --data DATA\n"
     "  locara-hub audit verify --data DATA"},
    {"quota",
     "  locara-hub quota show --data DATA\n"
     "  locara-hub quota set lab 2TB --data DATA"},
    {"repo",
     "  locara-hub repo list --data DATA\n"
     "  locara-hub repo create lab/tiny --private --data DATA\n"
     "  locara-hub repo set lab/tiny --gate manual --data DATA"},
    {"keys",
     "  locara-hub keys list --data DATA\n"
     "  locara-hub keys rotate timestamp --data DATA\n"
     "  locara-hub keys rotate apps apps-2.pem.pub --to drafts --data DATA\n"
     "  locara-hub keys export targets --to drafts --data DATA\n"
     "  locara-hub keys sign drafts/* --keys KEYS\n"
     "  locara-hub keys import drafts/* --data DATA"},
    {"takedown",
     "  locara-hub takedown add bob/app --reason \"it sends notes away\" --data DATA\n"
     "  locara-hub takedown pending --data DATA\n"
     "  locara-hub takedown publish --data DATA"},
    {"mirror",
     "  locara-hub mirror list --data DATA\n"
     "  locara-hub mirror rm org/model --data DATA"},
    {"scan", "  locara-hub scan show lab/tiny@main --issues --data DATA"},
    {"rescan",
     "  locara-hub rescan --data DATA\n"
     "  locara-hub rescan --all --clamd /run/clamav/clamd.ctl --data DATA"},
    {"gc",
     "  locara-hub gc --dry-run --data DATA\n"
     "  locara-hub gc --grace 1h --data DATA"},
    {"fsck",
     "  locara-hub fsck --data DATA\n"
     "  locara-hub fsck --set-aside --data DATA"},
    {"stats", "  locara-hub stats --data DATA --json"},
    {"backup",
     "  locara-hub backup /backup/monday --data DATA\n"
     "  locara-hub backup /backup/monday --link --data DATA    where it is the same file system"},
    {"restore", "  locara-hub restore /backup/monday --data NEW_FOLDER"},
};

void add_examples(CLI::App& app) {
    app.footer("Examples:\n"
               "  locara-hub serve --data /var/lib/locara-hub\n"
               "  locara-hub user add ana --data /var/lib/locara-hub\n"
               "A client trusts a hub by the root in its data folder:\n"
               "  locara hub add http://127.0.0.1:17864 --root /var/lib/locara-hub/root.json\n"
               "`locara-hub VERB --help` shows more.");
    for (const Examples& examples : kExamples) {
        CLI::App* const verb = app.get_subcommand(examples.verb);
        const std::string footer = std::string("Examples:\n") + examples.lines;
        verb->footer(footer);
        for (CLI::App* const below : verb->get_subcommands({})) {
            below->footer(footer);
        }
    }
}

/// A word that stands where a verb belongs and is none, with the verb that it may have meant: the
/// library only says that one is missing.
Status check_verbs(const CLI::App& app, int argc, const char* const* argv) {
    constexpr std::size_t kLongestWord = 64;
    const CLI::App* at = &app;
    std::string command = "locara-hub";
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        const auto verbs = at->get_subcommands([](const CLI::App*) { return true; });
        if (verbs.empty() || word.empty() || word.front() == '-') {
            return {};
        }
        std::vector<std::string> names;
        const CLI::App* below = nullptr;
        for (const CLI::App* const verb : verbs) {
            names.push_back(verb->get_name());
            below = names.back() == word ? verb : below;
        }
        if (below == nullptr) {
            const std::string shown = word.substr(0, kLongestWord);
            const std::string nearest = nearest_word(shown, names);
            return Error(ErrorCode::InvalidArgument,
                         "there is no verb '" + shown + "'; " +
                             (nearest.empty()
                                  ? "see"
                                  : "did you mean `" + command + " " + nearest + "`? See") +
                             " `" + command + " --help`");
        }
        at = below;
        command += " " + word;
    }
    return {};
}

int run(int argc, char** argv) {
    CLI::App app(
        "A hub of one's own: a signed catalog of apps and models, repositories by the Hugging "
        "Face Hub's protocol, and a mirror of that Hub.",
        "locara-hub");
    app.set_version_flag("--version", "locara-hub " + std::string(locara::hub::version()));
    app.require_subcommand(1);
    Options options;
    const auto add_database = [&options](CLI::App* command) {
        command
            ->add_option("--database",
                         options.database,
                         "postgresql://HOST/NAME for the names of a new hub, in place of a file in "
                         "its folder")
            ->type_name("URL");
    };
    CLI::App* const serve_command = app.add_subcommand("serve", "serve a data folder");
    serve_command->add_option("--data",
                              options.data,
                              "folder of this hub, made if it is not there; else server.data of "
                              "hub.toml");
    serve_command->add_option("--listen", options.listen, "ADDRESS:PORT; port 0 takes a free one")
        ->default_str(kListen);
    serve_command->add_option(
        "--seed",
        options.seed,
        "folder with models/ and apps/ to publish, signed with the keys here");
    options.configuration.add_to(serve_command);
    add_database(serve_command);
    serve_command
        ->add_flag("--join", options.join, "serve beside the hub that has this folder already")
        ->excludes("--seed");
    serve_command->add_option(
        "--ready-fd", options.ready_fd, "write \"ready\" to this descriptor once serving");
    serve_command
        ->add_option("--log-format", options.log_format, "text, or json: a JSON object a line")
        ->check(CLI::IsMember({"text", "json"}));
    serve_command->add_flag("-v,--verbose", options.verbose, "log every request");

    CLI::App* const init_command = app.add_subcommand(
        "init", "make keys and an empty catalog, print the fingerprint of its root");
    init_command->add_option("--data", options.data, "folder of this hub")->required();
    add_database(init_command);
    init_command->add_flag("--json", options.json, "the result as one JSON object");

    CLI::App* const pin_command = app.add_subcommand(
        "pin", "print the commit, sizes and hashes that a model's manifest.json must hold");
    pin_command->add_option("MODEL_DIR", options.model, "folder with manifest.json and repo/")
        ->required();
    pin_command->add_flag("--write", options.write, "write them into manifest.json");

    const AccountCommands accounts(app);
    const OrgCommands orgs(app);
    const OAuthCommands oauth(app);
    const AuditCommands audit(app);
    const QuotaCommands quota(app);
    const RepoCommands repo(app);
    const KeysCommands keys(app);
    const ReviewCommands review(app);
    const ModelCommands model(app);
    const MirrorCommands mirror(app);
    const ScanCommands scan(app);
    const UpkeepCommands upkeep(app);
    add_examples(app);

    const Status known = check_verbs(app, argc, argv);
    if (!known) {
        return fail(known.error());
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) {
            std::ostringstream words; // help and version
            app.exit(error, words);
            write_output(words.str());
            return 0;
        }
        std::string command = "locara-hub";
        for (const CLI::App* chosen = &app; !chosen->get_subcommands().empty();) {
            chosen = chosen->get_subcommands()[0];
            command += " " + chosen->get_name();
        }
        return fail(Error(ErrorCode::InvalidArgument,
                          std::string(error.what()) + "; see `" + command + " --help`"));
    }
    const CLI::App& verb = verb_of(app);
    for (const Status& fit : {check_paths(verb), check_owner(data_of(verb))}) {
        if (!fit) {
            return fail(fit.error());
        }
    }
    try {
        const Status done = accounts.parsed()         ? accounts.run()
                            : oauth.parsed()          ? oauth.run()
                            : orgs.parsed()           ? orgs.run()
                            : audit.parsed()          ? audit.run()
                            : quota.parsed()          ? quota.run()
                            : repo.parsed()           ? repo.run()
                            : keys.parsed()           ? keys.run()
                            : review.parsed()         ? review.run()
                            : model.parsed()          ? model.run()
                            : mirror.parsed()         ? mirror.run()
                            : scan.parsed()           ? scan.run()
                            : upkeep.parsed()         ? until_signal(upkeep)
                            : serve_command->parsed() ? serve(options)
                            : init_command->parsed()  ? init(options)
                                                      : pin(options);
        return done ? 0 : fail(done.error());
    } catch (const std::exception& error) {
        // The last catch: libraries may throw, for want of memory above all.
        std::fprintf(stderr, "locara-hub: internal error: %s\n", error.what());
        return 1;
    }
}

} // namespace

int main(int argc, char** argv) {
    return end_output(run(argc, argv), fail);
}
