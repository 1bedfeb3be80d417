// HubConfig: what an operator writes into hub.toml, read strictly.
//
// [mirror]: which Hugging Face Hub this one is a pull-through cache of, and by which rules
// (docs/hub.md, "Mirroring another hub"); a hub without that table mirrors nothing. [scanners]: the
// antivirus that every file must pass, at every door. [review]: whose members read all submissions.
// [repos]: which kinds of repositories may be public.
// Of [server]: who is a proxy, and who may read the metrics (the rest of that table is for who
// serves, serve_config.hpp). [limits]: how many requests may come. [quotas]: how much users and
// organizations may store. Unknown keys and values out of range are errors that name file and line.
// Threads: plain values.
#pragma once

#include <locara/base/result.hpp>
#include <locara/base/secret.hpp>
#include <locara/hub/addresses.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

enum class RepoType;

/// Most bytes of a configuration file, and most elements of a list in it.
inline constexpr std::size_t kConfigBytes = 1U << 16U;
inline constexpr std::size_t kConfigElements = 1024;

/// A repository and a revision to fetch before anybody asks for it.
struct PrefetchRule {
    std::string repo; ///< "org/name", or "datasets/org/name", "spaces/org/name".
    std::string revision = "main";

    bool operator==(const PrefetchRule&) const = default;
};

struct MirrorConfig {
    std::string upstream; ///< Scheme, host, and a path if there is one; no '/' at its end.

    /// Yes: upstream is never asked; what is not here is an error.
    enum class Offline { No, Yes } offline = Offline::No;

    /// How long a branch is believed to be where it was.
    std::chrono::seconds freshness = std::chrono::minutes(5);
    /// How long upstream's yes to a user is believed, for gated and private repositories.
    std::chrono::seconds access = std::chrono::minutes(10);

    /// Whether a caller's token that is none of this hub's is taken for one of upstream's, and sent
    /// there.
    enum class CallerTokens { Refuse, Forward } caller_tokens = CallerTokens::Refuse;

    /// The hub's own token for what is public; empty for none. It opens nothing to callers.
    Secret token;

    /// Patterns over ids: '*' stands for any characters. Without `allow` everything is allowed;
    /// `deny` wins. Ids of datasets and spaces begin with "datasets/" and "spaces/".
    std::vector<std::string> allow;
    std::vector<std::string> deny;
    std::vector<std::string> pin; ///< Never evicted.
    std::vector<PrefetchRule> prefetch;

    /// Formats that the gate refuses only as wrong formats, and that pass on all the same: of
    /// kPassableFormats.
    std::vector<std::string> pass_formats;

    std::uint64_t quota_bytes = 0; ///< Of mirrored files together; 0: no bound.

    /// How many files are fetched at once; 1 to kMostDownloads. Two more when they are small.
    std::uint64_t downloads = 4;
    static constexpr std::uint64_t kMostDownloads = 64;

    /// By `allow` and `deny`.
    bool allows(std::string_view id) const;
    bool pins(std::string_view id) const;
};

/// What `pass_formats` may name: never a pickle, nor anything that holds one or holds code.
inline constexpr std::string_view kPassableFormats[] = {
    "ggml", "hdf5", "onnx", "savedmodel", "tflite"};

/// How many requests may come in a window of time (docs/hub.md, "Limits").
struct LimitConfig {
    enum class Enabled { No, Yes } enabled = Enabled::Yes;

    std::chrono::seconds window = std::chrono::minutes(5);
    std::uint64_t api = 3000; ///< Of an address without a token.
    std::uint64_t resolvers = 30'000;
    std::uint64_t token_api = 10'000; ///< Of a token.
    std::uint64_t token_resolvers = 100'000;
    std::vector<AddressRange> exempt = loopback();
};

/// Which of the hub's own repositories everybody may see (docs/hub.md, "Who may see a repository").
/// What a seed brings and what is mirrored is outside of this.
struct RepoConfig {
    std::vector<std::string> public_kinds = {"app"}; ///< Of kRepoKinds, each once.

    /// Whether one of this type may be public; a bucket always.
    bool may_be_public(RepoType type) const;
};

/// What `public_kinds` may name. An app is a space, too.
inline constexpr std::string_view kRepoKinds[] = {"app", "model", "dataset"};

/// How many bytes a namespace may hold, unless something else is set for it; 0 for no bound.
struct QuotaConfig {
    std::uint64_t user_bytes = 0;
    std::uint64_t organization_bytes = 0;
};

struct HubConfig {
    std::optional<MirrorConfig> mirror;

    /// `[scanners] clamd`: the Unix socket of clamd, an absolute path; empty for none.
    std::filesystem::path clamd;

    /// `[review] curators`: the organization whose members read all submissions; empty for none. It
    /// need not be there (yet).
    std::string curators;

    std::vector<AddressRange> proxies;              ///< Whose X-Forwarded-For is believed.
    std::vector<AddressRange> metrics = loopback(); ///< Who may read /metrics.
    LimitConfig limits;
    QuotaConfig quotas;
    RepoConfig repos;

    /// Reads the text of a file; `path` is for its errors. `token_file` is not opened here.
    /// InvalidArgument with "path:line", the key, what was found and what is allowed; TooLarge.
    static Result<HubConfig> parse(std::string_view text, const std::string& path);

    /// Reads a file and the token file that it names, relative to its own folder. Errors as parse;
    /// NotFound, Io; Forbidden when others than the owner may read the token file.
    static Result<HubConfig> load(const std::filesystem::path& path);

    std::filesystem::path token_file; ///< As written; empty for none.
};

/// "500MB", "1.5 GB" (kB to TB: 10^3 to 10^12 bytes), "64 KiB" (2^10 on); nothing for another text.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// Whether a pattern with '*' fits all of a text; case does not matter.
bool fits_pattern(std::string_view pattern, std::string_view text);

} // namespace locara::hub
