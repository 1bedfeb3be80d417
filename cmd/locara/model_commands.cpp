// locara model sign, verify
#include "model_commands.hpp"

#include "passphrase.hpp"
#include "public_key_file.hpp"

#include <locara/base/beneath.hpp>
#include <locara/base/file.hpp>
#include <locara/base/path.hpp>
#include <locara/gate/gate.hpp>
#include <locara/manifest/card_license.hpp>
#include <locara/manifest/model_signature.hpp>
#include <locara/policy/doors.hpp>

namespace locara::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSignatureFile = "model.sig";

/// Refused if it was called back.
Result<manifest::ModelManifest> read_manifest(Context& context, const fs::path& folder) {
    const fs::path path = folder / "manifest.json";
    LOCARA_TRY(const std::string text, read_file(path, manifest::kManifestLimitBytes));
    LOCARA_TRY(auto manifest, manifest::ModelManifest::parse(text).context(path.string()));
    LOCARA_TRY(const auto installer, context.installer());
    LOCARA_CHECK(installer.check_takedown(manifest, crypto::sha256(as_bytes(text))));
    return manifest;
}

/// Every file below `repo`, past the format gate, by digest.
Result<std::map<std::string, crypto::Sha256Digest>> hash_files(const fs::path& repo) {
    std::map<std::string, crypto::Sha256Digest> files;
    LOCARA_TRY(const Fd below, open_folder(repo));
    std::error_code failed;
    for (fs::recursive_directory_iterator it(repo, failed), end; !failed && it != end;
         it.increment(failed)) {
        if (fs::is_directory(it->symlink_status(failed))) {
            continue;
        }
        if (interrupt_token().stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped");
        }
        const std::string name = it->path().lexically_relative(repo).generic_string();
        LOCARA_CHECK(validate_path(name).context("in " + repo.string()));
        LOCARA_TRY(const Fd fd, open_beneath(below, name).context("in " + repo.string()));
        const auto verdict = gate::judge(fd, it->path().filename().string());
        LOCARA_CHECK(policy::check(policy::Door::Install, name, verdict));
        LOCARA_TRY(const auto digest, crypto::sha256_file(fd).context("hashing " + name));
        files.emplace(name, digest);
    }
    if (failed) {
        return Error(failed == std::errc::no_such_file_or_directory ? ErrorCode::NotFound
                                                                    : ErrorCode::Io,
                     "reading " + repo.string() + ": " + failed.message());
    }
    return files;
}

/// The manifest against the card, which is one of the files that are signed.
Status check_card(Context& context,
                  const manifest::ModelManifest& manifest,
                  const manifest::ModelStatement& statement,
                  const fs::path& repo) {
    const auto signed_card = statement.files.find("README.md");
    if (signed_card == statement.files.end()) {
        context.say("note: " + repo.string() +
                    " has no README.md: no card says whether license and lineage are right");
        return {};
    }
    const fs::path path = repo / signed_card->first;
    LOCARA_TRY(const std::string card, read_file(path, manifest::kCardLimitBytes));
    if (crypto::sha256(as_bytes(card)) != signed_card->second) {
        return Error(ErrorCode::Corrupt, path.string() + " changed while it was read");
    }
    return manifest::check_card(manifest, card);
}

Result<crypto::SigningKey> load_key(const fs::path& path) {
    auto key = crypto::SigningKey::load(path);
    if (key || key.error().code() != ErrorCode::Unauthorized) {
        return key;
    }
    LOCARA_TRY(const auto passphrase, read_passphrase(-1, AskFor::Existing));
    return passphrase ? crypto::SigningKey::load(path, &*passphrase) : std::move(key);
}

Json model_json(const char* schema,
                const manifest::ModelManifest& manifest,
                const manifest::ModelStatement& statement,
                const crypto::PublicKey& key) {
    return {{"schema", schema},
            {"model", manifest.id.render() + "@" + manifest.version.render()},
            {"repo", statement.repo},
            {"revision", statement.revision},
            {"files", statement.files.size()},
            {"key", key.id()},
            {"hint", manifest::key_hint(key)}};
}

} // namespace

Result<int> run_model_sign(Context& context, const ModelSignRequest& request) {
    const fs::path folder = request.folder;
    LOCARA_TRY(const auto manifest, read_manifest(context, folder));
    LOCARA_CHECK(manifest.check_validated()); // sign nothing that was not validated
    LOCARA_CHECK(manifest.check_texts().context((folder / "manifest.json").string()));
    manifest::ModelStatement statement{manifest.source.repo, manifest.source.revision, {}};
    LOCARA_TRY(statement.files, hash_files(folder / "repo"));
    LOCARA_CHECK(statement.check(manifest));
    LOCARA_CHECK(check_card(context, manifest, statement, folder / "repo"));
    LOCARA_TRY(const auto key, load_key(request.key_file));
    LOCARA_TRY(const auto bundle, manifest::sign_model(statement, key));
    if (!context.flags.dry_run) {
        LOCARA_CHECK(write_file_atomically(folder / kSignatureFile, as_bytes(bundle)));
    }
    context.say((context.flags.dry_run ? "Would sign " : "Signed ") +
                count(statement.files.size(), "file") + " of hf:" + statement.repo + "@" +
                statement.revision + " with the key " + key.public_key().id() + ": " +
                (folder / kSignatureFile).string());
    if (context.flags.json) {
        context.print_json(
            model_json("locara.model-sign/1", manifest, statement, key.public_key()));
    }
    return kDone;
}

Result<int> run_model_verify(Context& context, const ModelVerifyRequest& request) {
    const fs::path folder = request.folder;
    std::vector<crypto::PublicKey> trusted;
    if (request.key_file.empty()) {
        LOCARA_TRY(auto installer, context.installer());
        trusted = installer.model_keys();
    } else {
        LOCARA_TRY(auto key, read_public_key(request.key_file));
        trusted.push_back(std::move(key));
    }
    LOCARA_TRY(const auto manifest, read_manifest(context, folder));
    const fs::path path = folder / kSignatureFile;
    LOCARA_TRY(const auto bundle, read_file(path, manifest::kModelSignatureLimitBytes));
    LOCARA_TRY(const auto statement,
               manifest::VerifiedModelStatement::verify(bundle, trusted).context(path.string()));
    LOCARA_CHECK(statement->check(manifest).context(path.string()));
    LOCARA_CHECK(statement->check_files(folder / "repo").context(path.string()));
    context.say("Good: " + count(statement->files.size(), "file") + " of hf:" + statement->repo +
                "@" + statement->revision + ", signed by the key " + statement.signed_by().id());
    if (context.flags.json) {
        context.print_json(
            model_json("locara.model-verify/1", manifest, *statement, statement.signed_by()));
    }
    return kDone;
}

} // namespace locara::cli
