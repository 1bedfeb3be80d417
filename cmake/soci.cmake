# SOCI over SQLite and PostgreSQL: Debian ships the libraries without a CMake package.
find_package(SQLite3 REQUIRED)
pkg_check_modules(LIBPQ REQUIRED libpq) # its headers are for postgresql_*.cpp of the hub alone
find_path(SOCI_INCLUDE_DIR soci/soci.h REQUIRED)
find_library(SOCI_CORE_LIBRARY soci_core REQUIRED)
find_library(SOCI_SQLITE3_LIBRARY soci_sqlite3 REQUIRED)
find_library(SOCI_POSTGRESQL_LIBRARY soci_postgresql REQUIRED)

add_library(locara_soci INTERFACE)
add_library(locara::soci ALIAS locara_soci)
# As a system's, so that its headers are not held to our warnings.
target_include_directories(locara_soci SYSTEM INTERFACE ${SOCI_INCLUDE_DIR})
if(LOCARA_SANITIZE)
    # Its types are hidden in its libraries, and this check needs to see them.
    target_compile_options(locara_soci INTERFACE -fno-sanitize=vptr)
endif()
target_link_libraries(locara_soci INTERFACE
    ${SOCI_SQLITE3_LIBRARY} ${SOCI_POSTGRESQL_LIBRARY} ${SOCI_CORE_LIBRARY} SQLite::SQLite3 ${LIBPQ_LINK_LIBRARIES})
