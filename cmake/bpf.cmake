# The kernel side of the recorder, as a relocatable BPF object with BTF (CO-RE).
if(WHITTLE_BPF_OBJECT)
  set(WHITTLE_RECORDER_OBJECT ${WHITTLE_BPF_OBJECT})
  add_custom_target(whittle_bpf)
else()
  find_program(BPF_CLANG NAMES clang clang-19 clang-16 clang-14)
  if(NOT BPF_CLANG)
    message(FATAL_ERROR "clang is needed for the BPF object; or give one made earlier with "
                        "-DWHITTLE_BPF_OBJECT=FILE")
  endif()
  set(WHITTLE_RECORDER_OBJECT ${CMAKE_BINARY_DIR}/recorder.bpf.o)
  file(GLOB bpf_headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bpf/*.h)
  add_custom_command(
    OUTPUT ${WHITTLE_RECORDER_OBJECT}
    COMMAND ${BPF_CLANG} -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror
            -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=
            -I${CMAKE_SOURCE_DIR}/bpf -c ${CMAKE_SOURCE_DIR}/bpf/recorder.bpf.c
            -o ${WHITTLE_RECORDER_OBJECT}
    DEPENDS ${CMAKE_SOURCE_DIR}/bpf/recorder.bpf.c ${bpf_headers}
    COMMENT "Compiling the BPF recorder"
    VERBATIM)
  add_custom_target(whittle_bpf DEPENDS ${WHITTLE_RECORDER_OBJECT})
endif()
