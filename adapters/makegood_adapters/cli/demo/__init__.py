"""The demo: paid jobs against a simulated RunningHub, with everything going wrong that can."""
