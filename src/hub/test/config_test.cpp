#include <locara/base/file.hpp>
#include <locara/hub/config.hpp>
#include <locara/hub/serve_config.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace locara::hub {
namespace {

using testing::HasSubstr;

Result<HubConfig> parse(std::string_view text) {
    return HubConfig::parse(text, "hub.toml");
}

Result<ServeConfig> parse_all(std::string_view text) {
    return ServeConfig::parse(text, "hub.toml");
}

std::string error_of(std::string_view text) {
    const auto parsed = parse(text);
    return parsed ? "no error" : parsed.error().message();
}

TEST(Config, mirrors_nothing_without_a_table) {
    const auto config = parse("# nothing yet\n");
    ASSERT_TRUE(config);
    EXPECT_FALSE(config->mirror);
}

TEST(Config, reads_how_to_serve) {
    const auto none = parse_all("");
    ASSERT_TRUE(none);
    EXPECT_EQ(none->server.listen, "");
    EXPECT_EQ(none->hub.metrics, loopback());
    EXPECT_THAT(none->hub.proxies, testing::IsEmpty());
    EXPECT_TRUE(none->server.data.empty());
    const auto config = parse_all(R"([server]
data = "d"
listen = "[::1]:80"
database = "postgresql://db/hub"
seed = "s"
join = true
verbose = true
log = "json"
trusted_proxies = ["10.0.0.0/8", "::1"]
metrics = []
)");
    ASSERT_TRUE(config) << config.error().describe();
    const ServerConfig& server = config->server;
    EXPECT_EQ(server.listen, "[::1]:80");
    EXPECT_EQ(server.database, "postgresql://db/hub");
    EXPECT_EQ(server.data, "d");
    EXPECT_EQ(server.seed, "s");
    EXPECT_THAT(error_of("[server]\ndata = \"\"\n"),
                HasSubstr("hub.toml:2: server.data must be a text of 1 to"));
    EXPECT_TRUE(server.join && server.verbose);
    EXPECT_EQ(server.log, ServerConfig::LogFormat::Json);
    EXPECT_THAT(error_of("[server]\nlog = \"xml\"\n"),
                HasSubstr("hub.toml:2: server.log is \"xml\", it must be \"text\" or \"json\""));
    EXPECT_EQ(config->hub.proxies.size(), 2U);
    EXPECT_THAT(config->hub.metrics, testing::IsEmpty());
    EXPECT_THAT(error_of("[server]\nmetrics = [\"everybody\"]\n"),
                HasSubstr("server.metrics: found \"everybody\", which is no address"));
    EXPECT_THAT(error_of("[server]\nport = 1\n"), HasSubstr("unknown key \"port\" in [server]"));
}

TEST(Config, reads_limits_and_quotas) {
    const auto none = parse("");
    ASSERT_TRUE(none);
    EXPECT_EQ(none->limits.enabled, LimitConfig::Enabled::Yes);
    EXPECT_EQ(none->limits.exempt, loopback());
    EXPECT_EQ(none->quotas.user_bytes, 0U);
    const auto config = parse(R"([limits]
enabled = false
window = "1m"
api = 1
resolvers = 2
token_api = 3
token_resolvers = 4
exempt = ["192.0.2.0/24"]
[quotas]
user = "50GB"
organization = "2TB"
)");
    ASSERT_TRUE(config) << config.error().describe();
    EXPECT_EQ(config->limits.enabled, LimitConfig::Enabled::No);
    EXPECT_EQ(config->limits.window, std::chrono::seconds(60));
    EXPECT_EQ(config->limits.api, 1U);
    EXPECT_EQ(config->limits.resolvers, 2U);
    EXPECT_EQ(config->limits.token_api, 3U);
    EXPECT_EQ(config->limits.token_resolvers, 4U);
    EXPECT_EQ(config->limits.exempt.size(), 1U);
    EXPECT_EQ(config->quotas.user_bytes, 50'000'000'000U);
    EXPECT_EQ(config->quotas.organization_bytes, 2'000'000'000'000U);
    EXPECT_THAT(error_of("[limits]\napi = 0\n"),
                HasSubstr("hub.toml:2: limits.api must be a number from 1 to 1000000000"));
    EXPECT_THAT(error_of("[limits]\nwindow = \"2d\"\n"),
                HasSubstr("limits.window must be from \"1s\" to \"24h\""));
    EXPECT_THAT(error_of("[quotas]\nuser = \"some\"\n"),
                HasSubstr("quotas.user must be a size such as"));
    EXPECT_THAT(error_of("[quotas]\nteam = \"1GB\"\n"),
                HasSubstr("unknown key \"team\" in [quotas]; known: organization, user"));
}

TEST(Config, names_the_organization_of_the_curators) {
    EXPECT_EQ(parse("")->curators, "");
    const auto config = parse("[review]\ncurators = \"board\"\n");
    ASSERT_TRUE(config) << config.error().describe();
    EXPECT_EQ(config->curators, "board");
    EXPECT_THAT(error_of("[review]\ncurators = \"../x\"\n"),
                HasSubstr("hub.toml:2: review.curators: \"../x\" cannot be the name"));
    EXPECT_THAT(error_of("[review]\ncurators = [\"a\"]\n"), HasSubstr("review.curators must be"));
    EXPECT_THAT(error_of("[review]\nwho = \"a\"\n"),
                HasSubstr("unknown key \"who\" in [review]; known: curators"));
}

TEST(Config, reads_every_key) {
    const auto config = parse(R"(
[mirror]
upstream = "https://huggingface.co/"
offline = true
freshness = "30s"
access = "1h"
forward_tokens = true
token_file = "token"
allow = ["org/*", "datasets/org/one"]
deny = ["org/secret*"]
pin = ["*"]
prefetch = ["org/name", "datasets/org/one@v1"]
pass_formats = ["onnx"]
quota = "200GB"
)");
    ASSERT_TRUE(config) << config.error().describe();
    const MirrorConfig& mirror = *config->mirror;
    EXPECT_EQ(mirror.upstream, "https://huggingface.co");
    EXPECT_EQ(mirror.offline, MirrorConfig::Offline::Yes);
    EXPECT_EQ(mirror.freshness, std::chrono::seconds(30));
    EXPECT_EQ(mirror.access, std::chrono::hours(1));
    EXPECT_EQ(mirror.caller_tokens, MirrorConfig::CallerTokens::Forward);
    EXPECT_EQ(config->token_file, "token");
    EXPECT_EQ(mirror.prefetch,
              (std::vector<PrefetchRule>{{"org/name", "main"}, {"datasets/org/one", "v1"}}));
    EXPECT_EQ(mirror.pass_formats, std::vector<std::string>{"onnx"});
    EXPECT_EQ(mirror.quota_bytes, 200'000'000'000U);
    EXPECT_TRUE(mirror.allows("org/model"));
    EXPECT_TRUE(mirror.allows("Org/Model"));
    EXPECT_FALSE(mirror.allows("org/secret-1"));
    EXPECT_FALSE(mirror.allows("other/model"));
    EXPECT_FALSE(mirror.allows("datasets/org/two"));
    EXPECT_TRUE(mirror.pins("any/thing"));
}

TEST(Config, names_the_antivirus_with_or_without_a_mirror) {
    EXPECT_EQ(parse("[scanners]\nclamd = '/run/clamd.ctl'\n")->clamd, "/run/clamd.ctl");
    EXPECT_EQ(parse("[mirror]\nupstream = 'http://hub'\n[scanners]\nclamd = '/c'\n")->clamd, "/c");
    EXPECT_TRUE(parse("[scanners]\n")->clamd.empty());
    EXPECT_THAT(error_of("[scanners]\nclamd = 'clamd.ctl'\n"),
                HasSubstr("hub.toml:2: scanners.clamd must be the absolute path"));
    EXPECT_THAT(error_of("[scanners]\nclamd = 3310\n"), HasSubstr("scanners.clamd must be a text"));
    EXPECT_THAT(error_of("[scanners]\nyara = '/x'\n"),
                HasSubstr("hub.toml:2: unknown key \"yara\" in [scanners]; known: clamd"));
    EXPECT_THAT(error_of("scanners = '/x'\n"), HasSubstr("scanners must be a table"));
}

TEST(Config, allows_everything_but_what_is_denied_by_default) {
    const auto config = parse("[mirror]\nupstream = 'http://hub'\ndeny = ['bad/*']\n");
    ASSERT_TRUE(config);
    EXPECT_TRUE(config->mirror->allows("good/model"));
    EXPECT_FALSE(config->mirror->allows("bad/model"));
    EXPECT_TRUE(config->mirror->token.empty());
    EXPECT_EQ(config->mirror->caller_tokens, MirrorConfig::CallerTokens::Refuse);
}

TEST(Config, names_the_line_of_what_is_wrong) {
    const std::string start = "[mirror]\nupstream = \"http://hub\"\n";
    const std::pair<std::string, std::string> wrong[] = {
        {"speed = 1\n", "hub.toml:3: unknown key \"speed\" in [mirror]; known: access, allow"},
        {"offline = 1\n", "hub.toml:3: mirror.offline must be true or false"},
        {"freshness = 30\n", "hub.toml:3: mirror.freshness must be a time"},
        {"freshness = \"30 s\"\n", "hub.toml:3: mirror.freshness must be a time"},
        {"quota = \"12\"\n", "hub.toml:3: mirror.quota must be a size"},
        {"allow = \"org/*\"\n", "hub.toml:3: mirror.allow must be a list of texts"},
        {"allow = [\n1]\n", "hub.toml:4: mirror.allow must be a text"},
        {"deny = [\"org\"]\n", "hub.toml:3: mirror.deny: \"org\" is no pattern"},
        {"deny = [\"a/../b\"]\n", "is no pattern"},
        {"prefetch = [\"org/*\"]\n", "names no repository"},
        {"pass_formats = [\"pickle\"]\n", "\"pickle\" cannot be let through"},
        {"pass_formats = [\"torchscript\"]\n", "cannot be let through"},
        {"token_file = \"\"\n", "mirror.token_file must be a text"},
        {"x = \n", "hub.toml:3: "},
        {"deny = [\"\xc3\xa9/*\"]\n", "hub.toml:3: a configuration is ASCII"},
    };
    for (const auto& [text, message] : wrong) {
        EXPECT_THAT(error_of(start + text), HasSubstr(message)) << text;
    }
    EXPECT_THAT(error_of("mirror = 1\n"), HasSubstr("hub.toml:1: mirror must be a table"));
    EXPECT_THAT(error_of("[other]\n"), HasSubstr("hub.toml:1: unknown key \"other\""));
    EXPECT_THAT(error_of("[mirror]\n"), HasSubstr("hub.toml:1: [mirror] needs upstream"));
    for (const char* const url :
         {"ftp://hub", "hub", "http://user:word@hub", "http://hub/?x=1", "http://"}) {
        EXPECT_THAT(error_of("[mirror]\nupstream = \"" + std::string(url) + "\"\n"),
                    HasSubstr("is no http or https address"))
            << url;
    }
}

TEST(Config, says_which_kinds_of_repositories_may_be_public) {
    using Kinds = std::vector<std::string>;
    EXPECT_EQ(parse("")->repos.public_kinds, Kinds{"app"});
    EXPECT_EQ(parse("[repos]\n")->repos.public_kinds, Kinds{"app"});
    EXPECT_EQ(parse("[repos]\npublic = []\n")->repos.public_kinds, Kinds{});
    const auto all = parse("[repos]\npublic = [\"dataset\", \"app\", \"model\"]\n");
    ASSERT_TRUE(all) << all.error().describe();
    EXPECT_EQ(all->repos.public_kinds, (Kinds{"dataset", "app", "model"}));
    const std::string allowed = "; each of app, model, dataset may be there once";
    for (const std::string wrong : {"space", "bucket", "App", "models"}) {
        EXPECT_EQ(error_of("[repos]\npublic = [\"app\", \"" + wrong + "\"]\n"),
                  "hub.toml:2: repos.public: \"" + wrong + "\" is no kind of repository" + allowed);
    }
    EXPECT_EQ(error_of("[repos]\npublic = [\"app\",\n\"app\"]\n"),
              "hub.toml:3: repos.public: \"app\" is there twice" + allowed);
    EXPECT_THAT(error_of("[repos]\npublic = \"app\"\n"), HasSubstr("must be a list of texts"));
    EXPECT_THAT(error_of("[repos]\nprivate = []\n"), HasSubstr("in [repos]; known: public"));
}

TEST(Config, means_paths_from_the_folder_of_its_file) {
    const auto folder = TempFolder::create(std::filesystem::temp_directory_path(), "config-");
    ASSERT_TRUE(folder);
    const auto path = folder->path() / "hub.toml";
    const auto load = [&path](std::string_view text) {
        EXPECT_TRUE(write_file_atomically(path, as_bytes(text)));
        return ServeConfig::load(path);
    };
    const auto near = load("[server]\ndata = \"data\"\nseed = \"seed\"\n");
    ASSERT_TRUE(near);
    EXPECT_EQ(near->server.data, folder->path() / "data");
    EXPECT_EQ(near->server.seed, folder->path() / "seed");
    const auto far = load("[server]\ndata = \"/var/lib/hub\"\n");
    ASSERT_TRUE(far);
    EXPECT_EQ(far->server.data, "/var/lib/hub");
    EXPECT_TRUE(far->server.seed.empty());
    const auto none = load("");
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->server.data.empty());
}

TEST(Config, takes_a_token_from_a_file_that_others_cannot_read) {
    const auto folder = TempFolder::create(std::filesystem::temp_directory_path(), "config-");
    ASSERT_TRUE(folder);
    const auto path = folder->path() / "hub.toml";
    const std::string text = "[mirror]\nupstream = \"http://hub\"\ntoken_file = \"token\"\n";
    ASSERT_TRUE(write_file_atomically(path, as_bytes(text)));
    EXPECT_EQ(HubConfig::load(path).error().code(), ErrorCode::NotFound);
    ASSERT_TRUE(write_file_atomically(folder->path() / "token", as_bytes("hf_abc\n"), 0644));
    EXPECT_EQ(HubConfig::load(path).error().code(), ErrorCode::Forbidden);
    ASSERT_TRUE(write_file_atomically(folder->path() / "token", as_bytes("hf_abc\n"), 0600));
    const auto config = HubConfig::load(path);
    ASSERT_TRUE(config) << config.error().describe();
    EXPECT_EQ(config->mirror->token.reveal(), "hf_abc");
    ASSERT_TRUE(write_file_atomically(folder->path() / "token", as_bytes("a\nb"), 0600));
    EXPECT_EQ(HubConfig::load(path).error().code(), ErrorCode::InvalidArgument);
}

TEST(Pattern, fits_as_a_whole_and_ignores_case) {
    EXPECT_TRUE(fits_pattern("*", ""));
    EXPECT_TRUE(fits_pattern("a*c", "abbc"));
    EXPECT_TRUE(fits_pattern("a*b*c", "A-xb-bC"));
    EXPECT_TRUE(fits_pattern("**", "x"));
    EXPECT_FALSE(fits_pattern("a*c", "abcd"));
    EXPECT_FALSE(fits_pattern("", "a"));
    EXPECT_FALSE(fits_pattern("abc", "ab"));
}

} // namespace
} // namespace locara::hub
