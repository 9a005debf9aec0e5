"""What all verbs share on the command line: options, input and output, notices, errors in one line."""
