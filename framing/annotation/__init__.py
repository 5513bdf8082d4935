"""What to code next, and tasks for coders."""
