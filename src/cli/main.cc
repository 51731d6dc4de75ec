#include "cli/cli.h"

int main(int argc, char** argv) { return whittle::cli::run(argc, argv); }
