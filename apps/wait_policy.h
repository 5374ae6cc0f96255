#pragma once

namespace burin::apps {

/// Chooses how long compute threads that wait for work keep a core busy, where the user has not
/// (OMP_WAIT_POLICY, GOMP_SPINCOUNT). libgomp reads that when it is loaded, before main: so the
/// process starts itself once more, which costs a few milliseconds. apps/README.md has the
/// measurements.
void set_wait_policy(char** argv);

}  // namespace burin::apps
