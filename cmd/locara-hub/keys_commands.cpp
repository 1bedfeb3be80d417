#include "keys_commands.hpp"

#include "audit_commands.hpp"
#include "filled_line.hpp"
#include "model_commands.hpp"
#include "passphrase.hpp"
#include "public_key_file.hpp"

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/base/log.hpp>
#include <locara/hub/database_choice.hpp>
#include <locara/hub/hub.hpp>
#include <locara/hub/pending_takedowns.hpp>
#include <locara/hub/review_catalog.hpp>
#include <locara/hub/reviews.hpp>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>

using namespace locara;

namespace fs = std::filesystem;

namespace {

/// Of a takedown's reason in the audit log, whose lines have at most 64 KiB.
constexpr std::size_t kReasonBytes = 4096;

Error invalid(std::string message) {
    return Error(ErrorCode::InvalidArgument, std::move(message));
}

Status write_public(const fs::path& private_file, const crypto::PublicKey& key) {
    const fs::path path = private_file.string() + ".pub";
    LOCARA_CHECK(write_file_atomically(path, as_bytes(render_public_key(key))));
    std::printf("%s  %s\n", key.id().c_str(), path.c_str());
    return {};
}

Result<catalog::TakedownAction> parse_action(const std::string& text) {
    for (const auto action : {catalog::TakedownAction::Warn,
                              catalog::TakedownAction::BlockInstall,
                              catalog::TakedownAction::BlockRun}) {
        if (catalog::render(action) == text) {
            return action;
        }
    }
    return invalid("--action: found '" + text + "', wanted warn, block-install or block-run");
}

} // namespace

KeysCommands::KeysCommands(CLI::App& app)
    : keys_(app.add_subcommand("keys", "who may sign what, and signing on other machines")),
      takedown_(app.add_subcommand("takedown", "call back apps, models and files")) {
    keys_->require_subcommand(1);
    takedown_->require_subcommand(1);
    add_key_verbs();
    add_takedown_verbs();
}

CLI::App* KeysCommands::verb(CLI::App* group,
                             const char* name,
                             const char* help,
                             std::function<Status()> action) {
    CLI::App* const made = group->add_subcommand(name, help);
    verbs_.emplace_back(made, std::move(action));
    return made;
}

void KeysCommands::add_key_verbs() {
    CLI::App* made =
        verb(keys_, "init", "make a hub, as `init` does, its keys encrypted if wanted", [this] {
            return init();
        });
    access_.add_data(made);
    made->add_flag("--encrypt", encrypt_, "encrypt the keys of all roles that sign offline");
    made->add_option("--database", database_, "as of `locara-hub init`")->type_name("URL");
    access_.add_passphrase(made);

    made = verb(keys_, "list", "the roles: versions, lifetimes, thresholds, keys", [this] {
        return list();
    });
    access_.add_data(made);
    access_.add_passphrase(made);
    made->add_flag("--json", json_, "as JSON");

    made = verb(keys_, "new", "make one key, for a curator or an offline machine", [this] {
        return make_key();
    });
    made->add_option("FILE", file_, "the private key, as <role>-<n>.pem; FILE.pub is made too")
        ->required();
    made->add_flag("--encrypt", encrypt_, "encrypt it with a passphrase");
    access_.add_passphrase(made);

    made =
        verb(keys_, "encrypt", "encrypt private keys where they lie", [this] { return encrypt(); });
    made->add_option("FILE", files_, "private keys that are not encrypted")->required();
    access_.add_passphrase(made);

    using Change = Status (KeysCommands::*)() const;
    const auto change = [this](const char* name, const char* help, Change action) {
        CLI::App* const one = verb(keys_, name, help, [this, action] { return (this->*action)(); });
        one->add_option("ROLE", role_, "root, targets, takedown, apps, models, snapshot, timestamp")
            ->required();
        access_.add_data(one);
        access_.add_to(one);
        access_.add_passphrase(one);
        return one;
    };
    change("rotate", "replace the keys of a role", &KeysCommands::rotate)
        ->add_option("KEY",
                     files_,
                     "the role's keys from now on: FILE.pub of `locara-hub keys new`, or the id of "
                     "one that stays; none: new ones are made in DATA/keys");
    change("add", "let one more key sign a role", &KeysCommands::add_key)
        ->add_option("PUBLIC_KEY", file_, "FILE.pub of `locara-hub keys new`")
        ->required();
    change("remove", "let a key no longer sign a role", &KeysCommands::remove_key)
        ->add_option("KEY_ID", key_id_, "as in the list")
        ->required();
    change("threshold", "how many keys of a role must sign", &KeysCommands::set_threshold)
        ->add_option("COUNT", threshold_, "1 to the number of its keys")
        ->required();

    made = verb(keys_, "export", "write the next version of roles for others to sign", [this] {
        return export_drafts();
    });
    made->add_option("ROLE", roles_, "root, targets, takedown, apps or models")->required();
    access_.add_data(made);
    made->add_option("--to", access_.to, "folder for <version>.<role>.json")->required();
    access_.add_passphrase(made);

    signing_.add_to(
        verb(keys_, "sign", "sign what was exported; needs no hub and no network", [this] {
            return signing_.run();
        }));

    made = verb(
        keys_, "import", "publish what was signed elsewhere", [this] { return import_drafts(); });
    made->add_option("FILE", files_, "<version>.<role>.json, with enough signatures")->required();
    made->add_option("--by", who_, "who decides, for the record of reviews; else USER");
    made->add_option("--why", why_, "one line for that record: why an app comes or goes")
        ->check(filled_line());
    access_.add_data(made);
    access_.add_passphrase(made);
}

