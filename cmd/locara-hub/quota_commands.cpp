#include "quota_commands.hpp"

#include "audit_commands.hpp"
#include "configuration.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/json.hpp>
#include <locara/hub/quotas.hpp>

#include <cstdio>

using namespace locara;

namespace {

std::string words_of(const hub::Quota& quota) {
    return quota ? render_size(*quota) : "no bound";
}

Json number_of(const hub::Quota& quota) {
    return quota ? Json(*quota) : Json();
}

const char* words_of(hub::QuotaRule::Owner owner) {
    return owner == hub::QuotaRule::Owner::User ? "user" : "organization";
}

/// What hub.toml says, where it says nothing of it is 0.
hub::Quota default_of(std::uint64_t bytes) {
    return bytes == 0 ? hub::Quota() : hub::Quota(bytes);
}

void print_as_json(const hub::QuotaConfig& defaults,
                   const std::vector<std::pair<hub::QuotaRule, std::uint64_t>>& rules) {
    Json list = Json::array();
    for (const auto& [rule, used] : rules) {
        list.push_back({{"name", rule.name},
                        {"type", words_of(rule.owner)},
                        {"used_bytes", used},
                        {"quota_bytes", number_of(rule.quota)},
                        {"default", rule.origin == hub::QuotaRule::Origin::Default}});
    }
    const Json shown = {
        {"schema", "locara-hub.quotas/1"},
        {"defaults",
         {{"user_bytes", number_of(default_of(defaults.user_bytes))},
          {"organization_bytes", number_of(default_of(defaults.organization_bytes))}}},
        {"quotas", std::move(list)}};
    std::printf("%s\n", shown.dump(2).c_str());
}

} // namespace

QuotaCommands::QuotaCommands(CLI::App& app)
    : quota_(app.add_subcommand("quota", "how much users and organizations may store")),
      show_(quota_->add_subcommand("show", "what is stored, and what may be")),
      set_(quota_->add_subcommand("set", "let one store more or less than all others")) {
    quota_->require_subcommand(1);
    for (CLI::App* const verb : {show_, set_}) {
        verb->add_option("--data", data_, "folder of this hub; it may be serving")->required();
    }
    show_->add_option("NAME", name_, "a user or an organization; all, if not given");
    show_->add_option("--config",
                      config_,
                      "hub.toml, for what its [quotas] say; else the one in the data folder");
    show_->add_flag("--json", json_, "print JSON");
    set_->add_flag("--json", json_, "print JSON");
    set_->add_option("NAME", name_, "a user or an organization")->required();
    set_->add_option("SIZE",
                     size_,
                     "such as 700kB, 500MB, 1.5GB or 64GiB; none: no bound; default: what hub.toml "
                     "says")
        ->required();
}

Status QuotaCommands::run() const {
    return show_->parsed() ? show() : set();
}

Status QuotaCommands::show() const {
    LOCARA_TRY(auto quotas, hub::Quotas::open(data_));
    LOCARA_TRY(const hub::ServeConfig config, read_configuration(config_, data_));
    const hub::QuotaConfig& defaults = config.hub.quotas;
    quotas.set_defaults(defaults);
    std::vector<hub::QuotaRule> rules;
    if (name_.empty()) {
        LOCARA_TRY(rules, quotas.list());
    } else {
        LOCARA_TRY(const auto rule, quotas.find(name_));
        if (!rule) {
            return Error(ErrorCode::NotFound, "there is no user or organization '" + name_ + "'");
        }
        rules.push_back(*rule);
    }
    std::vector<std::pair<hub::QuotaRule, std::uint64_t>> shown;
    for (hub::QuotaRule& rule : rules) {
        LOCARA_TRY(const std::uint64_t used, quotas.used(rule.name));
        shown.emplace_back(std::move(rule), used);
    }
    if (json_) {
        print_as_json(defaults, shown);
        return {};
    }
    if (name_.empty()) {
        std::printf("unless set: users %s, organizations %s\n",
                    words_of(default_of(defaults.user_bytes)).c_str(),
                    words_of(default_of(defaults.organization_bytes)).c_str());
    }
    for (const auto& [rule, used] : shown) {
        std::printf("%-12s  %s  uses %s of %s%s\n",
                    words_of(rule.owner),
                    rule.name.c_str(),
                    render_size(used).c_str(),
                    words_of(rule.quota).c_str(),
                    rule.origin == hub::QuotaRule::Origin::Own ? " (set)" : "");
    }
    return {};
}

Status QuotaCommands::set() const {
    LOCARA_TRY(auto quotas, hub::Quotas::open(data_));
    if (size_ == "default") {
        LOCARA_CHECK(quotas.reset(name_));
        return tell("default");
    }
    hub::Quota quota;
    if (size_ != "none") {
        quota = hub::parse_size(size_);
        if (!quota) {
            return Error(ErrorCode::InvalidArgument,
                         "SIZE: found '" + size_ +
                             "', wanted such as 700kB, 500MB, 1.5GB, 64GiB, none or default");
        }
    }
    LOCARA_CHECK(quotas.set(name_, quota));
    return tell(number_of(quota));
}

Status QuotaCommands::tell(const Json& bytes) const {
    LOCARA_CHECK(record(data_, "quota-set", {{"name", name_}, {"bytes", bytes}}));
    if (json_) {
        const Json shown = {
            {"schema", "locara-hub.quota-set/1"}, {"name", name_}, {"quota_bytes", bytes}};
        std::printf("%s\n", shown.dump(2).c_str());
    }
    return {};
}
