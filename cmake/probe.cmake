# The program that tries the attack steps (src/trial/probe_program.c), as part of the binary. It is C
# without a library, whatever the build type: no call in it may come from anywhere but its source.
add_executable(whittle_probe ${CMAKE_SOURCE_DIR}/src/trial/probe_program.c)
target_compile_options(whittle_probe PRIVATE -O1 -ffreestanding -fno-stack-protector -fno-pie
                       -fno-sanitize=all -U_FORTIFY_SOURCE
                       $<$<C_COMPILER_ID:GNU>:-fno-tree-loop-distribute-patterns>)
target_link_options(whittle_probe PRIVATE -static -nostdlib -fno-sanitize=all
                    -Wl,--build-id=none -s)
set(WHITTLE_PROBE_PROGRAM ${CMAKE_BINARY_DIR}/whittle_probe)
set_target_properties(whittle_probe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
whittle_embed(whittle_trial probe_program ${WHITTLE_PROBE_PROGRAM})
add_dependencies(whittle_trial whittle_probe)