void KeysCommands::add_takedown_verbs() {
    CLI::App* made =
        verb(takedown_, "add", "call something back, or lift that", [this] { return call_back(); });
    made->add_option(
            "ID",
            id_,
            "publisher/name; of a model also org/repo@COMMIT; of a bundle or file sha256:HEX")
        ->required();
    made->add_option("--kind", kind_, "app, bundle, model or file")
        ->capture_default_str()
        ->check(CLI::IsMember({"app", "bundle", "model", "file"}));
    made->add_option("--version", versions_, "only these versions (of a publisher/name)");
    made->add_option("--action", action_, "warn, block-install or block-run")
        ->capture_default_str();
    made->add_option("--reason", reason_, "one line that people read, of at most 500 bytes")
        ->required()
        ->check(filled_line());
    made->add_option("--by", who_, "who decides, for the record of reviews; else USER");
    access_.add_data(made);
    access_.add_to(made);
    access_.add_passphrase(made);
    made = verb(
        takedown_, "list", "every entry, the oldest first", [this] { return list_takedowns(); });
    access_.add_data(made);
    made->add_flag("--json", json_, "as JSON");
    made = verb(takedown_,
                "pending",
                "weights and bundles of the catalog that the gate refuses by now",
                [this] { return list_pending(); });
    access_.add_data(made);
    made->add_flag("--json", json_, "as JSON");
    made = verb(takedown_, "publish", "call all that back", [this] { return publish_pending(); });
    made->add_option("--action", action_, "warn, block-install or block-run")
        ->capture_default_str();
    made->add_option("--by", who_, "who decides, for the record of reviews; else USER");
    access_.add_data(made);
    access_.add_to(made);
    access_.add_passphrase(made);
}

Status KeysCommands::run() const {
    for (const auto& [command, action] : verbs_) {
        if (command->parsed()) {
            return action();
        }
    }
    return {};
}

Result<std::optional<Secret>> KeysCommands::new_passphrase() const {
    if (!encrypt_) {
        return std::optional<Secret>();
    }
    LOCARA_TRY(auto secret, read_passphrase(access_.passphrase_fd, AskFor::New));
    if (!secret) {
        return invalid(std::string("no passphrase was given: use a terminal, --passphrase-fd or ") +
                       kPassphraseVariable);
    }
    return secret;
}

