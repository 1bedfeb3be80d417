#include "target_hub.hpp"

#include <cstdlib>

namespace locara::cli {

namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

/// The hub that the flags or the environment name, or nothing.
std::string named_endpoint(const Context& context) {
    for (const std::string& given : {context.flags.endpoint,
                                     context.flags.hub,
                                     environment("LOCARA_HUB"),
                                     environment("HF_ENDPOINT")}) {
        if (!given.empty()) {
            return given;
        }
    }
    return "";
}

/// Which hub an upload goes to. Never by default to a public one: what is there is public.
Result<std::string> find_endpoint(Context& context) {
    if (std::string given = named_endpoint(context); !given.empty()) {
        return given;
    }
    LOCARA_TRY(const auto installer, context.installer());
    if (installer.hubs().size() == 1) {
        return installer.hubs().front().url;
    }
    return Error(ErrorCode::InvalidArgument,
                 installer.hubs().empty() ? "which hub to? No hub is known: pass --endpoint URL"
                                          : "which hub to? Several are known: pass --hub URL");
}

hf::Options make_options(Context& context, const std::string& endpoint) {
    auto options = hf::Options::from_environment(endpoint);
    options.take_hub_token();
    if (context.flags.offline || !environment("LOCARA_OFFLINE").empty()) {
        options.offline = hf::Options::OfflineMode::Yes;
    }
    options.log = &context.log();
    return options;
}

Result<hf::Client> open_hub(Context& context, const std::string& endpoint) {
    LOCARA_TRY(auto* http, context.http());
    return hf::Client::create(*http, make_options(context, endpoint));
}

} // namespace

Result<hf::Client> open_target_hub(Context& context) {
    LOCARA_TRY(const std::string endpoint, find_endpoint(context));
    return open_hub(context, endpoint);
}

Result<hf::Client> open_source_hub(Context& context) {
    const std::string endpoint = named_endpoint(context);
    return open_hub(context, endpoint.empty() ? std::string(hf::kDefaultEndpoint) : endpoint);
}

} // namespace locara::cli
