// The verbs of `locara-hub model`: which model manifests the catalog lists.
#pragma once

#include "catalog_access.hpp"
#include "configuration.hpp"

#include <locara/hub/model_desk.hpp>

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

/// Registers the verbs with the program's parser, which must outlive this.
class ModelCommands {
  public:
    explicit ModelCommands(CLI::App& app);

    /// Whether one of the verbs was given.
    bool parsed() const { return model_->parsed(); }

    locara::Status run() const;

  private:
    locara::Status add() const;
    locara::Status remove() const;
    locara::Status list() const;
    /// Publishes, or writes what others have to sign, and puts on record what became public.
    locara::Status finish(locara::catalog::Repository repository,
                          const std::vector<locara::catalog::Target>& before) const;

    CatalogAccess access_;
    Configuration configuration_;
    std::string manifest_;
    std::string signature_;
    std::string ref_;
    bool json_ = false;
    bool unsigned_ = false;
    CLI::App* model_;
    CLI::App* add_;
    CLI::App* remove_;
    CLI::App* list_;
};

/// Puts on record what a command has just published about models.
locara::Status record_models(const std::string& data,
                             const std::vector<locara::hub::ModelChange>& changes);

/// Says which signatures of models were made anew, and which their owners have to.
void print_resigned(const locara::hub::Resigned& resigned);
