// Texts on their way into the database and out of it. The input is a list of calls of Names with
// names, values and ids of any bytes; the same is done to a model in memory, and in the end both
// hold the same: what was put in is what comes out, and nothing else changed.
#include "../database.hpp"
#include "../names.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/file.hpp>

#include <algorithm>
#include <map>
#include <tuple>

using namespace locara;

namespace {

constexpr std::size_t kCalls = 40;
const TimePoint kNow = *parse_time("2026-01-01T00:00:00Z");

/// The input, eaten from the front.
class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

    bool empty() const { return left_.empty(); }

    std::uint8_t byte() {
        const std::uint8_t value = left_.empty() ? 0 : left_.front();
        left_ = left_.subspan(left_.empty() ? 0 : 1);
        return value;
    }

    /// A text without NUL, which no door of the hub lets in; of few, so that they meet again.
    std::string text() {
        static constexpr const char* kKnown[] = {
            "ana", "Ana", "", "a'--", "%", "_", "x\"; DROP TABLE repos; --", ":n", "?", "\\"};
        const std::uint8_t kind = byte();
        if (kind < std::size(kKnown)) {
            return kKnown[kind];
        }
        const std::size_t size = std::min<std::size_t>(kind % 32, left_.size());
        std::string value(left_.begin(), left_.begin() + static_cast<std::ptrdiff_t>(size));
        left_ = left_.subspan(size);
        std::replace(value.begin(), value.end(), '\0', '0');
        return value;
    }

    hub::RepoId id() {
        hub::RepoId id;
        id.type = static_cast<hub::RepoType>(byte() % 4);
        id.space = text();
        id.name = text();
        return id;
    }

  private:
    std::span<const std::uint8_t> left_;
};

using Key = std::tuple<hub::RepoType, std::string, std::string>;

Key key_of(const hub::RepoId& id) {
    return {id.type, ascii_lower(id.space), ascii_lower(id.name)};
}

/// All that is compared of a repository.
auto told(const hub::Repo& repo) {
    return std::tuple(repo.key,
                      repo.internal,
                      repo.id.type,
                      repo.id.space,
                      repo.id.name,
                      repo.visibility,
                      repo.facts.task,
                      repo.facts.license,
                      repo.facts.manifest);
}

auto told(const hub::Account& account) {
    return std::tuple(account.id, account.name, account.full_name, account.email, account.website);
}

class Run {
  public:
    explicit Run(hub::Database& database, hub::Names& names) : database_(database), names_(names) {}

    void call(Input& input) {
        const unsigned what = input.byte() % 9;
        if (what == 2 || what == 3) {
            return add_repo(input.id());
        }
        if (what >= 4 && what <= 7) {
            const hub::RepoId id = input.id();
            return what == 4   ? find_repo(id)
                   : what == 5 ? move_repo(id, input)
                   : what == 6 ? change_repo(id, input)
                               : remove_repo(id);
        }
        const std::string name = input.text();
        const std::string value = input.text();
        return what == 0   ? add_account(name, value)
               : what == 1 ? set_address(name, value, input.byte())
                           : add_token(name, value);
    }

    /// Both hold the same.
    void compare() {
        std::size_t listed = 0;
        for (const auto type : {hub::RepoType::Model,
                                hub::RepoType::Dataset,
                                hub::RepoType::Space,
                                hub::RepoType::Bucket}) {
            const auto repos = names_.list_repos(type);
            LOCARA_ASSERT(repos.has_value());
            listed += repos->size();
            for (const hub::Repo& repo : *repos) {
                const auto known = repos_.find(key_of(repo.id));
                LOCARA_ASSERT(known != repos_.end() && told(known->second) == told(repo));
            }
        }
        LOCARA_ASSERT(listed == repos_.size());
        for (const auto& [name, account] : accounts_) {
            const auto found = names_.find_account(name);
            LOCARA_ASSERT(found && *found && told(**found) == told(account));
        }
        const auto tokens = names_.list_tokens();
        LOCARA_ASSERT(tokens && tokens->size() == tokens_.size());
        for (const hub::Token& token : *tokens) {
            LOCARA_ASSERT(tokens_.count({ascii_lower(token.account), token.name}) == 1);
        }
        const auto sizes = database_.sizes();
        LOCARA_ASSERT(sizes.has_value());
        for (const hub::TableSize& size : *sizes) {
            const std::size_t expected = size.table == "accounts" ? accounts_.size()
                                         : size.table == "repos"  ? repos_.size()
                                         : size.table == "tokens" ? tokens_.size()
                                         : size.table == "moved"  ? moved_.size()
                                                                  : 0;
            LOCARA_ASSERT(size.rows == expected);
        }
    }

  private:
    void add_account(const std::string& name, const std::string& full_name) {
        const auto added = names_.add_account(name, full_name, kNow);
        const bool is_new = accounts_.count(ascii_lower(name)) == 0;
        LOCARA_ASSERT(added.has_value() == is_new);
        LOCARA_ASSERT(added || added.error().code() == ErrorCode::Conflict);
        if (added) {
            accounts_[ascii_lower(name)] = *added;
        }
    }

