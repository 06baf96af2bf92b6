//! Against the simulator.
