#include "protocol.hpp"

#include "answer.hpp"
#include "resolve.hpp"

#include <locara/base/bytes.hpp>

#include <algorithm>

namespace locara::hf {

namespace {

/// A line of NDJSON, or one whole small answer.
constexpr JsonLimits kAnswerLimits{8U << 20U, 16, 64};

Error bad_field(std::string_view of, const char* key) {
    return Error(ErrorCode::Corrupt,
                 "the answer to " + std::string(of) + " has no usable '" + key + "'");
}

Result<Json> parse_answer(std::string_view text, std::string_view of) {
    auto json = parse_json(text, kAnswerLimits);
    if (!json) {
        return Error(ErrorCode::Corrupt,
                     "the answer to " + std::string(of) +
                         " is not JSON: " + json.error().message());
    }
    return json;
}

Result<std::string> get_text(const Json& object, const char* key, std::string_view of) {
    if (!object.is_object() || !object.contains(key) || !object.at(key).is_string()) {
        return bad_field(of, key);
    }
    return object.at(key).get<std::string>();
}

std::optional<std::uint64_t> find_count(const Json& object, const char* key) {
    if (!object.is_object() || !object.contains(key) || !object.at(key).is_number_unsigned()) {
        return std::nullopt;
    }
    return object.at(key).get<std::uint64_t>();
}

std::string find_text(const Json& object, const char* key) {
    return object.contains(key) && object.at(key).is_string() ? object.at(key).get<std::string>()
                                                              : std::string();
}

} // namespace

std::string_view render_plural(RepoKind kind) {
    switch (kind) {
    case RepoKind::Model:
        return "models";
    case RepoKind::Dataset:
        return "datasets";
    case RepoKind::App:
        return "spaces";
    }
    return "models";
}

std::string render_create_repo(RepoKind kind, std::string_view repo) {
    const std::size_t slash = repo.find('/');
    Json body{{"name", repo.substr(slash + 1)},
              {"organization", repo.substr(0, slash)},
              {"type",
               kind == RepoKind::Model     ? "model"
               : kind == RepoKind::Dataset ? "dataset"
                                           : "space"}};
    if (kind == RepoKind::App) {
        body["sdk"] = "static"; // the protocol wants one: pages without a server of their own
    }
    return render_json(body);
}

Result<XetToken> parse_xet_token(std::string_view json) {
    constexpr std::string_view kOf = "xet token";
    LOCARA_TRY(const Json answer, parse_answer(json, kOf));
    XetToken token;
    LOCARA_TRY(token.cas_url, get_text(answer, "casUrl", kOf));
    while (token.cas_url.ends_with('/')) {
        token.cas_url.pop_back();
    }
    if (token.cas_url.find_first_of("?#") != std::string::npos ||
        !http::parse_origin(token.cas_url)) {
        return Error(ErrorCode::Corrupt,
                     "the server names the chunk store '" + printable(token.cas_url) +
                         "', which is not an address");
    }
    LOCARA_TRY(std::string value, get_text(answer, "accessToken", kOf));
    const bool fit =
        !value.empty() && value.size() <= kMaxXetTokenBytes &&
        std::all_of(value.begin(), value.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    token.value = Secret(std::move(value));
    if (!fit) {
        return bad_field(kOf, "accessToken");
    }
    const auto expires = find_count(answer, "exp");
    // Beyond the year 2300 something is wrong; the bound keeps sums of times from overflowing.
    constexpr std::uint64_t kLatest = 10'413'792'000;
    if (!expires || *expires > kLatest) {
        return bad_field(kOf, "exp");
    }
    token.expires = static_cast<std::int64_t>(*expires);
    return token;
}

std::string render_preupload(const std::vector<PreuploadFile>& files) {
    Json list = Json::array();
    for (const PreuploadFile& file : files) {
        list.push_back({{"path", file.path},
                        {"size", file.size},
                        {"sample", render_base64(as_bytes(file.sample))}});
    }
    return render_json(Json{{"files", std::move(list)}});
}

Result<PreuploadAnswer> parse_preupload(std::string_view json) {
    constexpr std::string_view kOf = "preupload";
    LOCARA_TRY(const Json answer, parse_answer(json, kOf));
    if (!answer.is_object() || !answer.contains("files") || !answer.at("files").is_array()) {
        return bad_field(kOf, "files");
    }
    PreuploadAnswer result;
    for (const Json& entry : answer.at("files")) {
        PreuploadAnswer::File file;
        LOCARA_TRY(file.path, get_text(entry, "path", kOf));
        LOCARA_TRY(const std::string mode, get_text(entry, "uploadMode", kOf));
        if (mode != "regular" && mode != "lfs") {
            return bad_field(kOf, "uploadMode");
        }
        file.mode = mode == "lfs" ? UploadMode::Lfs : UploadMode::Regular;
        file.ignore = entry.contains("shouldIgnore") && entry.at("shouldIgnore").is_boolean() &&
                      entry.at("shouldIgnore").get<bool>();
        file.oid = find_text(entry, "oid");
        result.files.push_back(std::move(file));
    }
    result.commit = find_text(answer, "commitOid");
    if (!is_commit(result.commit)) {
        result.commit.clear();
    }
    return result;
}

std::string render_paths_info(const std::vector<std::string>& paths) {
    return render_json(Json{{"paths", paths}, {"expand", false}});
}

Result<std::vector<PathInfo>> parse_paths_info(std::string_view json) {
    constexpr std::string_view kOf = "paths-info";
    LOCARA_TRY(const Json answer, parse_answer(json, kOf));
    if (!answer.is_array()) {
        return Error(ErrorCode::Corrupt, "the answer to paths-info is not a list");
    }
    std::vector<PathInfo> result;
    for (const Json& entry : answer) {
        if (!entry.is_object() || find_text(entry, "type") != "file") {
            continue;
        }
        PathInfo info;
        LOCARA_TRY(info.path, get_text(entry, "path", kOf));
        info.size = find_count(entry, "size").value_or(0);
        if (const std::string hash = find_text(entry, "xetHash"); !hash.empty()) {
            auto parsed = xet::FileHash::parse(hash);
            if (!parsed) {
                return bad_field(kOf, "xetHash");
            }
            info.xet_hash = *parsed;
        }
        result.push_back(std::move(info));
    }
    return result;
}

Result<RevisionInfo> parse_revision_info(std::string_view json) {
    constexpr std::string_view kOf = "revision";
    LOCARA_TRY(const Json answer, parse_answer(json, kOf));
    RevisionInfo result;
    LOCARA_TRY(result.commit, get_text(answer, "sha", kOf));
    if (!is_commit(result.commit)) {
        return bad_field(kOf, "sha");
    }
    if (!answer.contains("siblings") || !answer.at("siblings").is_array()) {
        return bad_field(kOf, "siblings");
    }
    for (const Json& file : answer.at("siblings")) {
        LOCARA_TRY(std::string path, get_text(file, "rfilename", kOf));
        result.paths.push_back(std::move(path));
    }
    // false, or how access is granted: "auto", "manual".
    const auto gated = answer.find("gated");
    result.gated = gated != answer.end() && !gated->is_null() && *gated != Json(false);
    return result;
}

Result<std::vector<RepoFile>> parse_tree_page(std::string_view json) {
    constexpr std::string_view kOf = "tree";
    LOCARA_TRY(const Json answer, parse_answer(json, kOf));
    if (!answer.is_array()) {
        return Error(ErrorCode::Corrupt, "the answer to tree is not a list");
    }
    std::vector<RepoFile> files;
    for (const Json& entry : answer) {
        if (!entry.is_object() || find_text(entry, "type") != "file") {
            continue;
        }
        RepoFile file;
        LOCARA_TRY(file.path, get_text(entry, "path", kOf));
        LOCARA_CHECK(check_path(file.path));
        const auto size = find_count(entry, "size");
        if (!size) {
            return bad_field(kOf, "size");
        }
        file.size = *size;
        if (const auto lfs = entry.find("lfs"); lfs != entry.end() && !lfs->is_null()) {
            const auto digest =
                crypto::Sha256Digest::parse(lfs->is_object() ? find_text(*lfs, "oid") : "");
            if (!digest || find_count(*lfs, "size") != size) {
                return bad_field(kOf, "lfs");
            }
            file.sha256 = *digest;
        }
        if (const std::string hash = find_text(entry, "xetHash"); !hash.empty()) {
            const auto parsed = xet::FileHash::parse(hash);
            if (!parsed) {
                return bad_field(kOf, "xetHash");
            }
            file.xet_hash = *parsed;
        }
        files.push_back(std::move(file));
    }
    return files;
}

std::string render_commit_header(std::string_view summary,
                                 std::string_view description,
                                 std::string_view parent_commit) {
    Json value{{"summary", summary}, {"description", description}};
    if (!parent_commit.empty()) {
        value["parentCommit"] = parent_commit;
    }
    return render_json(Json{{"key", "header"}, {"value", std::move(value)}}) + "\n";
}

std::string render_commit_file(std::string_view path, ByteView content) {
    return render_json(Json{
               {"key", "file"},
               {"value",
                {{"path", path}, {"content", render_base64(content)}, {"encoding", "base64"}}}}) +
           "\n";
}

std::string render_commit_lfs_file(std::string_view path,
                                   const crypto::Sha256Digest& sha256,
                                   std::uint64_t size) {
    return render_json(Json{
               {"key", "lfsFile"},
               {"value",
                {{"path", path}, {"algo", "sha256"}, {"oid", sha256.render()}, {"size", size}}}}) +
           "\n";
}

std::string render_commit_removal(std::string_view path) {
    return render_json(Json{{"key", "deletedFile"}, {"value", {{"path", path}}}}) + "\n";
}

Result<CommitAnswer> parse_commit_answer(std::string_view json) {
    constexpr std::string_view kOf = "commit";
    LOCARA_TRY(const Json answer, parse_answer(json, kOf));
    CommitAnswer result;
    LOCARA_TRY(result.commit, get_text(answer, "commitOid", kOf));
    if (!is_commit(result.commit)) {
        return bad_field(kOf, "commitOid");
    }
    // For people to open: dropped rather than shown changed.
    constexpr std::size_t kMaxShownUrl = 2048;
    std::string url = find_text(answer, "commitUrl");
    if (url.size() <= kMaxShownUrl &&
        std::all_of(url.begin(), url.end(), [](char c) { return c > 0x20 && c < 0x7f; })) {
        result.url = std::move(url);
    }
    return result;
}

Result<SubmissionAnswer> parse_submission(std::string_view json) {
    constexpr std::string_view kOf = "submissions";
    LOCARA_TRY(const Json answer, parse_answer(json, kOf));
    SubmissionAnswer result;
    const auto number = find_count(answer, "number");
    if (!number) {
        return bad_field(kOf, "number");
    }
    result.number = *number;
    LOCARA_TRY(result.state, get_text(answer, "state", kOf));
    const auto steps = answer.find("steps");
    if (steps != answer.end() && steps->is_array() && !steps->empty() &&
        steps->back().is_object()) {
        result.why = printable(find_text(steps->back(), "why"));
    }
    return result;
}

Result<ShardProgress> parse_shard_progress(std::string_view line) {
    LOCARA_TRY(const Json json, parse_answer(line, "shard upload"));
    ShardProgress progress;
    LOCARA_TRY(const std::string type, get_text(json, "type", "shard upload"));
    using Kind = ShardProgress::Kind;
    progress.kind = type == "result"       ? Kind::Result
                    : type == "error"      ? Kind::Error
                    : type == "committing" ? Kind::Committing
                                           : Kind::Validating;
    progress.verified = find_count(json, "verified").value_or(0);
    progress.total = find_count(json, "total").value_or(0);
    progress.message = printable(find_text(json, "message"));
    progress.retryable = json.contains("retryable") && json.at("retryable").is_boolean() &&
                         json.at("retryable").get<bool>();
    return progress;
}

} // namespace locara::hf
