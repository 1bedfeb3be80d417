#include "model_weights.hpp"

#include "fetch_model.hpp"

#include <locara/base/file.hpp>
#include <locara/gate/gate.hpp>

namespace locara::cli {

Result<ModelWeights>
ModelWeights::open(Context& context, const std::string& path, const std::string& from) {
    LOCARA_TRY(auto bytes, read_file(path, manifest::kManifestLimitBytes));
    return open_text(context, std::move(bytes), path, from);
}

Result<ModelWeights> ModelWeights::open_text(Context& context,
                                             std::string bytes,
                                             const std::string& name,
                                             const std::string& from) {
    const auto digest = crypto::sha256(as_bytes(bytes)); // ours: whoever calls vouches for it
    LOCARA_TRY(auto manifest,
               manifest::VerifiedModelManifest::verify(std::move(bytes), digest).context(name));
    LOCARA_CHECK(context.prepare_gate());
    ModelWeights out(std::move(manifest), from);
    LOCARA_TRY(const auto home, context.home());
    LOCARA_CHECK(home.create_folders());
    auto root = home.store;
    if (!from.empty()) {
        // A store of its own that only remembers where the files lie.
        LOCARA_CHECK(create_folders(home.cache, 0700));
        LOCARA_TRY(out.folder_, TempFolder::create(home.cache, "model-"));
        root = out.folder_->path() / "store";
    }
    LOCARA_TRY(auto store, store::Store::open(root));
    out.store_ = std::make_unique<store::Store>(std::move(store));
    out.gate_ = std::make_unique<runtime::LoadGate>(*out.store_);
    out.files_ = std::make_unique<engine::ModelFiles>(*out.store_, out.gate_->as_judge());
    return out;
}

Status ModelWeights::take_from_folder(const manifest::Variant& variant) {
    for (const auto& file : variant.files) {
        store::AdoptOptions options;
        options.link = store::LinkKind::Reference;
        options.stop = interrupt_token();
        options.gate = [&](const Fd& fd) -> Status {
            const auto verdict = gate::judge(fd, file.path);
            if (verdict.decision != formats::Decision::Allow) {
                return Error(ErrorCode::Refused,
                             file.path + " is refused: " + verdict.reason + " (" + verdict.rule +
                                 ")");
            }
            return {};
        };
        const auto path = std::filesystem::absolute(from_ / file.path);
        LOCARA_TRY(const auto adopted, store_->adopt(path, options).context(path.string()));
        if (adopted.file.digest != file.sha256) {
            return Error(ErrorCode::Corrupt,
                         path.string() + " has SHA-256 " + adopted.file.digest.render() +
                             ", the manifest says " + file.sha256.render());
        }
    }
    return {};
}

Result<std::vector<engine::ModelFile>> ModelWeights::get(Context& context,
                                                         const manifest::Variant& variant) {
    std::vector<engine::ModelFile> out;
    if (!from_.empty() && !context.flags.dry_run) {
        LOCARA_CHECK(take_from_folder(variant));
    } else if (from_.empty()) {
        LOCARA_TRY(auto installer, context.installer());
        LOCARA_TRY(const auto vouched, plan_vouched(installer, manifest_.bytes(), variant.name));
        LOCARA_CHECK(fetch_model(context, installer, vouched.model, vouched.hub));
    }
    if (context.flags.dry_run) {
        return out;
    }
    for (const auto& file : variant.files) {
        if (file.format == manifest::FileFormat::Gguf) {
            LOCARA_TRY(auto opened, files_->open(file.sha256, interrupt_token()));
            out.push_back(std::move(opened));
        }
    }
    return out;
}

} // namespace locara::cli
