//! Logging to a file: the console owns the terminal, so nothing is ever logged to stdout.
