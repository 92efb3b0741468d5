"""One replica's steps in virtual time: pure, deterministic, the same for emulator, simulator and plan."""
