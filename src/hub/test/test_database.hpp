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

/// Why tests of it are skipped.
inline constexpr const char* kNoPostgresql = "the package postgresql is not installed";

/// The address of a new, empty database; nothing if Debian's PostgreSQL is not installed.
std::optional<std::string> make_postgresql_database();

/// A new, empty database, and any number of connections to it.
class TestDatabase {
  public:
    TestDatabase();

    /// Makes one. False if Debian's PostgreSQL is wanted and not installed.
    bool make(Backend backend);

    /// As a process of its own would.
    Result<std::shared_ptr<Database>> open() const;

    /// Of a SQLite one.
    std::filesystem::path file() const { return folder_.path() / "names.db"; }

    /// Of a PostgreSQL one, else empty.
    const std::string& url() const { return url_; }

  private:
    TempFolder folder_;
    std::string url_;
};

/// A database of its own for each test.
class DatabaseTest : public testing::TestWithParam<Backend> {
  protected:
    void SetUp() override;

    std::shared_ptr<Database> open() const;

    std::filesystem::path file() const { return made_.file(); }

    const std::string& url() const { return made_.url(); }

  private:
    TestDatabase made_;
};

#define LOCARA_WITH_BACKENDS(Suite)                                                                \
    INSTANTIATE_TEST_SUITE_P(                                                                      \
        Backends,                                                                                  \
        Suite,                                                                                     \
        testing::Values(Backend::Sqlite, Backend::Postgresql),                                     \
        [](const auto& suite_backend) { return render(suite_backend.param); })

} // namespace locara::hub