Status KeysCommands::change_keys(const std::function<Status(catalog::Repository&)>& stage) const {
    LOCARA_TRY(auto repository, access_.load());
    const Before before(repository);
    LOCARA_CHECK(stage(repository));
    LOCARA_TRY(const auto resigned, resign(repository));
    const bool top =
        role_ == "root" || role_ == "targets" || role_ == "snapshot" || role_ == "timestamp";
    std::vector<std::string> roles = {top ? "root" : "targets"};
    if (role_ != "root" && role_ != "snapshot" && role_ != "timestamp") {
        roles.push_back(role_); // must be signed by its new signers at the same time
    }
    LOCARA_CHECK(access_.finish(repository, roles));
    print_resigned(resigned);
    return access_.to.empty() ? note(before, repository) : Status();
}

Result<hub::Resigned> KeysCommands::resign(catalog::Repository& repository) const {
    return role_ == "models" ? hub::resign_models(repository, fs::path(access_.data) / "catalog")
                             : Result<hub::Resigned>(hub::Resigned());
}

Status KeysCommands::init() const {
    const fs::path data = access_.data;
    catalog::RepositoryOptions options;
    LOCARA_TRY(options.passphrase, new_passphrase());
    LOCARA_CHECK(create_folders(data, 0700));
    if (!database_.empty()) {
        LOCARA_CHECK(hub::choose_database(data, database_).context("--database"));
    }
    {
        LOCARA_TRY(const auto lock, FileLock::try_acquire(data / "lock"));
        LOCARA_TRY(
            const auto repository,
            catalog::Repository::create(data / "catalog", data / "keys", system_clock(), options));
        LOCARA_CHECK(write_file_atomically(data / "root.json", as_bytes(repository.first_root())));
    }
    // What `init` makes beside them, so that all verbs work from here on.
    LOCARA_TRY(const auto hub, hub::Hub::open(data, system_clock(), stderr_log(LogLevel::Warning)));
    std::printf("root         %s/root.json\nfingerprint  sha256:%s\n"
                "Keep the keys of root, targets, apps, models and takedown elsewhere; the hub "
                "itself needs snapshot and timestamp.\n",
                access_.data.c_str(),
                hub->fingerprint().c_str());
    return {};
}

Status KeysCommands::list() const {
    LOCARA_TRY(const auto repository, access_.load());
    const TimePoint now = system_clock().now();
    if (json_) {
        Json roles = Json::array();
        for (const auto& role : repository.roles()) {
            const auto outlasted = repository.outlasting(role.name, now);
            roles.push_back(
                {{"name", role.name},
                 {"version", role.version},
                 {"expires", render_time(role.expires)},
                 {"outlasted_until", outlasted ? Json(render_time(*outlasted)) : Json()},
                 {"threshold", role.threshold},
                 {"keys", role.key_ids},
                 {"keys_here", role.keys_here}});
        }
        std::printf("%s\n",
                    render_json({{"schema", "locara-hub.keys/1"},
                                 {"fingerprint", "sha256:" + repository.fingerprint()},
                                 {"roles", std::move(roles)}})
                        .c_str());
        return {};
    }
    for (const auto& role : repository.roles()) {
        std::printf("%-9s  version %llu, until %s, %u of %u keys sign, %u here\n",
                    role.name.c_str(),
                    static_cast<unsigned long long>(role.version),
                    render_time(role.expires).c_str(),
                    role.threshold,
                    role.keys,
                    role.keys_here);
        for (const auto& id : role.key_ids) {
            std::printf("           %s\n", id.c_str());
        }
        if (const auto until = repository.outlasting(role.name, now)) {
            std::fprintf(stderr,
                         "warning: a clock ran ahead, and what it signed for %s stays good until "
                         "%s; new keys make it void: locara-hub keys rotate %s --data %s\n",
                         role.name.c_str(),
                         render_time(*until).c_str(),
                         role.name.c_str(),
                         access_.data.c_str());
        }
    }
    return {};
}

