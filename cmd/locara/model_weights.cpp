#include "model_weights.hpp"

#include "fetch_model.hpp"

#include <locara/base/file.hpp>
#include <locara/gate/gate.hpp>
#include <locara/policy/doors.hpp>

namespace locara::cli {

Result<WeightsStore> WeightsStore::open_at(const std::filesystem::path& root) {
    WeightsStore out;
    LOCARA_TRY(auto store, store::Store::open(root));
    out.store_ = std::make_unique<store::Store>(std::move(store));
    out.gate_ = std::make_unique<runtime::LoadGate>(*out.store_);
    out.files_ = std::make_unique<engine::ModelFiles>(*out.store_, out.gate_->as_judge());
    return out;
}

Result<WeightsStore> WeightsStore::open(Context& context) {
    LOCARA_TRY(const auto home, context.home());
    LOCARA_CHECK(home.create_folders());
    return open_at(home.store);
}

Result<WeightsStore> WeightsStore::open_temporary(Context& context) {
    LOCARA_TRY(const auto home, context.home());
    LOCARA_CHECK(home.create_folders());
    LOCARA_CHECK(create_folders(home.cache, 0700));
    LOCARA_TRY(auto folder, TempFolder::create(home.cache, "model-"));
    LOCARA_TRY(auto out, open_at(folder.path() / "store"));
    out.folder_ = std::move(folder);
    return out;
}

Result<store::Digest> WeightsStore::adopt(const std::filesystem::path& path,
                                          const std::string& name) {
    store::AdoptOptions options;
    options.link = store::LinkKind::Reference;
    options.stop = interrupt_token();
    options.gate = [&](const Fd& fd) -> Status {
        return policy::check(policy::Door::Install, name, gate::judge(fd, name));
    };
    LOCARA_TRY(const auto adopted, store_->adopt(path, options).context(path.string()));
    return adopted.file.digest;
}

Result<engine::ModelFile> WeightsStore::open(const store::Digest& digest) {
    return files_->open(digest, interrupt_token());
}

Result<std::filesystem::path> WeightsStore::find(const store::Digest& digest) {
    LOCARA_CHECK(store_->verify(digest, null_progress(), interrupt_token()));
    return store_->path_of(digest);
}

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
    LOCARA_TRY(const auto installer, context.installer());
    LOCARA_CHECK(installer.check_takedown(*manifest, manifest.digest()));
    LOCARA_CHECK(context.prepare_gate());
    LOCARA_TRY(auto store,
               from.empty() ? WeightsStore::open(context) : WeightsStore::open_temporary(context));
    return ModelWeights(std::move(manifest), from, std::move(store));
}

Result<std::vector<manifest::ModelFile>>
ModelWeights::fetch(Context& context, const manifest::Variant& variant, Kind kind) {
    const auto is_wanted = [kind](const manifest::ModelFile& file) {
        return kind == Kind::Weights || file.format != manifest::FileFormat::Gguf;
    };
    std::vector<manifest::ModelFile> wanted;
    for (const auto& file : variant.files) {
        if (is_wanted(file)) {
            wanted.push_back(file);
        }
    }
    LOCARA_TRY(auto installer, context.installer());
    LOCARA_TRY(auto vouched, plan_vouched(installer, manifest_.bytes(), variant.name));
    if (from_.empty()) {
        std::erase_if(vouched.model.files,
                      [&](const auto& planned) { return !is_wanted(planned.file); });
        LOCARA_CHECK(fetch_model(context, installer, vouched.model, vouched.hub));
        return wanted;
    }
    LOCARA_CHECK(agree_to_model(context, installer, vouched.model));
    for (const auto& file : wanted) {
        if (context.flags.dry_run) {
            break;
        }
        const auto path = std::filesystem::absolute(from_ / file.path);
        LOCARA_TRY(const auto digest, store_.adopt(path, file.path));
        if (digest != file.sha256) {
            return Error(ErrorCode::Corrupt,
                         path.string() + " has SHA-256 " + digest.render() +
                             ", the manifest says " + file.sha256.render());
        }
    }
    return wanted;
}

Result<std::vector<engine::ModelFile>> ModelWeights::get(Context& context,
                                                         const manifest::Variant& variant) {
    LOCARA_TRY(const auto files, fetch(context, variant, Kind::Weights));
    std::vector<engine::ModelFile> out;
    for (const auto& file : files) {
        if (file.format == manifest::FileFormat::Gguf && !context.flags.dry_run) {
            LOCARA_TRY(auto opened, store_.open(file.sha256));
            out.push_back(std::move(opened));
        }
    }
    return out;
}

Result<std::vector<FetchedFile>> ModelWeights::get_sources(Context& context,
                                                           const manifest::Variant& variant) {
    LOCARA_TRY(const auto files, fetch(context, variant, Kind::Sources));
    std::vector<FetchedFile> out;
    for (const auto& file : files) {
        if (context.flags.dry_run) {
            break;
        }
        if (file.format == manifest::FileFormat::Safetensors) {
            LOCARA_TRY(const auto opened, store_.open(file.sha256));
            out.push_back({file, opened.path()});
        } else {
            LOCARA_TRY(auto place, store_.find(file.sha256));
            out.push_back({file, std::move(place)});
        }
    }
    return out;
}

} // namespace locara::cli
