"""Files on this machine: texts that users give, private folders, temporary ones, and what evalkit brings along."""
