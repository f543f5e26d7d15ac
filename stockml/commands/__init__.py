"""What each command asks for, prints and exits with."""
