"""What all commands share: options, streams, notices, errors in one line."""
