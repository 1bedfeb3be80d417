// locara upload
#include "context.hpp"
#include "target_hub.hpp"

#include <locara/base/bytes.hpp>

#include <filesystem>

namespace locara::cli {

namespace {

std::vector<hf::UploadFile> name_files(const UploadArguments& arguments) {
    std::vector<hf::UploadFile> files;
    for (const std::string& file : arguments.files) {
        const std::filesystem::path local(file);
        std::string path = local.filename().string();
        if (!arguments.path.empty()) {
            std::string folder = arguments.path;
            const bool is_folder = folder.ends_with('/') || arguments.files.size() > 1;
            while (folder.ends_with('/')) {
                folder.pop_back();
            }
            path = is_folder ? folder + "/" + path : folder;
        }
        files.push_back({local, std::move(path)});
    }
    return files;
}

std::string describe(const hf::UploadResult& done) {
    const std::string sizes = render_size(done.size) + " in all, " + render_size(done.known_bytes) +
                              " known to the hub, " + render_size(done.sent_bytes) + " sent";
    return done.committed ? sizes + ". Commit " + done.commit
                          : sizes + ". Nothing to commit: the repository has these files";
}

Json as_json(const std::string& endpoint,
             const UploadArguments& arguments,
             const hf::UploadResult& done) {
    Json files = Json::array();
    for (const auto& file : done.files) {
        files.push_back({{"path", file.path},
                         {"size", file.size},
                         {"sha256", file.ignored ? Json() : Json(file.sha256.render())},
                         {"xet_hash", file.xet_hash ? Json(file.xet_hash->render()) : Json()},
                         {"unchanged", file.unchanged},
                         {"ignored", file.ignored}});
    }
    return {{"schema", "locara.upload/1"},
            {"hub", endpoint},
            {"repo", arguments.repo},
            {"type", arguments.type},
            {"revision", arguments.revision},
            {"commit", done.commit},
            {"url", done.url.empty() ? Json() : Json(done.url)},
            {"committed", done.committed},
            {"size", done.size},
            {"known_bytes", done.known_bytes},
            {"new_bytes", done.new_bytes},
            {"sent_bytes", done.sent_bytes},
            {"files", std::move(files)}};
}

} // namespace

Result<int> run_upload(Context& context, const UploadArguments& arguments) {
    hf::Upload upload;
    upload.kind = arguments.type == "dataset" ? hf::RepoKind::Dataset
                  : arguments.type == "app"   ? hf::RepoKind::App
                                              : hf::RepoKind::Model;
    upload.repo = arguments.repo;
    upload.revision = arguments.revision;
    upload.message = arguments.message;
    upload.parent_commit = arguments.parent;
    upload.files = name_files(arguments);
    LOCARA_TRY(auto client, open_target_hub(context));
    if (context.flags.dry_run) {
        for (const auto& file : upload.files) {
            context.say(clean(file.local.string()) + " -> " + clean(client.endpoint()) + " " +
                        clean(upload.repo) + " " + clean(file.path));
        }
        return kDone;
    }
    if (arguments.create) {
        LOCARA_CHECK(client.create_repo(upload.kind, upload.repo, interrupt_token()));
    }
    const auto progress = context.progress();
    const auto done = client.upload(upload, *progress, interrupt_token());
    progress->clear();
    if (!done) {
        return done.error();
    }
    for (const auto& file : done->files) {
        if (file.ignored) {
            context.say(clean(file.path) + " is left out: the repository's .gitignore names it");
        }
    }
    context.say("Uploaded to " + clean(upload.repo) + ": " + describe(*done));
    if (context.flags.json) {
        context.print_json(as_json(client.endpoint(), arguments, *done));
    } else if (!done->url.empty()) {
        context.print(clean(done->url));
    }
    return kDone;
}

} // namespace locara::cli
