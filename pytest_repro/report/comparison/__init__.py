"""Two sessions against each other: may they be compared, what differs, and how it is told."""
