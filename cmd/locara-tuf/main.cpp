// The program `locara-tuf`: Locara's TUF client by itself, for repositories of any maker. Arguments
// and exit codes are those of the client protocol of the TUF project's conformance suite
// (CLIENT-CLI.md there), which can thus drive it. No other exit codes than 0 and 1.
#include "output.hpp"

#include <locara/base/file.hpp>
#include <locara/base/percent.hpp>
#include <locara/catalog/plain_client.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/runtime/hub_fetcher.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

using namespace locara;

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kRootFileLimitBytes = 512'001; // one more than a root may have
constexpr std::size_t kFileNameLimit = 200;            // NAME_MAX less a temporary file's suffix

struct Options {
    std::string metadata_dir;
    std::string metadata_url;
    std::string root;
    std::vector<std::string> targets;
    std::string target_url;
    std::string target_dir;
};

Status init(const Options& options) {
    LOCARA_TRY(const std::string root, read_file(options.root, kRootFileLimitBytes));
    return catalog::PlainClient::trust(options.metadata_dir, root);
}

/// One flat name for each target, whatever its path is.
std::string file_name(const std::string& target) {
    std::string name = percent_encode(target);
    return name.size() > kFileNameLimit ? crypto::sha256(as_bytes(target)).render() : name;
}

/// Refreshes, then brings the targets, if any, in their order; the first failure ends it.
Status update(const Options& options) {
    LOCARA_TRY(auto http, http::Client::create());
    runtime::HubFetcher fetcher(&http, {options.metadata_url, options.target_url}, {});
    LOCARA_TRY(auto client,
               catalog::PlainClient::open(options.metadata_dir, fetcher, system_clock()));
    LOCARA_CHECK(client.refresh());
    for (const auto& name : options.targets) {
        LOCARA_TRY(const auto target, client.find(name));
        LOCARA_CHECK(create_folders(options.target_dir));
        LOCARA_CHECK(client.download(target, fs::path(options.target_dir) / file_name(name)));
    }
    return {};
}

int fail(const Error& error) {
    std::fprintf(stderr, "locara-tuf: %s\n", error.describe().c_str());
    return 1;
}

int run(int argc, char** argv) {
    CLI::App app("Locara's client of The Update Framework (TUF 1.0.34) by itself: updates a folder "
                 "of verified metadata from any repository, and downloads verified files.",
                 "locara-tuf");
    app.set_version_flag("--version", "locara-tuf " LOCARA_VERSION);
    app.footer("Arguments and exit codes (0, and 1 for any failure) are those of the client "
               "protocol of the TUF\nconformance suite. Examples:\n"
               "  locara-tuf --metadata-dir DIR init 1.root.json\n"
               "  locara-tuf --metadata-dir DIR --metadata-url http://HOST/metadata refresh\n"
               "  locara-tuf --metadata-dir DIR --metadata-url http://HOST/metadata --target-name "
               "a/b.txt\n"
               "             --target-base-url http://HOST/targets --target-dir OUT download");
    Options options;
    app.add_option("--metadata-dir", options.metadata_dir, "folder of trusted metadata")
        ->required();
    CLI::Option* const metadata_url =
        app.add_option("--metadata-url", options.metadata_url, "where the metadata is served");
    CLI::Option* const target_name =
        app.add_option("--target-name",
                       options.targets,
                       "what to download; may be repeated, and the first failure ends it")
            ->expected(1)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    CLI::Option* const target_url =
        app.add_option("--target-base-url", options.target_url, "where the targets are served");
    CLI::Option* const target_dir =
        app.add_option("--target-dir", options.target_dir, "folder for what is downloaded");
    app.require_subcommand(1);
    app.fallthrough();

    CLI::App* const init_command = app.add_subcommand("init", "trust a first root");
    init_command->add_option("TRUSTED_ROOT", options.root, "file with the root")->required();
    CLI::App* const refresh_command =
        app.add_subcommand("refresh", "update the metadata of the top-level roles");
    CLI::App* const download_command =
        app.add_subcommand("download", "refresh, then download the named targets");
    refresh_command->needs(metadata_url);
    for (CLI::Option* const wanted : {metadata_url, target_name, target_url, target_dir}) {
        download_command->needs(wanted);
    }

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::ostringstream words;
        const int exit = app.exit(error, words);
        write_output(words.str());
        return exit == 0 ? 0 : 1;
    }
    try {
        if (refresh_command->parsed()) {
            options.targets.clear();
        }
        const Status done = init_command->parsed() ? init(options) : update(options);
        return done ? 0 : fail(done.error());
    } catch (const std::exception& error) {
        // The last catch: libraries may throw, for want of memory above all.
        std::fprintf(stderr, "locara-tuf: internal error: %s\n", error.what());
        return 1;
    }
}

} // namespace

int main(int argc, char** argv) {
    return end_output(run(argc, argv), fail);
}
