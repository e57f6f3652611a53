"""What runs unattended: schedules, drop folders, sticks, and what is told about them."""
