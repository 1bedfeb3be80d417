#include "names.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/file.hpp>
#include <locara/base/line.hpp>
#include <locara/http/client.hpp>
#include <locara/hub/config.hpp>
#include <locara/hub/serve_config.hpp>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>

#include <fcntl.h>
#include <sys/stat.h>

// Errors are values here too. The parser bounds nesting by itself (256 levels).
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace locara::hub {
namespace {

constexpr std::size_t kTextBytes = 2000;
constexpr std::size_t kTokenBytes = 4096;
constexpr std::int64_t kMostRequests = 1'000'000'000;

/// A number and what follows it; nothing if it does not begin with one.
std::optional<std::pair<std::uint64_t, std::string_view>> split_unit(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) {
        return std::nullopt;
    }
    return std::pair(value, text.substr(static_cast<std::size_t>(end - text.data())));
}

std::optional<std::chrono::seconds> parse_span(std::string_view text) {
    const auto parts = split_unit(text);
    const std::map<std::string_view, std::int64_t> units = {
        {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}};
    const auto unit = parts ? units.find(parts->second) : units.end();
    if (unit == units.end() || parts->first > 100'000) {
        return std::nullopt;
    }
    return std::chrono::seconds(static_cast<std::int64_t>(parts->first) * unit->second);
}

/// "org/name", with its type in front unless it is a model.
bool is_repo(std::string_view text) {
    const auto id = RepoId::parse_web(text);
    return id && id->type != RepoType::Bucket;
}

class Reader {
  public:
    explicit Reader(const std::string& path) : path_(path) {}

    Result<ServeConfig> read(const toml::table& file) {
        using Read = Status (Reader::*)(const toml::table&);
        const std::map<std::string, Read, std::less<>> tables = {
            {"limits", &Reader::read_limits},
            {"mirror", &Reader::read_mirror},
            {"quotas", &Reader::read_quotas},
            {"repos", &Reader::read_repos},
            {"review", &Reader::read_review},
            {"scanners", &Reader::read_scanners},
            {"server", &Reader::read_server},
        };
        for (const auto& [key, value] : file) {
            const auto known = tables.find(key.str());
            if (known == tables.end()) {
                return fault(key.source(),
                             "unknown key " + quote_line(key.str()) +
                                 "; known: " + names_of(tables));
            }
            const auto* const table = value.as_table();
            if (table == nullptr) {
                return fault(value.source(),
                             known->first + " must be a table: write [" + known->first + "]");
            }
            LOCARA_CHECK((this->*known->second)(*table));
        }
        return std::move(all_);
    }

  private:
    using ReadKey = std::function<Status(const std::string& key, const toml::node& node)>;
    using Keys = std::map<std::string, ReadKey, std::less<>>;

    template <class Map> static std::string names_of(const Map& map) {
        std::string names;
        for (const auto& [name, value] : map) {
            names += (names.empty() ? "" : ", ") + name;
        }
        return names;
    }

    /// Reads every key of the table `[name]` as `keys` say; others are faults.
    Status read_keys(const std::string& name, const toml::table& table, const Keys& keys) const {
        for (const auto& [key, value] : table) {
            const auto known = keys.find(key.str());
            if (known == keys.end()) {
                return fault(key.source(),
                             "unknown key " + quote_line(key.str()) + " in [" + name +
                                 "]; known: " + names_of(keys));
            }
            LOCARA_CHECK(known->second(name + "." + known->first, value));
        }
        return {};
    }

    Error fault(const toml::source_region& where, const std::string& text) const {
        return Error(ErrorCode::InvalidArgument,
                     path_ + ":" + std::to_string(where.begin.line) + ": " + text);
    }

    Status read_scanners(const toml::table& table) {
        for (const auto& [key, value] : table) {
            if (key.str() != "clamd") {
                return fault(key.source(),
                             "unknown key " + quote_line(key.str()) +
                                 " in [scanners]; known: clamd");
            }
            LOCARA_TRY(const std::string path, text_of("scanners.clamd", value));
            if (path.front() != '/') {
                return fault(value.source(),
                             "scanners.clamd must be the absolute path of clamd's socket, such as "
                             "\"/run/clamav/clamd.ctl\"");
            }
            config_.clamd = path;
        }
        return {};
    }

    Status read_review(const toml::table& table) {
        const Keys keys = {
            {"curators",
             [&](auto& key, auto& node) -> Status {
                 LOCARA_TRY(config_.curators, text_of(key, node));
                 if (!is_repo_part(config_.curators)) {
                     return fault(node.source(),
                                  key + ": " + quote_line(config_.curators) +
                                      " cannot be the name of an organization");
                 }
                 return {};
             }},
        };
        return read_keys("review", table, keys);
    }

    Status read_server(const toml::table& table) {
        ServerConfig& server = all_.server;
        const auto text = [this](std::string& to) {
            return [this, &to](auto& key, auto& node) -> Status {
                LOCARA_TRY(to, text_of(key, node));
                return {};
            };
        };
        const auto path = [this](std::filesystem::path& to) {
            return [this, &to](auto& key, auto& node) -> Status {
                LOCARA_TRY(to, text_of(key, node));
                return {};
            };
        };
        const auto flag = [this](bool& to) {
            return [this, &to](auto& key, auto& node) {
                return read_flag(key, node, [&to](bool yes) { to = yes; });
            };
        };
        const Keys keys = {
            {"data", path(server.data)},
            {"listen", text(server.listen)},
            {"database", text(server.database)},
            {"seed", path(server.seed)},
            {"join", flag(server.join)},
            {"verbose", flag(server.verbose)},
            {"log", [&](auto& key, auto& node) { return read_log_format(key, node); }},
            {"trusted_proxies",
             [&](auto& key, auto& node) { return read_ranges(key, node, config_.proxies); }},
            {"metrics",
             [&](auto& key, auto& node) { return read_ranges(key, node, config_.metrics); }},
        };
        return read_keys("server", table, keys);
    }

    Status read_limits(const toml::table& table) {
        LimitConfig& limits = config_.limits;
        const auto count = [this](std::uint64_t& to) {
            return [this, &to](auto& key, auto& node) { return read_count(key, node, to); };
        };
        const Keys keys = {
            {"enabled",
             [&](auto& key, auto& node) {
                 return read_flag(key, node, [&](bool yes) {
                     limits.enabled = yes ? LimitConfig::Enabled::Yes : LimitConfig::Enabled::No;
                 });
             }},
            {"window",
             [&](auto& key, auto& node) -> Status {
                 LOCARA_CHECK(read_span(key, node, limits.window));
                 if (limits.window < std::chrono::seconds(1) ||
                     limits.window > std::chrono::hours(24)) {
                     return fault(node.source(), key + " must be from \"1s\" to \"24h\"");
                 }
                 return {};
             }},
            {"api", count(limits.api)},
            {"resolvers", count(limits.resolvers)},
            {"token_api", count(limits.token_api)},
            {"token_resolvers", count(limits.token_resolvers)},
            {"exempt",
             [&](auto& key, auto& node) { return read_ranges(key, node, limits.exempt); }},
        };
        return read_keys("limits", table, keys);
    }

    Status read_repos(const toml::table& table) {
        const Keys keys = {
            {"public", [&](auto& key, auto& node) { return read_kinds(key, node); }},
        };
        return read_keys("repos", table, keys);
    }

    Status read_quotas(const toml::table& table) {
        QuotaConfig& quotas = config_.quotas;
        const Keys keys = {
            {"user",
             [&](auto& key, auto& node) { return read_size(key, node, quotas.user_bytes); }},
            {"organization",
             [&](auto& key, auto& node) {
                 return read_size(key, node, quotas.organization_bytes);
             }},
        };
        return read_keys("quotas", table, keys);
    }

    Status read_count(const std::string& key, const toml::node& node, std::uint64_t& to) const {
        const auto* const number = node.as_integer();
        if (number == nullptr || number->get() < 1 || number->get() > kMostRequests) {
            return fault(node.source(),
                         key + " must be a number from 1 to " + std::to_string(kMostRequests));
        }
        to = static_cast<std::uint64_t>(number->get());
        return {};
    }

    Status read_log_format(const std::string& key, const toml::node& node) {
        LOCARA_TRY(const std::string text, text_of(key, node));
        if (text != "text" && text != "json") {
            return fault(node.source(),
                         key + " is " + quote_line(text) + ", it must be \"text\" or \"json\"");
        }
        all_.server.log =
            text == "json" ? ServerConfig::LogFormat::Json : ServerConfig::LogFormat::Text;
        return {};
    }

    /// Replaces what is in `to`.
    Status read_ranges(const std::string& key,
                       const toml::node& node,
                       std::vector<AddressRange>& to) const {
        to.clear();
        return read_list(key, node, [&](const std::string& text, const toml::node& one) -> Status {
            auto range = AddressRange::parse(text);
            if (!range) {
                return fault(one.source(), key + ": " + range.error().message());
            }
            to.push_back(*range);
            return {};
        });
    }

    Status read_downloads(const std::string& key, const toml::node& node) {
        std::uint64_t& downloads = config_.mirror->downloads;
        LOCARA_CHECK(read_count(key, node, downloads));
        if (downloads == 0 || downloads > MirrorConfig::kMostDownloads) {
            return fault(node.source(),
                         key + " must be a number from 1 to " +
                             std::to_string(MirrorConfig::kMostDownloads));
        }
        return {};
    }

    Status read_mirror(const toml::table& table) {
        MirrorConfig& mirror = config_.mirror.emplace();
        const Keys keys = {
            {"upstream", [&](auto& key, auto& node) { return read_upstream(key, node); }},
            {"offline",
             [&](auto& key, auto& node) {
                 return read_flag(key, node, [&](bool yes) {
                     mirror.offline = yes ? MirrorConfig::Offline::Yes : MirrorConfig::Offline::No;
                 });
             }},
            {"freshness",
             [&](auto& key, auto& node) { return read_span(key, node, mirror.freshness); }},
            {"access", [&](auto& key, auto& node) { return read_span(key, node, mirror.access); }},
            {"forward_tokens",
             [&](auto& key, auto& node) {
                 return read_flag(key, node, [&](bool yes) {
                     mirror.caller_tokens = yes ? MirrorConfig::CallerTokens::Forward
                                                : MirrorConfig::CallerTokens::Refuse;
                 });
             }},
            {"token_file", [&](auto& key, auto& node) { return read_token_file(key, node); }},
            {"allow",
             [&](auto& key, auto& node) { return read_patterns(key, node, mirror.allow); }},
            {"deny", [&](auto& key, auto& node) { return read_patterns(key, node, mirror.deny); }},
            {"pin", [&](auto& key, auto& node) { return read_patterns(key, node, mirror.pin); }},
            {"prefetch", [&](auto& key, auto& node) { return read_prefetch(key, node); }},
            {"pass_formats", [&](auto& key, auto& node) { return read_formats(key, node); }},
            {"quota",
             [&](auto& key, auto& node) { return read_size(key, node, mirror.quota_bytes); }},
            {"downloads", [&](auto& key, auto& node) { return read_downloads(key, node); }},
        };
        LOCARA_CHECK(read_keys("mirror", table, keys));
        if (mirror.upstream.empty()) {
            return fault(table.source(),
                         "[mirror] needs upstream, such as \"https://huggingface.co\"");
        }
        return {};
    }

    Result<std::string> text_of(const std::string& key, const toml::node& node) const {
        const auto* const text = node.as_string();
        if (text == nullptr || text->get().empty() || text->get().size() > kTextBytes) {
            return fault(node.source(),
                         key + " must be a text of 1 to " + std::to_string(kTextBytes) +
                             " characters");
        }
        return text->get();
    }

    Status read_upstream(const std::string& key, const toml::node& node) {
        LOCARA_TRY(std::string url, text_of(key, node));
        while (url.size() > 1 && url.back() == '/') {
            url.pop_back();
        }
        const auto origin = http::parse_origin(url);
        if (!origin || url.find_first_of("?#\"<> ") != std::string::npos) {
            return fault(node.source(),
                         key + ": " + quote_line(url) +
                             " is no http or https address; write such as "
                             "\"https://huggingface.co\"");
        }
        config_.mirror->upstream = std::move(url);
        return {};
    }

    Status read_flag(const std::string& key,
                     const toml::node& node,
                     const std::function<void(bool)>& set) const {
        const auto* const value = node.as_boolean();
        if (value == nullptr) {
            return fault(node.source(), key + " must be true or false");
        }
        set(value->get());
        return {};
    }

    Status
    read_span(const std::string& key, const toml::node& node, std::chrono::seconds& to) const {
        const auto* const text = node.as_string();
        const auto span = text != nullptr ? parse_span(text->get()) : std::nullopt;
        if (!span) {
            return fault(node.source(), key + " must be a time such as \"30s\", \"5m\", \"1h\"");
        }
        to = *span;
        return {};
    }

    Status read_size(const std::string& key, const toml::node& node, std::uint64_t& to) const {
        const auto* const text = node.as_string();
        const auto size = text != nullptr ? parse_size(text->get()) : std::nullopt;
        if (!size) {
            return fault(node.source(),
                         key + " must be a size such as \"500MB\", \"200GB\", \"2TB\"");
        }
        to = *size;
        return {};
    }

    Status read_token_file(const std::string& key, const toml::node& node) {
        LOCARA_TRY(config_.token_file, text_of(key, node));
        return {};
    }

    /// Calls `take` with every text of a list.
    Status
    read_list(const std::string& key,
              const toml::node& node,
              const std::function<Status(const std::string&, const toml::node&)>& take) const {
        const auto* const list = node.as_array();
        if (list == nullptr) {
            return fault(node.source(), key + " must be a list of texts");
        }
        if (list->size() > kConfigElements) {
            return fault(node.source(),
                         key + " has more than " + std::to_string(kConfigElements) + " elements");
        }
        for (const toml::node& one : *list) {
            LOCARA_TRY(const std::string text, text_of(key, one));
            LOCARA_CHECK(take(text, one));
        }
        return {};
    }

    Status read_patterns(const std::string& key,
                         const toml::node& node,
                         std::vector<std::string>& to) const {
        return read_list(key, node, [&](const std::string& text, const toml::node& one) -> Status {
            std::string filled = text;
            std::replace(filled.begin(), filled.end(), '*', 'x');
            // "*" alone stands for all of them.
            if (text.find_first_not_of('*') != std::string::npos && !is_repo(filled)) {
                return fault(one.source(),
                             key + ": " + quote_line(text) +
                                 " is no pattern of ids; write such as \"org/*\", \"org/name\" or "
                                 "\"datasets/org/*\"");
            }
            to.push_back(text);
            return {};
        });
    }

    Status read_prefetch(const std::string& key, const toml::node& node) {
        return read_list(key, node, [&](const std::string& text, const toml::node& one) -> Status {
            PrefetchRule rule;
            const std::size_t at = text.find('@');
            rule.repo = text.substr(0, at);
            rule.revision = at == std::string::npos ? "main" : text.substr(at + 1);
            if (!is_repo(rule.repo) || rule.revision.empty()) {
                return fault(one.source(),
                             key + ": " + quote_line(text) +
                                 " names no repository; write such as \"org/name\" or "
                                 "\"org/name@v1\"");
            }
            config_.mirror->prefetch.push_back(std::move(rule));
            return {};
        });
    }

    Status read_formats(const std::string& key, const toml::node& node) {
        return read_list(key, node, [&](const std::string& text, const toml::node& one) -> Status {
            const auto* const known =
                std::find(std::begin(kPassableFormats), std::end(kPassableFormats), text);
            if (known == std::end(kPassableFormats)) {
                std::string names;
                for (const std::string_view name : kPassableFormats) {
                    names += (names.empty() ? "" : ", ") + std::string(name);
                }
                return fault(one.source(),
                             key + ": " + quote_line(text) +
                                 " cannot be let through; these can: " + names);
            }
            config_.mirror->pass_formats.push_back(text);
            return {};
        });
    }

    Status read_kinds(const std::string& key, const toml::node& node) {
        std::vector<std::string>& kinds = config_.repos.public_kinds;
        kinds.clear();
        return read_list(key, node, [&](const std::string& text, const toml::node& one) -> Status {
            const bool known = std::count(std::begin(kRepoKinds), std::end(kRepoKinds), text) != 0;
            if (!known || std::count(kinds.begin(), kinds.end(), text) != 0) {
                return fault(one.source(),
                             key + ": " + quote_line(text) +
                                 (known ? " is there twice" : " is no kind of repository") +
                                 "; each of app, model, dataset may be there once");
            }
            kinds.push_back(text);
            return {};
        });
    }

    const std::string& path_;
    ServeConfig all_;
    HubConfig& config_ = all_.hub;
};

bool fits_any(const std::vector<std::string>& patterns, std::string_view id) {
    return std::any_of(patterns.begin(), patterns.end(), [id](const std::string& pattern) {
        return fits_pattern(pattern, id);
    });
}

/// The token in a file that its owner alone may read.
Result<Secret> read_token(const std::filesystem::path& path) {
    LOCARA_TRY(const Fd fd, open_file(path, O_RDONLY));

    struct stat found {};

    if (::fstat(fd.get(), &found) != 0) {
        return Error::from_errno(path.string(), errno);
    }
    if ((found.st_mode & 077U) != 0) {
        return Error(ErrorCode::Forbidden,
                     path.string() + " holds a token and may be read by others: chmod 600 it");
    }
    LOCARA_TRY(std::string text, read_file(path, kTokenBytes));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
        text.pop_back();
    }
    const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return c > 0x20 && c < 0x7F;
    });
    if (!plain) {
        return Error(ErrorCode::InvalidArgument, path.string() + " holds no token");
    }
    return Secret(std::move(text));
}

} // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
    constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {{"kB", 1'000},
                                                                     {"KB", 1'000},
                                                                     {"MB", 1'000'000},
                                                                     {"GB", 1'000'000'000},
                                                                     {"TB", 1'000'000'000'000},
                                                                     {"KiB", 1ULL << 10U},
                                                                     {"MiB", 1ULL << 20U},
                                                                     {"GiB", 1ULL << 30U},
                                                                     {"TiB", 1ULL << 40U}};
    constexpr std::uint64_t kMost = 1'000'000;
    constexpr std::size_t kDecimals = 3;
    const auto digits = [](std::string_view& rest) {
        const std::size_t end = std::min(rest.find_first_not_of("0123456789"), rest.size());
        const std::string_view run = rest.substr(0, end);
        rest.remove_prefix(end);
        return run;
    };
    const auto value_of = [](std::string_view run) {
        std::uint64_t value = kMost + 1;
        const auto [end, error] = std::from_chars(run.data(), run.data() + run.size(), value);
        return error == std::errc() && end == run.data() + run.size() ? value : kMost + 1;
    };
    const std::uint64_t whole = value_of(digits(text));
    std::uint64_t thousandths = 0;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        std::string run(digits(text));
        if (run.empty() || run.size() > kDecimals) {
            return std::nullopt;
        }
        run.resize(kDecimals, '0');
        thousandths = value_of(run);
    }
    if (text.starts_with(' ')) { // As it is written for people: "1.5 GB".
        text.remove_prefix(1);
    }
    for (const auto& [name, bytes] : kUnits) {
        if (name == text && whole <= kMost && whole + thousandths > 0) {
            return whole * bytes + thousandths * bytes / 1000;
        }
    }
    return std::nullopt;
}

bool fits_pattern(std::string_view pattern, std::string_view text) {
    // The last '*' seen and what it stands for so far: enough to go back to.
    std::size_t star = std::string_view::npos;
    std::size_t taken = 0;
    std::size_t p = 0;
    std::size_t t = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            taken = t;
        } else if (p < pattern.size() && ascii_lower(pattern[p]) == ascii_lower(text[t])) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++taken;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool RepoConfig::may_be_public(RepoType type) const {
    const std::string_view kind = type == RepoType::Space ? "app" : render(type);
    return type == RepoType::Bucket ||
           std::count(public_kinds.begin(), public_kinds.end(), kind) != 0;
}

bool MirrorConfig::allows(std::string_view id) const {
    return (allow.empty() || fits_any(allow, id)) && !fits_any(deny, id);
}

bool MirrorConfig::pins(std::string_view id) const {
    return fits_any(pin, id);
}

Result<ServeConfig> ServeConfig::parse(std::string_view text, const std::string& path) {
    if (text.size() > kConfigBytes) {
        return Error(ErrorCode::TooLarge,
                     path + " has more than " + std::to_string(kConfigBytes) + " bytes");
    }
    // toml++ 3.3 runs into undefined behaviour where it looks for spaces and finds, say, U+FEFD.
    const auto foreign = std::find_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    if (foreign != text.end()) {
        return Error(ErrorCode::InvalidArgument,
                     path + ":" + std::to_string(1 + std::count(text.begin(), foreign, '\n')) +
                         ": a configuration is ASCII; write other letters as \\u00e9");
    }
    const toml::parse_result parsed = toml::parse(text, path);
    if (!parsed) {
        const toml::parse_error& error = parsed.error();
        return Error(ErrorCode::InvalidArgument,
                     path + ":" + std::to_string(error.source().begin.line) + ": " +
                         std::string(error.description()));
    }
    return Reader(path).read(parsed.table());
}

Result<ServeConfig> ServeConfig::load(const std::filesystem::path& path) {
    LOCARA_TRY(const std::string text, read_file(path, kConfigBytes));
    LOCARA_TRY(ServeConfig config, parse(text, path.string()));
    HubConfig& hub = config.hub;
    if (hub.mirror && !hub.token_file.empty()) {
        LOCARA_TRY(hub.mirror->token, read_token(path.parent_path() / hub.token_file));
    }
    for (std::filesystem::path* const named : {&config.server.data, &config.server.seed}) {
        if (!named->empty()) {
            *named = path.parent_path() / *named;
        }
    }
    return config;
}

Result<HubConfig> HubConfig::parse(std::string_view text, const std::string& path) {
    LOCARA_TRY(ServeConfig config, ServeConfig::parse(text, path));
    return std::move(config.hub);
}

Result<HubConfig> HubConfig::load(const std::filesystem::path& path) {
    LOCARA_TRY(ServeConfig config, ServeConfig::load(path));
    return std::move(config.hub);
}

} // namespace locara::hub
