"""The tests: a package, so that no other one of this name, which some distribution brings, comes first."""
