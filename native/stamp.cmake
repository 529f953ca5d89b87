# Two libraries that share the contract, backend.h and ops, work together only where both were built from the same one:
# PACKED_RNN_STAMP.
file(GLOB CONTRACT CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/backend.h ${CMAKE_CURRENT_LIST_DIR}/ops/*.h)
set(CONTRACT_TEXT "")
foreach(header ${CONTRACT})
  file(READ ${header} text)
  string(APPEND CONTRACT_TEXT "${text}")
endforeach()
string(SHA256 PACKED_RNN_STAMP "${CONTRACT_TEXT}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CONTRACT})
