# Warnings and hardening for Locara's own targets, on one internal target that nothing exports.
add_library(locara_options INTERFACE)
add_library(locara::options ALIAS locara_options)

target_compile_features(locara_options INTERFACE cxx_std_20)
target_compile_options(locara_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor
    -fstack-protector-strong -fPIE)
if(LOCARA_WERROR)
    target_compile_options(locara_options INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 reports these two in libstdc++ and in coroutine frames where there is nothing to mend
    # (GCC bugs 105329 and 105562).
    target_compile_options(locara_options INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
target_compile_definitions(locara_options INTERFACE _GLIBCXX_ASSERTIONS)
target_link_options(locara_options INTERFACE -pie -Wl,-z,relro,-z,now)

if(LOCARA_SANITIZE)
    target_compile_options(locara_options INTERFACE -fsanitize=${LOCARA_SANITIZE} -fno-omit-frame-pointer
        -fno-sanitize-recover=all)
    target_link_options(locara_options INTERFACE -fsanitize=${LOCARA_SANITIZE})
else()
    # _FORTIFY_SOURCE needs optimisation and hides what the sanitizers would see.
    target_compile_definitions(locara_options INTERFACE $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
endif()
