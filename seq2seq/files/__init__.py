"""Files that are complete or absent, checked before they are read, and locked against other processes."""
