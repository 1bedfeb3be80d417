// Databases for tests: a SQLite file, or a database of a real PostgreSQL server, which is started
// for the test program when the first test wants it.
#pragma once

#include "../database.hpp"

#include <locara/base/file.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

namespace locara::hub {

enum class Backend { Sqlite, Postgresql };

/// For the names of tests.
std::string render(Backend backend);

/// The address of a new, empty database; nothing if Debian's PostgreSQL is not installed.
std::optional<std::string> make_postgresql_database();

/// A database of its own for each test, and any number of connections to it.
class DatabaseTest : public testing::TestWithParam<Backend> {
  protected:
    DatabaseTest();
    void SetUp() override;

    /// As a process of its own would.
    std::shared_ptr<Database> open() const;

    std::filesystem::path file() const { return folder_.path() / "names.db"; }

    const std::string& url() const { return url_; }

  private:
    TempFolder folder_;
    std::string url_;
};

#define LOCARA_WITH_BACKENDS(Suite)                                                                \
    INSTANTIATE_TEST_SUITE_P(                                                                      \
        Backends,                                                                                  \
        Suite,                                                                                     \
        testing::Values(Backend::Sqlite, Backend::Postgresql),                                     \
        [](const auto& suite_backend) { return render(suite_backend.param); })

} // namespace locara::hub
