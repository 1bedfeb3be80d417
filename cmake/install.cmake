# cmake --install build --prefix /usr: the programs where they find each other (those that only a program starts, in
# libexec/locara), what they serve, as ./dev build has laid it out, and the hub as a service (docs/hub.md, "As a service").
# The component `hub` is a hub alone.
install(TARGETS locara locara-tuf RUNTIME DESTINATION bin COMPONENT client)
install(TARGETS locara-hub locara-page-server RUNTIME DESTINATION bin COMPONENT hub)
install(TARGETS locara-gate locara-sandbox-init RUNTIME DESTINATION libexec/locara COMPONENT hub)
install(DIRECTORY ${PROJECT_BINARY_DIR}/share/locara DESTINATION share COMPONENT client OPTIONAL)
# What `locara-hub review check` opens an app's page with.
install(DIRECTORY ${PROJECT_BINARY_DIR}/share/locara DESTINATION share COMPONENT hub OPTIONAL)
install(FILES docs/hub.md DESTINATION share/doc/locara COMPONENT hub)
install(FILES packaging/locara-hub.conf DESTINATION lib/sysusers.d COMPONENT hub)
# The unit names its program and its document by their whole paths: those of this prefix.
install(CODE "set(LOCARA_UNIT \"${PROJECT_SOURCE_DIR}/packaging/locara-hub.service\")" COMPONENT hub)
install(CODE [[
    set(unit "${CMAKE_INSTALL_PREFIX}/lib/systemd/system/locara-hub.service")
    file(READ "${LOCARA_UNIT}" text)
    string(REPLACE "/usr/" "${CMAKE_INSTALL_PREFIX}/" text "${text}")
    message(STATUS "Installing: $ENV{DESTDIR}${unit}")
    file(WRITE "$ENV{DESTDIR}${unit}" "${text}")
]] COMPONENT hub)
