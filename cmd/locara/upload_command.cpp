// locara upload
#include "context.hpp"

#include <locara/base/bytes.hpp>
#include <locara/hf/client.hpp>

#include <cstdlib>
#include <filesystem>

namespace locara::cli {

namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

/// Which hub an upload goes to. Never by default to a public one: what is there is public.
Result<std::string> find_endpoint(Context& context) {
    for (const std::string& given : {context.flags.endpoint,
                                     context.flags.hub,
                                     environment("LOCARA_HUB"),
                                     environment("HF_ENDPOINT")}) {
        if (!given.empty()) {
            return given;
        }
    }
    LOCARA_TRY(const auto installer, context.installer());
    if (installer.hubs().size() == 1) {
        return installer.hubs().front().url;
    }
    return Error(ErrorCode::InvalidArgument,
                 installer.hubs().empty() ? "which hub to? No hub is known: pass --endpoint URL"
                                          : "which hub to? Several are known: pass --hub URL");
}

/// The token for that hub: HF_TOKEN belongs to the host of HF_ENDPOINT, LOCARA_TOKEN to that of
/// LOCARA_HUB or, without it, to any hub but huggingface.co.
Result<hf::Options> make_options(Context& context, const std::string& endpoint) {
    auto options = hf::Options::from_environment(endpoint);
    const std::string token = environment("LOCARA_TOKEN");
    const std::string hub = environment("LOCARA_HUB");
    LOCARA_TRY(const auto origin, http::parse_origin(endpoint));
    LOCARA_TRY(const auto home,
               http::parse_origin(hub.empty() ? std::string(hf::kDefaultEndpoint) : hub));
    if (!token.empty() && (hub.empty() ? !(origin == home) : origin == home)) {
        options.token = Secret(token);
    }
    if (context.flags.offline || !environment("LOCARA_OFFLINE").empty()) {
        options.offline = hf::Options::OfflineMode::Yes;
    }
    options.log = &context.log();
    return options;
}

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
    LOCARA_TRY(const std::string endpoint, find_endpoint(context));
    LOCARA_TRY(auto options, make_options(context, endpoint));
    LOCARA_TRY(auto* http, context.http());
    LOCARA_TRY(auto client, hf::Client::create(*http, std::move(options)));
    if (context.flags.dry_run) {
        for (const auto& file : upload.files) {
            context.say(clean(file.local.string()) + " -> " + clean(endpoint) + " " +
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
        context.print_json(as_json(endpoint, arguments, *done));
    } else if (!done->url.empty()) {
        context.print(clean(done->url));
    }
    return kDone;
}

} // namespace locara::cli
