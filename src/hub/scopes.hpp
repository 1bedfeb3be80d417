// Scopes: what fine-grained tokens are for. A token that has none here opens nothing.
// Threads, processes, and errors besides those named: as Database.
#pragma once

#include <locara/hub/accounts.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace locara::hub {

class Database;

class Scopes {
  public:
    explicit Scopes(std::shared_ptr<Database> database) : database_(std::move(database)) {}

    /// What these name now, to be added to a token. NotFound for a repository or namespace that is
    /// not there or is mirrored.
    Result<std::vector<Scope>> resolve(const std::vector<NewScope>& wanted) const;

    /// All or none. Of a thing named twice the last counts.
    Status add(const std::string& token_id, const std::vector<Scope>& scopes);

    /// Repositories first, each by name.
    Result<std::vector<Scope>> list(const std::string& token_id) const;

  private:
    std::shared_ptr<Database> database_;
};

} // namespace locara::hub
