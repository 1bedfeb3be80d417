#include <locara/base/bytes.hpp>
#include <locara/base/json.hpp>
#include <locara/base/path.hpp>
#include <locara/convert/convert.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/runtime/model_pin.hpp>
#include <locara/runtime/source_pin.hpp>

#include <algorithm>
#include <array>

namespace locara::runtime {

namespace {

/// Beside the weights. What a repository lacks of these is left out.
constexpr std::array<std::string_view, 7> kBeside = {convert::kConfigName,
                                                     convert::kGenerationName,
                                                     convert::kIndexName,
                                                     convert::kTemplateName,
                                                     convert::kTokenizerName,
                                                     convert::kTokenizerConfigName,
                                                     "README.md"};

const hf::RepoFile* find(const std::vector<hf::RepoFile>& files, std::string_view path) {
    const auto at = std::find_if(
        files.begin(), files.end(), [&](const auto& file) { return file.path == path; });
    return at == files.end() ? nullptr : &*at;
}

std::string_view format_of(std::string_view path) {
    return path.ends_with(".safetensors") ? "safetensors"
           : path.ends_with(".json")      ? "json"
           : path.ends_with(".gguf")      ? "gguf"
                                          : "text";
}

Json describe(std::string_view path,
              std::uint64_t size,
              const crypto::Sha256Digest& sha256,
              const std::string& xet_hash) {
    return {{"path", path},
            {"size", size},
            {"sha256", sha256.render()},
            {"xet_hash", xet_hash.empty() ? Json() : Json(xet_hash)},
            {"format", format_of(path)}};
}

class SourcePinner {
  public:
    SourcePinner(hf::Client& client,
                 const manifest::Source& source,
                 ProgressSink& progress,
                 const std::stop_token& stop)
        : client_(client), source_(source), progress_(progress), stop_(stop) {}

    Result<Json> run() {
        LOCARA_TRY(const auto revision,
                   client_.get_revision(source_.repo, source_.revision, stop_));
        if (revision.commit != source_.revision) {
            return Error(ErrorCode::Corrupt,
                         client_.endpoint() + " has " + revision.commit + " for " + name());
        }
        LOCARA_TRY(files_, client_.list_files(source_.repo, source_.revision, stop_));
        LOCARA_TRY(const auto shards, list_shards());
        for (const auto needed : {convert::kConfigName, convert::kTokenizerName}) {
            if (find(files_, needed) == nullptr) {
                return Error(ErrorCode::Unsupported,
                             name() + " has safetensors and no " + std::string(needed) +
                                 ", without which they are not converted");
            }
        }
        Json out = Json::array();
        for (const auto& shard : shards) {
            LOCARA_CHECK(add(out, shard));
        }
        for (const auto path : kBeside) {
            if (find(files_, path) != nullptr) {
                LOCARA_CHECK(add(out, std::string(path)));
            }
        }
        return out;
    }

  private:
    std::string name() const { return source_.repo + "@" + source_.revision; }

    Result<std::vector<std::string>> list_shards() {
        std::vector<std::string> out;
        if (find(files_, convert::kIndexName) != nullptr) {
            LOCARA_TRY(const auto text,
                       client_.get_text(source_.repo,
                                        source_.revision,
                                        convert::kIndexName,
                                        convert::kMaxIndex,
                                        stop_));
            return convert::parse_index(text).context(name());
        }
        for (const auto& file : files_) {
            if (file.path.starts_with("model") && file.path.ends_with(".safetensors") &&
                file.path.find('/') == std::string::npos) {
                out.push_back(file.path);
            }
        }
        if (out.empty()) {
            return Error(ErrorCode::NotFound, name() + " has no model.safetensors");
        }
        return out;
    }

    Status add(Json& out, const std::string& path) {
        LOCARA_CHECK(validate_path(path).context(name()));
        const auto* file = find(files_, path);
        if (file == nullptr) {
            return Error(ErrorCode::NotFound,
                         name() + " has no " + path + ", which its list of shards names");
        }
        Progress state;
        state.task = "pin";
        state.item = path;
        progress_.report(state);
        const std::string xet = file->xet_hash ? file->xet_hash->render() : "";
        if (file->sha256) {
            out.push_back(describe(path, file->size, *file->sha256, xet));
            return {};
        }
        if (file->size > kMaxHashedFile) {
            return Error(ErrorCode::Unsupported,
                         client_.endpoint() + " gives no SHA-256 of " + path +
                             ", and it is too large to fetch for that");
        }
        LOCARA_TRY(const auto bytes,
                   client_.get_text(source_.repo, source_.revision, path, kMaxHashedFile, stop_));
        if (bytes.size() != file->size) {
            return Error(ErrorCode::Corrupt,
                         path + " has " + std::to_string(bytes.size()) +
                             " bytes where the listing says " + std::to_string(file->size));
        }
        out.push_back(describe(path, file->size, crypto::sha256(as_bytes(bytes)), xet));
        return {};
    }

    hf::Client& client_;
    const manifest::Source& source_;
    ProgressSink& progress_;
    const std::stop_token& stop_;
    std::vector<hf::RepoFile> files_;
};

} // namespace

Result<std::string> pin_sources(hf::Client& client,
                                std::string_view text,
                                const manifest::Source& source,
                                const manifest::Variant& wanted,
                                ProgressSink& progress,
                                const std::stop_token& stop) {
    LOCARA_TRY(Json json, parse_json(text));
    LOCARA_TRY(Json files, SourcePinner(client, source, progress, stop).run());
    for (const auto& file : wanted.files) {
        files.push_back(describe(file.path, file.size, file.sha256, file.xet_hash));
    }
    json["source"] = {{"repo", source.repo}, {"revision", source.revision}};
    json["variants"] = Json::array(
        {{{"name", kSourcesVariant},
          {"quantization", wanted.quantization},
          {"files", std::move(files)},
          {"engine",
           {{"name", wanted.engine_name}, {"minimum_version", wanted.engine_minimum_version}}},
          {"weights_bytes", wanted.weights_bytes},
          {"kv_bytes_per_token", wanted.kv_bytes_per_token}}});
    json["default"] = kSourcesVariant;
    json.erase("validation");
    return json.dump(2) + "\n";
}

} // namespace locara::runtime
