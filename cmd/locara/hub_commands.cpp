// locara hub add | list | rm
#include "context.hpp"

#include <locara/base/file.hpp>

namespace locara::cli {

namespace {

constexpr std::uint64_t kRootLimitBytes = 512'000; // TUF, section 5; docs/formats/catalog.md

/// The root, by whichever of the three ways somebody vouches for it.
Result<std::string> get_root(Context& context,
                             runtime::Installer& installer,
                             const std::string& url,
                             const HubAddRequest& request) {
    if (!request.root_file.empty()) {
        return read_file(request.root_file, kRootLimitBytes);
    }
    if (!request.fingerprint.empty()) {
        // As operators read it out of `locara-hub`, or the bare hex.
        constexpr std::string_view kAlgorithm = "sha256:";
        std::string_view hex = request.fingerprint;
        hex.remove_prefix(hex.starts_with(kAlgorithm) ? kAlgorithm.size() : 0);
        LOCARA_TRY(const auto wanted, crypto::Sha256Digest::parse(hex).context("--fingerprint"));
        LOCARA_TRY(auto root, installer.fetch_root(url));
        LOCARA_TRY(const auto info, catalog::inspect_root(root));
        if (info.fingerprint != wanted) {
            return Error(ErrorCode::Corrupt,
                         "the root of " + url + " has the fingerprint " +
                             info.fingerprint.render() + ", but you expect " + wanted.render() +
                             "; do not add it before you know why");
        }
        return root;
    }
    // Known already: its pinned root is asked for no second time.
    for (const auto& hub : installer.hubs()) {
        if (hub.url == url) {
            LOCARA_TRY(auto root, installer.fetch_root(url));
            LOCARA_TRY(const auto info, catalog::inspect_root(root));
            if (info.fingerprint == hub.root) {
                return root;
            }
        }
    }
    if (!context.terminal_in() || !context.terminal_err()) {
        return Error(ErrorCode::InvalidArgument,
                     "nobody is here to confirm the root of " + url +
                         "; pass --fingerprint HEX or --root FILE, as its operator gave it to you");
    }
    LOCARA_TRY(auto root, installer.fetch_root(url));
    LOCARA_TRY(const auto info, catalog::inspect_root(root));
    context.say("The root of " + url + "\n  fingerprint  " + info.fingerprint.render() +
                "\n  signed by    " + std::to_string(info.threshold) + " of " +
                count(info.keys, "key") + ", until " + render_time(info.expires) +
                "\nCompare the fingerprint with what the hub's operator published elsewhere.");
    LOCARA_TRY(const bool yes,
               context.ask("Trust this hub?", "--fingerprint HEX", Context::Answer::No));
    if (!yes) {
        return Error(ErrorCode::Refused, "not trusted; nothing was added");
    }
    return root;
}

} // namespace

Result<int> run_hub_add(Context& context, const HubAddRequest& request) {
    if (request.url.empty() && request.from.empty()) {
        return Error(
            ErrorCode::InvalidArgument,
            "hub add wants the address of a hub, or --from DIR; see `locara hub add --help`");
    }
    LOCARA_TRY(auto installer, context.installer_of_all(request.from));
    std::string url;
    if (installer.bundle() != nullptr) {
        url = installer.bundle()->hub;
    }
    if (!request.url.empty()) {
        LOCARA_TRY(const auto given, runtime::normalize_hub_url(request.url));
        if (!url.empty() && url != given) {
            return Error(ErrorCode::InvalidArgument,
                         request.from + " is of the hub " + url + ", not of " + given);
        }
        url = given;
    }
    LOCARA_TRY(const auto root, get_root(context, installer, url, request));
    LOCARA_TRY(const auto hub, installer.add_hub(url, root));
    LOCARA_TRY(const auto apps, installer.search(""));
    if (context.flags.json) {
        context.print_json({{"schema", "locara.hub-add/1"},
                            {"url", hub.url},
                            {"fingerprint", hub.root.render()},
                            {"apps", apps.size()}});
    }
    context.say("Added " + hub.url + " (" + count(apps.size(), "app") + "). Try  locara search");
    return kDone;
}

Result<int> run_hub_list(Context& context) {
    LOCARA_TRY(auto installer, context.installer_of_all());
    Json list = Json::array();
    std::vector<std::vector<std::string>> rows;
    for (const auto& state : installer.catalog_states()) {
        const auto checked = state.last_checked ? render_time(*state.last_checked) : "never";
        list.push_back({{"url", state.hub.url},
                        {"fingerprint", state.hub.root.render()},
                        {"added", state.hub.added},
                        {"last_checked", state.last_checked ? Json(checked) : Json()},
                        {"fresh", static_cast<bool>(state.fresh)}});
        rows.push_back({state.hub.url,
                        "checked " + checked,
                        state.fresh ? "fresh" : "stale: " + state.fresh.error().message()});
        if (context.flags.quiet) {
            context.print(state.hub.url);
        }
    }
    if (context.flags.json) {
        context.print_json({{"schema", "locara.hub-list/1"}, {"hubs", std::move(list)}});
    } else if (rows.empty()) {
        context.say("No hub yet. Add one:  locara hub add URL");
    } else if (!context.flags.quiet) {
        context.print(render_table(rows));
    }
    return kDone;
}

Result<int> run_hub_remove(Context& context, const std::string& text) {
    LOCARA_TRY(const auto url, runtime::normalize_hub_url(text));
    LOCARA_TRY(auto installer, context.installer_of_all());
    LOCARA_CHECK(installer.remove_hub(url));
    if (context.flags.json) {
        context.print_json({{"schema", "locara.hub-rm/1"}, {"url", url}});
    }
    context.say("Removed " + url + ". What was installed from it stays.");
    return kDone;
}

} // namespace locara::cli
