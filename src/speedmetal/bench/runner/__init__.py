"""Running suites: a coordinator, and one worker process per framework, device and mode."""