Status KeysCommands::make_key() const {
    LOCARA_TRY(const auto passphrase, new_passphrase());
    const auto key = crypto::SigningKey::generate();
    LOCARA_CHECK(key.save(file_, passphrase ? &*passphrase : nullptr));
    return write_public(file_, key.public_key());
}

Status KeysCommands::encrypt() const {
    std::vector<crypto::SigningKey> keys; // all of them, before the first is changed
    for (const auto& file : files_) {
        auto key = crypto::SigningKey::load(file);
        if (!key && key.error().code() == ErrorCode::Unauthorized) {
            return invalid(file + " is encrypted already; leave it out");
        }
        if (!key) {
            return std::move(key).error();
        }
        keys.push_back(*std::move(key));
    }
    LOCARA_TRY(const auto passphrase, read_passphrase(access_.passphrase_fd, AskFor::New));
    if (!passphrase) {
        return invalid("no passphrase was given");
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
        // Whole and synced under another name before it takes the place of the old one. One that
        // lies there is of a run that was killed, and the key it is of was just loaded.
        const fs::path fresh = files_[i] + ".encrypted";
        std::error_code absent;
        fs::remove(fresh, absent);
        LOCARA_CHECK(keys[i].save(fresh, &*passphrase));
        LOCARA_CHECK(rename_file(fresh, files_[i], Replace::Yes));
        LOCARA_CHECK(sync_folder(fs::absolute(files_[i]).parent_path()));
    }
    return {};
}

Status KeysCommands::rotate() const {
    if (files_.empty() && access_.to.empty()) { // leaves no new keys behind if it fails
        LOCARA_TRY(auto repository, access_.load());
        LOCARA_CHECK(repository.check_makes_keys(role_)); // where --to FOLDER is no help
        const Before before(repository);
        hub::Resigned resigned;
        LOCARA_CHECK(with_hint(repository.rotate_keys(role_, system_clock(), [&]() -> Status {
            LOCARA_TRY(resigned, resign(repository));
            return {};
        })));
        print_resigned(resigned);
        return note(before, repository);
    }
    return change_keys([this](catalog::Repository& repository) -> Status {
        if (files_.empty()) {
            return repository.stage_new_keys(role_);
        }
        LOCARA_TRY(const auto keys, named_keys(repository));
        return repository.stage_keys(role_, keys);
    });
}

Result<std::vector<crypto::PublicKey>>
KeysCommands::named_keys(const catalog::Repository& repository) const {
    const auto known = repository.keys_of(role_);
    std::vector<crypto::PublicKey> keys;
    for (const auto& name : files_) {
        const auto stays = std::find_if(
            known.begin(), known.end(), [&](const auto& one) { return one.id() == name; });
        if (stays != known.end()) {
            keys.push_back(*stays);
            continue;
        }
        LOCARA_TRY(auto key, read_public_key(name));
        keys.push_back(std::move(key));
    }
    return keys;
}

Status KeysCommands::add_key() const {
    LOCARA_TRY(const auto key, read_public_key(file_));
    return change_keys(
        [&](catalog::Repository& repository) { return repository.stage_key(role_, key); });
}

Status KeysCommands::remove_key() const {
    return change_keys([this](catalog::Repository& repository) {
        return repository.stage_removal(role_, key_id_);
    });
}

Status KeysCommands::set_threshold() const {
    return change_keys([this](catalog::Repository& repository) {
        return repository.stage_threshold(role_, threshold_);
    });
}

Status KeysCommands::export_drafts() const {
    LOCARA_TRY(auto repository, access_.load());
    return access_.finish(repository, roles_);
}

Status KeysCommands::import_drafts() const {
    std::vector<catalog::Draft> drafts;
    for (const auto& file : files_) {
        LOCARA_TRY(auto draft, read_draft(file));
        drafts.push_back(std::move(draft));
    }
    LOCARA_TRY(auto repository, access_.load());
    const Before before(repository);
    LOCARA_CHECK(repository.adopt(drafts, system_clock()));
    return note(before, repository);
}

