"""The process in a job of a queue: it takes stages from an exchange folder and carries them out."""
