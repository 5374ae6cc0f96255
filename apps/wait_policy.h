#pragma once

namespace burin::apps {

/// Chooses how long compute threads that wait for work keep a core busy, where the user has not
/// (OMP_WAIT_POLICY, GOMP_SPINCOUNT). libgomp reads that when it is loaded, before main: so the
/// process starts itself once more, which costs a few milliseconds. apps/README.md has the
/// measurements.
void set_wait_policy(char** argv);

/// Ends the compute threads that the calling thread's loops have left waiting. For a thread that
/// hands the computing over to another: where a process has more of them than cores, libgomp lets
/// them sleep between two loops, and each loop has to wake them.
void release_compute_threads();

}  // namespace burin::apps