Status KeysCommands::note(const Before& before, const catalog::Repository& repository) const {
    const auto roles = repository.roles();
    for (std::size_t i = 0; i < roles.size(); ++i) { // each in its place, always
        const auto& role = roles[i];
        const auto& was = before.roles[i];
        if (role.key_ids != was.key_ids || role.threshold != was.threshold) {
            LOCARA_CHECK(record(
                access_.data,
                "keys-changed",
                {{"role", role.name}, {"keys", role.key_ids}, {"threshold", role.threshold}}));
        }
    }
    LOCARA_CHECK(
        record_models(access_.data, hub::model_changes(before.targets, repository.targets())));
    std::multiset<std::string> known;
    for (const auto& entry : before.takedown.entries()) {
        known.insert(render_json(catalog::render(entry)));
    }
    for (const auto& entry : repository.takedown().entries()) {
        const auto old = known.find(render_json(catalog::render(entry)));
        if (old != known.end()) {
            known.erase(old);
            continue;
        }
        LOCARA_CHECK(record(access_.data,
                            "takedown",
                            {{"kind", entry.kind},
                             {"id", entry.id},
                             {"versions", entry.versions.value_or(std::vector<std::string>())},
                             {"action", catalog::render(entry.action)},
                             {"reason", entry.reason.substr(0, kReasonBytes)}}));
    }
    return note_in_reviews(before, repository);
}

Status KeysCommands::note_in_reviews(const Before& before,
                                     const catalog::Repository& repository) const {
    const fs::path tree = fs::path(access_.data) / "catalog";
    const std::string who = who_decides(who_);
    const std::string by = who.empty() ? "hub" : who;
    hub::Reviews reviews(access_.data, system_clock());
    const auto note_moved = [&](const std::vector<hub::Submission>& moved) -> Status {
        for (const auto& one : moved) {
            LOCARA_CHECK(record(access_.data, "reviewed", hub::audit_fields(one, by)));
            std::printf("submission %llu (%s %s) is %s now\n",
                        static_cast<unsigned long long>(one.number),
                        one.app.c_str(),
                        one.version.c_str(),
                        std::string(hub::render(one.state)).c_str());
        }
        return {};
    };
    // First what is listed: it may be called back at once.
    const auto listed =
        hub::follow_catalog(reviews, before.targets, tree, repository, by, why_)
            .context("the catalog is published, but the reviews do not say so yet; `locara-hub "
                     "review verify` names what they lack");
    if (listed) {
        LOCARA_CHECK(note_moved(*listed));
    }
    LOCARA_TRY(const auto moved,
               reviews.follow(repository.takedown(), by)
                   .context("the list is published, but the reviews do not say so yet; they will "
                            "when the hub starts"));
    LOCARA_CHECK(note_moved(moved));
    LOCARA_CHECK(listed);
    return before.targets == repository.targets() ? Status() : warn_of_disagreements(repository);
}

Status KeysCommands::warn_of_disagreements(const catalog::Repository& repository) const {
    const hub::Reviews reviews(access_.data, system_clock());
    LOCARA_TRY(const auto differ,
               hub::find_disagreements(reviews, fs::path(access_.data) / "catalog", repository));
    for (const std::string& what : differ) {
        std::fprintf(stderr, "warning: %s\n", what.c_str());
    }
    return {};
}

Status KeysCommands::call_back() const {
    catalog::TakedownEntry entry;
    entry.kind = kind_;
    entry.id = id_;
    if (!versions_.empty()) {
        entry.versions = versions_;
    }
    LOCARA_TRY(entry.action, parse_action(action_));
    entry.reason = reason_;
    entry.date = render_time(system_clock().now());
    LOCARA_TRY(auto repository, access_.load());
    const fs::path tree = fs::path(access_.data) / "catalog";
    // What cannot be read must not keep anybody from calling something back.
    const auto known = hub::find_in_catalog(tree, repository, entry);
    LOCARA_CHECK(publish(std::move(repository), {entry}));
    if (known) {
        for (const auto& what : *known) {
            std::printf("it is about %s\n", what.c_str());
        }
    }
    if (known && known->empty()) {
        std::fprintf(stderr,
                     "warning: nothing in this catalog matches %s %s; it is called back all the "
                     "same\n",
                     entry.kind.c_str(),
                     entry.id.c_str());
    }
    return {};
}

