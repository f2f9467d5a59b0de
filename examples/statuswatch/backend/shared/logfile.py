"""A log file that several processes write and any of them rotates.

Python's own handler loses lines here: each process rotates the file away from the others, which go on writing to the
old one. Gunicorn's workers and Celery's children are such processes.
"""

import fcntl
import os
from logging import LogRecord
from logging.handlers import RotatingFileHandler


class SharedRotatingFileHandler(RotatingFileHandler):
    """Write each line under a lock, to the file that has the name now."""

    def emit(self, record: LogRecord) -> None:
        """Write one line."""
        # NOTE: opened each time; a lock on a descriptor that was inherited would be shared with the parent.
        with open(f"{self.baseFilename}.lock", "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._follow()
            super().emit(record)

    def _follow(self) -> None:
        if self.stream is None:
            return
        try:
            is_same = os.path.samestat(os.stat(self.baseFilename), os.fstat(self.stream.fileno()))
        except FileNotFoundError:
            is_same = False
        if not is_same:
            self.stream.close()
            self.stream = self._open()
