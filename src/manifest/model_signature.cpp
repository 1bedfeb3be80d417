#include "words.hpp"

#include <locara/base/beneath.hpp>
#include <locara/base/bytes.hpp>
#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/base/path.hpp>
#include <locara/manifest/model_signature.hpp>

#include <algorithm>
#include <set>

namespace locara::manifest {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
constexpr std::string_view kPayloadType = "application/vnd.in-toto+json";
constexpr std::string_view kStatementType = "https://in-toto.io/Statement/v1";
constexpr std::string_view kPredicateType = "https://model_signing/signature/v1.0";
constexpr std::string_view kSubjectStart = "hf:";
constexpr std::size_t kDepthLimit = 8;
constexpr std::size_t kCommitDigits = 40;
constexpr std::size_t kPemLine = 64;               // RFC 7468, section 2
constexpr std::size_t kSignatureLimitBytes = 2048; // RSA of 16,384 bits

Error corrupt(const std::string& path, const std::string& text) {
    return Error(ErrorCode::Corrupt, "model signature, " + path + ": " + text);
}

Result<const Json*> member(const Json& object, const std::string& where, const char* key) {
    const auto at = object.is_object() ? object.find(key) : object.end();
    if (!object.is_object() || at == object.end()) {
        return corrupt(where + key, "is missing");
    }
    return &*at;
}

Result<std::string> text(const Json& object, const std::string& where, const char* key) {
    LOCARA_TRY(const Json* value, member(object, where, key));
    if (!value->is_string()) {
        return corrupt(where + key, "must be a string");
    }
    return value->get<std::string>();
}

Status
expect(const Json& object, const std::string& where, const char* key, std::string_view wanted) {
    LOCARA_TRY(const std::string found, text(object, where, key));
    if (found != wanted) {
        return corrupt(where + key, quote(found) + " must be " + quote(wanted));
    }
    return {};
}

/// Exactly one, as an array.
Result<const Json*> only(const Json& object, const std::string& where, const char* key) {
    LOCARA_TRY(const Json* list, member(object, where, key));
    if (!list->is_array() || list->size() != 1) {
        return corrupt(where + key, "must be a list of exactly one");
    }
    return &list->front();
}

Result<Bytes> base64(const Json& object, const std::string& where, const char* key) {
    LOCARA_TRY(const std::string encoded, text(object, where, key));
    auto bytes = parse_base64(encoded);
    if (!bytes) {
        return corrupt(where + key, bytes.error().message());
    }
    return bytes;
}

bool is_commit(std::string_view revision) {
    return revision.size() == kCommitDigits &&
           revision.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// "org/name", of parts that the rules for names allow.
bool is_repo(std::string_view repo) {
    return validate_path(repo) && std::count(repo.begin(), repo.end(), '/') == 1 &&
           repo.find('@') == std::string_view::npos;
}

/// DSSE v1, "PAE": what is signed binds the type to the payload.
std::string pre_authentication_encoding(std::string_view payload) {
    std::string out = "DSSEv1 " + std::to_string(kPayloadType.size()) + " ";
    out.append(kPayloadType).append(" ").append(std::to_string(payload.size())).append(" ");
    return out.append(payload);
}

Status check_names(const std::map<std::string, crypto::Sha256Digest>& files) {
    std::vector<std::string> names;
    for (const auto& [name, _] : files) {
        LOCARA_CHECK(validate_path(name));
        names.push_back(name);
    }
    return validate_path_set(names);
}

crypto::Sha256Digest digest_of(const std::vector<crypto::Sha256Digest>& list) {
    crypto::Sha256 hash;
    for (const auto& digest : list) {
        hash.update(digest.bytes);
    }
    return hash.finish();
}

Status check_serialization(const Json& predicate) {
    LOCARA_TRY(const Json* how, member(predicate, "predicate.", "serialization"));
    const std::string where = "predicate.serialization.";
    LOCARA_CHECK(expect(*how, where, "method", "files"));
    LOCARA_CHECK(expect(*how, where, "hash_type", "sha256"));
    LOCARA_TRY(const Json* symlinks, member(*how, where, "allow_symlinks"));
    if (*symlinks != false) {
        return corrupt(where + "allow_symlinks", "must be false");
    }
    return {};
}

} // namespace

std::string model_signature_target(const ModelId& id, const Version& version) {
    return "models/" + id.publisher + "/" + id.name + "/" + version.render() + ".sig";
}

Result<std::string> ModelStatement::render() const {
    const auto wrong = [](const std::string& words) {
        return Error(ErrorCode::InvalidArgument, "a model statement: " + words);
    };
    if (!is_repo(repo) || !is_commit(revision)) {
        return wrong(quote(repo + "@" + revision) + " is no org/name at a commit of 40 hex digits");
    }
    if (files.empty() || files.size() > kSignedFileLimit) {
        return wrong("1 to " + std::to_string(kSignedFileLimit) + " files are signed, not " +
                     std::to_string(files.size()));
    }
    if (auto names = check_names(files); !names) {
        return wrong(names.error().message());
    }
    Json resources = Json::array();
    std::vector<crypto::Sha256Digest> digests;
    for (const auto& [name, digest] : files) {
        resources.push_back({{"name", name}, {"algorithm", "sha256"}, {"digest", digest.render()}});
        digests.push_back(digest);
    }
    return render_json(
        {{"_type", kStatementType},
         {"subject",
          Json::array({{{"name", std::string(kSubjectStart) + repo + "@" + revision},
                        {"digest", {{"sha256", digest_of(digests).render()}}}}})},
         {"predicateType", kPredicateType},
         {"predicate",
          {{"serialization",
            {{"method", "files"}, {"hash_type", "sha256"}, {"allow_symlinks", false}}},
           {"resources", std::move(resources)}}}});
}

Result<ModelStatement> ModelStatement::parse(std::string_view payload) {
    const auto json =
        parse_json(payload, {.bytes = kModelSignatureLimitBytes, .depth = kDepthLimit});
    if (!json) {
        return json.error().code() == ErrorCode::TooLarge
                   ? json.error()
                   : corrupt("payload", json.error().message());
    }
    LOCARA_CHECK(expect(*json, "", "_type", kStatementType));
    LOCARA_CHECK(expect(*json, "", "predicateType", kPredicateType));
    LOCARA_TRY(const Json* subject, only(*json, "", "subject"));
    LOCARA_TRY(const std::string name, text(*subject, "subject[0].", "name"));
    LOCARA_TRY(const Json* subject_digest, member(*subject, "subject[0].", "digest"));
    LOCARA_TRY(const std::string wanted, text(*subject_digest, "subject[0].digest.", "sha256"));

    ModelStatement out;
    const auto at = name.rfind('@');
    if (!std::string_view(name).starts_with(kSubjectStart) || at == std::string::npos) {
        return corrupt("subject[0].name", quote(name) + " must be hf:ORG/REPO@COMMIT");
    }
    out.repo = name.substr(kSubjectStart.size(), at - kSubjectStart.size());
    out.revision = name.substr(at + 1);
    if (!is_repo(out.repo) || !is_commit(out.revision)) {
        return corrupt("subject[0].name",
                       quote(name) +
                           " must be hf:ORG/REPO@COMMIT, with a commit of 40 hex digits; a "
                           "branch or tag pins nothing");
    }
    LOCARA_TRY(const Json* predicate, member(*json, "", "predicate"));
    LOCARA_CHECK(check_serialization(*predicate));
    LOCARA_TRY(const Json* resources, member(*predicate, "predicate.", "resources"));
    if (!resources->is_array() || resources->empty()) {
        return corrupt("predicate.resources", "must be a list of at least one file");
    }
    if (resources->size() > kSignedFileLimit) {
        return Error(ErrorCode::TooLarge,
                     "model signature, predicate.resources: " + std::to_string(resources->size()) +
                         " files; at most " + std::to_string(kSignedFileLimit) + " are read");
    }
    std::vector<crypto::Sha256Digest> digests;
    for (const auto& one : *resources) {
        const std::string where = "predicate.resources[" + std::to_string(digests.size()) + "].";
        LOCARA_CHECK(expect(one, where, "algorithm", "sha256"));
        LOCARA_TRY(std::string path, text(one, where, "name"));
        LOCARA_TRY(const std::string hex, text(one, where, "digest"));
        const auto digest = crypto::Sha256Digest::parse(hex);
        if (!digest) {
            return corrupt(where + "digest", digest.error().message());
        }
        if (!out.files.emplace(std::move(path), *digest).second) {
            return corrupt(where + "name", "the same file stands there twice");
        }
        digests.push_back(*digest);
    }
    if (auto names = check_names(out.files); !names) {
        return corrupt("predicate.resources", names.error().message());
    }
    if (digest_of(digests).render() != wanted) {
        return corrupt("subject[0].digest.sha256",
                       quote(wanted) + " is not over the listed files, which give " +
                           digest_of(digests).render());
    }
    return out;
}

Status ModelStatement::check(const ModelManifest& manifest) const {
    if (repo != manifest.source.repo || revision != manifest.source.revision) {
        return Error(ErrorCode::Corrupt,
                     "the signature is of " + repo + "@" + revision + ", but the manifest of " +
                         manifest.source.repo + "@" + manifest.source.revision);
    }
    for (const auto& variant : manifest.variants) {
        for (const auto& file : variant.files) {
            const auto at = files.find(file.path);
            if (at == files.end() || at->second != file.sha256) {
                return Error(ErrorCode::Corrupt,
                             file.path + " of variant " + variant.name + " is " +
                                 file.sha256.render() + " in the manifest, but " +
                                 (at == files.end() ? "not signed at all"
                                                    : "signed as " + at->second.render()));
            }
        }
    }
    return {};
}

Status ModelStatement::check_files(const fs::path& folder) const {
    LOCARA_TRY(const Fd below, open_folder(folder));
    for (const auto& [name, digest] : files) {
        const auto fd = open_beneath(below, name);
        if (!fd) {
            return Error(ErrorCode::Corrupt,
                         name + " is signed, but cannot be read: " + fd.error().describe());
        }
        LOCARA_TRY(const auto found, crypto::sha256_file(*fd).context("hashing " + name));
        if (found != digest) {
            return Error(ErrorCode::Corrupt,
                         name + " has SHA-256 " + found.render() + ", but " + digest.render() +
                             " is signed");
        }
    }
    return {};
}

std::string key_hint(const crypto::PublicKey& key) {
    const std::string encoded = render_base64(as_bytes(key.identity()));
    std::string pem = "-----BEGIN PUBLIC KEY-----\n";
    for (std::size_t at = 0; at < encoded.size(); at += kPemLine) {
        pem += encoded.substr(at, kPemLine) + "\n";
    }
    pem += "-----END PUBLIC KEY-----\n";
    return crypto::sha256(as_bytes(pem)).render();
}

Result<std::string> sign_model(const ModelStatement& statement, const crypto::SigningKey& key) {
    LOCARA_TRY(const std::string payload, statement.render());
    const Bytes signature = key.sign(as_bytes(pre_authentication_encoding(payload)));
    return render_json({{"mediaType", kMediaType},
                        {"verificationMaterial",
                         {{"publicKey", {{"hint", key_hint(key.public_key())}}},
                          {"tlogEntries", Json::array()}}},
                        {"dsseEnvelope",
                         {{"payload", render_base64(as_bytes(payload))},
                          {"payloadType", kPayloadType},
                          {"signatures",
                           Json::array({{{"sig", render_base64(signature)}, {"keyid", ""}}})}}}}) +
           "\n";
}

Result<VerifiedModelStatement>
VerifiedModelStatement::verify(std::string_view bundle,
                               const std::vector<crypto::PublicKey>& trusted) {
    const auto json =
        parse_json(bundle, {.bytes = kModelSignatureLimitBytes, .depth = kDepthLimit});
    if (!json) {
        return json.error().code() == ErrorCode::TooLarge
                   ? json.error()
                   : corrupt("bundle", json.error().message());
    }
    LOCARA_CHECK(expect(*json, "", "mediaType", kMediaType));
    LOCARA_TRY(const Json* material, member(*json, "", "verificationMaterial"));
    for (const char* other : {"certificate", "x509CertificateChain"}) {
        if (material->is_object() && material->contains(other)) {
            return corrupt(std::string("verificationMaterial.") + other,
                           "keys are taken from the catalog, not from a bundle");
        }
    }
    LOCARA_TRY(const Json* public_key, member(*material, "verificationMaterial.", "publicKey"));
    LOCARA_TRY(const std::string hint,
               text(*public_key, "verificationMaterial.publicKey.", "hint"));
    LOCARA_TRY(const Json* envelope, member(*json, "", "dsseEnvelope"));
    const std::string where = "dsseEnvelope.";
    LOCARA_CHECK(expect(*envelope, where, "payloadType", kPayloadType));
    LOCARA_TRY(const Bytes payload, base64(*envelope, where, "payload"));
    LOCARA_TRY(const Json* signature, only(*envelope, where, "signatures"));
    LOCARA_TRY(const Bytes sig, base64(*signature, where + "signatures[0].", "sig"));
    if (sig.size() > kSignatureLimitBytes) {
        return corrupt(where + "signatures[0].sig", "is longer than any signature");
    }
    const auto key = std::find_if(
        trusted.begin(), trusted.end(), [&](const auto& one) { return key_hint(one) == hint; });
    if (key == trusted.end()) {
        return Error(ErrorCode::Refused,
                     "model signature: its key has the hint " + quote(hint) +
                         ", which is that of none of the " + std::to_string(trusted.size()) +
                         " trusted here");
    }
    if (!key->verify(as_bytes(pre_authentication_encoding(as_text(payload))), sig)) {
        return corrupt(where + "signatures[0]", "is not a signature of the key " + key->id());
    }
    LOCARA_TRY(auto statement, ModelStatement::parse(as_text(payload)));
    return VerifiedModelStatement(std::move(statement), *key);
}

} // namespace locara::manifest