Status KeysCommands::publish(catalog::Repository repository,
                             const std::vector<catalog::TakedownEntry>& entries) const {
    const Before before(repository);
    for (const auto& entry : entries) {
        LOCARA_CHECK(repository.add_takedown(entry));
        const std::string dated = repository.takedown().entries().back().date;
        if (dated != entry.date) {
            std::fprintf(stderr,
                         "note: dated %s like the newest entry of the list, since the clock here "
                         "(%s) is behind it and the latest date counts\n",
                         dated.c_str(),
                         entry.date.c_str());
        }
    }
    LOCARA_CHECK(access_.finish(repository, {"takedown"}));
    return access_.to.empty() ? note(before, repository) : Status(); // a draft is no word yet
}

Status KeysCommands::list_pending() const {
    LOCARA_TRY(const auto pending, hub::list_pending_takedowns(access_.data, system_clock()));
    if (json_) {
        Json list = Json::array();
        for (const auto& one : pending) {
            list.push_back(hub::render(one));
        }
        std::printf(
            "%s\n",
            render_json({{"schema", "locara-hub.pending-takedowns/1"}, {"pending", list}}).c_str());
        return {};
    }
    for (const auto& one : pending) {
        std::printf("%s %s\n  %s, %s\n",
                    one.entry.kind.c_str(),
                    one.entry.id.c_str(),
                    std::string(formats::render(one.verdict.label)).c_str(),
                    one.entry.reason.c_str());
        for (const std::string& model : one.pinned_by) {
            std::printf("  pinned by %s\n", model.c_str());
        }
    }
    if (pending.empty()) {
        std::printf("nothing waits for the takedown key\n");
    } else {
        std::printf("Call all of it back: locara-hub takedown publish --data %s\n"
                    "Leave one alone: locara-hub takedown add ID --kind KIND --action warn "
                    "--reason ... --data %s\n",
                    access_.data.c_str(),
                    access_.data.c_str());
    }
    return {};
}

Status KeysCommands::publish_pending() const {
    LOCARA_TRY(const auto action, parse_action(action_));
    LOCARA_TRY(const auto pending, hub::list_pending_takedowns(access_.data, system_clock()));
    if (pending.empty()) {
        std::printf("nothing waits for the takedown key\n");
        return {};
    }
    std::vector<catalog::TakedownEntry> entries;
    for (const auto& one : pending) {
        entries.push_back(one.entry);
        entries.back().action = action;
    }
    LOCARA_TRY(auto repository, access_.load());
    LOCARA_CHECK(publish(std::move(repository), entries));
    for (const auto& entry : entries) {
        std::printf("%s  %s %s: %s\n",
                    std::string(catalog::render(action)).c_str(),
                    entry.kind.c_str(),
                    entry.id.c_str(),
                    entry.reason.c_str());
    }
    return {};
}

Status KeysCommands::list_takedowns() const {
    LOCARA_TRY(const auto repository,
               catalog::Repository::load(fs::path(access_.data) / "catalog",
                                         fs::path(access_.data) / "keys"));
    if (json_) {
        Json entries = Json::array();
        for (const auto& entry : repository.takedown().entries()) {
            entries.push_back(catalog::render(entry));
        }
        std::printf(
            "%s\n",
            render_json({{"schema", "locara-hub.takedowns/1"}, {"entries", entries}}).c_str());
        return {};
    }
    for (const auto& entry : repository.takedown().entries()) {
        std::string versions;
        for (const auto& version : entry.versions.value_or(std::vector<std::string>())) {
            versions += " " + version;
        }
        std::printf("%s  %-13s  %s %s%s: %s\n",
                    entry.date.c_str(),
                    std::string(catalog::render(entry.action)).c_str(),
                    entry.kind.c_str(),
                    entry.id.c_str(),
                    versions.c_str(),
                    entry.reason.c_str());
    }
    return {};
}
