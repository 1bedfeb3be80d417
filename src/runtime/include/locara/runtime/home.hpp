// Home: where Locara keeps its things on a user's machine, and the hubs it knows.
//
// Follows the XDG base directories; LOCARA_HOME puts everything below one folder; single variables
// override single folders (docs/cli.md, "Files"). Threads: plain values.
#pragma once

#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace locara::runtime {

struct Home {
    std::filesystem::path config;
    std::filesystem::path data;
    std::filesystem::path state;
    std::filesystem::path cache;
    std::filesystem::path run; ///< Sockets; short-lived.
    std::filesystem::path store;
    /// What the machine's administrator sets for everyone; no variable moves it.
    std::filesystem::path system = "/etc/locara";

    /// From LOCARA_HOME, LOCARA_CONFIG, LOCARA_STORE, XDG_*, HOME. Nothing is created.
    /// InvalidArgument if a variable is not an absolute path, or no home folder is known.
    static Result<Home> from_environment();

    std::filesystem::path apps() const { return data / "apps"; }

    std::filesystem::path catalogs() const { return data / "catalog"; }

    /// What hubs that are known no more have called back (takedowns.hpp).
    std::filesystem::path kept_takedowns() const { return data / "takedowns"; }

    std::filesystem::path temporary() const { return data / "tmp"; }

    std::filesystem::path hubs_file() const { return config / "hubs.json"; }

    std::filesystem::path broker_socket() const { return run / "broker.sock"; }

    std::filesystem::path audit_log() const { return state / "audit.jsonl"; }

    std::filesystem::path broker_log() const { return state / "broker.log"; }

    /// Every policy.toml that applies (docs/licenses.md): the organisation's, then the user's.
    std::vector<std::filesystem::path> policy_files() const {
        return {system / "policy.toml", config / "policy.toml"};
    }

    /// What licenses were accepted (receipts.hpp).
    std::filesystem::path receipts() const { return state / "licenses"; }

    /// Makes data (0755), config, state, cache and run (0700).
    Status create_folders() const;
};

/// A hub whose catalog's root was pinned.
struct Hub {
    std::string url;           ///< "http://127.0.0.1:17864", without a slash at the end.
    crypto::Sha256Digest root; ///< Fingerprint of the pinned root.
    std::string added;         ///< When, RFC 3339.

    /// The state folder of its catalog below `home`.
    std::filesystem::path catalog_folder(const Home& home) const;
};

/// Scheme and host in lower case, no slash at the end. InvalidArgument unless it is an http or
/// https address without user, query or fragment; http only for this machine itself.
Result<std::string> normalize_hub_url(std::string_view url);

/// The list in `hubs_file()`, in the order they were added; empty if there is none. InvalidArgument
/// if the file is not what we wrote.
Result<std::vector<Hub>> load_hubs(const Home& home);
Status save_hubs(const Home& home, const std::vector<Hub>& hubs);

} // namespace locara::runtime