    void set_address(const std::string& name, const std::string& value, unsigned which) {
        const auto known = accounts_.find(ascii_lower(name));
        const bool mail = which % 2 == 0;
        const Status set = mail ? names_.set_email(name, value) : names_.set_website(name, value);
        LOCARA_ASSERT(set.has_value() == (known != accounts_.end()));
        LOCARA_ASSERT(set || set.error().code() == ErrorCode::NotFound);
        if (set) {
            (mail ? known->second.email : known->second.website) = value;
        }
    }

    void add_repo(const hub::RepoId& id) {
        hub::Repo repo;
        repo.id = id;
        repo.internal = std::to_string(++made_);
        repo.created = kNow;
        const auto added = names_.add_repo(repo);
        LOCARA_ASSERT(added.has_value() == (repos_.count(key_of(repo.id)) == 0));
        LOCARA_ASSERT(added || added.error().code() == ErrorCode::Conflict);
        if (added) {
            repo.key = added->key;
            LOCARA_ASSERT(told(*added) == told(repo));
            repos_[key_of(repo.id)] = repo;
        }
    }

    void find_repo(const hub::RepoId& id) {
        const auto known = repos_.find(key_of(id));
        const auto found = names_.find_repo(id);
        LOCARA_ASSERT(found && found->has_value() == (known != repos_.end()));
        LOCARA_ASSERT(!*found || told(**found) == told(known->second));
        const auto was = moved_.find(key_of(id));
        const auto moved = names_.find_moved_repo(id);
        LOCARA_ASSERT(moved && moved->has_value() == (was != moved_.end()));
        LOCARA_ASSERT(!*moved || (*moved)->key == was->second);
    }

    void move_repo(const hub::RepoId& from, Input& input) {
        const hub::RepoId to{from.type, input.text(), input.text()};
        const auto known = repos_.find(key_of(from));
        if (known == repos_.end()) {
            return;
        }
        const auto there = repos_.find(key_of(to));
        const bool is_free = there == repos_.end() || there == known;
        const Status moved = names_.move_repo(known->second.key, to);
        LOCARA_ASSERT(moved.has_value() == is_free);
        LOCARA_ASSERT(moved || moved.error().code() == ErrorCode::Conflict);
        if (moved) {
            hub::Repo repo = known->second;
            moved_[known->first] = repo.key;
            moved_.erase(key_of(to));
            repos_.erase(known);
            repo.id = to;
            repos_[key_of(to)] = repo;
        }
    }

    void change_repo(const hub::RepoId& id, Input& input) {
        const auto known = repos_.find(key_of(id));
        if (known == repos_.end()) {
            return;
        }
        hub::Repo& repo = known->second;
        repo.visibility =
            input.byte() % 2 == 0 ? hub::Visibility::Public : hub::Visibility::Private;
        repo.facts = {input.text(), input.text(), input.text()};
        LOCARA_ASSERT(names_.set_visibility(repo.key, repo.visibility).has_value());
        LOCARA_ASSERT(names_.set_facts(repo.key, repo.facts).has_value());
    }

    void remove_repo(const hub::RepoId& id) {
        const auto known = repos_.find(key_of(id));
        if (known == repos_.end()) {
            return;
        }
        const std::int64_t key = known->second.key;
        LOCARA_ASSERT(names_.remove_repo(key).has_value());
        repos_.erase(known);
        std::erase_if(moved_, [key](const auto& was) { return was.second == key; });
    }

    void add_token(const std::string& user, const std::string& name) {
        const auto known = accounts_.find(ascii_lower(user));
        if (known == accounts_.end()) {
            return;
        }
        const auto digest = crypto::sha256(as_bytes(std::to_string(++made_)));
        const auto added =
            names_.add_token(known->second, {name, hub::TokenRole::Write, {}, {}}, digest, kNow);
        const bool is_new = tokens_.emplace(std::pair(known->first, name), 0).second;
        LOCARA_ASSERT(added.has_value() == is_new);
        const auto found = names_.find_token(digest, kNow);
        LOCARA_ASSERT(found && found->has_value() == is_new);
        LOCARA_ASSERT(!*found || told((*found)->account) == told(known->second));
        LOCARA_ASSERT(!*found || (*found)->token.name == name);
    }

    hub::Database& database_;
    hub::Names& names_;
    std::map<std::string, hub::Account> accounts_;
    std::map<Key, hub::Repo> repos_;
    std::map<Key, std::int64_t> moved_;
    std::map<std::pair<std::string, std::string>, int> tokens_;
    int made_ = 0;
};

/// In memory where the system has such a folder: each input makes many transactions.
std::shared_ptr<hub::Database> open_database() {
    static const TempFolder kFolder = *TempFolder::create(
        std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp", "fuzz-names-");
    auto database = hub::Database::open(kFolder.path() / "names.db");
    LOCARA_ASSERT(database.has_value());
    return *database;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::shared_ptr<hub::Database> kDatabase = open_database();
    static hub::Names names(kDatabase);
    const auto emptied = kDatabase->transact([](soci::session& sql) -> Status {
        sql << "DELETE FROM repos";
        sql << "DELETE FROM accounts";
        return {};
    });
    LOCARA_ASSERT(emptied.has_value());
    Run run(*kDatabase, names);
    Input input(data, size);
    for (std::size_t calls = 0; calls < kCalls && !input.empty(); ++calls) {
        run.call(input);
    }
    run.compare();
    return 0;
}
