add_compile_options(-Wall -Wextra -Wpedantic $<$<COMPILE_LANGUAGE:CXX>:-Wshadow>
                    -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "Release")
  # Warnings of g++ 12's optimizer that are wrong for inlined std::string, std::vector and
  # std::optional (GCC bugs 105329, 105562, 105651 and their like). The debug builds have none of
  # them off; the sanitizers look for the real ones.
  add_compile_options(-Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overread
                      -Wno-stringop-overflow -Wno-array-bounds)
endif()
if(WHITTLE_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()
if(WHITTLE_SANITIZE)
  add_compile_options(-fsanitize=${WHITTLE_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WHITTLE_SANITIZE})
endif()
