#include "record/signals.h"

#include <array>
#include <csignal>

namespace whittle::record {

namespace {

constexpr std::array<int, 3> kSignals = {SIGHUP, SIGINT, SIGTERM};

volatile std::sig_atomic_t g_hangups = 0;
volatile std::sig_atomic_t g_insisted = 0;
int g_alive = 0;
std::array<struct sigaction, kSignals.size()> g_before;

void count_signal(int signal) {
  if (signal == SIGHUP) {
    g_hangups = g_hangups + 1;
  } else {
    g_insisted = g_insisted + 1;
  }
}

}  // namespace

SignalCatcher::SignalCatcher() {
  if (g_alive++ != 0) return;
  g_hangups = 0;
  g_insisted = 0;
  struct sigaction action = {};
  action.sa_handler = count_signal;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &action, &g_before[i]);
    const bool ignored = g_before[i].sa_handler == SIG_IGN;
    if (kSignals[i] == SIGHUP && ignored) sigaction(SIGHUP, &g_before[i], nullptr);
  }
}

SignalCatcher::~SignalCatcher() {
  if (--g_alive != 0) return;
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &g_before[i], nullptr);
}

int SignalCatcher::caught() { return g_hangups + g_insisted; }
int SignalCatcher::insisted() { return g_insisted; }

}  // namespace whittle::record
