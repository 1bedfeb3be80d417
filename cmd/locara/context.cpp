#include "context.hpp"

#include "output.hpp"

#include <locara/gate/gate.hpp>
#include <locara/policy/policy.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace locara::cli {

namespace {

void write_error(std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(STDERR_FILENO, text.data(), text.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return; // nobody reads any more; the exit code still tells
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

bool is_set(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' && std::string_view(value) != "0";
}

unsigned terminal_width() {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) {
        return size.ws_col - 1U;
    }
    return 79;
}

std::size_t count_characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

} // namespace

void Context::print(std::string_view text) {
    write_output(std::string(text) + "\n");
}

void Context::print_json(const Json& json) {
    print(render_json(json));
}

void Context::say(std::string_view text) {
    if (!flags.quiet && !flags.json) {
        write_error(std::string(text) + "\n");
    }
}

int Context::tell(const Error& error) {
    if (error.code() == ErrorCode::Cancelled) {
        const int exit = interrupt_signal() == 0 ? int{kInterrupted} : 128 + interrupt_signal();
        const Error stopped(ErrorCode::Cancelled,
                            "stopped; nothing is lost: run the same command again to resume");
        write_error(render_error(stopped, exit, flags.json, err_style()));
        return exit;
    }
    const int exit = exit_code(error.code());
    write_error(render_error(error, exit, flags.json, err_style()));
    return exit;
}

Style Context::out_style() const {
    return Style::choose(flags.color, terminal_out());
}

Style Context::err_style() const {
    return Style::choose(flags.color, terminal_err());
}

Result<bool> Context::ask(const std::string& question, const std::string& flag, Answer otherwise) {
    if (!terminal_in() || !terminal_err()) {
        return Error(ErrorCode::InvalidArgument,
                     "this needs an answer and there is no terminal to ask on; pass " + flag);
    }
    write_error(question + (otherwise == Answer::Yes ? " [Y/n] " : " [y/N] "));
    std::string line;
    const auto token = interrupt_token();
    while (true) {
        if (token.stop_requested()) {
            write_error("\n");
            return Error(ErrorCode::Cancelled, "stopped");
        }
        pollfd input{STDIN_FILENO, POLLIN, 0};
        if (::poll(&input, 1, 100) <= 0) {
            continue;
        }
        char c = 0;
        const auto got = ::read(STDIN_FILENO, &c, 1);
        if (got <= 0) {
            return false; // the terminal is gone: nobody agreed
        }
        if (c == '\n') {
            break;
        }
        line += c;
    }
    if (line.empty()) {
        return otherwise == Answer::Yes;
    }
    return line == "y" || line == "Y" || line == "yes" || line == "Yes";
}

bool Context::terminal_in() const {
    return ::isatty(STDIN_FILENO) == 1;
}

bool Context::terminal_out() const {
    return ::isatty(STDOUT_FILENO) == 1;
}

bool Context::terminal_err() const {
    return ::isatty(STDERR_FILENO) == 1;
}

Log& Context::log() const {
    if (flags.verbose > 1 || is_set("LOCARA_LOG")) {
        return stderr_log(LogLevel::Debug);
    }
    return flags.verbose > 0 ? stderr_log(LogLevel::Info) : null_log();
}

Result<runtime::Home> Context::home() const {
    return runtime::Home::from_environment();
}

Result<http::Client*> Context::http() {
    if (!http_) {
        http::Client::Options options;
        options.user_agent = "locara/" LOCARA_VERSION;
        LOCARA_TRY(auto client, http::Client::create(std::move(options)));
        http_ = std::make_unique<http::Client>(std::move(client));
    }
    return http_.get();
}

Status Context::prepare_gate() const {
    LOCARA_TRY(const auto where, home());
    LOCARA_TRY(const auto policy, policy::Policy::load(where.policy_files()));
    gate::Options options;
    if (!policy.clamd().empty()) {
        options.clamd = policy.clamd();
    }
    gate::configure(std::move(options)); // done already if the gate was asked before
    return {};
}

Result<runtime::Installer> Context::installer() {
    return installer("");
}

Result<runtime::InstallerOptions> Context::installer_options(std::stop_token stop) {
    runtime::InstallerOptions options;
    LOCARA_TRY(options.home, home());
    LOCARA_TRY(options.http, http());
    options.log = &log();
    options.stop = std::move(stop);
    if (flags.offline || is_set("LOCARA_OFFLINE") || is_set("HF_HUB_OFFLINE")) {
        options.network = runtime::Network::Offline;
    }
    return options;
}

Result<runtime::Installer> Context::installer_of(const std::string& hub, std::stop_token stop) {
    LOCARA_TRY(auto options, installer_options(std::move(stop)));
    if (!hub.empty()) {
        options.hub = hub;
    }
    return runtime::Installer::open(std::move(options));
}

Result<runtime::Installer> Context::installer_of_all(const std::string& bundle) {
    LOCARA_TRY(auto options, installer_options(interrupt_token()));
    if (!bundle.empty()) {
        options.bundle = bundle;
    }
    return runtime::Installer::open(std::move(options));
}

Result<runtime::Installer> Context::installer(const std::string& bundle, std::stop_token stop) {
    LOCARA_TRY(auto options, installer_options(std::move(stop)));
    constexpr const char* kHubVariable = "LOCARA_HUB";
    const char* hub = std::getenv(kHubVariable);
    if (!flags.hub.empty()) {
        options.hub = flags.hub;
    } else if (hub != nullptr && *hub != '\0') {
        options.hub = hub;
        options.hub_variable = kHubVariable;
    }
    if (!flags.endpoint.empty()) {
        options.endpoint = flags.endpoint;
    }
    if (!bundle.empty()) {
        options.bundle = bundle;
    }
    return runtime::Installer::open(std::move(options));
}

std::unique_ptr<ProgressView> Context::progress() {
    auto mode = parse_progress_mode(flags.progress);
    ProgressMode chosen = mode ? *mode : ProgressMode::Auto;
    if (chosen == ProgressMode::Auto) {
        chosen = flags.quiet || flags.json || is_set("HF_HUB_DISABLE_PROGRESS_BARS")
                     ? ProgressMode::None
                 : terminal_err() ? ProgressMode::Tty
                                  : ProgressMode::Plain;
    }
    return std::make_unique<ProgressView>(
        chosen, terminal_width(), [](std::string_view text) { write_error(text); });
}

Result<EachOutcome>
for_each_word(Context& context,
              const std::vector<std::string>& words,
              const std::function<Status(const std::string&, Json& list)>& one) {
    EachOutcome outcome;
    std::size_t failed = 0;
    for (const auto& word : words) {
        auto done = one(word, outcome.list);
        if (done) {
            continue;
        }
        if (words.size() == 1 || done.error().code() == ErrorCode::Cancelled) {
            return std::move(done).error();
        }
        const int exit = context.tell(done.error());
        outcome.exit = failed++ == 0 ? exit : outcome.exit;
        outcome.list.push_back({{"id", word}, {"error", error_json(done.error(), exit)}});
    }
    if (failed > 0 && failed < words.size()) {
        outcome.exit = kPartly;
    }
    return outcome;
}

std::string pad(std::string_view text, std::size_t width) {
    std::string out(text);
    const auto length = count_characters(text);
    if (length < width) {
        out.append(width - length, ' ');
    }
    return out;
}

std::string count(std::uint64_t n, std::string_view word) {
    return std::to_string(n) + " " + std::string(word) + (n == 1 ? "" : "s");
}

std::string render_table(const std::vector<std::vector<std::string>>& rows,
                         const std::function<std::string(const std::string& cell)>& paint) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], count_characters(row[i]));
        }
    }
    std::string out;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const auto cell = clean(row[i]);
            line += i == 0 && paint ? paint(cell) : cell;
            if (i + 1 < row.size()) {
                line.append(widths[i] - count_characters(cell) + 2, ' ');
            }
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += (out.empty() ? "" : "\n") + line;
    }
    return out;
}

} // namespace locara::cli
