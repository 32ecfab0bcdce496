"""The processes: RQ jobs, the sweeper, the supervisor and the command line's entry point."""
